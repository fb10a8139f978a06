"""Line: the last inputs, or summaries of all inputs so far, times weights."""

from __future__ import annotations

from ...base.types import Arrays
from ...layers import Line
from ..builder import Builder
from ..program import Expr, Vector, apply


def lower(layer: Line, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """z @ weight + bias, and what the next step will read."""
    weight, bias = buffers["weight"].T, buffers["bias"]
    if isinstance(layer.reads, str):
        return b.linear(weight, _summaries(layer, b, x, state), bias)
    if not state.size:
        return b.linear(weight, x, bias)
    # Not by `join`, which copies nothing where x is the state before this one: what is moved must not read itself.
    z = b.variable(x.size + state.size, "read")
    b.assign(z[: x.size], x)
    b.assign(z[x.size :], state)
    b.assign(state, z[: state.size])
    return b.linear(weight, z, bias)


def _summaries(layer: Line, b: Builder, x: Expr, state: Vector) -> Vector:
    """In the order of `ltc_np.layers.line.summarise`."""
    parts = {name: state[where] for name, where in layer.state_slices.items()}
    going = b.store(parts["count"] - 0.5, "going")  # > 0 behind the first step
    difference = b.store(x - apply("select", going, parts["previous"], x), "difference")
    u = b.join(x, difference)
    w = b.join(u, b.store(apply("absolute", u), "size"))
    b.assign(parts["count"], parts["count"] + 1.0)
    share = b.store(1.0 / parts["count"], "share")
    b.assign(parts["means"], parts["means"] + share * (w - parts["means"]))
    for name, pick in (("least", "minimum"), ("largest", "maximum")):
        b.assign(parts[name], apply("select", going, apply(pick, u, parts[name]), u))
    b.assign(parts["first"], apply("select", going, parts["first"], x))
    b.assign(parts["previous"], x)
    return b.join(*(parts[name] for name in ("first", "means", "least", "largest")), u)
