"""Each operation on integers against exact rational numbers, each function against its own in float64."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ltc_np.base.activations import normal_cdf, sigmoid
from ltc_np.export.fixed import arithmetic, curves, functions
from ltc_np.export.fixed.arithmetic import HIGHEST, LOWEST, WIDE, divided, rescaled, rooted, saturated
from ltc_np.export.operations import relaxed

EDGES = [LOWEST, LOWEST + 1, -(2**30), -3, -2, -1, 0, 1, 2, 3, 2**30, HIGHEST - 1, HIGHEST]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(LOWEST, HIGHEST))
WIDES = st.one_of(st.sampled_from([-2 * WIDE, 2 * WIDE, *EDGES]), st.integers(-2 * WIDE, 2 * WIDE))


def one(value):
    return np.array([value], np.int64)


def half_up(number):
    return math.floor(number + Fraction(1, 2))


def half_away(number):
    return int(math.copysign(1, number)) * math.floor(abs(number) + Fraction(1, 2))


@given(WIDES, st.integers(-arithmetic.LONGEST_LEFT, arithmetic.LONGEST_RIGHT))
def test_rescaled(v, n):
    exact = Fraction(v) / Fraction(2) ** n
    wanted = half_up(exact) if n >= 0 else max(-WIDE, min(int(exact), WIDE))
    assert rescaled(one(v), n)[0] == wanted


@given(st.integers(-200, 200))
def test_a_shift_that_is_possible(n):
    found = arithmetic.shift(n)
    assert found == n or (abs(found) < abs(n) and found in (-arithmetic.LONGEST_LEFT, arithmetic.LONGEST_RIGHT))


@given(WIDES)
def test_saturated(v):
    assert saturated(one(v))[0] == min(max(v, LOWEST), HIGHEST)


@given(NUMBERS, NUMBERS, st.integers(-31, 61))
@example(3, 2, 0)
@example(LOWEST, -1, 31)
def test_divided(a, b, n):
    found = int(divided(one(a), one(b), n)[0])
    if b == 0:
        assert found == (WIDE if a > 0 else -WIDE if a < 0 else 0)
        return
    exact = half_away(Fraction(a * 2 ** min(n, 31), b)) if n > 0 else half_away(Fraction(a, b) / 2**-n)
    assert found == max(-WIDE, min(exact << max(n - 31, 0), WIDE))


@given(NUMBERS, st.integers(-62, 31))
def test_rooted(a, n):
    v = max(a, 0) << n if n >= 0 else half_up(Fraction(max(a, 0), 2**-n))
    found = int(rooted(one(a), n)[0])
    # The integer nearest to a root is that with (found - 1/2)**2 < v < (found + 1/2)**2; a half is never a root.
    assert (2 * found - 1) ** 2 < 4 * v < (2 * found + 1) ** 2 or found == v == 0


def test_rooted_beside_squares_and_halves(rng):
    """Where the root of a rounded number may be the next integer, or the one before."""
    k = np.unique(np.concatenate([np.arange(1, 2000), rng.integers(2**26, 2**31, 5000), 2**31 - np.arange(1, 2000)]))
    apart = np.array([0, 1, 2, 255, 256, 257, 511, 512, 1023, 1024])[:, None]
    for near, root in ((k * k + apart, k), (k * k - apart, k), (k * k + k, k), (k * k + k + 1, k + 1)):
        v, root = (a[(near >= 0) & (np.abs(near - root * root) <= root)] for a in np.broadcast_arrays(near, root))
        assert np.array_equal(rooted(v, 0), root - (v == root * root - root))


# ----------------------------------------------------------------------------------------------------------- functions


def whole_range(points=100_001):
    """Numbers of 32 bits: a grid, its neighbours at the ends of pieces, small ones, and the limits."""
    ends = np.arange(LOWEST, HIGHEST, 2**22)
    near = np.concatenate([ends + k for k in (-1, 0, 1)] + [np.arange(-3000, 3000)])
    return np.unique(
        np.clip(np.concatenate([np.linspace(LOWEST, HIGHEST, points).astype(np.int64), near]), LOWEST, HIGHEST)
    )


# Largest errors over the whole domain, as docs/fixed_point.md states them.
CURVES = {
    "sigmoid": (functions.sigmoid, functions.SIGMOID_BITS, sigmoid, 3.3e-8),
    "tanh": (functions.tanh, functions.TANH_BITS, np.tanh, 6.5e-8),
    "normal_cdf": (functions.normal_cdf, functions.NORMAL_BITS, normal_cdf, 8.9e-8),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves(name):
    compute, places, exact, stated = CURVES[name]
    a = whole_range()
    error = np.abs(compute(a) / curves.ONE - exact(a / 2.0**places))
    assert stated / 1.2 < error.max() <= stated


@pytest.mark.parametrize("n", [-20, -3, 0, 8, 20, 30, 45, 60])
def test_exp(n):
    a = whole_range()
    z = a / 2.0**functions.EXP_BITS
    exact = np.exp(z)
    fits = exact * 2.0**n < 2**31
    error = np.abs(functions.exp(a, n) / 2.0**n - exact)
    assert (error <= 0.5 / 2.0**n + (7e-9 + 3.3e-10 * np.abs(z)) * exact)[fits].all()
    assert (saturated(functions.exp(a, n)[exact * 2.0**n > 2.0**31 * 1.00001]) == HIGHEST).all()
    assert functions.exp(one(0), n)[0] == (2**n if n >= 0 else half_up(Fraction(1, 2**-n)))


@pytest.mark.parametrize("n", [0, 4, 12, 20, 28, 30])
def test_relaxed(n):
    a = whole_range(30_001)
    a = a[a > -(2.0 ** (n + 5))]  # -32: further than that exp(-r) is cut off
    r = a / 2.0**n
    exact = relaxed(r)
    for m in (30, 29, 20, 3, -10):
        error = np.abs(saturated(functions.relaxed(a, n, m)) / 2.0**m - exact)
        assert (error <= 3.2e-8 + 0.5 / 2.0**m)[(r >= 0) & (m <= 30)].all()
        # exp(-r) has 4 places less; what is beyond 31 bits is cut off.
        inside = (r < 0) & (exact * 2.0**m < 2**31) & (np.exp(np.maximum(-r, 0)) * 2.0 ** (m - 4) < 2**31)
        assert (error <= (4e-8 + 3.3e-10 * np.abs(r)) * exact + 8.5 / 2.0**m)[inside].all()
        assert functions.relaxed(one(0), n, m)[0] == half_up(Fraction(2) ** m)


@pytest.mark.parametrize("n", [-1, 0, 10, 20, 24, 28, 30, 31])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine(name, n):
    a = whole_range()
    angle = a / 2.0**n
    error = np.abs(getattr(functions, name)(a, n) / curves.ONE - getattr(np, name)(angle))
    assert (error <= 5.4e-9 + 4e-10 * np.abs(angle)).all()
    assert getattr(functions, name)(one(0), n)[0] == (0 if name == "sin" else curves.ONE)


def test_points_that_are_exact():
    assert functions.sigmoid(one(0))[0] == curves.ONE // 2
    assert functions.tanh(one(0))[0] == 0
    assert functions.normal_cdf(one(0))[0] == curves.ONE // 2
    a = whole_range(1001)
    a = a[a != LOWEST]
    for odd in (functions.tanh, lambda a: 2 * functions.normal_cdf(a) - curves.ONE, lambda a: functions.sin(a, 20)):
        np.testing.assert_array_equal(odd(-a), -odd(a))


@pytest.mark.parametrize("name", curves.CURVES)
def test_polynomials_cannot_leave_32_bits(name):
    c = np.abs(curves.table(name))
    assert (c.sum(1) + 4 < 2**31).all()
