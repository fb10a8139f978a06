"""Layers that are one matrix product."""

from __future__ import annotations

import numpy as np

from ...base.types import Arrays
from ...layers import Dense, MixtureDensity
from ..builder import Builder
from ..program import Expr, Vector, apply
from .activations import activate


def lower(layer: Dense, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """y = activation(W x + b)."""
    return activate(layer.activation, b.linear(p["weight"].T, x, p["bias"]), b)


def mixture_density(
    layer: MixtureDensity, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector
) -> Expr:
    """Logits, mu in the units of the targets, and ln sigma above its bound."""
    K, O = layer.components, layer.outputs
    mean, scale = np.tile(buffers["mean"], K), np.tile(buffers["scale"], K)
    a, m, s = np.split(np.arange(layer.output_size), (K, K + K * O))
    source, weight, bias = b.store(x), p["weight"].T, p["bias"]
    logits = b.linear(weight[a], source, bias[a])
    mu = b.linear(scale[:, None] * weight[m], source, scale * bias[m] + mean)
    u = b.linear(weight[s], source, bias[s] - np.log(layer.least_sigma))
    above = 0.5 * (u + apply("sqrt", u * u + 4.0))
    return b.join(logits, mu, above + np.log(layer.least_sigma * scale))
