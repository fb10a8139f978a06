"""Layers as statements of a `Program`, one file a layer or a family of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...base.layout import part
from ...cells import LTC
from ...layers import Dense
from ..program import Builder, Program, Vector
from . import dense, ltc

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Arrays
    from ...cells import Layer
    from ...model import Model
    from ..program import Expr

    # lower(layer, p, buffers, builder, x, dt, state) -> outputs
    Lowering = Callable[..., Expr]

LOWERINGS: dict[type, Lowering] = {Dense: dense.lower, LTC: ltc.lower}


def lower(layer: Layer, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """One step of a layer: adds its statements to ``b``, which change ``state``, and gives its outputs.

    Parameters
    ----------
    layer : Layer
    p, buffers : dict
        Effective values by name, float64.
    b : Builder
    x : Expr
        The layer's inputs.
    dt : Expr
        The elapsed time.
    state : Vector
        The layer's own part of the state.
    """
    found = LOWERINGS.get(type(layer))  # not those of its bases, which it may change
    if found is None:
        known = ", ".join(sorted(kind.__name__ for kind in LOWERINGS))
        raise TypeError(f"`model` must consist of layers that can be exported ({known}), got {layer!r}")
    return found(layer, p, buffers, b, x, dt, state)


def program(model: Model) -> Program:
    """One step of a model, as `Model.step` computes it.

    Raises
    ------
    TypeError
        If a layer of the model has no lowering.
    ValueError
        If the model is not causal.
    """
    if not model.layer_stack.causal:
        raise ValueError(f"`model` must be causal, since an export takes one step at a time, got {model!r}")
    b, stack = Builder(), model.layer_stack
    p: Arrays = {name: values.astype(np.float64) for name, values in model.effective.items()}
    buffers: Arrays = {name: values.astype(np.float64) for name, values in model.buffers.items()}
    x: Expr = Vector("x", 0, model.input_size)
    for k, layer in enumerate(stack.layers):
        prefix, where = stack.prefixes[k], stack.states[k]
        own = Vector("state", where.start, where.stop - where.start)
        x = lower(layer, part(p, prefix), part(buffers, prefix), b, x, Vector("dt", 0, 1), own)
        if layer is stack.layers[-1]:
            b.assign(Vector("y", 0, model.output_size), x)
        else:
            x = b.store(x)
        b.end_stage(f"{prefix}{type(layer).__name__}")
    start = stack.initial_state(1, np.dtype(np.float64))[0]
    return Program(model.input_size, model.output_size, model.state_size, model.takes_dt, start, tuple(b.stages))
