"""Which of the forecasts that were judged is written, and its intervals where they are not the network's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array, Ints

BEST, NETWORK = "best", "network"
NOW, SEASON, LINE = "the value now", "the value one season before", "linear, of the last rows"
MEAN, MIXED = "the mean of all rows before", "network and linear, their mean"
BY_WORD = {"now": NOW, "season": SEASON, "mean": MEAN, "linear": LINE, "mixed": MIXED}  # of --use
FEWEST = 8  # errors before a forecast, for an interval around it in the backtest


class Used(NamedTuple):
    """What is written of a target: whose forecast, and how it was in the backtest.

    Attributes
    ----------
    who : str
    guess : (n, H) array
    ends : (n, H, 2) array
        Of the intervals; NaN where there were too few errors before.
    """

    who: str
    guess: Array
    ends: Array

    def covered(self, actual: Array) -> Array:
        """The share of the values (n, H) that was inside, (H,); NaN where there were no intervals."""
        known = ~np.isnan(actual) & ~np.isnan(self.ends[..., 0])
        inside = (self.ends[..., 0] <= actual) & (actual <= self.ends[..., 1]) & known
        count = known.sum(axis=0)
        return np.where(count > 0, inside.sum(axis=0) / np.maximum(count, 1), np.nan)


def choose(use: str, guesses: dict[str, Array], actual: Array, target: str) -> str:
    """Who forecasts a target: the one that --use names, or who erred least, from the first step to the last."""
    if use == BEST:
        return min(guesses, key=lambda who: float(np.nanmean(np.abs(guesses[who] - actual))))
    who = next(iter(guesses)) if use == NETWORK else BY_WORD[use]
    if who not in guesses:
        there = [word for word, name in BY_WORD.items() if name in guesses]
        remedy = "give --season M" if who == SEASON else "give more rows"
        raise ValueError(
            f"--use {use} needs what is not there for {target}; there are {', '.join([NETWORK, *there])}: {remedy}, "
            "or take one of these"
        )
    return who


def around(errors: Array, coverage: float) -> Array:
    """What to add to a forecast for the ends of its intervals, (H, 2), from errors (n, H), value minus forecast.

    Errors of all steps ahead, each in units of their mean size there, are one sample.  Its quantiles lie further out by
    the factor (n + 1) / n, as those of n values must for one more.
    """
    known = ~np.isnan(errors)
    size = np.where(known, np.abs(errors), 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    units = (errors / np.where(size > 0, size, 1))[known]
    if not len(units):
        return np.zeros((errors.shape[1], 2))
    tail = max(0.0, 1 - (1 + 1 / len(errors)) * (1 + coverage) / 2)
    return size[:, None] * np.quantile(units, [tail, 1 - tail])


def before(guess: Array, actual: Array, rows: Ints, coverage: float) -> Array:
    """The ends of intervals around each forecast of a backtest, (n, H, 2), from the errors that were known by then.

    Parameters
    ----------
    guess, actual : (n, H) array
    rows : (n,) int array
        The last row that was known to each forecast.
    coverage : float
    """
    ends, errors = np.full((*guess.shape, 2), np.nan), actual - guess
    for one, row in enumerate(rows):
        known = errors[rows + guess.shape[1] <= row]
        if len(known) >= FEWEST:
            ends[one] = guess[one, :, None] + around(known, coverage)
    return ends
