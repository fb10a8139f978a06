"""The GRU.  `ltc_np.cells.gru` has the equations."""

from __future__ import annotations

import numpy as np

from ...base.types import Arrays
from ...cells import GRU
from ..builder import Builder
from ..program import Expr, Vector, apply


def lower(layer: GRU, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """Both gates at once, from the inputs and the state side by side; the candidate's two products apart."""
    N = state.size
    if layer.decay:
        b.assign(state, state * apply("exp", dt * -p["rate"]))
    w_x, w_h, bias = p["w_x"], p["w_h"], p["b"]
    gates = b.linear(
        np.concatenate([w_x[:, : 2 * N], w_h[:, : 2 * N]]).T, b.join(x, state), bias[: 2 * N], name="gates"
    )
    n = b.linear(w_x[:, 2 * N :].T, x, bias[2 * N :], name="n")
    u = b.linear(w_h[:, 2 * N :].T, state, p["b_hn"], name="u")
    b.assign(n, apply("tanh", n + apply("sigmoid", gates[:N]) * u))
    return b.assign(state, n + apply("sigmoid", gates[N:]) * (state - n))
