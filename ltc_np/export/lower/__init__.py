"""Layers as statements of a `Program`, one file a layer or a family of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...base import checks
from ...cells import (
    CTGRU,
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    S4D,
    CfC,
    LiquidS4,
    LrcSSM,
    NeuralODE,
    SpikingLIF,
    WiredCfC,
)
from ...layers import (
    GELU,
    GLU,
    BatchNorm,
    Dense,
    Dropout,
    InputMapping,
    LayerNorm,
    MixedMemory,
    Pooling,
    Residual,
    Standardize,
)
from ..builder import Builder
from ..program import Number, Program, Vector
from . import around, cfc, ctgru, dense, gru, lrc, lrc_ssm, lstm, ltc, nested, ode, spiking_lif, state_space, wired_cfc
from .layers import LOWERINGS, lower_stack

if TYPE_CHECKING:
    from ...base.types import Arrays
    from ...model import Model
    from ..program import Expr

LOWERINGS |= {
    # cells
    CTGRU: ctgru.lower,
    CTRNN: ode.lower,
    CfC: cfc.lower,
    GRU: gru.lower,
    LRC: lrc.lower,
    LSTM: lstm.lower,
    LTC: ltc.lower,
    LiquidS4: state_space.lower,
    LrcSSM: lrc_ssm.lower,
    NeuralODE: ode.lower,
    S4D: state_space.lower,
    SpikingLIF: spiking_lif.lower,
    WiredCfC: wired_cfc.lower,
    # what goes around them
    BatchNorm: around.batch_norm,
    Dense: dense.lower,
    Dropout: around.dropout,
    GELU: around.gelu,
    GLU: around.glu,
    InputMapping: around.input_mapping,
    LayerNorm: around.layer_norm,
    MixedMemory: nested.mixed_memory,
    Pooling: around.pooling,
    Residual: nested.residual,
    Standardize: around.standardize,
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
    # Made positive in float64, whatever the model's own dtype: rounded once, where they are written.
    p: Arrays = dict(model.layout.views(model.layout.effective(model.theta.astype(np.float64))))
    buffers: Arrays = {name: values.astype(np.float64) for name, values in model.buffers.items()}
    time: Expr = Vector("dt", 0, 1) if dt is None else Number(checks.number("dt", dt))
    x, state = Vector("x", 0, model.input_size), Vector("state", 0, model.state_size)
    y = lower_stack(stack, p, buffers, b, x, time, state, stages=True)
    b.assign(Vector("y", 0, model.output_size), y)
    b.end_stage("outputs")
    start = stack.initial_state(1, np.dtype(np.float32))[0].astype(np.float64)  # numbers that every target can hold
    takes_dt = model.takes_dt and dt is None
    return Program(model.input_size, model.output_size, model.state_size, takes_dt, start, tuple(b.stages))
