"""What a network reads of irregular series, so that it answers at times that are asked for.

A sequence has a step at each time at which something was observed or is asked, and, where these lie far apart, steps
between them: a network that shall foresee what swings needs its nonlinear steps, and not their elapsed time alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..base.types import Array, Ints, Numbers
from ..data import forward_fill
from .points import Points, numbered

MOST_BETWEEN = 32  # steps between two times, however far these are apart
# More questions about a series, within so many units, are shared out among sequences: 2.5 times as many as usual.  With
# usual numbers the network's own steps are not better than theirs: of LEN01 of Physiome-ODE the error grew by a fifth.
CROWD, WITHIN = 10, 8.0
APART = 4.0  # so far apart are then those of one sequence, in units: the network has its own steps between them


class Steps(NamedTuple):
    """Sequences, one for each series with a question; of a series about which more is asked than usually, several.

    Attributes
    ----------
    x, dt : lists of (T_i, features) and (T_i,) arrays
    sequence, step, channel : (n,) int arrays
        Where the answer to each question stands.
    lead : (n,) array
        How long after the last observation of its series each is asked for, in the unit of `Frame`.
    """

    x: list[Array]
    dt: list[Array]
    sequence: Ints
    step: Ints
    channel: Ints
    lead: Array

    def targets(self, values: Array) -> list[Array]:
        """Answers (n,) where they belong, (T_i, C) of each sequence, and NaN elsewhere."""
        C = (self.x[0].shape[1] - 2) // 3
        found = [np.full((len(dt), C), np.nan) for dt in self.dt]
        for of, step, channel, value in zip(self.sequence, self.step, self.channel, values, strict=True):
            found[of][step, channel] = value
        return found


class Frame(NamedTuple):
    """How points become steps.

    Attributes
    ----------
    channels : dict
        Name to number.
    mean, scale : (C,) arrays
        Of the values of each channel in the training.
    unit : float
        The length of the steps between two times; an elapsed time of 1.
    usual : float
        The usual time between two observations, in ``unit``.
    dated : bool
    history : float or None
        How long before the last observation of a series others are read, in the unit of the times; None: all.
    """

    channels: dict[Any, int]
    mean: Array
    scale: Array
    unit: float
    usual: float
    dated: bool
    history: float | None = None

    @property
    def features(self) -> int:
        """Numbers at a step: the last value of each channel, whether it comes now, and its age; whether it is later
        than all observations, and how much."""
        return 3 * len(self.channels) + 2

    def standardised(self, points: Points) -> Array:
        """Values (n,) as the network has them."""
        assert points.value is not None
        number = numbered(points.channel, self.channels)
        return (points.value - self.mean[number]) / self.scale[number]

    def unscaled(self, values: Array, channel: Ints) -> Array:
        """Inverse of `standardised`."""
        return values * self.scale[channel] + self.mean[channel]

    def steps(self, past: Points, asked: Points, *, share_out: bool = False) -> Steps:
        """What the network reads to answer questions after a past.

        Questions add steps, and with many more of them than it has learned from a network errs: the squared error of
        sines that were asked about at eight times the usual density was 30 times as large.  Where answers are given,
        ``share_out`` makes several sequences of such series.
        """
        for name, points in (("past", past), ("asked", asked)):
            self._check(name, points)
        past = self._recent(past)
        names: dict[Any, int] = {}
        for name in asked.series:
            names.setdefault(name, len(names))
        of_past, of_asked = numbered(past.series, names), numbered(asked.series, names)
        seen_in, asked_in = numbered(past.channel, self.channels), numbered(asked.channel, self.channels)
        values = self.standardised(past)
        rows_past, rows_asked = _groups(of_past, len(names)), _groups(of_asked, len(names))
        x, dt = list[Array](), list[Array]()
        sequence, step = np.empty((2, len(of_asked)), np.int64)
        lead = np.empty(len(of_asked))
        for seen, all_wanted in zip(rows_past, rows_asked, strict=True):
            for wanted in self._shared_out(asked.time, all_wanted) if share_out else [all_wanted]:
                own = np.unique(np.concatenate([past.time[seen], asked.time[wanted]]))
                place, since, own_dt = self._clock(own)
                table = np.full((len(since), len(self.channels)), np.nan)
                at = place[np.searchsorted(own, past.time[seen])]
                table[at, seen_in[seen]] = values[seen]
                later = np.maximum(since - (since[at].max() if seen.size else 0.0), 0.0)
                sequence[wanted] = len(x)
                x.append(self._inputs(table, own_dt, later))
                dt.append(own_dt)
                step[wanted] = place[np.searchsorted(own, asked.time[wanted])]
                lead[wanted] = later[step[wanted]]
        return Steps(x, dt, sequence, step, asked_in, lead)

    def _shared_out(self, time: Numbers, rows: Ints) -> list[Ints]:
        """The rows of the questions about one series, by sequences."""
        times, number = np.unique(time[rows], return_inverse=True)
        since = (times - times[0]).astype(np.float64) / self.unit

        def most(length: float) -> int:
            """So many lie within it."""
            ends = np.searchsorted(since, since + length - 1e-6)
            return int((ends - np.arange(len(since))).max())

        parts = most(APART) if most(WITHIN) > CROWD else 1
        return [rows[number % parts == k] for k in range(parts)]

    def _recent(self, past: Points) -> Points:
        """Without what was observed too long ago."""
        if self.history is None:
            return past
        of = numbered(past.series, {name: k for k, name in enumerate(dict.fromkeys(past.series))})
        last = np.full(int(of.max()) + 1, past.time.min())
        np.maximum.at(last, of, past.time)
        return past.some((last[of] - past.time).astype(np.float64) <= self.history)

    def _inputs(self, table: Array, dt: Array, later: Array) -> Array:
        filled = forward_fill(table, dt)
        age = np.where(filled.mask == 1, 0.0, filled.since)
        ahead = np.stack([(later > 0).astype(np.float64), later / self.usual / 10], axis=1)
        return np.concatenate([filled.values, filled.mask, np.log1p(age / self.usual), ahead], axis=1)

    def _clock(self, times: Numbers) -> tuple[Ints, Array, Array]:
        """The step of each time, and of all steps, with those between the times, the time since the first and dt."""
        gaps = np.diff(times).astype(np.float64) / self.unit
        parts = np.clip(np.ceil(gaps - 1e-6), 1, MOST_BETWEEN).astype(np.int64)
        dt = np.concatenate([[1.0], np.repeat(gaps / parts, parts)])
        return np.concatenate([[0], np.cumsum(parts)]), np.cumsum(dt) - dt[0], dt

    def _check(self, name: str, points: Points) -> None:
        if points.dated != self.dated:
            kinds = ("dates", "numbers") if self.dated else ("numbers", "dates")
            raise ValueError(f"`{name}` must have {kinds[0]} as times, as in fit, got {kinds[1]}")
        unknown = [channel for channel in points.channel if channel not in self.channels]
        if unknown:
            known = ", ".join(map(str, self.channels))
            raise ValueError(f"`{name}` must name channels that fit has seen ({known}), got {unknown[0]!r}")


def _groups(numbers: Ints, count: int) -> list[Ints]:
    """The rows of each number from 0 to count - 1."""
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(count + 1))
    return [order[first:last] for first, last in pairwise(ends)]


def frame_of(past: Points, asked: Points, history: float | None = None) -> Frame:
    """The `Frame` of the data of a training; its channels are those of both."""
    names = dict.fromkeys([*past.channel, *asked.channel])
    channels = {name: k for k, name in enumerate(names)}
    number = np.concatenate([numbered(each.channel, channels) for each in (past, asked)])
    values = np.concatenate([np.asarray(past.value), np.asarray(asked.value)])
    count = np.bincount(number, minlength=len(channels))
    mean = np.bincount(number, values, len(channels)) / count
    scale = np.sqrt(np.bincount(number, (values - mean[number]) ** 2, len(channels)) / count)
    series = {name: k for k, name in enumerate(dict.fromkeys([*past.series, *asked.series]))}
    gaps = []
    of = np.concatenate([numbered(each.series, series) for each in (past, asked)])
    time = np.concatenate([past.time, asked.time])
    for rows in _groups(of, len(series)):
        gaps.append(np.diff(np.unique(time[rows])))
    apart = np.concatenate(gaps).astype(np.float64)
    usual = float(apart.mean()) if apart.size else 1.0
    # Two steps where there is one time: fewer let the network move in too large steps, more take longer.
    return Frame(channels, mean, np.where(scale > 0, scale, 1.0), usual / 2, 2.0, past.dated, history)
