"""How far quantiles must be moved so that the intervals between them cover what they should.

Of n values that were held out at a step ahead, each has an error: how far it lies outside of the interval between the
quantiles p and 1 - p, below 0 where it lies inside.  If these n errors and that of the next value are exchangeable, the
next one is at most the k-th smallest of the n with probability k / (n + 1) or more.  So both ends are moved outwards by
the error of rank k = ceil((n + 1) |2 p - 1|).  Where that is more than n there is no such error: n were too few.

References
----------
Romano, Patterson and Candes, "Conformalized quantile regression", NeurIPS 2019, arXiv:1905.03222.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ..base import checks
from ..base.levels import scores
from ..base.types import Array, Ints
from .curves import at_scores

FINEST = 10**9


def missed(level: float) -> Fraction:
    """What lies outside of the interval between ``level`` and 1 - level, exactly: of 0.05 a tenth, in spite of bits."""
    tail = Fraction(min(level, 1 - level)).limit_denominator(FINEST)
    return 2 * max(tail, Fraction(1, FINEST))


def ranks(level: float, count: Ints) -> Ints:
    """Which of ``count`` errors, in order and from 1, an end is moved by; more than count where these are too few."""
    share = missed(level)
    return count + 1 - (count + 1) * share.numerator // share.denominator


def needed(level: float) -> int:
    """The fewest errors that are enough."""
    return math.ceil(1 / missed(level)) - 1


def shifts(learned: tuple[float, ...], values: Array, truth: Array) -> tuple[Array, Ints]:
    """What to add to the learned quantiles, (A, F, Q), and how many errors say it, (A, F).

    Each step ahead has its own, from its own errors.  Where they are too few it is the largest of them, and no less
    than a step before it has, since errors grow with the distance.  The median stays.

    Parameters
    ----------
    learned : tuple of Q floats
    values : (n, A, F, Q) array
        Quantiles of what was held out.
    truth : (n, A, F) array
        NaN where that is not known.
    """
    count = (~np.isnan(truth)).sum(axis=0)
    found = np.zeros(values.shape[1:])
    for q, level in enumerate(learned):
        out = np.abs(scores(level))
        low, high = np.moveaxis(at_scores(learned, values, np.concatenate([-out, out])), -1, 0)
        error = np.sort(np.maximum(low - truth, truth - high), axis=0)  # NaN comes last
        rank = ranks(level, count)
        shift = np.take_along_axis(error, np.clip(rank, 1, np.maximum(count, 1))[None] - 1, axis=0)[0]
        shift = np.where(count > 0, shift, -np.inf)
        shift = np.where(rank > count, np.maximum.accumulate(shift, axis=0), shift)
        found[..., q] = np.sign(level - 0.5) * np.where(np.isfinite(shift), shift, 0.0)
    return found, count


def warn_of_few(levels: Array, errors: Ints) -> None:
    """One warning where fewer errors were held out than the quantiles that are asked for need; ``errors``: (A, F)."""
    need, fewest = max(map(needed, levels.tolist())), errors.min(axis=1)
    step = int(fewest.argmin())
    if fewest[step] < need:
        checks.warn(
            f"ltc_np: these intervals need {need} values held out at every step ahead, but step {step + 1} has "
            f"{fewest[step]}: they may hold less than they should; give a larger `validation_fraction` or longer "
            "series, or ask for a lower coverage"
        )
