"""The CTGRU.  `ltc_np.cells.ctgru` has the equations."""

from __future__ import annotations

import functools
import operator

import numpy as np

from ...base import checks
from ...base.types import Array, Arrays
from ...cells import CTGRU
from ..builder import Builder
from ..program import Expr, Vector, apply, elements


def _sum(terms: list[Expr]) -> Expr:
    return functools.reduce(operator.add, terms)


def _exponentials(b: Builder, a: Expr, offsets: Array, into: list[Vector], largest: Vector) -> None:
    """exp(-(a - offset)**2), scale by scale, but for a factor that all have: the largest is 1."""
    z = [a * (2 * offset) - offset**2 for offset in offsets]
    b.assign(largest, functools.reduce(functools.partial(apply, "maximum"), z))
    for target, own in zip(into, z, strict=True):
        b.assign(target, apply("exp", own - largest))


def lower(layer: CTGRU, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """Traces lie scale by scale, and so do the weights of scales, which share one array."""
    checks.must_know(__name__, "decay", layer.decay, ("before", "after"))
    N, M, I = layer.units, layer.scales, layer.input_size
    traces = [state[k * N : (k + 1) * N] for k in range(M)]
    prepared = layer.prepare(p, buffers, "numpy")
    bias, offsets, rates = prepared.matrices.b, prepared.matrices.offsets, prepared.rates
    fade = elements(b.store(apply("exp", dt * -rates), "fade"), M)
    before = layer.decay == "before"
    if before:
        for trace, factor in zip(traces, fade, strict=True):
            b.assign(trace, trace * factor)
    source = b.join(x, _sum([*traces]))
    a = b.linear(np.concatenate([p["w_x"][:, : 2 * N], p["w_h"]]).T, source, bias[: 2 * N], name="a")
    e = b.variable(M * N, "e")
    weights, rest = [e[k * N : (k + 1) * N] for k in range(M)], b.variable(N, "rest")
    _exponentials(b, a[:N], offsets, weights, rest)
    read = _sum([weight * trace for weight, trace in zip(weights, traces, strict=True)])
    b.assign(source[I:], read / _sum([*weights]))
    q = b.linear(np.concatenate([p["w_x"][:, 2 * N :], p["w_c"]]).T, source, bias[2 * N :], name="q")
    b.assign(q, apply("tanh", q))
    _exponentials(b, a[N:], offsets, weights, rest)
    b.assign(rest, 1 / _sum([*weights]))
    for trace, weight, factor in zip(traces, weights, fade, strict=True):
        new = trace + weight * rest * (q - trace)
        b.assign(trace, new if before else new * factor)
    return _sum([*traces])
