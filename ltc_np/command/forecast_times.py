"""For which time a forecast is: that of the row that it is about, or, after the last row, what regular steps say.

Regular are equal steps, and of dates also whole months, quarters or years, which have unequal lengths.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.types import Numbers
from .columns import ZONE, Column

if TYPE_CHECKING:
    from .records import Records

MOST_DIGITS, MOST_DECIMALS = 400, 330  # of a number in text; a float has no more
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
            cells = shown(column.cells[sequence], records.dates, after)
            found[sequence[here:]] = cells[horizon - len(sequence) + here :]
    return found


def shown(cells: Numbers, dates: bool, after: Numbers) -> Numbers:
    """The times ``after`` those in cells, all that follow, in the form of the cells: text, float64, or dates."""
    if cells.dtype.kind not in "OU":
        return after.astype("datetime64[us]" if dates else np.float64)  # of dates ``after`` has microseconds
    texts = _dates(after, str(cells[-1])) if dates else _decimals([str(cell) for cell in cells], len(after))
    return np.array(texts, object)


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


def _decimals(cells: list[str], count: int) -> list[str]:
    """The next numbers, with as many decimals as there are in the cells: a float has fewer digits than these may."""
    with localcontext() as context:
        context.prec = MOST_DIGITS
        known = [Decimal(cell) for cell in cells]
        decimals = max(-int(number.as_tuple().exponent) for number in known)
        unit = Decimal(1).scaleb(-min(max(decimals, 0), MOST_DECIMALS))
        step = (known[-1] - known[0]) / (len(known) - 1)
        return [f"{(known[-1] + k * step).quantize(unit):f}" for k in range(1, count + 1)]


def _dates(after: Numbers, like: str) -> list[str]:
    """Dates as text in the form of another one."""
    found, zone = [], "".join(ZONE.findall(like))
    for t in np.array(after, "datetime64[us]"):
        text = str(t).removesuffix(".000000")
        if len(like) == 10 and text.endswith("T00:00:00"):
            text = text[:10]
        found.append(text.replace("T", " " if " " in like else "T") + zone)
    return found
