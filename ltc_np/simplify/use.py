"""What each synapse of a layer does on data: strength times use."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import part
from ..base.types import Array, Bools
from ..cells import LRC, LTC, WiredCfC
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
    valid = None if data.lengths is None else np.arange(trace.y.shape[1]) < np.asarray(data.lengths)[:, None]
    found = {}
    for k in layers:
        prefix = model.layer_stack.prefixes[k]
        p = part(dict(model.effective), prefix) | part(dict(model.buffers), prefix)
        own = _of_layer(model.layers[k], p, trace.layers[k], valid, compensate)
        mean = np.concatenate(own.loss).mean() if own.loss[0].size + own.loss[1].size else 0.0
        found[k] = own._replace(loss=(own.loss[0] / mean, own.loss[1] / mean)) if mean > 0 else own
    return found


def _of_layer(layer: Any, p: dict[str, Array], seen: Any, valid: Bools | None, compensate: bool) -> Use:
    wiring = layer.wiring
    kinds = (("", wiring.pre, seen.state), ("sensory_", wiring.sensory_pre, seen.inputs))
    losses, conductances = [], []
    for kind, pre, source in kinds:
        if isinstance(layer, LTC):
            current = _valid(seen.arrays[f"{kind}currents"], valid)
            opening = _mean(_valid(seen.arrays[f"{kind}activations"], valid))
            losses.append(current.std(0) if compensate else _mean(current))
            conductances.append(opening * p[f"{kind}w"] * p.get(f"{kind}gain", 1.0))
        elif isinstance(layer, LRC):
            opening = _mean(_valid(seen.arrays[f"{kind}activations"], valid))
            strength = (p[f"{kind}w"] + np.abs(p[f"{kind}h"])) * p.get(f"{kind}gain", 1.0)
            weight = p.get(f"{kind}elastance_w")
            if kind:  # what synapses read is mapped first
                source = source * p.get("input_w", 1.0) + p.get("input_b", 0.0)
            size = 0.0 if weight is None else np.abs(weight) * _mean(_valid(source, valid))[pre]
            losses.append(opening * strength + size)
        else:
            checks.must_know(__name__, "layer", type(layer), (LTC, LRC, WiredCfC))
            read = wired_cfc.sources(layer, seen.state, kind, seen.inputs)
            losses.append(wired_cfc.strengths(layer, p, kind) * _mean(_valid(read, valid))[pre])
    return Use((losses[0], losses[1]), (conductances[0], conductances[1]) if conductances else None)


def _valid(values: Array, valid: Bools | None) -> Array:
    """(n, ...) float64 of all valid steps."""
    values = np.asarray(values, np.float64)
    return values.reshape(math.prod(values.shape[:-1]), values.shape[-1]) if valid is None else values[valid]


def _mean(values: Array) -> Array:
    """Mean magnitude over the steps."""
    return np.abs(values).mean(0)
