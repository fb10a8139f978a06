"""Layers that read the last inputs: Conv1D, a weighted sum of them, and Patch."""

from __future__ import annotations

from ...base.types import Arrays
from ...layers import Conv1D, Patch
from ..builder import Builder
from ..program import Expr, Vector
from .activations import activate
from .recent import look_back


def lower(layer: Conv1D, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """activation(W z + b) with z the inputs that are read."""
    weight, I = p["weight"].reshape(-1, layer.output_size).T, layer.input_size
    seen = look_back(layer, b, x, state) if state.size else b.join(x)
    parts = [seen[at : at + I] for at in range(0, seen.size, layer.dilation * I)]
    if layer.separable:
        first, *others = (taps * part for taps, part in zip(p["taps"], parts, strict=True))
        z = sum(others, first)
    else:
        z = b.join(*parts)
    return activate(layer.activation, b.linear(weight, z, p["bias"]), b)


def patch(layer: Patch, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The inputs, side by side."""
    return look_back(layer, b, x, state) if state.size else x
