"""For which time a forecast is: that of the row that it is about, or, after the last row, what regular steps say.

Regular are equal steps, and of dates also whole months, quarters or years, which have unequal lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.types import Numbers
from .columns import ZONE, Column

if TYPE_CHECKING:
    from .records import Records

ROUNDING = 8  # times that were computed or written in decimals are equally far apart within so many units of rounding


def times(column: Column, records: Records, horizon: int) -> Numbers:
    """(n,) cells of the column ``horizon`` rows later; those after the end of a sequence are empty if its steps differ.

    Text stays text; else numbers are float64 with NaN for none, and dates have NaT.
    """
    clock = np.asarray(records.times)
    text = column.cells.dtype.kind in "OU"
    dtype: Any = object if text else "datetime64[us]" if records.dates else np.float64
    empty: Any = "" if text else "NaT" if records.dates else np.nan
    found: Numbers = np.full(len(column.cells), empty, dtype)
    for sequence in records.rows:
        here = max(0, len(sequence) - horizon)
        found[sequence[:here]] = column.cells[sequence[horizon:]]
        after = continued(clock[sequence], records.dates, horizon)
        if after is not None:
            found[sequence[here:]] = shown(column, sequence[-1], records.dates, after[horizon - len(sequence) + here :])
    return found


def shown(column: Column, last: int, dates: bool, after: Numbers) -> Numbers:
    """Times after the row ``last`` as cells of the column: text in the form of this row's, float64, or dates."""
    if column.cells.dtype.kind in "OU":
        return np.array(_texts(after, str(column.cells[last]), dates), object)
    return after.astype("datetime64[us]" if dates else np.float64)  # of dates ``after`` has microseconds


def continued(times: Numbers, dates: bool, count: int) -> Numbers | None:
    """The next ``count`` of times (n,) whose steps are equal, or of dates some whole months; None if they are not."""
    months = _months(times) if dates else None
    if months is not None:
        return _on_the_day(*months, count)
    step = _step(times)
    return None if step is None else times[-1] + step * np.arange(1, count + 1)


def _months(times: Numbers) -> tuple[Numbers, int, int, int] | None:
    """The last month, months of a step, day of the month from 0, and microseconds of the day; None if these differ.

    In a month that is too short the day is its last one.  Where all days are the last ones of their months, later ones
    are too.
    """
    days = times.astype("datetime64[us]").astype("datetime64[D]")
    month, clock = days.astype("datetime64[M]"), times - days.astype("datetime64[us]").astype(np.int64)
    day, steps = (days - month.astype("datetime64[D]")).astype(int), np.diff(month.astype(int))
    last = _last_days(month)
    wanted = 30 if (day == last).all() else int(day.max())
    equal = steps.size and steps[0] > 0 and (steps == steps[0]).all() and (clock == clock[0]).all()
    return (month[-1], int(steps[0]), wanted, int(clock[0])) if equal and (day == last.clip(max=wanted)).all() else None


def _on_the_day(month: Numbers, step: int, day: int, clock: int, count: int) -> Numbers:
    """Microseconds of ``count`` dates after a month."""
    months = month + step * np.arange(1, count + 1)
    days = months.astype("datetime64[D]") + _last_days(months).clip(max=day)
    return days.astype("datetime64[us]").astype(np.int64) + clock


def _last_days(months: Numbers) -> Numbers:
    """The last day of months, counted from 0."""
    return ((months + np.timedelta64(1, "M")).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int) - 1


def _step(times: Numbers) -> float | int | None:
    """What is between any two times, if it is the same."""
    steps = np.diff(times)
    if not steps.size:
        return None
    if times.dtype.kind in "iu":
        return int(steps[0]) if (steps == steps[0]).all() else None
    near = ROUNDING * np.spacing(np.abs(times).max())
    return float((times[-1] - times[0]) / len(steps)) if np.ptp(steps) <= near else None


def _texts(after: Numbers, like: str, dates: bool) -> list[str]:
    """Times as text, dates in the form of another one."""
    if not dates:
        return [str(t) if after.dtype.kind in "iu" else f"{t:.12g}" for t in after]
    found, zone = [], "".join(ZONE.findall(like))
    for t in np.array(after, "datetime64[us]"):
        text = str(t).removesuffix(".000000")
        if len(like) == 10 and text.endswith("T00:00:00"):
            text = text[:10]
        found.append(text.replace("T", " " if " " in like else "T") + zone)
    return found
