"""What each synapse of a layer does on data: strength times use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import part
from ..base.types import Array, Bools
from ..cells import LRC, LTC, Layer, WiredCfC
from ..model import Model
from . import wired_cfc
from .result import Data


class Use(NamedTuple):
    """Of the synapses of a layer, recurrent and sensory, (S,) and (S_sensory,) arrays.

    Attributes
    ----------
    loss : two arrays
        What is lost with a synapse, in units of the layer's mean.
    conductance : two arrays, or None
        Of an LTC the mean conductances w sigmoid(...).
    """

    loss: tuple[Array, Array]
    conductance: tuple[Array, Array] | None


def uses(model: Model, layers: list[int], data: Data, compensate: bool) -> dict[int, Use]:
    """The `Use` of some of a model's layers by their numbers.

    With ``compensate`` the mean current of a synapse of an LTC is not lost.
    """
    trace = model.trace(**data.told(model))
    found = {}
    for k in layers:
        own = trace.layers[k]
        valid = None if data.lengths is None else np.arange(own.dt.shape[1]) < own.lengths[:, None]
        prefix = model.layer_stack.prefixes[k]
        p = part(dict(model.effective), prefix) | part(dict(model.buffers), prefix)
        use = _of_layer(model.layers[k], p, own, valid, compensate)
        mean = np.concatenate(use.loss).mean() if use.loss[0].size + use.loss[1].size else 0.0
        found[k] = use._replace(loss=(use.loss[0] / mean, use.loss[1] / mean)) if mean > 0 else use
    return found


def _of_layer(layer: Any, p: dict[str, Array], seen: Any, valid: Bools | None, compensate: bool) -> Use:
    known = next((cell for cell in OF_CELL if isinstance(layer, cell)), type(layer))
    checks.must_know(__name__, "layer", known, OF_CELL)
    losses, conductances = zip(
        *(OF_CELL[known](layer, p, seen, kind, valid, compensate) for kind in ("", "sensory_")), strict=True
    )
    return Use(losses, None if conductances[0] is None else conductances)


# What the synapses of a kind, the prefix of their names, do in a cell: what is lost with each, and its conductance.


def _of_ltc(
    layer: LTC, p: dict[str, Array], seen: Any, kind: str, valid: Bools | None, compensate: bool
) -> tuple[Array, Array | None]:
    current = _valid(seen.arrays[f"{kind}currents"], valid)
    opening = _mean(_valid(seen.arrays[f"{kind}activations"], valid))
    loss = current.std(0) if compensate else _mean(current)
    return loss, opening * p[f"{kind}w"] * p.get(f"{kind}gain", 1.0)


def _of_lrc(
    layer: LRC, p: dict[str, Array], seen: Any, kind: str, valid: Bools | None, compensate: bool
) -> tuple[Array, Array | None]:
    opening = _mean(_valid(seen.arrays[f"{kind}activations"], valid))
    strength = (p[f"{kind}w"] + np.abs(p[f"{kind}h"])) * p.get(f"{kind}gain", 1.0)
    weight = p.get(f"{kind}elastance_w")
    if weight is None:
        return opening * strength, None
    pre, source = layer.wiring.pre, seen.state
    if kind:  # what synapses read is mapped first
        pre, source = layer.wiring.sensory_pre, seen.inputs * p.get("input_w", 1.0) + p.get("input_b", 0.0)
    return opening * strength + np.abs(weight) * _mean(_valid(source, valid))[pre], None


def _of_wired_cfc(
    layer: WiredCfC, p: dict[str, Array], seen: Any, kind: str, valid: Bools | None, compensate: bool
) -> tuple[Array, Array | None]:
    pre = layer.wiring.sensory_pre if kind else layer.wiring.pre
    read = wired_cfc.sources(layer, seen.state, kind, seen.inputs)
    return wired_cfc.strengths(layer, p, kind) * _mean(_valid(read, valid))[pre], None


OF_CELL: dict[type[Layer], Callable[..., tuple[Array, Array | None]]] = {
    LTC: _of_ltc,
    LRC: _of_lrc,
    WiredCfC: _of_wired_cfc,
}


def _valid(values: Array, valid: Bools | None) -> Array:
    """(n, ...) float64 of all valid steps."""
    values = np.asarray(values, np.float64)
    return values.reshape(math.prod(values.shape[:-1]), values.shape[-1]) if valid is None else values[valid]


def _mean(values: Array) -> Array:
    """Mean magnitude over the steps."""
    return np.abs(values).mean(0)
