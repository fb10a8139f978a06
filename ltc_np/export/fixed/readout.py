"""A readout of integers that learns by NLMS: formats, answers and learning, bit by bit as its C does.

A learning step divides once.  With features f, the last of them 1, the exact rule adds to the weights e f times the
gain g = rate / (epsilon + |f|^2).  Here |f|^2 is a sum of 64 bits, of which 31 are kept, with a power of 2 that moves
with it; so is the rate; their quotient G has 30 bits or 31.  Q = G e is rounded to 32 bits, and Q f, of 64 bits, to the
format of the weights.  All that is limited to 32 bits saturates, and nothing else can overflow:

* features have so few bits, `bits_of_features`, that the sum of F of their squares, and that of F products with any
  weights, is at most 2^61;
* |G|, |e| and |Q| are at most 2^31, so products have at most 62 bits.

So the learning of an observation is that of the exact rule, with an error e that is off by at most `OFF` units of the
outputs' format, and each weight is then off by half a unit of its own: G is off by the factor 1 +- 1.5 2^-30, which is
3 units where e is the largest number; Q is rounded, which is up to 2 units of e, since G is at least 2^29; and e itself
is that of a rounded answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...base import checks
from ...base.types import Numbers
from ...online import NLMS
from ..learning import Readout
from .arithmetic import (
    HIGHEST,
    LONGEST_LEFT,
    LONGEST_RIGHT,
    LOWEST,
    WIDE,
    divided,
    integers,
    rescaled,
    saturated,
    shift,
)
from .formats import Format, places_for

MISSING = LOWEST  # a target that is not known
GAIN_BITS, PRODUCT_SHIFT = 30, 31  # binary places of G for a rate and a norm of 31 bits; bits of G e that Q leaves out
OFF = 5.5
MOST_NORM_PLACES = 58  # of |f|^2, in which 1 is the part of the bias: it fits well into 64 bits
ROOM = 4.0  # how many times larger than deployed weights may become, besides the headroom


def bits_of_features(F: int) -> int:
    """Without the sign: F 2^bits <= 2^30."""
    return 30 - math.ceil(math.log2(F))


def moved(v: Numbers, n: int) -> Numbers:
    """v / 2**n to the nearest, of numbers below 2**62 in size, for every n."""
    return np.zeros_like(v) if n > LONGEST_RIGHT else rescaled(v, max(n, -LONGEST_LEFT))


def norm_places(features: int) -> int:
    """Binary places of |f|^2, of those of features: twice as many, where 1 fits with them."""
    return min(2 * features, MOST_NORM_PLACES)


class Places(NamedTuple):
    """Binary places of features, weights, biases, outputs and targets, and the rate."""

    features: int
    weights: int
    bias: int
    y: int
    rate: int


class FixedReadout(NamedTuple):
    """A readout of integers.

    Attributes
    ----------
    W : (O, F + 1) int64 array
        What was deployed, the biases last.
    places : Places
    narrower : int
        By how many bits features are narrower than what the network before them gives.
    rate : int
        From 2^30 to 2^31 - 1, with ``places.rate``.
    one : int
        1 + epsilon with ``norm_places``: the bias's part of |f|^2.
    rule : NLMS
    """

    W: Numbers
    places: Places
    narrower: int
    rate: int
    one: int
    rule: NLMS

    @classmethod
    def of(cls, readout: Readout, before: int, sizes: tuple[float, float], headroom: float) -> FixedReadout:
        """Formats for a readout.

        ``before`` is the binary places of what the network gives, ``sizes`` the largest feature and the largest output
        on the calibration data.
        """
        rule, W = readout.rule, readout.W
        if type(rule) is not NLMS:
            got = checks.brief(rule)
            raise TypeError(f"`learn` must be an NLMS in fixed point, got {got}: RLS is for float and double")
        F = W.shape[1] - 1
        features = before - (31 - bits_of_features(F))
        feature, output = (size * headroom for size in sizes)
        y = places_for(output)
        largest = ROOM * headroom * float(np.abs(W[:, :-1]).max())
        # A weight alone may make an output of one feature; more places than a shift can leave out have no effect.
        weights = min(places_for(max(largest, output / feature if feature else 0)), LONGEST_RIGHT + y - features)
        bias = min(y, places_for(ROOM * headroom * float(np.abs(W[:, -1]).max())))
        rate = places_for(rule.rate)
        if rule.rate < 2.0**-30:
            raise ValueError(f"`rate` of `learn` must be at least 1e-9 in fixed point, got {rule.rate:g}")
        norm = norm_places(features)
        one = (1 + rule.epsilon) * 2.0**norm
        if one > WIDE:
            most = WIDE / 2.0**norm - 1
            raise ValueError(f"`epsilon` of `learn` must be at most {most:.3g} in fixed point, got {rule.epsilon:g}")
        whole = np.concatenate([integers(W[:, :-1], weights), integers(W[:, -1:], bias)], axis=1)
        places = Places(features, weights, bias, y, rate)
        return cls(whole, places, before - features, int(integers(rule.rate, rate)), round(one), rule)

    @property
    def sum_shift(self) -> int:
        """By which the sum of products is shifted to become an output."""
        return shift(self.places.weights + self.places.features - self.places.y)

    @property
    def norm_places(self) -> int:
        """Of |f|^2."""
        return norm_places(self.places.features)

    @property
    def step_shifts(self) -> tuple[int, int]:
        """By which Q f, and Q for the bias, are shifted to become changes, besides the power of 2 of the norm."""
        p = self.places
        common = p.rate - 1 + p.y - self.norm_places
        return common + p.features - p.weights, common - p.bias

    def features(self, outputs: Numbers) -> Numbers:
        """What the network gives, as features."""
        return rescaled(outputs, self.narrower)

    def wide_answers(self, f: Numbers, W: Numbers | None = None) -> Numbers:
        """Outputs (..., O) of features (..., F) before they are limited to 32 bits; by W, or what was deployed."""
        W = self.W if W is None else W
        bias = rescaled(W[:, -1], self.places.bias - self.places.y)
        return rescaled(f @ W[:, :-1].T, self.sum_shift) + bias

    def learn(self, W: Numbers, f: Numbers, target: Numbers) -> Numbers:
        """The weights after the targets (O,) of one observation of features f (F,); those that are `MISSING` teach
        nothing."""
        squares = rescaled(np.array(f @ f), 2 * self.places.features - self.norm_places)
        norm = max(int(squares) + self.one, 1)
        power = norm.bit_length() - 31
        mantissa = saturated(rescaled(np.array(norm, np.int64), power))
        gain = saturated(divided(np.array(self.rate, np.int64), mantissa, GAIN_BITS))
        error = saturated(target - saturated(self.wide_answers(f, W)))
        Q = saturated(rescaled(gain * error, PRODUCT_SHIFT))
        of_weight, of_bias = self.step_shifts
        change = np.concatenate([moved(Q[:, None] * f, of_weight + power), moved(Q, of_bias + power)[:, None]], axis=1)
        return np.where(target[:, None] == MISSING, W, saturated(W + change))

    def targets(self, target: Numbers) -> Numbers:
        """Real targets as integers: NaN is `MISSING`."""
        whole = integers(np.where(np.isnan(target), 0, target), self.places.y)
        return np.where(np.isnan(target), MISSING, np.clip(whole, -HIGHEST, HIGHEST))

    def formats(self, sizes: tuple[float, float]) -> Iterator[Format]:
        """Those of weights, biases and outputs; ``sizes`` as those of `of`."""
        O, F = self.W.shape[0], self.W.shape[1] - 1
        p = self.places
        weight, bias = (float(np.abs(part).max()) / 2.0**n for part, n in (
            (self.W[:, :-1], p.weights), (self.W[:, -1], p.bias)
        ))  # fmt: skip
        yield Format("features", ((0, F),), sizes[0], p.features)
        yield Format("weights", ((0, O * F),), weight, p.weights)
        yield Format("biases", ((0, O),), bias, p.bias)
        yield Format("y", ((0, O),), sizes[1], p.y)
