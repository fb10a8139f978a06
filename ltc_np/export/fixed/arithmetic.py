"""Integers of fixed-point arithmetic: shifts that round, division, square root, and the limits of 32 bits.

Every number is a NumPy int64 that fits into 32 bits, or, between two operations, a wide one of at most `WIDE`.  What is
defined here bit by bit is what the C text of `ltc_np.export.fixed.c_text` computes.
"""

from __future__ import annotations

import numpy as np

from ...base.types import Numbers

LOWEST, HIGHEST = -(2**31), 2**31 - 1
WIDE_BITS = 61
WIDE = 2**WIDE_BITS  # the sum of two such, and what rounding adds to it, fits into 64 bits
LONGEST_RIGHT, LONGEST_LEFT = 62, WIDE_BITS


def saturated(wide: Numbers) -> Numbers:
    """The nearest number of 32 bits."""
    return np.clip(wide, LOWEST, HIGHEST)


def integers(values: Numbers | float, places: Numbers | int) -> Numbers:
    """Real numbers as integers with so many binary places: the nearest of 32 bits, halves away from 0."""
    with np.errstate(over="ignore"):  # infinity is the largest integer, too
        scaled = np.asarray(values, np.float64) * np.exp2(places)
    return np.trunc(np.clip(scaled + np.copysign(0.5, scaled), LOWEST, HIGHEST)).astype(np.int64)


def shift(n: int) -> int:
    """The number of places nearest to n that `rescaled` can shift by: further right there is nothing but rounding."""
    return max(-LONGEST_LEFT, min(n, LONGEST_RIGHT))


def rescaled(v: Numbers, n: int) -> Numbers:
    """v / 2**n: to the nearest integer, halves upward, for n > 0; within +-`WIDE` for n < 0."""
    if n > 0:
        return (v + (1 << (n - 1))) >> n  # of NumPy's integers, >> is the floor
    if n < 0:
        limit = WIDE >> -n
        return np.clip(v, -limit, limit) << -n
    return v


def divided(a: Numbers, b: Numbers, n: int) -> Numbers:
    """a 2**n / b, of numbers of 32 bits, to the nearest, halves away from 0; a / 0 is +-`WIDE`, 0 / 0 is 0.

    ``n`` is at least -31; of what it is above 31 the quotient is shifted, so that places are lost.
    """
    a, b = np.broadcast_arrays(a, b)
    up, rest = max(0, min(n, 31)), max(0, n - 31)
    top, bottom = np.abs(a) << up, np.abs(b) << max(0, -n)
    zero = bottom == 0
    safe = np.where(zero, 1, bottom)
    size = np.where(zero, np.where(top > 0, WIDE, 0), (top + (safe >> 1)) // safe)
    size = np.minimum(size, WIDE)  # 2**62 for -2**31 and +-1
    return rescaled(np.where((a < 0) != (b < 0), -size, size), -rest)


def rooted(a: Numbers, n: int) -> Numbers:
    """sqrt(a 2**n), to the nearest, of a number of 32 bits and n <= 31; 0 where a is negative."""
    v = np.maximum(a, 0)
    v = v << n if n >= 0 else rescaled(v, -n)
    # Up to 2**53 this is the floor.  Above, the root of the rounded v may round to the next integer or to the one
    # before; but v, of at most 62 bits, is then within 2**10 of that integer's square, so it is the nearest one of all.
    root = np.sqrt(v.astype(np.float64)).astype(np.int64)
    return np.where(v - root * root > root, root + 1, root)
