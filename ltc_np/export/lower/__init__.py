"""Layers as statements of a `Program`, one file a layer or a family of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from ...base import checks
from ...base.types import Arrays
from ...cells import Layer
from ...layers.codec import is_ours
from ...layers.registry import LAYERS
from ...model import Model
from ..builder import Builder
from ..program import Expr, Number, Program, Vector
from .layers import LOWERINGS, lower_stack


def declared(kind: type[Layer]) -> Callable[..., Expr]:
    """The function that a layer's class names in its ``lowering``."""
    name = kind.lowering
    file, _, function = name.partition(".")
    found: Callable[..., Expr] | None = None
    if find_spec(f"{__name__}.{file}") is not None:
        found = getattr(import_module(f"{__name__}.{file}"), function, None)
    if found is None:
        raise ValueError(
            f"`lowering` of {kind.__name__} must be a file of ltc_np/export/lower and a function in it, got {name!r}"
        )
    return found


# Of the library's layers, each by its own declaration and not by that of its base.
LOWERINGS |= {kind: declared(kind) for kind in LAYERS.values() if is_ours(kind) and vars(kind).get("lowering")}


def program(model: Model, dt: float | None = None) -> Program:
    """One step of a model, as `Model.step` computes it.

    Parameters
    ----------
    model : Model
    dt : float >= 0, optional
        The elapsed time of every step, where it is always the same: what follows from it is then computed once and for
        all, and the program takes no ``dt``.

    Raises
    ------
    TypeError
        If a layer of the model has no lowering.
    ValueError
        If the model is not causal, or has no time and gets one.
    """
    if not model.layer_stack.causal:
        raise ValueError(f"`model` must be causal, since an export takes one step at a time, got {model!r}")
    if dt is not None and not model.takes_dt:
        raise ValueError(f"`dt` must be None, since no layer of the model takes elapsed times, got {dt!r}")
    b, stack = Builder(), model.layer_stack
    # Made positive in float64, whatever the model's own dtype: rounded once, where they are written.
    p: Arrays = dict(model.layout.views(model.layout.effective(model.theta.astype(np.float64))))
    buffers: Arrays = {name: values.astype(np.float64) for name, values in model.buffers.items()}
    time: Expr = Vector("dt", 0, 1)
    if dt is not None or not model.takes_dt:  # layers with a stride add up times, which are 1 where nobody gives any
        time = Number(1.0 if dt is None else checks.number("dt", dt))
    x, state = Vector("x", 0, model.input_size), Vector("state", 0, model.state_size)
    y = lower_stack(stack, p, buffers, b, x, time, state, stages=True)
    b.assign(Vector("y", 0, model.output_size), y)
    b.end_stage("outputs")
    largest = checks.largest(np.dtype(np.float32))  # that every target can hold
    start = np.clip(stack.initial_state(1, np.dtype(np.float64))[0], -largest, largest)
    scale, offset = np.ones(model.state_size), np.zeros(model.state_size)
    for kept, a, c in b.kept:
        here = slice(kept.start, kept.start + kept.size)
        scale[here], offset[here] = a, c
    takes_dt = model.takes_dt and dt is None
    sizes = model.input_size, model.output_size, model.state_size
    return Program(*sizes, takes_dt, (start - offset) / scale, tuple(b.stages), stack.stride, scale, offset)
