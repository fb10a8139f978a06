"""The LSTM.  `ltc_np.cells.lstm` has the equations."""

from __future__ import annotations

import numpy as np

from ...base.types import Array, Arrays
from ...cells import LSTM
from ..builder import Builder
from ..program import Expr, Vector, apply


def remember(b: Builder, w_x: Array, w_h: Array, bias: Array, x: Expr, h: Vector, c: Vector, h_new: Vector) -> Vector:
    """A step of the memory c, from the inputs and h; what it shows goes to ``h_new``."""
    M = c.size
    z = b.linear(np.concatenate([w_x, w_h]).T, b.join(x, h), bias, name="gates")
    i, f, g, o = (z[k * M : (k + 1) * M] for k in range(4))
    b.assign(c, apply("sigmoid", f) * c + apply("sigmoid", i) * apply("tanh", g))
    return b.assign(h_new, apply("sigmoid", o) * apply("tanh", c))


def lower(layer: LSTM, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """All gates at once, from the inputs and the state side by side."""
    h, c = state[: layer.units], state[layer.units :]
    return remember(b, p["w_x"], p["w_h"], p["b"], x, h, c, h)
