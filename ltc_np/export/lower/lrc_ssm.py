"""The LrcSSM.  `ltc_np.cells.lrc_ssm` has the equations."""

from __future__ import annotations

import numpy as np

from ...base.types import Arrays
from ...cells import LrcSSM
from ..builder import Builder
from ..program import Expr, Vector, apply
from .elastance import elastance_of
from .solvers import Rates, integrate


def lower(layer: LrcSSM, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The sums over the inputs once, then all unfolds, in which a unit reads itself alone."""
    N, elastance = state.size, layer.elastance
    opened = b.store(apply("sigmoid", p["sensory_sigma"] * (x - p["sensory_mu"])), "opened")
    weights = np.concatenate([p["sensory_w"], p["sensory_h"]], axis=1)
    drives = b.linear(weights.T, opened, np.tile(p["gleak"], 2), name="drives")
    s, a = b.variable(N, "s"), b.variable(N, "a")

    def rates(h: Expr) -> Rates:
        b.assign(s, apply("sigmoid", p["sigma"] * (state - p["mu"])))
        f, z = drives[:N] + p["w"] * s, drives[N:] + p["h"] * s
        if elastance is not None:
            b.assign(a, state * p["elastance_v"] + p["elastance_b"])
            h = h * elastance_of(elastance, p, a)
        return Rates(p["vleak"] * apply("tanh", z), apply("sigmoid", f), h)

    h = b.store(dt / layer.ode_unfolds, "h")
    integrate(b, layer.method.name, layer.ode_unfolds, h, state, rates)
    return state
