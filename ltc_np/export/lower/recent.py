"""What layers with a past have in common: the last inputs, and for those with a stride the steps between outputs."""

from __future__ import annotations

from ...cells import Layer
from ..builder import Builder
from ..program import Expr, Number, Vector, apply


def look_back(layer: Layer, b: Builder, x: Expr, state: Vector) -> Vector:
    """All inputs in reach, the latest last, which the state goes on with; with a stride only where an output is due."""
    I, past = layer.input_size, state[: layer.reach * layer.input_size]
    # Not by `join`, which copies nothing where x lies behind this state: what is moved must not read itself.
    seen = b.variable(past.size + I, "seen")
    if past.size:
        b.assign(seen[: past.size], past)
    b.assign(seen[past.size :], x)
    if past.size:
        b.assign(past, seen[I:])
    if layer.stride > 1:
        b.wait_for(state[layer.state_slices["phase"]])
    return seen


def pace(layer: Layer, b: Builder, dt: Expr, state: Vector) -> Expr:
    """Count a step of a layer with a stride; the elapsed time of an output, where one falls due.

    It comes before the layer itself, which waits until then (`look_back`).
    """
    phase, elapsed = (state[layer.state_slices[name]] for name in ("phase", "elapsed"))
    due = b.store(phase + (1.5 - layer.stride), "due")  # > 0 in the last of so many steps
    total = Number(layer.stride * dt.value) if isinstance(dt, Number) else b.store(elapsed + dt, "time")
    b.assign(phase, apply("select", due, 0.0, phase + 1.0))
    if isinstance(dt, Number):
        b.assign(elapsed, phase * dt)
    else:
        b.assign(elapsed, apply("select", due, 0.0, total))
    return total
