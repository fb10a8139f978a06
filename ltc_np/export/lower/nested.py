"""Layers that hold others: Residual, Looped and MixedMemory."""

from __future__ import annotations

import numpy as np

from ...base import checks
from ...base.layout import part
from ...base.types import Arrays
from ...layers import Looped, MixedMemory, Residual
from ..builder import Builder
from ..program import Expr, Vector
from .layers import lower, lower_stack
from .lstm import remember


def residual(layer: Residual, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """x + f(x), or g(x) + f(x)."""
    found = [
        lower_stack(way.stack, part(p, way.prefix), part(buffers, way.prefix), b, x, dt, state[way.columns])
        for way in layer.ways
    ]
    return (x if layer.around is None else found[1]) + found[0]


def looped(layer: Looped, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The layers once for each use, with the same weights."""
    size = layer.stack.state_size
    for k in range(layer.times):
        x = lower_stack(layer.stack, p, buffers, b, x, dt, state[k * size : (k + 1) * size])
    return x


def mixed_memory(layer: MixedMemory, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The LSTM, whose output takes the place of the cell's state, or of its input."""
    checks.must_know(__name__, "topology", layer.topology, ("torch", "keras"))
    M, cell = layer.memory_size, layer.cell
    h, c = state[: cell.state_size], state[cell.state_size :]
    shown = h if layer.topology == "torch" else b.variable(M, "shown")
    bias = p["lstm_b"] + np.repeat([0.0, layer.forget_bias, 0.0, 0.0], M)
    remember(b, p["lstm_w_x"], p["lstm_w_h"], bias, x, h, c, shown)
    own = {name: p[name] for name in cell.layout.slices}
    return lower(cell, own, buffers, b, x if layer.topology == "torch" else shown, dt, h)
