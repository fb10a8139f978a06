"""Standardize and its inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...base.types import Arrays
    from ...layers import Standardize
    from ..program import Builder, Expr, Vector


def lower(layer: Standardize, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """(x - mean) / scale, or x * scale + mean."""
    mean, scale = buffers["mean"], buffers["scale"]
    # The difference first: x may lie far from 0, and close to its mean.
    return x * scale + mean if layer.inverse else (x - mean) * (1 / scale)
