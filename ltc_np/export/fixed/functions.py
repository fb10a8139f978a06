"""Functions of fixed point: integers of 32 bits in, integers out; docs/fixed_point.md states the error of each.

Arguments that say so have a fixed number of binary places, and what lies outside of their range has reached its limit.
Values have 30 binary places, where nothing else is said.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.types import Numbers
from .arithmetic import HIGHEST, divided, rescaled, saturated
from .curves import CURVES, ONE, ONE_BITS, PART_BITS, bits_of_width, on_piece

# Binary places of the arguments: sigmoid +-32, tanh +-16, normal_cdf +-8, exp +-32.
SIGMOID_BITS, TANH_BITS, NORMAL_BITS, EXP_BITS = 26, 27, 28, 26
LOG2_E = round(math.log2(math.e) * 2**30)
TURN_BITS = 33
GROWTH_LIFT = 4  # in `relaxed` exp(-r) has so many places less than the result, since it is larger
TURN = round(2**TURN_BITS / (2 * math.pi))  # turns of one radian


def _size(a: Numbers) -> Numbers:
    """|a|, but for -2**31, which becomes 2**31 - 1."""
    return np.minimum(np.abs(a), HIGHEST)


def _from_zero(name: str, a: Numbers, places: int) -> Numbers:
    """A curve at a >= 0 with so many binary places; 1 behind its last piece."""
    value = np.full_like(a, ONE)
    first = 0
    for k, run in enumerate(CURVES[name].runs):
        bits = bits_of_width(name, k, places)
        offset = a - int(run.start * 2**places)
        piece = offset >> bits
        inside = (offset >= 0) & (piece < run.number)
        t = rescaled(offset & ((1 << bits) - 1), bits - PART_BITS)
        value = np.where(inside, on_piece(name, np.where(inside, first + piece, 0), t), value)
        first += run.number
    return value


def sigmoid(a: Numbers) -> Numbers:
    """1 / (1 + exp(-z)); z has 26 binary places."""
    value = _from_zero("sigmoid", _size(a), SIGMOID_BITS)
    return np.where(a < 0, ONE - value, value)


def tanh(a: Numbers) -> Numbers:
    """2 sigmoid(2 z) - 1; z has 27 binary places."""
    return 2 * sigmoid(a) - ONE


def normal_cdf(a: Numbers) -> Numbers:
    """The normal distribution function; z has 28 binary places."""
    value = _from_zero("normal_cdf", _size(a), NORMAL_BITS)
    return np.where(a < 0, ONE - value, value)


def exp(a: Numbers, n: int) -> Numbers:
    """exp(z) with n binary places, wide; z has 26."""
    power = a * LOG2_E  # log2 of the result, with 56 binary places
    exponent = power >> (EXP_BITS + 30)
    part = (power >> (EXP_BITS + 30 - PART_BITS)) & HIGHEST
    bits = bits_of_width("power", 0, PART_BITS)
    value = on_piece("power", part >> bits, (part & ((1 << bits) - 1)) << (PART_BITS - bits))
    return _by_powers(value, ONE_BITS - 1 - n - exponent)


def _by_powers(value: Numbers, places: Numbers) -> Numbers:
    """`rescaled` by places that differ from element to element."""
    right = np.clip(places, 1, 62)
    # A value is at least 2**29 - 8, so that it is beyond all limits with 31 places more, as with even more of them.
    left = np.clip(-places, 0, 31)
    down = (value + (np.int64(1) << (right - 1))) >> right
    return np.where(places > 0, down, value << left)


def relaxed(a: Numbers, n: int, m: int) -> Numbers:
    """(1 - exp(-r)) / r with m places, wide; r has n; 0 <= n <= 30, m <= 30."""
    r = _size(a)
    one = 1 << n
    # Below 1 the difference would lose its leading places.
    position = np.where(r < one, r, 0) << (PART_BITS - n)
    bits = bits_of_width("relaxed", 0, PART_BITS)
    near = on_piece("relaxed", position >> bits, (position & ((1 << bits) - 1)) << (PART_BITS - bits))
    rise = ONE - exp(saturated(rescaled(-r, n - EXP_BITS)), ONE_BITS)
    value = np.where(r < one, near, divided(rise, np.where(r < one, one, r), n))
    # For r < 0 it is exp(-r) times that of -r; the first factor is the larger one.
    growth = saturated(exp(saturated(rescaled(r, n - EXP_BITS)), m - GROWTH_LIFT))
    return np.where(a < 0, rescaled(value * growth, ONE_BITS - GROWTH_LIFT), rescaled(value, ONE_BITS - m))


def sin(a: Numbers, n: int) -> Numbers:
    """The sine of an angle in radians with n >= -1 binary places."""
    return _sine_of_turns(_turns(a, n))


def cos(a: Numbers, n: int) -> Numbers:
    """The cosine of an angle in radians with n >= -1 binary places."""
    return _sine_of_turns((_turns(a, n) + (1 << 30)) & 0xFFFFFFFF)


def _turns(a: Numbers, n: int) -> Numbers:
    """The angle in turns, with 32 binary places, without its whole turns."""
    return rescaled(a * TURN, n + TURN_BITS - 32) & 0xFFFFFFFF


def _sine_of_turns(turns: Numbers) -> Numbers:
    part = turns & ((1 << 30) - 1)
    part = np.where(turns & (1 << 30), (1 << 30) - part, part)  # back in the second and fourth quarter; up to 2**30
    bits = bits_of_width("sine", 0, 32)
    end = part == 1 << 30
    piece = np.where(end, 0, part >> bits)
    t = (part & ((1 << bits) - 1)) << (PART_BITS - bits)
    value = np.where(end, ONE, on_piece("sine", piece, t))
    return np.where(turns & (1 << 31), -value, value)
