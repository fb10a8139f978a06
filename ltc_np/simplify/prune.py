"""Pruning: synapses that do little on data are removed, and with them what they alone were there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.layout import part, raw
from ..base.types import ArrayLike, Arrays, Bools, Ints
from ..model import Model, check_model
from .rebuilt import check_function, rebuilt
from .result import Data, Kept, Row, Simplified, judge, simplified, size_of
from .shrink import can_shrink, shrink
from .use import uses


@with_signature_hints
def prune(
    model: Model,
    x: ArrayLike,
    *,
    keep: float | None = None,
    tolerance: float | None = None,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    step: float = 0.1,
    compensate: bool = True,
    fine_tune: Callable[[Model], Any] | None = None,
    error: Callable[[Model], float] | None = None,
) -> Simplified:
    """A smaller model without the synapses that do least on data.

    Synapses go in several cuts, the weakest of a cut first.  How much one does is measured on ``x`` before every cut,
    in the model as it then is: strength times use, see Notes.  With the synapses go all neurons from which no path of
    synapses leads to an output any more.  The model equals the one in which those synapses have w = 0.

    Parameters
    ----------
    model : Model
        With at least one `LTC`, `LRC` or strict `WiredCfC` among its layers.  Layers inside others (`Bidirectional`,
        `MixedMemory`, `Residual`) and all others stay as they are.
    x : array
        Typical sequences: what is not used on them goes.
    keep : number in (0, 1], optional
        Share of the synapses to keep; fewer may remain where neurons go.
    tolerance : number >= 0, optional
        Stop before the error becomes larger: the root mean square difference from the outputs of ``model`` over their
        spread (`Error.relative`), or what ``error`` says.  One of both, or both, must be given.
    dt, lengths
        As for a call.
    step : number in (0, 1]
        Share of the model's synapses that a cut removes.
    compensate : bool
        Add the mean conductance that an LTC's removed synapses had on ``x`` to the leak of their neuron, which pulls
        where they did on average: gleak' = gleak + sum a, vleak' = (gleak vleak + sum a erev) / gleak'.  This changes
        gleak and vleak of these neurons, and makes the error several times smaller.  Other cells do not know it.
    fine_tune : callable, optional
        ``fine_tune(model)`` trains the smaller model in place after every cut, such as
        ``lambda model: model.fit(x, y, epochs=20, verbose=False)``.
    error : callable, optional
        ``error(model) -> float``, instead of the difference, the smaller the better, such as
        ``lambda model: model.evaluate(x_val, y_val)["loss"]``.

    Returns
    -------
    Simplified
        Its table has a row for every cut, also for one that went too far, and ``kept`` the former numbers of neurons
        and synapses.  Where no cut is within the tolerance, ``result.model`` is ``model`` itself.

    Warns
    -----
    UserWarning
        After a cut no path of synapses leads from any input to some outputs.

    Notes
    -----
    What is lost with a synapse of an LTC is its current w sigmoid(...) (erev - v): without ``compensate`` its mean
    magnitude counts, with it its standard deviation, since its mean conductance is not lost.  Of an LRC it is the mean
    opening times w + abs(h), and the mean magnitude of the source times abs(elastance_w); of a WiredCfC the mean
    magnitude of the source times the sum of those of the weights.  Where several layers are wired, each is measured in
    units of its own mean.  Cost: a trace of ``x``, with NumPy, for every cut, and the memory of
    one (`Model.trace`); some typical sequences are enough.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, FullyConnected
    >>> from ltc_np.simplify import prune
    >>> model = LTCRNN(FullyConnected(16, 2), 3, seed=0)
    >>> result = prune(model, np.random.default_rng(0).normal(size=(8, 20, 3)), keep=0.5)
    >>> result.after.synapses <= 0.5 * result.before.synapses
    True
    """
    check_model("model", model)
    check_function("error", error)
    check_function("fine_tune", fine_tune)
    if keep is None and tolerance is None:
        raise ValueError(
            "`keep` or `tolerance` must be given: how small the model shall be, or how good it must remain"
        )
    keep = 0.0 if keep is None else checks.number("keep", keep, 0, 1, low_open=True)
    tolerance = np.inf if tolerance is None else checks.number("tolerance", tolerance)
    compensate = checks.boolean("compensate", compensate)
    step = checks.number("step", step, 0, 1, low_open=True)
    wired = [k for k, layer in enumerate(model.layers) if can_shrink(layer)]
    if not wired:
        raise ValueError(
            f"`model` must have an LTC, an LRC or a WiredCfC(..., strict=True) among its layers, got {model!r}"
        )
    data = Data(x, dt, lengths)
    judged = judge(error, data, data.outputs(model))
    kept = {k: _everything(model.layers[k]) for k in wired}
    total = count = sum(map(_count, kept.values()))
    least, each = max(round(keep * total), 1), max(round(step * total), 1)
    rows: list[Row] = []
    found = model
    while count > least:
        smaller, parts = _cut(found, wired, count - max(least, count - each), data, compensate)
        if fine_tune is not None:
            fine_tune(smaller)
        own = judged(smaller)
        rows.append(Row(f"cut {len(rows) + 1}", size_of(smaller), own, {}))
        if own > tolerance:
            break
        kept = {k: Kept(*(a[b] for a, b in zip(kept[k], parts[k], strict=True))) for k in wired}
        found, count = smaller, sum(map(_count, kept.values()))
    return simplified(model, found, data, table=tuple(rows), kept=kept)


def _everything(layer: Any) -> Kept:
    wiring = layer.wiring
    return Kept(*map(np.arange, (wiring.units, wiring.synapse_count, wiring.sensory_synapse_count)))


def _count(kept: Kept) -> int:
    return kept.synapses.size + kept.sensory_synapses.size


def _cut(model: Model, wired: list[int], number: int, data: Data, compensate: bool) -> tuple[Model, dict[int, Kept]]:
    """The model without its ``number`` weakest synapses, and what its wired layers have kept."""
    used = uses(model, wired, data, compensate)
    losses = np.concatenate([values for use in used.values() for values in use.loss])
    keep = np.ones(losses.size, bool)
    keep[np.argsort(losses, kind="stable")[:number]] = False
    masks = iter(np.split(keep, np.cumsum([values.size for use in used.values() for values in use.loss])[:-1]))
    layers, theta, buffers, kept, leaks = list(model.layers), [], [], {}, {}
    at = at_buffer = 0
    for k, layer in enumerate(model.layers):
        places: Ints = np.arange(layer.layout.size)
        buffer_places: Ints = np.arange(layer.buffers.size)
        if k in used:
            pair = next(masks), next(masks)
            layers[k], places, buffer_places, kept[k] = shrink(layer, *pair)
            if compensate and used[k].conductance is not None:
                leaks[k] = _leak(model, k, pair, used[k].conductance)
        theta.append(at + places)
        buffers.append(at_buffer + buffer_places)
        at, at_buffer = at + layer.layout.size, at_buffer + layer.buffers.size
    chosen, chosen_buffers = np.concatenate(theta), np.concatenate(buffers)
    smaller = rebuilt(model, layers, lambda vector: vector[chosen], lambda vector: vector[chosen_buffers])
    for k, leak in leaks.items():
        for name, values in leak.items():
            smaller.params[smaller.layer_stack.prefixes[k] + name] = values[kept[k].neurons]
    return smaller, kept


def _leak(model: Model, k: int, pair: tuple[Bools, Bools], conductance: Any) -> Arrays:
    """Raw gleak and vleak (N,) of an LTC that have taken over the mean conductances of what does not stay."""
    layer: Any = model.layers[k]
    prefix, wiring = model.layer_stack.prefixes[k], layer.wiring
    p, raws = part(dict(model.effective), prefix), part(dict(model.params), prefix)
    own = p["gleak"].astype(np.float64)
    more, pull = np.zeros(wiring.units), own * p["vleak"]
    for kind, post, stays, mean in zip(
        ("", "sensory_"), (wiring.post, wiring.sensory_post), pair, conductance, strict=True
    ):
        gone = np.where(stays, 0.0, mean)
        more += np.bincount(post, gone, wiring.units)
        pull += np.bincount(post, gone * p[f"{kind}erev"], wiring.units)
    # A neuron that has lost nothing keeps its own, also if it has no leak, which by "clip" may be 0.
    lost = more > 0
    total = np.where(lost, own + more, 1.0)
    new = {"gleak": raw(total, layer.positivity), "vleak": pull / total}
    return {name: np.where(lost, values, raws[name]) for name, values in new.items()}
