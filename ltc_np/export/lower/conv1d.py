"""Conv1D: a weighted sum of the last inputs."""

from __future__ import annotations

from ...base.types import Arrays
from ...layers import Conv1D
from ..builder import Builder
from ..program import Expr, Vector
from .activations import activate


def lower(layer: Conv1D, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """activation(W z + b) with z the inputs that are read, and the state of the next step."""
    weight, parts = p["weight"].reshape(-1, layer.output_size).T, _read(layer, b, x, state)
    if layer.separable:
        first, *others = (taps * part for taps, part in zip(p["taps"], parts, strict=True))
        z = sum(others, first)
    else:
        z = b.join(*parts)
    return activate(layer.activation, b.linear(weight, z, p["bias"]), b)


def _read(layer: Conv1D, b: Builder, x: Expr, state: Vector) -> list[Expr]:
    """The inputs that are read, the latest last."""
    I = layer.input_size
    if not state.size:
        return [x]
    # Not by `join`, which copies nothing where x lies behind this state: what is moved must not read itself.
    seen = b.variable(state.size + I, "seen")
    b.assign(seen[: state.size], state)
    b.assign(seen[state.size :], x)
    b.assign(state, seen[I:])
    return [seen[at : at + I] for at in range(0, seen.size, layer.dilation * I)]
