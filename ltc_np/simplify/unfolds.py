"""Fewer unfolds, or another solver: the same parameters at a lower cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..analysis.solver_error import solved, solver_error
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import ArrayLike
from ..cells import Layer
from ..cells.base import replaced
from ..kernels.codes import SOLVERS
from ..model import Model, check_model
from .rebuilt import check_function, rebuilt
from .result import Data, Row, Simplified, judge, simplified, size_of

STABLE = tuple(name for name, solver in SOLVERS.items() if solver.limit is None)


@with_signature_hints
def fewer_unfolds(
    model: Model,
    x: ArrayLike,
    tolerance: float,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    solvers: Sequence[str] = STABLE,
    error: Callable[[Model], float] | None = None,
) -> Simplified:
    """The model with the cheapest solver and number of unfolds that its outputs allow; all parameters stay.

    A trained model is the map that its solver computes, so a candidate is compared with the model itself and not with
    the differential equation: an exact solution would be another model too.  How far each is from that equation stands
    in the table all the same.

    Parameters
    ----------
    model : Model
        With at least one layer that has a solver, such as an `LTC` or a `CTRNN`, also inside others.
    x : array
        A few typical sequences.
    tolerance : number >= 0
        Largest error allowed: the root mean square difference from the outputs of ``model`` over their spread
        (`Error.relative`), or what ``error`` says.
    dt, lengths
        As for a call.
    solvers : sequence of str
        Those to try, of all layers with a solver alike.  Default: those that are stable for every ``dt``; explicit ones
        are left out where the ``check_stability`` of a layer refuses them on these data.
    error : callable, optional
        ``error(model) -> float``, instead of the difference, the smaller the better, such as
        ``lambda model: model.evaluate(x_val, y_val)["loss"]``.

    Returns
    -------
    Simplified
        Its table has a row for each solver and number of unfolds that costs no more than ``model``, cheapest first:
        ``error``, and by name ``solver_error``, the largest difference of an output from a fine solution
        (`solver_error`).  Where none is cheaper within the tolerance, ``result.model`` is ``model`` itself.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.simplify import fewer_unfolds
    >>> model = LTCRNN(AutoNCP(8, 2), 3, ode_unfolds=6, seed=0)
    >>> result = fewer_unfolds(model, np.random.default_rng(0).normal(size=(4, 20, 3)), tolerance=0.5)
    >>> result.model.layers[0].solver, result.model.layers[0].ode_unfolds
    ('exponential', 1)
    >>> result.before.evaluations, result.after.evaluations
    (54, 22)
    """
    check_model("model", model)
    check_function("error", error)
    tolerance = checks.number("tolerance", tolerance)
    layers = solved(model.layers)
    if not layers:
        raise ValueError(f"`model` must have a layer with a solver, such as an LTC or a CTRNN, got {model!r}")
    known = [name for name in SOLVERS if all(name in layer.words["solver"] for layer in layers)]
    if isinstance(solvers, str):
        raise TypeError(f"`solvers` must be a sequence of names, got the text {solvers!r}: write [{solvers!r}]")
    for name in solvers:
        checks.one_of("solvers", name, tuple(SOLVERS))
    wanted = [name for name in solvers if name in known]
    if not wanted:
        raise ValueError(f"`solvers` must have one that all layers know ({', '.join(known)}), got {list(solvers)}")
    data = Data(x, dt, lengths)
    wanted_outputs = data.outputs(model)
    judged = judge(error, data, wanted_outputs)
    # solver_error settles its reference to a hundredth of what it is told is wanted.
    settled, most = 1e-2 * float(np.abs(wanted_outputs).max(initial=1e-30)), max(n.rule.evaluations for n in layers)
    tried: list[tuple[int, float, Model, Row]] = []
    for name in wanted:
        stages = SOLVERS[name].stages
        numbers = range(1, most // stages + 1)
        exact = solver_error(_with(model, name, 1), x, dt=dt, lengths=lengths, tolerance=settled, unfolds=numbers)
        for n in (n for n in numbers if n not in exact.refused):
            other = _with(model, name, n)
            own = judged(other)
            row = Row(f"{name}, {n} unfold{'s' * (n > 1)}", size_of(other), own, {"solver_error": exact.errors[n]})
            tried.append((stages * n, own, other, row))
    tried.sort(key=lambda one: one[:2])
    found = next((other for _, own, other, _ in tried if own <= tolerance), model)
    return simplified(model, found, data, table=tuple(row for *_, row in tried))


def _with(model: Model, solver: str, unfolds: int) -> Model:
    """The model with this solver and so many unfolds in all layers that have them."""

    def change(layer: Layer) -> Layer | None:
        if layer.reference_solver is None:
            return None
        return type(layer).from_config(layer.config() | {"solver": solver, "ode_unfolds": unfolds})

    return rebuilt(model, replaced(model.layers, change))
