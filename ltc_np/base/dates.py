"""Dates and durations of NumPy, of Python and of pandas, as arrays of NumPy; with a time zone in UTC."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from .types import Numbers

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}  # in seconds


def array(values: Any) -> Numbers | None:
    """Dates as datetime64, durations as timedelta64, of any shape; None of anything else."""
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind in "Mm":
        numpy = isinstance(values, (np.ndarray, np.generic))
        own = np.asarray(values) if numpy else values.to_numpy(dtype=f"{kind}8[ns]")  # of pandas
        return own.astype(np.promote_types(own.dtype, f"{kind}8[s]"))
    if kind != "O":
        return None
    try:
        objects = np.asarray(values)
    except ValueError:  # rows of unequal length
        return None
    if objects.dtype.kind in "Mm" and objects.size:
        return array(objects)
    if objects.dtype.kind != "O" or not objects.size:
        return None
    if all(isinstance(value, datetime.timedelta) for value in objects.flat):
        return objects.astype("m8[us]")
    if not all(isinstance(value, datetime.date) for value in objects.flat):
        return None
    return np.array([_utc(value) for value in objects.flat], "M8[us]").reshape(objects.shape)


def _utc(date: datetime.date) -> datetime.date:
    zoned = isinstance(date, datetime.datetime) and date.tzinfo is not None
    return date.astimezone(datetime.timezone.utc).replace(tzinfo=None) if zoned else date  # type: ignore[attr-defined]


def duration(name: str, value: Any) -> Any:
    """A unit of time, ``"h"`` or a duration > 0, as a timedelta64."""
    if isinstance(value, str) and value in UNITS:
        return np.timedelta64(int(UNITS[value]), "s")
    given = None if value is None or isinstance(value, str) else array(value)
    if given is None or given.shape or given.dtype.kind != "m" or not given > np.timedelta64(0):
        words = ", ".join(map(repr, UNITS))
        raise ValueError(f"`{name}` must be {words}, or a duration > 0 such as timedelta(hours=6), got {value!r}")
    return given[()]
