"""Days of electricity demand whose meter fails at times, and the forecasts that need no network.

The data are ItalyPowerDemand of the archive of time series (timeseriesclassification.com): 1,096 days of 24 hours, each
day less its mean and divided by its spread.  Nothing is missing there: here a meter fails at random, for some hours at
a time, and what it lost is neither shown nor taught.  It is used for one thing only, to judge what was forecast.
"""

import pathlib
from typing import NamedTuple

import numpy as np

HOURS, AHEAD = 24, 3
FAILS, WORKS = 0.1, 0.25  # chances that a meter that works fails in the next hour, and the other way round
TRAIN, VALIDATION = 600, 150  # days; the others are the test
PENALTIES = 0.1, 1.0, 10.0, 100.0  # of the ridge regression


class Days(NamedTuple):
    """Some of the days: what there was, and what the meter has shown of it; NaN where there is nothing."""

    true: np.ndarray  # (n, 24)
    seen: np.ndarray  # (n, 24)


def read(path):
    """The days of a .ts file, (n, 24)."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    starts = [k for k, line in enumerate(lines) if line.strip().lower() == "@data"]
    days = []
    for number, line in list(enumerate(lines, 1))[starts[0] + 1 :] if starts else []:
        try:
            days.append([float(word) for word in line.split(":")[0].split(",")])
        except ValueError as error:
            raise ValueError(f"line {number} must have numbers, a colon and a class: {error}") from None
        if len(days[-1]) != HOURS:
            raise ValueError(f"line {number} must have {HOURS} hours, got {len(days[-1])}")
    if not days:
        raise ValueError("must have lines of days after @data")
    return np.array(days)


def failing(n, rng):
    """Whether the meter has failed, (n, 24): it works at first, then changes its state at random."""
    failed = np.zeros((n, HOURS), bool)
    for hour in range(1, HOURS):
        change = rng.random(n)
        failed[:, hour] = np.where(failed[:, hour - 1], change > WORKS, change < FAILS)
    return failed


def split(days):
    """Days for training, validation and the test, in random order, with failures of the meter."""
    rng = np.random.default_rng(0)
    true = days[rng.permutation(len(days))]
    if len(true) <= TRAIN + VALIDATION:
        raise ValueError(f"must have more than {TRAIN + VALIDATION} days in all, got {len(true)}")
    seen = np.where(failing(len(true), rng), np.nan, true)
    cuts = TRAIN, TRAIN + VALIDATION
    return [Days(*pair) for pair in zip(np.split(true, cuts), np.split(seen, cuts), strict=True)]


def ahead(values):
    """For each hour the values of the next three, (n, 24, 3); NaN beyond the day."""
    later = np.full((*values.shape, AHEAD), np.nan)
    for k in range(1, AHEAD + 1):
        later[:, :-k, k - 1] = values[:, k:]
    return later


def errors(forecast, days):
    """Root mean square errors 1, 2 and 3 hours ahead, of forecasts made whenever the meter has shown a value."""
    off = np.where(np.isnan(days.seen)[:, :, None], np.nan, forecast - ahead(days.true))
    return np.sqrt(np.nanmean(off**2, axis=(0, 1)))


def last_value(days):
    """Forecasts (n, 24, 3): what was seen last."""
    values = days.seen.copy()
    for hour in range(1, HOURS):
        values[:, hour] = np.where(np.isnan(values[:, hour]), values[:, hour - 1], values[:, hour])
    return np.repeat(values[:, :, None], AHEAD, axis=2)


def mean_day(known, days):
    """Forecasts (n, 24, 3): the mean of what was seen at this hour in the days known."""
    return np.broadcast_to(ahead(np.nanmean(known.seen, axis=0)[None]), (*days.seen.shape, AHEAD))


def so_far(days, hour):
    """What a linear forecast sees at ``hour``: each hour so far, the last value where it is missing, and whether."""
    values, missing = last_value(days)[:, : hour + 1, 0], np.isnan(days.seen[:, : hour + 1])
    return np.concatenate([values, missing, np.ones((len(values), 1))], axis=1)


def linear(known, days, penalty):
    """Forecasts (n, 24, 3) by a ridge regression for each hour of the day and each step ahead."""
    wanted = ahead(known.seen)
    found = np.full((*days.seen.shape, AHEAD), np.nan)
    for hour in range(HOURS - 1):
        x, asked = so_far(known, hour), so_far(days, hour)
        ridge = penalty * np.eye(x.shape[1])
        ridge[-1, -1] = 0  # not of the constant
        for k in range(min(AHEAD, HOURS - 1 - hour)):
            rows = ~np.isnan(wanted[:, hour, k])
            weights = np.linalg.solve(x[rows].T @ x[rows] + ridge, x[rows].T @ wanted[rows, hour, k])
            found[:, hour, k] = asked @ weights
    return found


def chosen_penalty(known, validation):
    """That with the least error on what was seen in the days of the validation."""
    wanted = ahead(validation.seen)

    def error(penalty):
        return np.nanmean((linear(known, validation, penalty) - wanted) ** 2)

    return min(PENALTIES, key=error)
