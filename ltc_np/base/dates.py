"""Dates and durations of NumPy, of Python and of pandas, as arrays of NumPy; with a time zone in UTC."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from .types import Numbers

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}  # in seconds


def array(values: Any) -> Numbers | None:
    """Dates as datetime64, durations as timedelta64, of any shape; None of anything else."""
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    if kind in "Mm":
        numpy = isinstance(dtype, np.dtype)
        own = np.asarray(values) if numpy else values.to_numpy(dtype=f"{kind}8[{getattr(dtype, 'unit', 'ns')}]")
        if not _lasts(own.dtype):
            raise ValueError(
                f"durations must be in weeks or shorter units, of which each lasts as long, got {own.dtype}"
            )
        return refined(own, np.promote_types(own.dtype, f"{kind}8[s]"))
    if kind != "O":
        return None
    try:
        objects = np.asarray(values)
    except ValueError:  # rows of unequal length
        return None
    if objects.dtype.kind in "Mm" and objects.size:
        return array(objects)
    if objects.dtype.kind != "O":
        return None
    known = [value for value in objects.flat if not _is_missing(value)]
    durations = all(isinstance(value, datetime.timedelta) for value in known)
    if not known or not (durations or all(isinstance(value, datetime.date) for value in known)):
        return None
    if len({_is_zoned(value) for value in known}) > 1:
        raise ValueError("dates must all have a time zone, or none of them, got some of both")
    exact = np.array([_exact(value) for value in known])
    found = np.full(objects.shape, np.array("NaT", exact.dtype))
    # Not all in one list: there NumPy 2.2 makes 0 of a NaT whose unit is coarser than those of the others.
    found.flat[[k for k, value in enumerate(objects.flat) if not _is_missing(value)]] = exact
    return array(found)


def zoned(values: Any) -> bool:
    """Whether dates, as for `array`, have a time zone."""
    if getattr(getattr(values, "dtype", None), "kind", "O") != "O":
        return getattr(values.dtype, "tz", None) is not None
    return any(_is_zoned(value) for value in np.asarray(values, object).flat)


def refined(values: Numbers, dtype: Any) -> Numbers:
    """The same dates or durations in a finer unit; an error where that does not reach as far."""
    known = ~np.isnat(values)
    try:
        found = values.astype(dtype)
        wrong = values[(found.astype(values.dtype) != values) & known]
    except OverflowError:  # of NumPy 2.5; versions before wrap around
        found, wrong = values, values[known]
        wrong = wrong[[np.abs(wrong.astype(np.int64)).argmax()]]
    if wrong.size:
        raise ValueError(f"dates and durations must fit into {np.dtype(dtype)}, got {wrong[0]}: take coarser units")
    return found


def _lasts(dtype: Any) -> bool:
    """Whether a unit lasts as long each time; months do not."""
    return dtype.kind != "m" or np.datetime_data(dtype)[0] not in ("Y", "M", "generic")


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, (float, datetime.date)) and bool(value != value))


def _is_zoned(value: Any) -> bool:
    return getattr(value, "tzinfo", None) is not None


def _exact(value: Any) -> Any:
    """As NumPy has it; of pandas with its nanoseconds, and in UTC if there is a zone."""
    for name in ("to_datetime64", "to_timedelta64"):
        if hasattr(value, name):
            return getattr(value, name)()
    if isinstance(value, datetime.timedelta):
        return np.timedelta64(value, "us")
    if _is_zoned(value):
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return np.datetime64(value, "us")


def duration(name: str, value: Any) -> Any:
    """A unit of time, ``"h"`` or a duration > 0, as a timedelta64."""
    if isinstance(value, str) and value in UNITS:
        return np.timedelta64(int(UNITS[value]), "s")
    lasts = not hasattr(value, "dtype") or _lasts(value.dtype)
    given = None if value is None or isinstance(value, str) or not lasts else array(value)
    if given is None or given.shape or given.dtype.kind != "m" or not given > np.timedelta64(0, "s"):
        words = ", ".join(map(repr, UNITS))
        raise ValueError(f"`{name}` must be {words}, or a duration > 0 such as timedelta(hours=6), got {value!r}")
    return given[()]
