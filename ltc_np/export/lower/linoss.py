"""The LinOSS.  `ltc_np.cells.linoss` has the equations.

For the exact one, g / h and psi / h^2 of `ltc_np.kernels.numpy.linoss` are computed: numbers up to 1, of roots r1 <= r2
times h, by a power series where these are small; and by exp, sin and cos where they are complex, w = turn h::

    g / h = exp(-alpha h) sin(w) / w           psi / h^2 = (1 - exp(-alpha h) (cos(w) + alpha h sin(w) / w)) / (A h^2)
    g / h = exp(-r1 h) relaxed(2 w)            psi / h^2 = (relaxed(r1 h) - g / h) / (r2 h)     where they are real
"""

from __future__ import annotations

import numpy as np

from ...base.types import Arrays
from ...cells import LinOSS
from ...cells.oscillators import packed
from ...kernels.codes import Oscillators
from ...kernels.numpy.linoss import series
from ..builder import Builder
from ..program import Expr, Vector, apply

# Roots times h up to which the series is taken: error 3e-15, while above rounding grows by 1 / NEAR^2.
NEAR, TERMS = 0.5, 13
SMALL = 0.02  # below, sin(w) / w is 1 - w^2 / 6 (1 - w^2 / 20): error 1e-14
SMALLEST = 1e-30  # of rates that are divided by


def lower(layer: LinOSS, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """One step of all oscillators, and what is read out of them."""
    P, zero = layer.states, np.zeros_like(p["stiffness"])
    A, G, step = p["stiffness"], p.get("damping", zero), np.exp(p["log_step"])
    own = Oscillators(*packed(layer.discretization, A, G, step, P).astype(np.float64))
    force = b.linear(np.concatenate([p["b_re"], p["b_im"]], axis=1).T, x, name="force")
    if layer.takes_dt:
        h = b.store(dt * own.step, "h")
        g, psi = _flow(b, own, h)
        g = b.update(g, g * h)
        psi = b.update(psi, psi * h * h)
        m = b.store(-(own.damping * g + own.stiffness * psi), "m")
    else:
        m, _, g, psi = own[3:]
    damped = layer.takes_dt or bool(np.any(own[3]))  # of imex m is 0
    for part in range(0, 2 * P, P):
        z, at = state[part : part + P], state[2 * P + part : 2 * P + part + P]
        r = force[part : part + P]
        b.assign(r, r - own.stiffness * at)
        b.assign(at, at + (g * z + psi * r))
        b.assign(z, z + (m * z + g * r if damped else g * r))
    y: Expr = b.linear(np.concatenate([p["c_re"], -p["c_im"]], axis=0).T, state[2 * P :], name="y")
    return y + p["d"] * x if "d" in p else y


def _flow(b: Builder, own: Oscillators, h: Expr) -> tuple[Expr, Expr]:
    """g / h and psi / h^2."""
    w = b.store(h * own.turn, "w")
    left = b.store(apply("exp", -(h * own.slow)), "left")
    fast = b.store(h * own.fast, "fast")
    found = []
    if not (own.real > 0).all():
        close = b.store(w * w, "close")
        close = b.update(close, 1 - close * (1 / 6) * (1 - close * (1 / 20)))
        g = b.update(close, left * apply("select", w - SMALL, apply("sin", w) / apply("maximum", w, SMALL), close))
        rest = 1 - left * apply("cos", w) - h * (own.damping / 2) * g
        found.append((g, b.store(rest / apply("maximum", fast * fast, NEAR**2), "psi")))
    if (own.real > 0).any():
        g = b.store(left * apply("relaxed", 2 * w), "g")
        rest = apply("relaxed", h * own.slow) - g
        found.append((g, b.store(rest / apply("maximum", fast, NEAR), "psi")))
    g, psi = found[0]
    if len(found) == 2:
        g, psi = (b.update(old, apply("select", own.real, new, old)) for old, new in zip(*found, strict=True))
    return g, b.update(psi, apply("select", fast - NEAR, psi, _series(b, own, fast)))


def _series(b: Builder, own: Oscillators, fast: Expr) -> Expr:
    """psi / h^2 where roots times h are small: as `flow`'s, whose times are bounded so that nothing overflows.

    All is relative to the faster root, and at most 2: in fixed point oscillators share a format, in which the longest
    time of one that hardly moves would leave no digits to others.
    """
    rate = np.maximum(own.fast, SMALLEST)
    short = b.store(apply("minimum", fast, NEAR), "short")
    twice = b.store(short * (own.damping / rate), "twice")
    square = b.store(short * short * (own.stiffness / rate / rate), "square")
    *rest, c, last = series(2, TERMS)
    older: Expr = b.store(short * 0.0 + last, "series")
    now: Expr = b.store(c - twice * older, "series")
    for c in rest[::-1]:
        now, older = b.update(older, c - twice * now - square * older), now
    return now
