"""Layers that go around cells and work feature by feature, or on the features of one step."""

from __future__ import annotations

import numpy as np

from ...base import checks
from ...base.types import Arrays
from ...layers import GELU, GLU, BatchNorm, Dropout, InputMapping, LayerNorm, Pooling, Standardize
from ..builder import Builder
from ..program import Expr, Vector, apply
from .activations import activate
from .mapping import mapped


def standardize(layer: Standardize, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """(x - mean) / scale, at most ``clip`` from 0, or x * scale + mean."""
    mean, scale = buffers["mean"], buffers["scale"]
    # The difference first: x may lie far from 0, and close to its mean.
    z = x * scale + mean if layer.inverse else (x - mean) * (1 / scale)
    return z if layer.clip is None else apply("minimum", apply("maximum", z, -layer.clip), layer.clip)


def batch_norm(layer: BatchNorm, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """By the statistics that training has kept."""
    scale = p["scale"] / np.sqrt(buffers["variance"] + layer.epsilon)
    return (x - buffers["mean"]) * scale + p["shift"]


def layer_norm(layer: LayerNorm, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """Mean and variance over the features of the step."""
    mean = b.total(x)
    u = b.store(x - b.assign(mean, mean * (1 / x.size)), "u")
    rate = b.total(u * u)
    b.assign(rate, 1 / apply("sqrt", rate * (1 / x.size) + layer.epsilon))
    return u * rate * p["scale"] + p["shift"]


def input_mapping(
    layer: InputMapping, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector
) -> Expr:
    """x, x * w or x * w + b."""
    return mapped(layer.mapping, "input", p, x)


def dropout(layer: Dropout, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """x: only training drops."""
    return x


def gelu(layer: GELU, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """x times the normal distribution function."""
    return activate("gelu", x, b)


def glu(layer: GLU, p: Arrays, buffers: Arrays, b: Builder, x: Vector, dt: Expr, state: Vector) -> Expr:
    """One half of the features times the gates of the other."""
    return x[: layer.output_size] * apply("sigmoid", x[layer.output_size :])


def pooling(layer: Pooling, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The pool of all steps so far."""
    if layer.kind == "last":
        return x
    pool = state[: x.size]
    if layer.kind == "max":
        return b.assign(pool, apply("maximum", x, pool))
    checks.must_know(__name__, "kind", layer.kind, ("last", "max", "mean"))
    count = state[x.size :]
    b.assign(count, count + 1.0)
    share = b.store(1.0 / count, "share")
    return b.assign(pool, pool + share * (x - pool))
