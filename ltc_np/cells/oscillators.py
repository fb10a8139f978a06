"""What a LinOSS makes of its parameters A, G and step: constants of a step, the stable region, initial values.

Source: Rusch & Rus, "Oscillatory State-Space Models", arXiv 2410.03943 (im, imex); Boyer, Rusch & Rus, "Learning to
Dissipate Energy in Oscillatory State-Space Models", arXiv 2505.12171 (damped).  docs/maths/linoss.md derives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Array, Arrays, OscillatorName, Shape
from ..kernels.codes import Oscillators

DISCRETIZATIONS: tuple[OscillatorName, ...] = ("im", "imex", "damped", "exact")
DAMPED = "damped", "exact"  # those with a parameter G
BOUNDED = "imex", "damped"  # those that are stable for some A only
# Of the largest stable A.  At 1 an oscillator without damping would grow with every step, and float32 has 7 digits for
# the distance from there.
MOST = 1 - 1 / 256
# No rate that is divided by is smaller: its product with any length of a step remains a normal number.
LEAST_RATE = {4: 1e-25, 8: 1e-200}
# Of the squared magnitudes of the multipliers of D-LinOSS, initially.
RING = (0.81, 1.0)
# Of the largest A that counts, initially: on the border itself rounding would decide which parameter has the gradient.
INSIDE = 1 - 1 / 1024


class Constants(NamedTuple):
    """A within the stable region, and S, m, g and psi of the kernels, all (P,) float64."""

    A: Array
    S: Array
    m: Array
    g: Array
    psi: Array


def most_stiffness(G: Array, d: Array) -> Array:
    """The largest A of the rules `BOUNDED`: both eigenvalues of a step are inside the unit circle below 2 (2 + d G) /
    d^2."""
    with np.errstate(over="ignore", divide="ignore"):
        return MOST * 2 * (2 + d * G) / (d * d)


def constants(rule: OscillatorName, A: Array, G: Array, d: Array) -> Constants:
    """Those of the rules with a step of their own, from (P,) float64 arrays."""
    checks.must_know(__name__, "discretization", rule, DISCRETIZATIONS[:3])
    if rule in BOUNDED:
        A = np.minimum(A, most_stiffness(G, d))
    v = {"im": d * d * A, "imex": np.zeros_like(d), "damped": d * G}[rule]
    S = 1 / (1 + v)
    return Constants(A, S, -v * S, d * S, d * d * S)


def d_constants(
    rule: OscillatorName, A: Array, G: Array, d: Array, sums: Array
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Adjoint of `constants`: d_A, d_G, d_d; ``sums`` (5, P) are the adjoints of A, m, l, g and psi."""
    now = constants(rule, A, G, d)
    d_A, d_m, d_l, d_g, d_psi = sums
    d_A, d_psi = d_A - now.psi * d_l, d_psi - now.A * d_l
    S, d_G = now.S, np.zeros_like(d_A)
    d_v = -S * S * (d_m + d * d_g + d * d * d_psi)
    d_d = S * (d_g + 2 * d * d_psi)
    if rule == "im":
        return d_A + d * d * d_v, d_G, d_d + 2 * d * A * d_v
    if rule == "damped":
        d_G, d_d = d * d_v, d_d + G * d_v
    held = A > now.A  # its A does not count, but its bound does
    d_most = np.where(held, d_A, 0.0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        of_G, of_d = 2 * MOST / d, -2 * MOST * (4 + d * G) / (d * d * d)
        return (
            np.where(held, 0.0, d_A),
            d_G + np.where(held, d_most * of_G, 0.0),
            d_d + np.where(held, d_most * of_d, 0.0),
        )


def roots(stiffness: Array, damping: Array, itemsize: int) -> tuple[Array, Array, Array, Array]:
    """The last four rows of the exact one's `Oscillators`, in float64."""
    A, alpha, least = stiffness.astype(np.float64), damping.astype(np.float64) / 2, LEAST_RATE[itemsize]
    square = A - alpha * alpha
    turn = np.maximum(np.sqrt(np.abs(square)), least)
    fast = np.where(square < 0, alpha + turn, np.sqrt(A))
    slow = np.where(square < 0, np.maximum(A / np.maximum(fast, least), least), alpha)
    return turn, slow, fast, np.where(square < 0, 1.0, 0.0)


def packed(rule: OscillatorName, A: Array, G: Array, step: Array, width: int) -> Array:
    """The `Oscillators` of (P,) arrays, and 0 behind them up to ``width``, in their type."""
    rows = np.zeros((len(Oscillators._fields), width), A.dtype)
    d = step.astype(np.float64)
    if rule == "exact":
        found = Oscillators(A, G, d, *roots(A, G, A.itemsize))
        rows[3:6] = 1  # nothing is divided by 0
    else:
        now = constants(rule, A.astype(np.float64), G.astype(np.float64), d)
        found = Oscillators(now.A, G, d, now.m, -now.A * now.psi, now.g, now.psi)
    for row, values in zip(rows, found, strict=True):
        row[: A.size] = values
    return rows


# ---------------------------------------------------------------------------------------------- initial values


class LogSigmoid(Immutable):
    """Initial values of ``log_step``: steps of sigmoid(U(0, 1))."""

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        return -np.log1p(np.exp(-rng.uniform(0, 1, shape)))


class Ring(Immutable):
    """Initial values of stiffness, damping and log_step together: what a step multiplies by lies on a ring.

    Its squared magnitude is uniform in `RING`, its angle in 0..pi; steps are sigmoid(N(0, 1/4)).  Of the exact
    discretisation this is a step with dt = 1.
    """

    rule: OscillatorName
    count: int

    def __init__(self, rule: OscillatorName, count: int) -> None:
        self.rule, self.count = rule, count

    def __call__(self, rng: np.random.Generator) -> Arrays:
        square, angle = rng.uniform(*RING, self.count), rng.uniform(0, np.pi, self.count)
        log_step = -np.log1p(np.exp(-0.5 * rng.standard_normal(self.count)))
        d = np.exp(log_step)
        if self.rule == "exact":
            decay = -np.log(square) / 2
            A, G = (angle**2 + decay**2) / d**2, 2 * decay / d
        else:
            s = 1 / square
            G = (s - 1) / d
            A = np.minimum((1 + s - 2 * np.sqrt(s) * np.cos(angle)) / d**2, INSIDE * most_stiffness(G, d))
        return {"stiffness": A, "damping": G, "log_step": log_step}
