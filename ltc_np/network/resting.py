"""How long neurons remember at rest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base.types import Array
from ..cells.base import Layer


class Resting(NamedTuple):
    """A layer whose neurons have time constants, and these (N,), at rest: with inputs and potentials of 0."""

    layer: Layer
    tau: Array


def time_constants(network: Any) -> list[Resting]:
    """Of all layers of a `Model` that observe some, such as `LTC`, `LRC` and `CTRNN`, in the unit of dt."""
    p = network.layout.arrays(network.layout.effective(network.theta.astype(np.float64)))
    buffers = network.buffer_layout.arrays(network.buffer_vector.astype(np.float64))
    prepared = network.layer_stack.prepare(p, buffers, "numpy")
    found = []
    for layer, own in zip(network.layers, prepared, strict=True):
        if "tau" in (seen := _observed(layer, own)):
            found.append(Resting(layer, np.asarray(seen["tau"], np.float64)[0]))
    return found


def _observed(layer: Layer, prepared: Any) -> dict[str, Any]:
    if not hasattr(layer, "observe") or not layer.takes_dt:
        return {}
    x, state = np.zeros((1, layer.input_size)), np.zeros((1, layer.state_size))
    return dict(layer.observe(prepared, x, np.full(1, 1e-9), state))
