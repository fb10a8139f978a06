"""Layers as statements of a `Program`, one file a layer or a family of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...base import checks
from ...cells import GRU, LSTM, LTC, CfC, WiredCfC
from ...layers import Dense, Standardize
from ..program import Builder, Number, Program, Vector
from . import cfc, dense, gru, lstm, ltc, standardize, wired_cfc
from .layers import LOWERINGS, lower_stack

if TYPE_CHECKING:
    from ...base.types import Arrays
    from ...model import Model
    from ..program import Expr

LOWERINGS |= {
    CfC: cfc.lower,
    Dense: dense.lower,
    GRU: gru.lower,
    LSTM: lstm.lower,
    LTC: ltc.lower,
    Standardize: standardize.lower,
    WiredCfC: wired_cfc.lower,
}


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
    p: Arrays = {name: values.astype(np.float64) for name, values in model.effective.items()}
    buffers: Arrays = {name: values.astype(np.float64) for name, values in model.buffers.items()}
    time: Expr = Vector("dt", 0, 1) if dt is None else Number(checks.number("dt", dt))
    x, state = Vector("x", 0, model.input_size), Vector("state", 0, model.state_size)
    y = lower_stack(stack, p, buffers, b, x, time, state, stages=True)
    b.assign(Vector("y", 0, model.output_size), y)
    b.end_stage("outputs")
    start = stack.initial_state(1, np.dtype(np.float32))[0].astype(np.float64)  # numbers that every target can hold
    takes_dt = model.takes_dt and dt is None
    return Program(model.input_size, model.output_size, model.state_size, takes_dt, start, tuple(b.stages))
