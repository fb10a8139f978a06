"""Any layer, and layers in a row, as statements of a `Program`.  `LOWERINGS` is filled by the package."""

from __future__ import annotations

from collections.abc import Callable

from ...base.types import Arrays
from ...cells import Layer
from ...layers import Hold, RandomConvolutions, Stack
from ..builder import Builder
from ..program import Expr, Vector
from .folded import items
from .recent import pace

# Functions with the parameters of `lower`, by the class of the layer.
LOWERINGS: dict[type, Callable[..., Expr]] = {}


def lower(layer: Layer, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """One step of a layer: adds its statements to ``b``, which change ``state``, and gives its outputs.

    Parameters
    ----------
    layer : Layer
    p, buffers : dict
        Effective values by name, float64.
    b : Builder
    x : Expr
        The layer's inputs: a part of a variable that the layer does not change, but where it says so.
    dt : Expr
        The elapsed time.
    state : Vector
        The layer's own part of the state.

    Raises
    ------
    TypeError
        If the layer has no lowering.
    """
    found = LOWERINGS.get(type(layer))  # not those of its bases, which it may change
    if found is None:
        known = ", ".join(sorted(kind.__name__ for kind in LOWERINGS))
        others = {RandomConvolutions: '"ridge" or None', Hold: "None"}  # of `shortcut`, in an estimator
        hint = f": fit with shortcut={others[type(layer)]}" if type(layer) in others else ""
        raise TypeError(f"`model` must consist of layers that can be exported ({known}), got {layer!r}{hint}")
    y = found(layer, p, buffers, b, x, dt, state)
    if y.size != layer.output_size:  # numbers that are all the same
        y = b.assign(b.variable(layer.output_size), y)
    return y


def lower_stack(
    stack: Stack, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector, stages: bool = False
) -> Expr:
    """One step of layers in a row, as `lower`; with ``stages`` each of them is a stage of the program."""
    for layer, name, own, kept, where in items(stack, p, buffers, b, state):
        if stages:
            b.stage = name
        behind = pace(layer, b, dt, where) if layer.stride > 1 else dt
        x = b.store(lower(layer, own, kept, b, x, dt, where))
        dt = behind
        if stages:
            b.end_stage(b.stage)
    return x
