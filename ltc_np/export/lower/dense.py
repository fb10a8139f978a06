"""Dense layers."""

from __future__ import annotations

from ...base.types import Arrays
from ...layers import Dense
from ..builder import Builder
from ..program import Expr, Vector
from .activations import activate


def lower(layer: Dense, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """y = activation(W x + b)."""
    return activate(layer.activation, b.linear(p["weight"].T, x, p["bias"]), b)
