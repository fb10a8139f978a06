"""What the network of a forecaster reads at a step, and what it is to answer.

With F values and E exogenous values a step, lag L of differences (0: none) and A steps ahead, the network reads at t

    d[t]             f[t] - f[t - L], or f[t] without differences; f is the series with missing values filled in
    m[t]             1 where d[t] was observed, where the training series had missing values
    e[t]             exogenous values that are known up to now, or
    e[t + 1 .. t+A]  those that are known in advance
    s[1 .. A]        elapsed time until each of the next steps, where elapsed times are given

and its targets are y[t + h] - n[t, h] for h = 1 .. A, with n[t, h] = f[t + h - L ceil(h / L)], the seasonal naive
forecast (0 without differences).  Nothing of a later value is read: at t the network sees f up to t.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array, Bools, Ints
from ..data.filling import forward_fill
from .series import Collection, Series


class Prepared(NamedTuple):
    """A series without gaps; exogenous values and elapsed times may go on where values end.

    Attributes
    ----------
    values : (T, F) array
        f: where a value is missing the last one that is known.
    known : (T, F) bool array
        Which were there.
    exogenous : (T + steps in advance, E) array
    dt : (T + steps in advance,) array, or None
    """

    values: Array
    known: Bools
    exogenous: Array
    dt: Array | None

    def until(self, stop: int) -> Prepared:
        """The first ``stop`` steps."""
        dt = None if self.dt is None else self.dt[:stop]
        return Prepared(self.values[:stop], self.known[:stop], self.exogenous[:stop], dt)

    def last(self, count: int) -> Prepared:
        """The last steps of a series that does not go on."""
        rows = slice(max(0, len(self.values) - count), None)
        dt = None if self.dt is None else self.dt[rows]
        return Prepared(self.values[rows], self.known[rows], self.exogenous[rows], dt)

    def going_on(self, exogenous: Array, dt: Array | None) -> Prepared:
        """With exogenous values and elapsed times of later steps."""
        longer = None if self.dt is None or dt is None else np.concatenate([self.dt, dt])
        return self._replace(exogenous=np.concatenate([self.exogenous, exogenous]), dt=longer)


class Frame(NamedTuple):
    """How a series becomes inputs and targets.

    Attributes
    ----------
    ahead : int
        A, steps that a network answers: the horizon, or 1 for a recursive one.
    lag : int
        L, 0 for no differences.
    masked : bool
        Inputs say what was observed.
    in_advance : bool
        Exogenous values are known in advance.
    timed : bool
        There are elapsed times.
    first : (F,) array
        What stands for a value until it is observed.
    exogenous : int
        E.
    """

    ahead: int
    lag: int
    masked: bool
    in_advance: bool
    timed: bool
    first: Array
    exogenous: int

    @property
    def features(self) -> int:
        """Numbers that the network reads at a step."""
        F = len(self.first)
        return F + self.masked * F + self.exogenous * (self.ahead if self.in_advance else 1) + self.timed * self.ahead

    @property
    def spare(self) -> int:
        """Steps at the end of a series from which nothing is learned: inputs or all targets are not known there."""
        return self.ahead if self.looks_ahead else 1

    @property
    def looks_ahead(self) -> bool:
        """Whether inputs say something of later steps: exogenous values or elapsed times."""
        return self.timed or (self.in_advance and self.exogenous > 0)

    def prepare(self, series: Series) -> Prepared:
        """A series with what is missing filled in."""
        values, known, _ = forward_fill(series.values, first=self.first)
        return Prepared(values, known > 0, series.exogenous, series.dt)

    def inputs(self, series: Prepared, at: Ints) -> Array:
        """What the network reads at the steps ``at``, (len(at), features)."""
        d = series.values[at] - (series.values[at - self.lag] if self.lag else 0)
        seen = series.known[at] & (series.known[at - self.lag] if self.lag else True)
        return self.join(d, seen, series, at)

    def join(self, d: Array, seen: Bools, series: Prepared, at: Ints) -> Array:
        """The same of d[t] and m[t] that are known already."""
        parts, later = [d], self._later(at)
        if self.masked:
            parts.append(seen.astype(np.float64))
        if self.exogenous:
            parts.append(series.exogenous[later if self.in_advance else at].reshape(len(at), -1))
        if series.dt is not None:
            parts.append(np.cumsum(series.dt[later], axis=1))
        return np.concatenate(parts, axis=1)

    def naive(self, values: Array, at: Ints) -> Array:
        """n[t, h] for t in ``at``, (len(at), ahead, F)."""
        if not self.lag:
            return np.zeros((len(at), self.ahead, values.shape[1]))
        return values[naive_steps(at, self.ahead, self.lag)]

    def targets(self, series: Prepared, at: Ints) -> Array:
        """What the network is to answer at the steps ``at``, (len(at), ahead, F); NaN where that is not known."""
        later, T = self._later(at), len(series.values)
        there = np.minimum(later, T - 1)
        known = series.known[there] & (later < T)[..., None]
        return np.where(known, series.values[there] - self.naive(series.values, at), np.nan)

    def _later(self, at: Ints) -> Ints:
        return at[:, None] + np.arange(1, self.ahead + 1)


def frame_of(data: Collection, ahead: int, lag: int, in_advance: bool) -> Frame:
    """The `Frame` for series from which a network is to learn."""
    values = np.concatenate([one.values for one in data.series])
    known = ~np.isnan(values)
    if not known.any(axis=0).all():
        raise ValueError("`series` must have a value that is known of every feature, got one with NaN only")
    first, one = np.nanmean(values, axis=0), data.series[0]
    frame = Frame(ahead, lag, not known.all(), in_advance, one.dt is not None, first, one.exogenous.shape[1])
    least = lag + frame.spare + 1
    for k, one in enumerate(data.series):
        if len(one.values) < least:
            at = f"[{k}]" if data.listed else ""
            raise ValueError(f"`series{at}` must have at least {least} steps, got {len(one.values)}")
    most = max(len(one.values) for one in data.series) - lag - 1
    if ahead > most:  # outputs of the steps beyond would never be told an answer
        raise ValueError(
            f"`horizon` must be at most {most}, so that the longest series has a value so far ahead, got {ahead}: "
            "strategy='recursive' goes further"
        )
    return frame


def naive_steps(at: Ints, ahead: int, lag: int) -> Ints:
    """The step whose value is the seasonal naive forecast of t + h, (len(at), ahead); none of them is after t."""
    h = np.arange(1, ahead + 1)
    return at[:, None] + h - lag * -(-h // lag)


def contexts(frame: Frame, rows: list[tuple[Prepared, Ints]]) -> tuple[Array, Array | None, Ints]:
    """Inputs, elapsed times and lengths of steps of series, padded at the end."""
    x = padded([frame.inputs(series, at) for series, at in rows], 0.0)
    dt = padded([series.dt[at] for series, at in rows], 0.0) if frame.timed else None  # type: ignore[index]
    return x, dt, np.array([len(at) for _, at in rows])


def padded(rows: list[Array], value: float) -> Array:
    """Arrays (T_i, ...) as one (B, T, ...)."""
    found = np.full((len(rows), max(map(len, rows)), *rows[0].shape[1:]), value)
    for filled, row in zip(found, rows, strict=True):
        filled[: len(row)] = row
    return found
