"""S4D and LiquidS4.  `ltc_np.cells.s4d` and `ltc_np.cells.liquid_s4` have the equations.

In all of them a step is x+ = x + D g, mode by mode, with D a function of the elapsed time and g one of x and inputs.
With a = step A and b = step B, z = dt a, and E(z) = exp(z) - 1::

    zoh        D = E(z),              g = x + b/a u
    bilinear   D = dt / (1 - z/2),    g = a x + b u
    discrete   D of these,            g = (a + b u) x + b u      (zoh: (1 + b/a u) x + b/a u)
    exact      D = E(z)/z,            g = z x + dt b u           with z = dt (a + b u)

kb and pb have longer sums over products of inputs instead of b u.  The modes of a channel lie `H` apart, so that a
matrix of one number a row takes the inputs of channels to modes, with their weights.
"""

from __future__ import annotations

import numpy as np

from ...base import checks
from ...base.types import Array, Arrays, Complex
from ...cells.state_space import StateSpaceCell
from ...kernels.codes import BILINEAR, DISCRETE, EXACT, KB, PB, PLAIN, ZOH
from ..builder import Builder
from ..program import Expr, Vector, apply
from .pair import Pair

# Below this |z|**2 the quotient E(z)/z is a polynomial: error 8e-13, while above 2**-31 of numbers below 10 is little.
NEAR, SERIES = 2e-4, (1.0, 1 / 2, 1 / 6, 1 / 24, 1 / 120)
SMALLEST = 1e-30  # |a|, by which inputs are divided; 1 / a is a number in float32, and exp(dt a) is 1


def lower(layer: StateSpaceCell, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """One step of all modes, and what is read out of them."""
    rule, pace = layer.rule, np.exp(p["log_step"])
    checks.must_know(__name__, "discretization", rule.kind, (ZOH, BILINEAR))
    checks.must_know(__name__, "liquid", rule.liquid, (PLAIN, EXACT, DISCRETE, KB, PB))
    A: Complex = (p["frequency"] * 1j - p["decay"]) * pace
    B: Complex = (p["b_re"] + p["b_im"] * 1j) * pace
    modes, past = state[: 2 * A.size], state[2 * A.size :]
    seen = modes
    if rule.liquid == EXACT:
        _exact(b, rule.bound, A, B, x, dt, Pair.halves(modes))
    else:
        if rule.kind == BILINEAR:
            D, a = _bilinear(b, A, dt), Pair.of(A)
        else:
            A = np.where(np.abs(A) < SMALLEST, SMALLEST, A)
            z = dt * A.real, dt * (A.imag / 2)
            D, a, B = _growth(b, b.store(z[0], "z"), b.store(z[1], "half")), Pair.of(np.ones(1, complex)), B / A
        products = _products(b, x, past, rule.degree)
        driven = [b.linear(_to_modes(B**k), product, name="driven") for k, product in enumerate(products, start=1)]
        if rule.liquid == DISCRETE:
            _discrete(b, rule.bound, D, a, Pair.halves(driven[0]), Pair.halves(modes))
        else:
            seen = _linear(b, rule.liquid == PB, D, a, driven, modes)
    _remember(b, x, dt, past, layer.input_size)
    C = 2 * (p["c_re"] + p["c_im"] * 1j)
    return b.linear(_to_modes(np.conj(C)).T, seen, name="y") + p["d"] * x


def _to_modes(weights: Complex) -> Array:
    """(2 M H, H) of complex weights (M, H): one row for each part of a mode, real parts first."""
    M, H = weights.shape
    matrix = np.zeros((2, M, H, H))
    channels = np.arange(H)
    matrix[0, :, channels, channels], matrix[1, :, channels, channels] = weights.real.T, weights.imag.T
    return matrix.reshape(-1, H)


def _products(b: Builder, x: Expr, past: Vector, degree: int) -> list[Expr]:
    """x, and its products with one, two ... of the inputs before it."""
    H, found = x.size, [x]
    for k in range(degree - 1):
        found.append(b.store(found[-1] * past[k * H : (k + 1) * H], "product"))
    return found


def _remember(b: Builder, x: Expr, dt: Expr, past: Vector, H: int) -> None:
    """The inputs move on by one, the oldest first, unless no time has passed."""
    for at in range(past.size - H, -1, -H):
        b.assign(past[at : at + H], apply("select", dt, past[at - H : at] if at else x, past[at : at + H]))


def _growth(b: Builder, real: Expr, half: Expr) -> Pair:
    """exp(z) - 1 without differences of close numbers; ``half`` of the imaginary part."""
    s = b.store(apply("sin", half), "s")
    grown = b.store(real * apply("relaxed", -real), "E")
    turned = b.store(2 * s * (1 + grown), "E")
    return Pair(b.update(grown, grown - turned * s), b.update(turned, turned * apply("cos", half)))


def _bilinear(b: Builder, A: Complex, dt: Expr) -> Pair:
    """dt / (1 - dt a / 2); |1 - z/2| >= 1, since modes decay."""
    re, im = b.store(1 - dt * (A.real / 2), "D"), b.store(dt * (A.imag / 2), "D")
    scale = b.store(dt / (re * re + im * im), "scale")
    return Pair(b.update(re, re * scale), b.update(im, im * scale))


def _linear(b: Builder, apart: bool, D: Pair, a: Pair, driven: list[Vector], modes: Vector) -> Vector:
    """x+ = x + D (a x + ...); the modes to be read out, which have the longer products ``apart``, or x has them."""
    m, terms = Pair.halves(modes), [Pair.halves(term) for term in driven]
    for k in range(len(terms) - 2, 0 if apart else -1, -1):
        terms[k].increase(b, D * terms[k + 1])
    g = terms[0].increase(b, a * m)
    m.increase(b, D * g)
    if not apart:
        return modes
    terms[0].assign(b, D * terms[1])
    terms[1].assign(b, m + D * terms[0])
    return driven[1]


def _discrete(b: Builder, bound: float, D: Pair, a: Pair, driven: Pair, m: Pair) -> None:
    """x+ = x + D ((a + b u) x + b u), with the factor on x no longer than the bound."""
    w = (driven + a).store(b, "w")
    if not bound:
        m.increase(b, D * driven.increase(b, w * m))
        return
    f = (D * w).store(b, "f")
    length = b.store(1 + (f.re * (2 + f.re) + f.im * f.im), "length")  # the square of that of 1 + f
    by = b.store(bound / apply("sqrt", apply("maximum", length, bound**2)), "by")
    above = length - bound**2
    re, im = apply("select", above, by * f.re + (by - 1), f.re), apply("select", above, by * f.im, f.im)
    f = Pair(b.update(f.re, re), b.update(f.im, im))
    m.increase(b, (f * m + D * driven).store(b, "change"))


def _exact(b: Builder, bound: float, A: Complex, B: Complex, x: Expr, dt: Expr, m: Pair) -> None:
    """x+ = x + E(z)/z (z x + dt b u), with the real part of z no larger than the bound's logarithm."""
    driven = b.linear(_to_modes(B), x, name="drive")  # not taken from z, of which small inputs are the last digits
    drive = Pair.halves(b.assign(driven, driven * dt))
    re = drive.re + dt * A.real.ravel()
    z = Pair(apply("minimum", re, np.log(bound)) if bound else re, drive.im + dt * A.imag.ravel()).store(b, "z")
    g = drive.increase(b, z * m)
    E = _growth(b, z.re, b.store(z.im / 2, "half"))
    square = b.store(z.re * z.re + z.im * z.im, "square")
    # Knuth's rule for a real polynomial at a complex number, The Art of Computer Programming, section 4.6.4.
    *_, c1, c2, c3, c4 = SERIES
    twice = 2 * z.re
    b3 = b.store(c3 + twice * c4, "series")
    b2 = b.store(c2 + twice * b3 - c4 * square, "series")
    b1 = b.update(b3, c1 + twice * b2 - b3 * square)
    far, inverse = square - NEAR, b.store(1 / apply("maximum", square, NEAR), "inverse")
    re = apply("select", far, (E.re * z.re + E.im * z.im) * inverse, SERIES[0] + z.re * b1 - square * b2)
    im = apply("select", far, (E.im * z.re - E.re * z.im) * inverse, z.im * b1)
    m.increase(b, Pair(b.update(b2, re), b.update(b1, im)) * g)
