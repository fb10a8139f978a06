"""Long tables of single observations: which series, when, which channel, what."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import checks, dates, frames
from ..base.types import Array, Ints, Numbers
from ..data.arrays import real

FORMS = "a frame or a dict of columns, or a tuple of arrays"


class Points(NamedTuple):
    """Rows of a long table, each array (n,).

    Attributes
    ----------
    series, channel : object arrays
        Names as they came.
    time : array of int64 or float64
        Of dates whole nanoseconds.
    value : array of float64, or None
        None of questions.
    dated : bool
    named : (bool, bool)
        Whether the table had columns of series and of channels.
    """

    series: Numbers
    time: Numbers
    channel: Numbers
    value: Array | None
    dated: bool
    named: tuple[bool, bool] = (True, True)

    def some(self, rows: Any) -> Points:
        """Some of the rows."""
        value = None if self.value is None else self.value[rows]
        return self._replace(series=self.series[rows], time=self.time[rows], channel=self.channel[rows], value=value)


def read(name: str, table: Any, columns: Sequence[str], *, values: bool) -> Points:
    """Rows of a table whose columns have these four names: of the series, the time, the channel and the value.

    A table without the first is one series, one without the third has one channel.  An error names the row.
    """
    if isinstance(table, Points):
        return table
    found = _columns(name, table, columns, values)
    n = len(found[1])
    if not n:
        raise ValueError(f"`{name}` must have at least one row, got none")
    series, channel = (
        np.zeros(n, object) if found[k] is None else _names(f"{name}[{columns[k]!r}]", found[k]) for k in (0, 2)
    )
    time, dated = _times(f"{name}[{columns[1]!r}]", found[1])
    value = None
    if values:
        value = np.asarray(real(f"{name}[{columns[3]!r}]", found[3]), np.float64)
        _refuse(f"{name}[{columns[3]!r}]", "a finite number", ~np.isfinite(value), value)
    for own in (series, time, channel, value):
        if own is not None and own.shape != (n,):
            raise ValueError(f"`{name}` must have columns of one length, got shapes {own.shape} and {(n,)}")
    return Points(series, time, channel, value, dated, (found[0] is not None, found[2] is not None))


def refuse_unlike(past: Points, asked: Points, columns: Sequence[str]) -> None:
    """Refuse a column of series, or of channels, that only one of both has."""
    for k, what in ((0, "series"), (1, "channel")):
        if past.named[k] != asked.named[k]:
            names = ("past", "asked") if past.named[k] else ("asked", "past")
            raise ValueError(
                f"`{names[1]}` must have a column `{columns[2 * k]}` as `{names[0]}` has, got none: without it nobody "
                f"knows of which {what} a row is"
            )


def missing_in(past: Points, asked: Points) -> list[Any]:
    """Names of the series that are asked about and have no row in ``past``."""
    seen = set(past.series)
    return [name for name in dict.fromkeys(asked.series) if name not in seen]


def leads(past: Points, asked: Points, *, first: bool = False) -> Array:
    """How long after the last observation of its series each question (n,) is, or after the ``first`` one; NaN where
    there is none."""
    names = {name: k for k, name in enumerate(dict.fromkeys([*past.series, *asked.series]))}
    of_past, of_asked = numbered(past.series, names), numbered(asked.series, names)
    end, known = np.full(len(names), past.time.max() if first else past.time.min()), np.zeros(len(names), bool)
    (np.minimum if first else np.maximum).at(end, of_past, past.time)
    known[of_past] = True
    return np.where(known[of_asked], (asked.time - end[of_asked]).astype(np.float64), np.nan)


def told(length: float, dated: bool) -> str:
    """A length of time in words."""
    return f"{length:.6g}" if not dated else str(datetime.timedelta(microseconds=length / 1000))


def refuse_twice(name: str, points: Points) -> None:
    """Refuse two observations of one channel at the same time."""
    first: dict[Any, int] = {}
    for row, key in enumerate(zip(points.series, points.channel, points.time, strict=True)):
        if key in first:
            series, channel, time = key
            when = np.datetime64(int(time), "ns") if points.dated else time
            raise ValueError(
                f"`{name}` must have one value of a channel at a time, got two of channel {channel!r} of series "
                f"{series!r} at {when}, in rows {first[key]} and {row}: take their mean before"
            )
        first[key] = row


def _columns(name: str, table: Any, columns: Sequence[str], values: bool) -> list[Any]:
    """The four columns, None for what there is not."""
    if isinstance(table, Mapping) or frames.is_pandas(table):
        own = list(table.keys())
        missing = [column for column in (columns[1], *(columns[3:] if values else ())) if column not in own]
        if missing:
            got = ", ".join(map(str, own))
            raise ValueError(f"`{name}` must have a column `{missing[0]}`, got {got}: `columns` says their names")
        return [table[column] if column in own else None for column in columns]
    wanted = 4 if values else 3
    if not isinstance(table, (tuple, list)) or len(table) not in {wanted, 4}:
        names = ", ".join(columns[:wanted])
        raise TypeError(f"`{name}` must be {FORMS} ({names}), got {checks.brief(table)}")
    return [*table, None][:4]


def _names(name: str, values: Any) -> Numbers:
    found = np.empty(len(values), object)
    found[:] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    missing = [row for row, own in enumerate(found) if own is None or not _equal(own)]
    if missing:
        raise ValueError(f"`{name}` must hold a name in every row, got {found[missing[0]]} in row {missing[0]}")
    return found


def _equal(own: Any) -> bool:
    """Whether a name equals itself, as NaN, NaT and the missing value of pandas do not."""
    try:
        return bool(own == own)
    except TypeError:
        return False


def _times(name: str, values: Any) -> tuple[Numbers, bool]:
    found = dates.array(values)
    if found is not None:
        _refuse(name, "a date", np.isnat(found), found)
        return dates.refined(found, np.dtype(f"{found.dtype.kind}8[ns]")).astype(np.int64), True
    words = next((own for own in np.asarray(values).reshape(-1).tolist() if isinstance(own, str)), None)
    if words is not None:
        raise TypeError(
            f"`{name}` must be numbers or dates, got the text {words!r}: pandas.to_datetime makes dates of text, "
            "pandas.to_numeric numbers"
        )
    given = real(name, values)
    whole = given.dtype.kind in "biu" and (given <= np.iinfo(np.int64).max).all()
    times = given.astype(np.int64 if whole else np.float64)
    _refuse(name, "a finite number", ~np.isfinite(times), times)
    return times, False


def span(name: str, value: Any, dated: bool) -> float:
    """A length of time in the unit of `Points.time`: a number, or of dates a timedelta."""
    if not dated:
        return checks.number(name, value, low_open=True)
    if not isinstance(value, (np.timedelta64, datetime.timedelta)):
        raise TypeError(
            f"`{name}` must be a timedelta where times are dates, such as numpy.timedelta64(36, 'h'), got "
            f"{checks.brief(value)}"
        )
    found = float(np.timedelta64(value).astype("m8[ns]").astype(np.int64))
    return checks.number(f"{name} (in nanoseconds)", found, low_open=True)


def _refuse(name: str, rule: str, wrong: Any, values: Numbers) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise ValueError(f"`{name}` must be {rule} in every row, got {values[rows[0]]} in row {rows[0]}")


def numbered(names: Numbers, known: Mapping[Any, int]) -> Ints:
    """The number of each name, -1 of one that is not known."""
    return np.array([known.get(name, -1) for name in names], np.int64)
