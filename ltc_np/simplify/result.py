"""What simplifying gives: a model, how far it is from the one it came from, and how large both are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Ints
from ..cells import Layer
from ..layers import Bidirectional
from ..model import Model
from ..network.network import Network

TRIALS = 5  # of a time measured; the best counts


class Size(NamedTuple):
    """How large a model is.

    Attributes
    ----------
    state : int
        K, the numbers it remembers from step to step; of an LTC its neurons.
    parameters, synapses : int
        Synapses are those of wirings, recurrent and sensory together; 0 without a wiring.
    evaluations : int
        Synapses that an `LTC` or `LRC` evaluates in one step: the sensory ones once, the others at every stage of
        every unfold.  It is what their time is proportional to.
    """

    state: int
    parameters: int
    synapses: int
    evaluations: int

    def __str__(self) -> str:
        return (
            f"{self.state} states, {self.parameters} parameters, {self.synapses} synapses, "
            f"{self.evaluations} evaluations a step"
        )


class Error(NamedTuple):
    """How far outputs are from what they should be, over all valid steps, outputs and sequences.

    Attributes
    ----------
    largest, rms : float
        Largest absolute difference, and the root of the mean square; infinite where outputs are not finite.
    relative : float
        ``rms`` in units of the spread of what they should be, the root of the mean variance of its columns; so
        1 - relative**2 is R squared.  Infinite where they should be constant and are not.
    """

    largest: float
    rms: float
    relative: float

    def __str__(self) -> str:
        return f"{self.relative:.2%} of the spread (rms {self.rms:.2e}, largest {self.largest:.2e})"


class Kept(NamedTuple):
    """Where the parts of a smaller layer stood in the larger one.

    Attributes
    ----------
    neurons, synapses, sensory_synapses : int arrays
        The former number of each neuron, and of each synapse in the order of ``wiring.pre, wiring.post``.
    """

    neurons: Ints
    synapses: Ints
    sensory_synapses: Ints


class Row(NamedTuple):
    """One thing that was tried.

    Attributes
    ----------
    what : str
    size : Size
    error : float
        What was compared with the tolerance.
    others : dict
        Further figures by their names.
    """

    what: str
    size: Size
    error: float
    others: Mapping[str, float]


class Simplified(NamedTuple):
    """A simpler model; ``print`` it.

    Attributes
    ----------
    model : Model
        What came out.
    original : Model
        What it was made from, unchanged.
    error : Error
        Of the outputs of ``model`` against those of ``original``, on the data given.
    before, after : Size
    table : tuple of Row
        All that was tried, in this order.
    kept : dict
        Of pruning: number of the layer -> `Kept`.
    """

    model: Model
    original: Model
    error: Error
    before: Size
    after: Size
    table: tuple[Row, ...] = ()
    kept: Mapping[int, Kept] = {}

    def __repr__(self) -> str:
        names = [*dict.fromkeys(name for row in self.table for name in row.others)]
        width = max([4, *(len(row.what) for row in self.table)])
        head = f"{'':<{width}} {'state':>6} {'synapses':>8} {'evaluations':>11} {'error':>9}"
        lines = [
            f"before: {self.before}",
            f"after:  {self.after}",
            f"outputs differ by {self.error}",
            *([head + "".join(f" {name:>14}" for name in names)] if self.table else []),
        ]
        for what, size, error, others in self.table:
            figures = "".join(f" {others[name]:>14.2e}" if name in others else f" {'':>14}" for name in names)
            lines.append(
                f"{what:<{width}} {size.state:>6} {size.synapses:>8} {size.evaluations:>11} {error:>9.2e}{figures}"
            )
        return "\n".join(lines)

    def time_ratio(self, x: ArrayLike, *, dt: ArrayLike | None = None, lengths: ArrayLike | None = None) -> float:
        """Time of a call of ``model`` over that of ``original``, measured here and now: the best of five of each.

        Parameters
        ----------
        x, dt, lengths
            As for a call; a model without elapsed time is not told ``dt``.
        """
        data = Data(x, dt, lengths)
        times: dict[str, list[float]] = {"model": [], "original": []}
        for trial in range(TRIALS + 1):  # the first one compiles and prepares
            for name, taken in times.items():
                model = getattr(self, name)
                begun = time.perf_counter()
                model(**data.told(model))
                taken += [time.perf_counter() - begun] if trial else []
        return min(times["model"]) / min(times["original"])


class Data(NamedTuple):
    """The arguments of a call."""

    x: Any
    dt: Any
    lengths: Any

    def part(self, rows: slice) -> Data:
        """Some of the sequences, by a slice."""
        dt = np.asarray(self.dt)[rows] if np.ndim(self.dt) == 2 else self.dt
        lengths = None if self.lengths is None else np.asarray(self.lengths)[rows]
        return Data(np.asarray(self.x)[rows], dt, lengths)

    def told(self, model: Network) -> dict[str, Any]:
        """By name; the elapsed times only for a model that takes them."""
        return self._asdict() | {"dt": self.dt if model.takes_dt else None}

    def outputs(self, model: Network, every: bool = False) -> Array:
        """What a model says at all valid steps, or at the last ones where it gives no others: (n, O), float64."""
        sequences = every or model.return_sequences
        y = np.asarray(model(**self.told(model), return_sequences=sequences), np.float64)
        return self.valid(y) if sequences else y.reshape(-1, y.shape[-1])

    def valid(self, y: Array) -> Array:
        """The valid steps of an array (B, T, O) or (T, O), as (n, O)."""
        if self.lengths is None:
            return y.reshape(-1, y.shape[-1])
        return y[np.arange(y.shape[1]) < np.asarray(self.lengths)[:, None]]


def error_of(y: Array, wanted: Array) -> Error:
    """The `Error` of outputs (n, O)."""
    with np.errstate(over="ignore", invalid="ignore"):
        difference = np.abs(y - wanted)
        largest, rms = float(difference.max(initial=0)), float(np.sqrt((difference**2).mean()))
    if not np.isfinite(largest):
        return Error(np.inf, np.inf, np.inf)
    spread = float(np.sqrt(wanted.var(0).mean()))
    if spread == 0:
        return Error(largest, rms, np.inf if rms else 0.0)
    return Error(largest, rms, rms / spread)


def measured(model: Network, data: Data, wanted: Array) -> Error:
    """The `Error` of a model on data; infinite where its state overflows."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            y = data.outputs(model)
    except FloatingPointError:
        return Error(np.inf, np.inf, np.inf)
    return error_of(y, wanted)


def judge(error: Callable[[Any], float] | None, data: Data, wanted: Array) -> Callable[[Any], float]:
    """What is compared with a tolerance, of a model: the user's ``error``, or `Error.relative` on data."""
    if error is None:
        return lambda model: measured(model, data, wanted).relative
    return lambda model: checks.number("result of error", error(model), -np.inf)


def size_of(model: Network) -> Size:
    """The `Size` of a network."""
    synapses, evaluations = map(sum, zip(*map(_synapses, model.layers), strict=True))
    return Size(model.state_size, model.layout.size, synapses, evaluations)


def _synapses(value: Any) -> tuple[int, int]:
    """Synapses, and evaluations of a step, of a layer or of those inside it or its arguments."""
    if isinstance(value, Layer):
        config, rule = value.config(), getattr(value, "rule", None)
        if value.reads_wiring and (rule is not None or "wiring" in config):
            wiring = value.wiring  # type: ignore[attr-defined]
            S, S_sensory = wiring.synapse_count, wiring.sensory_synapse_count
            return S + S_sensory, 0 if rule is None else S_sensory + S * rule.evaluations
        inside, times = tuple(config.values()), 2 if isinstance(value, Bidirectional) else 1
        synapses, evaluations = _synapses(inside)
        return times * synapses, times * evaluations
    if not isinstance(value, tuple):
        return 0, 0
    found = [_synapses(one) for one in value]
    return sum(s for s, _ in found), sum(e for _, e in found)


def simplified(original: Model, model: Model, data: Data, **others: Any) -> Simplified:
    """The result for two models and the data to compare them on."""
    error = measured(model, data, data.outputs(original))
    return Simplified(model, original, error, size_of(original), size_of(model), **others)
