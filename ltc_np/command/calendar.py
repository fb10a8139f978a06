"""Columns of a calendar: where a time stands in its day, its week and its year, as sine and cosine of that.

Those of later times follow from those of now, so a network that reads them at the present row knows them in advance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.types import Array, Ints, Numbers

SECONDS = {"us": 1e-6, "ns": 1e-9}  # of a unit of dates
DAY = 86_400_000_000  # microseconds
PERIODS: dict[str, float] = {"day": DAY, "week": 7 * DAY, "year": 365.2425 * DAY}


def microseconds(times: Ints, unit: str) -> Ints:
    """Whole ones, of times in one of the `SECONDS`."""
    return times // 1000 if unit == "ns" else times


def days(times: Ints, unit: str) -> Array:
    """Days since 1970."""
    return microseconds(times, unit) / DAY


def periods(times: Ints) -> list[str]:
    """The periods that have two steps or more, and of which the times, microseconds since 1970, see two or more."""
    step, span = np.median(np.diff(times)), times[-1] - times[0]
    return [name for name, period in PERIODS.items() if 2 * step <= period and 2 * period <= span]


def columns(times: Ints, names: Sequence[str]) -> Array:
    """Sine and cosine of each of these periods, (T, 2 * periods)."""
    angles = [
        2 * np.pi * (_of_year(times) if name == "year" else times % PERIODS[name] / PERIODS[name]) for name in names
    ]
    return np.stack([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)


def _of_year(times: Ints) -> Array:
    """How much of its year has passed at each time: years have unequal lengths."""
    year: Numbers = times.astype("datetime64[us]").astype("datetime64[Y]")
    first, following = (at.astype("datetime64[us]").astype(np.int64) for at in (year, year + np.timedelta64(1, "Y")))
    return (times - first) / (following - first)
