"""How far a model's solver is from the solution of its differential equation, and how many unfolds would do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike
from ..base.workspace import Fresh
from ..cells import Layer
from ..cells.base import replaced
from ..network.network import Network
from ..network.sequences import check, read

# The reference begins with this many unfolds and doubles them, at most up to MOST.
FIRST, MOST = 32, 2**14


class SolverError(NamedTuple):
    """Result of `solver_error`; ``print`` it.

    Attributes
    ----------
    solver : str
        The model's own; several layers' joined by commas if they differ.
    ode_unfolds : int, or tuple of int
        Likewise.
    error, state_error : float
        Largest absolute error of an output at a valid step, and of a final state, with the model's own unfolds.
    errors : dict
        ode_unfolds -> error of the outputs, by the same solver; infinite where it diverges.
    tolerance : float
    suggested : int or None
        Smallest ode_unfolds whose error is at most ``tolerance``, as far as errors fall with their number, and which
        the model's ``check_stability`` allows on these data; None if there is none up to 16,384.
    refused : tuple of int
        Those of ``errors`` that ``check_stability`` does not allow.
    reference_solver : str
        ``Layer.reference_solver``, such as ``"exponential"`` of an LTC; several joined likewise.
    reference_unfolds : int
    reference_error : float
        By how much the last doubling of its unfolds still changed it; its own error is about a third of that.
    """

    solver: str
    ode_unfolds: int | tuple[int, ...]
    error: float
    state_error: float
    errors: dict[int, float]
    tolerance: float
    suggested: int | None
    refused: tuple[int, ...]
    reference_solver: str
    reference_unfolds: int
    reference_error: float

    def __repr__(self) -> str:
        rows = [
            f"{unfolds:>13} {error:>12.2e}" + "  refused by check_stability" * (unfolds in self.refused)
            for unfolds, error in sorted(self.errors.items())
        ]
        fine = f"{self.reference_solver}, {self.reference_unfolds} unfolds"
        advice = "no ode_unfolds" if self.suggested is None else f"ode_unfolds={self.suggested}"
        return "\n".join(
            [
                f"{self.solver}, ode_unfolds={self.ode_unfolds}: outputs are off by {self.error:.2e}, "
                f"final states by {self.state_error:.2e}",
                f"{'ode_unfolds':>13} {'error':>12}",
                *rows,
                f"for {self.tolerance:g}: {advice} (reference: {fine}, settled to {self.reference_error:.1e})",
            ]
        )


@with_signature_hints
def solver_error(
    model: Network,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    tolerance: float = 1e-3,
    unfolds: Sequence[int] = (1, 2, 3, 6, 12, 24),
) -> SolverError:
    """The error of a model's solver on some data, against a fine solution with the same parameters.

    A trained model is the map that its solver computes, errors included.  To go on with other unfolds, make a new model
    that has them, copy the parameters (``new.theta = model.theta``) and train it, at least a little.  A large error
    says that the network is not the differential equation it stands for, so that other unfolds, another solver or
    another ``dt`` give another network.

    Parameters
    ----------
    model : Model
        With at least one layer that has a solver, such as an `LTC` or a `CTRNN`, also inside others.
    x, dt, lengths, h0
        As for a call; a few typical sequences are enough.
    tolerance : number > 0
        Largest absolute error of an output that is wanted.
    unfolds : sequence of int
        Other numbers of unfolds, of every layer with a solver, to measure.

    Returns
    -------
    SolverError

    Notes
    -----
    All is computed in float64, so rounding has no part in it.  The reference is the layer's ``reference_solver``, the
    exponential one of conductances and ``"rk4"`` of others, its unfolds doubled until outputs and final states move by
    less than a hundredth of ``tolerance``.  Cost: that of some hundred to some thousand unfolds a step.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, solver_error
    >>> model = LTCRNN(AutoNCP(8, 2), 3, solver="exponential", ode_unfolds=3, seed=0)
    >>> found = solver_error(model, np.random.default_rng(0).normal(size=(4, 10, 3)), tolerance=1e-3)
    >>> found.errors[found.suggested] <= 1e-3 < found.errors[2]
    True
    """
    if not isinstance(model, Network):
        raise TypeError(f"`model` must be a Model, got {type(model).__name__}")
    layers = solved(model.layers)
    if not layers:
        raise ValueError(f"`model` must have a layer with a solver, such as an LTC or a CTRNN, got {model!r}")
    tolerance = checks.number("tolerance", tolerance, low_open=True)
    wanted = [checks.integer("unfolds", n) for n in np.atleast_1d(np.asarray(unfolds, object)).tolist()]
    call = _Calls(model, x, dt, lengths, h0)
    reference, size, change = call(fine=True, ode_unfolds=FIRST), FIRST, np.inf
    while change > tolerance / 100 and size < MOST:
        before, size = reference, 2 * size
        reference = call(fine=True, ode_unfolds=size)
        change = max(_distance(a, b) for a, b in zip(reference, before, strict=True))
    errors = {}

    def error(n):
        if n not in errors:
            errors[n] = _distance(call(ode_unfolds=n)[0], reference[0])
        return errors[n]

    own, state = (_distance(a, b) for a, b in zip(call(), reference, strict=True))
    for n in wanted:
        error(n)
    suggested = _smallest(lambda n: error(n) <= tolerance and call.allowed(n))
    solvers, fine, numbers = (
        dict.fromkeys(getattr(layer, key) for layer in layers) for key in ("solver", "reference_solver", "ode_unfolds")
    )
    one = next(iter(numbers)) if len(numbers) == 1 else tuple(layer.ode_unfolds for layer in layers)
    kept = {n: errors[n] for n in sorted({*wanted, *([suggested] if suggested else [])})}
    refused = tuple(n for n in kept if not call.allowed(n))
    names = ", ".join(solvers), ", ".join(fine)
    return SolverError(names[0], one, own, state, kept, tolerance, suggested, refused, names[1], size, change)


def solved(value: Any) -> list[Any]:
    """The layers with a solver: a layer itself, or those inside it, or in a tuple of layers."""
    if isinstance(value, Layer):
        if value.reference_solver is not None:
            return [value]
        value = tuple(value.config().values())
    return [found for one in value for found in solved(one)] if isinstance(value, tuple) else []


def _with_settings(layer: Layer, fine: bool, settings: Any) -> Layer | None:
    """A layer that has a solver with other settings, as far as it has them; ``fine``: by its reference."""
    if layer.reference_solver is None:
        return None
    config = layer.config()
    config |= {name: setting for name, setting in settings.items() if name in config}
    config |= {"solver": layer.reference_solver} if fine else {}
    return type(layer).from_config(config)


class _Calls:
    """Outputs and final states of a model, in float64, with other settings of its layers with a solver."""

    def __init__(
        self, model: Network, x: ArrayLike, dt: ArrayLike | None, lengths: ArrayLike | None, h0: ArrayLike | None
    ) -> None:
        self.model, self.arguments = model, (x, dt)
        self.lengths, self.h0 = lengths, h0

    def _with(self, settings: Any, fine: bool = False) -> Network:
        model = self.model
        layers = [replaced(layer, lambda one: _with_settings(one, fine, settings)) for layer in model.layers]
        other = Network(
            *layers, seed=0, dtype="float64", backend=model.backend, return_sequences=model.return_sequences
        )
        other.theta = model.theta
        other.buffer_vector[:] = model.buffer_vector
        return other

    def __call__(self, fine: bool = False, **settings: Any) -> tuple[Array, Array]:
        with np.errstate(over="ignore", invalid="ignore"):  # explicit solvers may diverge
            model = self._with(settings, fine)
            engine, (x, dt) = model.engine, self.arguments
            given = read(model, x, dt, self.lengths, self.h0, model.return_sequences)
            y, state, saved = engine.forward(engine.prepare(Fresh()), given.sequences, None, Fresh())
        return given.outputs(y, model.pace(given.sequences, saved)), given.state(state)

    def allowed(self, n: int) -> bool:
        """Whether the model, with n unfolds, takes these elapsed times."""
        model = self._with({"ode_unfolds": n})
        engine, (sequences, _) = model.engine, check(model, *self.arguments, self.lengths, self.h0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                engine.check(engine.prepare(Fresh()), sequences)
            except ValueError:
                return False
        return True


def _distance(a: Array, b: Array) -> float:
    """Largest absolute difference; infinite where one is not a number."""
    with np.errstate(over="ignore", invalid="ignore"):
        largest = float(np.abs(a - b).max(initial=0))
    return largest if np.isfinite(largest) else np.inf


def _smallest(good: Callable[[int], bool]) -> int | None:
    """The smallest n that is good, if all larger ones are; None beyond MOST."""
    high = 1
    while not good(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high
