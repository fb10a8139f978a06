"""For which time a forecast is: that of the row that it is about, or, after the last row, what regular steps say.

Regular are equal steps, and of dates also whole months, quarters or years, which have unequal lengths.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.types import Numbers
from .columns import ZONE, Column

if TYPE_CHECKING:
    from .records import Records

LAST = np.datetime64("2262-01-01", "ns").astype(int)  # no later dates to the nanosecond
ROUNDING = 8  # times that were computed are equally far apart within so many units of rounding


def times(column: Column, records: Records, horizon: int) -> Numbers:
    """(n,) cells of the column ``horizon`` rows later; those after the end of a sequence are empty if its steps differ.

    The dtype is that of the column, with empty text, NaN or NaT for none.  Whole numbers of which some are empty are
    float64, or text where that would lose digits.
    """
    exact, cells = clock(column, records), column.cells
    empty = {"f": np.nan, "M": "NaT"}.get(cells.dtype.kind, "")
    dtype: Any = _dtype(cells) if cells.dtype.kind in "fM" else object
    found: Numbers = np.full(len(cells), empty, dtype)
    for sequence in records.rows:
        here = max(0, len(sequence) - horizon)
        found[sequence[:here]] = cells[sequence[horizon:]]
        after = continued(exact[sequence], records.dates, horizon)
        if after is not None:
            found[sequence[here:]] = shown(cells[sequence], records.dates, after)[horizon - len(sequence) + here :]
    return _whole(found) if cells.dtype.kind in "biu" else found


def _whole(found: Numbers) -> Numbers:
    """Whole numbers, some of which are empty text, as an array that loses no digits."""
    known = found != ""
    if known.all():
        return np.array(found.tolist())
    rounded = np.array([t if there else np.nan for t, there in zip(found, known, strict=True)], np.float64)
    lossless = all(int(r) == t for r, t in zip(rounded[known], found[known], strict=True))
    return rounded if lossless else found


def clock(column: Column, records: Records) -> Numbers:
    """The times of all rows as they can be continued to the digit: whole numbers, or decimals as they are written."""
    known = np.asarray(records.times)
    if known.dtype.kind != "f":
        return known
    return np.array([Decimal(str(cell).strip()) for cell in column.cells], object)


def shown(cells: Numbers, dates: str, after: Numbers) -> Numbers:
    """The times ``after`` those in cells in the form of these: text, numbers, or dates in their unit."""
    if cells.dtype.kind in "OU":
        texts = [str(cell).strip() for cell in cells]
        return np.array(
            _dates(after.astype(f"datetime64[{dates}]"), texts) if dates else _decimals(after, texts), object
        )
    if cells.dtype.kind in "biu":
        return np.array([int(t) for t in after])
    return (after.astype(f"datetime64[{dates}]") if dates else after).astype(_dtype(cells))


def _dtype(cells: Numbers) -> Any:
    """What holds these times, floats or dates, and later ones: a month after a week is in the middle of another."""
    if cells.dtype.kind == "f":
        return cells.dtype
    if cells.dtype == np.promote_types(cells.dtype, "datetime64[ns]"):  # in smaller units days would not fit
        return np.dtype("datetime64[ns]")
    return np.promote_types(cells.dtype, "datetime64[D]")


def continued(times: Numbers, dates: str, count: int) -> Numbers | None:
    """The next ``count`` of times (n,) whose steps are equal, or of dates some whole months; None if they are not.
    ``dates`` is their unit.

    Decimals stay decimals.  Where only rounding has made their steps unequal, as that of computed times does, those
    that follow are float64.
    """
    if dates == "ns" and (times[-1] - times[0]) // max(1, len(times) - 1) * (count + 1) > LAST - times[-1]:
        return None  # 64 bits hold no later nanoseconds
    months = _months(times, f"datetime64[{dates}]") if dates else None
    if months is not None:
        return _on_the_day(*months, count, f"datetime64[{dates}]")
    step = _step(times)
    if step is None:
        return continued(times.astype(np.float64), dates, count) if times.dtype.kind == "O" else None
    return times[-1] + step * np.arange(1, count + 1)


def _months(times: Numbers, dtype: str) -> tuple[Numbers, int, int, int] | None:
    """The last month, months of a step, day of the month from 0, and how much of the day has passed; None if these
    differ.

    In a month that is too short the day is its last one.  Where all days are the last ones of their months, later ones
    are too.
    """
    days = times.astype(dtype).astype("datetime64[D]")
    month, clock = days.astype("datetime64[M]"), times - days.astype(dtype).astype(np.int64)
    day, steps = (days - month.astype("datetime64[D]")).astype(int), np.diff(month.astype(int))
    last = _last_days(month)
    wanted = 30 if (day == last).all() else int(day.max())
    equal = steps.size and steps[0] > 0 and (steps == steps[0]).all() and (clock == clock[0]).all()
    return (month[-1], int(steps[0]), wanted, int(clock[0])) if equal and (day == last.clip(max=wanted)).all() else None


def _on_the_day(month: Numbers, step: int, day: int, clock: int, count: int, dtype: str) -> Numbers:
    """``count`` dates after a month, as whole numbers."""
    months = month + step * np.arange(1, count + 1)
    days = months.astype("datetime64[D]") + _last_days(months).clip(max=day)
    return days.astype(dtype).astype(np.int64) + clock


def _last_days(months: Numbers) -> Numbers:
    """The last day of months, counted from 0."""
    return ((months + np.timedelta64(1, "M")).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int) - 1


def _step(times: Numbers) -> Any:
    """What is between any two times, if it is the same."""
    steps = np.diff(times)
    if not steps.size:
        return None
    if times.dtype.kind != "f":
        return steps[0] if (steps == steps[0]).all() else None
    near = ROUNDING * np.spacing(np.abs(times).max())
    return float((times[-1] - times[0]) / len(steps)) if np.ptp(steps) <= near else None


def _decimals(after: Numbers, like: list[str]) -> list[str]:
    """Numbers as text to the digit, with at least as many decimals as each of the others has."""
    least = min(max(0, -int(Decimal(text).as_tuple().exponent)) for text in like)
    found = []
    for t in after:
        whole, _, decimals = f"{Decimal(str(t)):f}".partition(".")
        decimals = decimals.rstrip("0").ljust(least, "0")
        found.append(f"{whole}.{decimals}" if decimals else whole)
    return found


def _dates(after: Numbers, like: list[str]) -> list[str]:
    """Dates as text to the digit, with no more zeros at the end than the shortest of the others needs."""
    short = min(like, key=len)
    zone = "".join(ZONE.findall(short))
    length, found = len(short) - len(zone), []
    for t in after:
        text = str(t)  # with all decimals of its unit
        text = text.ljust(length, "0") if "." in text else text
        while len(text) > length and "." in text and text[-1] in ".0":
            text = text[:-1]
        for zeros in (":00", "T00:00"):
            text = text.removesuffix(zeros) if len(text) > length and "." not in text else text
        found.append(text.replace("T", " " if " " in short else "T") + zone)
    return found
