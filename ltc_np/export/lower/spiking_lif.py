"""The SpikingLIF.  `ltc_np.cells.spiking_lif` has the equations."""

from __future__ import annotations

import numpy as np

from ...base import checks
from ...base.types import Arrays
from ...cells import SpikingLIF
from ..builder import Builder
from ..program import Expr, Vector, apply


def lower(layer: SpikingLIF, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The potential without a spike, then whether there is one, then what it changes."""
    if layer.relaxed:
        raise TypeError(f"`model` must not have relaxed spikes, which are for tests, got {layer!r}")
    if isinstance(layer.reset, str):
        checks.must_know(__name__, "reset", layer.reset, ("subtract",))
    parts = {name: state[where] for name, where in layer.state_slices.items()}
    v, rest, spikes = parts["v"], parts.get("rest"), parts.get("spikes")
    if spikes is None:
        V = b.linear(p["w_x"].T, x, p["b"], name="V")
    else:
        V = b.linear(np.concatenate([p["w_x"], p["w_h"]]).T, b.join(x, spikes), p["b"], name="V")
    active = dt
    if rest is not None:
        active = b.store(apply("maximum", dt - rest, 0.0), "active")
    r = b.store(active * (1 / p["tau"]), "r")
    b.assign(V, v + (V - v) * (r * apply("relaxed", r)))
    fires = b.store(apply("select", active, apply("select", layer.threshold - V, 0.0, 1.0), 0.0), "fires")
    b.assign(v, apply("select", fires, V - layer.threshold if layer.reset == "subtract" else layer.reset, V))
    if rest is not None:
        b.assign(rest, apply("select", fires, layer.refractory, apply("maximum", rest - dt, 0.0)))
    if spikes is not None:
        b.assign(spikes, apply("select", dt, fires, spikes))
    return fires
