"""Which differences a forecaster reads where nobody has said it.

A network answers within the range of the targets that it has learned from, so it does not follow a trend beyond them;
differences stay in one range.  But where there is nothing to take away, they only add noise.  So candidates are
compared by forecasts of the last part of the series: no differences, differences to the value before, and to the value
one season before.  What forecasts is a linear function of the last steps, by ridge regression, whose answers are kept
within the range of its targets as those of a network are: it is there in milliseconds.
"""

from __future__ import annotations

import numpy as np

from ..base.types import Array, Ints
from ..shortcut.ridge import ridge
from .framing import Frame, Prepared, frame_of
from .series import Collection

HELD_OUT = 0.2  # share of each series, at its end
STEPS, ROWS = 32, 2000  # most steps that are read, and about how many forecasts are learned from
FEWEST = 8  # forecasts to learn from, and to judge by
SEASONAL = 0.3  # least correlation of changes one season apart
EQUAL = 1.1  # errors, or likenesses, that differ by less say nothing: the shorter lag is taken


def chosen_lag(data: Collection, ahead: int, in_advance: bool) -> int:
    """The lag of differences, 0 for none; see the module."""
    errors = errors_of_lags(data, ahead, in_advance)
    return next((lag for lag, error in errors.items() if error <= EQUAL * min(errors.values())), 0)


def errors_of_lags(data: Collection, ahead: int, in_advance: bool) -> dict[int, float]:
    """What the line's forecasts of the last part err by with each lag that can be judged, 0 for no differences."""
    errors: dict[int, float] = {}
    plain = frame_of(data, ahead, 0, in_advance)
    prepared = [plain.prepare(one) for one in data.series]
    longest = max((one.values for one in prepared), key=len)
    for lag in sorted({0, 1} | {season_of(column) for column in longest.T}):
        found = _error(plain._replace(lag=lag), prepared)
        if found is not None:
            errors[lag] = found
    return errors


def forecasts_of_a_line(frame: Frame, series: Prepared, start: int, at: Ints) -> Array | None:
    """Forecasts (n, ahead, F) after each of the n steps ``at``, from ``start`` - 1 on, of one series.

    The line reads what a network with this frame reads, at the last steps, and is learned from the targets before the
    step ``start``; it may leave their range.  None where fewer than `FEWEST` forecasts can be learned from.
    """
    steps = _steps(start)
    early = np.arange(frame.lag + steps - 1, start - frame.ahead)
    x, y = _complete([_read(frame, series, early[:: 1 + len(early) // ROWS], steps)])
    if len(y) < FEWEST:
        return None
    answers = ridge(x, y).predict(_read(frame, series, at, steps)[0])
    return answers.reshape(len(at), frame.ahead, -1) + frame.naive(series.values, at)


def _steps(length: int) -> int:
    """How many of the last steps a line reads, of series of this length."""
    return max(2, min(STEPS, length // 6))


def season_of(values: Array) -> int:
    """The shortest lag at which the changes of a series (T,) are alike about most, up to a third of T; 0 for none."""
    change = np.diff(values)
    change = change - change.mean() if len(change) else change
    power = change @ change
    if power == 0:
        return 0
    lags = np.arange(1, len(change) // 3)
    alike = np.array([change[lag:] @ change[:-lag] for lag in lags]) / power
    # Within a season they are opposite somewhere; before that a peak is noise between neighbours that are alike.
    first = max(1, int(np.argmax(alike < 0)) if (alike < 0).any() else len(alike))
    peaks = [k for k in range(first, len(alike) - 1) if alike[k] == alike[k - 1 : k + 2].max() and alike[k] > SEASONAL]
    if not peaks:
        return 0
    best = max(peaks, key=lambda k: alike[k])
    for times in (3, 2):  # two or three seasons are as much alike as one, and by chance more
        near = [k for k in peaks if abs(times * lags[k] - lags[best]) <= times and alike[k] * EQUAL >= alike[best]]
        if near:
            return int(lags[max(near, key=lambda k: alike[k])])
    return int(lags[best])


def _error(frame: Frame, prepared: list[Prepared]) -> float | None:
    """Mean absolute error of the forecasts of what is held out, each value in units of its spread."""
    steps = _steps(max(len(one.values) for one in prepared))
    known: list[tuple[Array, Array]] = []
    later: list[tuple[Array, Array]] = []
    for series in prepared:
        T = len(series.values)
        cut = T - int(HELD_OUT * T)
        at = np.arange(frame.lag + steps - 1, T - frame.ahead)
        at = at[:: 1 + len(at) * len(prepared) // ROWS]
        for rows, some in ((known, at[at + frame.ahead < cut]), (later, at[at + 1 >= cut])):
            rows.append(_read(frame, series, some, steps))
    (x, y), (x_later, y_later) = map(_complete, (known, later))
    if min(len(y), len(y_later)) < FEWEST:
        return None
    spread = np.concatenate([one.values for one in prepared]).std(axis=0)
    answers = np.clip(ridge(x, y).predict(x_later), y.min(axis=0), y.max(axis=0))
    error = np.abs(answers - y_later).reshape(len(y_later), frame.ahead, -1).mean(axis=(0, 1))
    return float((error / np.where(spread > 0, spread, 1)).mean())


def _read(frame: Frame, series: Prepared, at: Ints, steps: int) -> tuple[Array, Array]:
    """The last steps that are read at each of ``at``, side by side, and the targets."""
    x = [frame.inputs(series, at - k) for k in range(steps)]
    return np.concatenate(x, axis=1), frame.targets(series, at).reshape(len(at), frame.ahead * len(frame.first))


def _complete(rows: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Of all series, where every target is known."""
    x, y = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    there = ~np.isnan(y).any(axis=1)
    return x[there], y[there]
