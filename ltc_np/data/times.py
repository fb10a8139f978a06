"""Elapsed times from time stamps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks, dates, frames
from ..base.calls import with_signature_hints
from ..base.types import ArrayLike, Numbers, Targets
from .arrays import is_list_of_arrays, real
from .padding import pad

if TYPE_CHECKING:
    import numpy.typing as npt


@with_signature_hints
def dt_from_times(times: Targets, t0: ArrayLike | None = None, unit: Any = None) -> npt.NDArray[np.float64]:
    """Elapsed time before every observation, for the ``dt`` argument of models.

        dt[k] = times[k] - times[k - 1]        dt[0] = times[0] - t0

    dt[0] lies between the initial state and the first observation.  Without ``t0`` it is not in the data; it
    is then set to dt[1], as if sampling had begun one interval earlier, or to 1.0 for a single observation.
    0 would be a bad guess: no time passes, so that the first observation has no effect at all.

    Parameters
    ----------
    times : (T,) or (B, T) array, or list of B arrays (T_i,)
        Not decreasing: numbers in any unit; or dates or durations, as NumPy, Python or pandas have them, such as a
        DatetimeIndex.  Integers are subtracted as integers, and so are dates, so large time stamps lose nothing.
    t0 : number or date, (B,) array, or None
        Time of the initial state, at most ``times[..., 0]``.
    unit : "s", "min", "h", "d" or a duration, optional
        Of dates and durations: what an elapsed time of 1 is.  It must be given, since networks expect elapsed times
        near 1.

    Returns
    -------
    (T,) or (B, T) float64 array
        For a list (B, max T_i), with 0 after the end of a sequence; ``pad`` gives their lengths.

    Raises
    ------
    TypeError
        Times that are neither real numbers nor dates; dates without ``unit``; a time zone of ``times`` or ``t0`` alone.
    ValueError
        No observation, wrong shapes, times that are not finite or decrease, dates of which only some have a time zone,
        durations in months.

    Warns
    -----
    RuntimeWarning
        Times are equal that may have been rounded to one number: seconds since 1970 are multiples of 128 in float32.
        Or they are a frame of one column, of which each row is a sequence.

    Examples
    --------
    >>> dt_from_times([10.0, 10.5, 12.0]).tolist()
    [0.5, 0.5, 1.5]
    >>> dt_from_times([10.0, 10.5, 12.0], t0=9.0).tolist()
    [1.0, 0.5, 1.5]
    >>> dt_from_times([[1, 2, 5], [7]]).tolist()
    [[1.0, 1.0, 3.0], [1.0, 0.0, 0.0]]
    >>> dt_from_times(np.array(["2024-02-28", "2024-03-01"], "M8[D]"), unit="h").tolist()
    [48.0, 48.0]
    """
    _warn_of_column(times)
    if (dated := _dated(times)) is not None:
        if t0 is not None and dates.zoned(times) != dates.zoned(t0):
            raise TypeError("`times` and `t0` must both have a time zone, or both have none")
        return _of_dates(dated, t0, unit)
    _check_no_text(times)
    if unit is not None:
        raise ValueError(f"`unit` must be left out of times that are numbers, got {unit!r}: divide them by it")
    return _elapsed(times, t0, 1.0)


def _warn_of_column(times: Any) -> None:
    """Say how a frame of one column is read, ``frame[["time"]]`` where ``frame["time"]`` may be meant."""
    if frames.is_pandas(times) and len(times) > 1 and getattr(times, "shape", ())[1:] == (1,):
        checks.warn(
            "ltc_np: each row of the frame `times` is read as a sequence of one observation: give times that follow "
            "one another as times.iloc[:, 0]; if it is as it should be, times.to_numpy() says so"
        )


def _check_no_text(times: Any) -> None:
    """Refuse text and periods of pandas, and say what makes dates."""
    row = times[0] if is_list_of_arrays(times) and len(times) else times
    row = np.asarray(row) if frames.is_pandas(row) else checks.plain("times", row, "an array of numbers or dates")
    one = row.flat[0] if row.size else None
    if isinstance(one, str) or hasattr(one, "to_timestamp"):
        text = ("text", "pandas.to_datetime(times)")
        got, remedy = text if isinstance(one, str) else ("periods", "times.to_timestamp()")
        raise TypeError(f"`times` must be real numbers, dates or durations, got {got}: {remedy} makes dates")


def _elapsed(times: Any, t0: Any, alone: float, shown: Callable[[Any], object] = str) -> npt.NDArray[np.float64]:
    """`dt_from_times` of numbers.

    ``alone`` is the elapsed time before a single observation, ``shown`` makes of a time what errors say.
    """
    if is_list_of_arrays(times):
        rows, one = [real(f"times[{b}]", row) for b, row in enumerate(times)], False
    else:
        times = real("times", times)
        if times.ndim not in (1, 2):
            rule = "(T,), (B, T) or a list of (T_i,) arrays"
            raise ValueError(f"`times` must be {rule}, got shape {times.shape}")
        one = times.ndim == 1
        rows = [times] if one else list(times)
    starts: Any = [None] * len(rows)
    if t0 is not None:
        t0 = _wide(real("t0", t0))
        if t0.shape not in ((), (len(rows),)) or (one and t0.ndim):
            rule = "a number" if one else f"a number or {(len(rows),)}"
            raise ValueError(f"`t0` must be {rule}, got shape {t0.shape}")
        starts = np.broadcast_to(t0, len(rows))
    names = ["times"] if one else [f"times[{b}]" for b in range(len(rows))]
    dt = [_differences(*args, alone, shown) for args in zip(names, rows, starts, strict=True)]
    if not any(map(len, dt)):
        raise ValueError("`times` must have at least one observation, got none")
    return dt[0] if one else pad(dt)[0]


def _dated(times: Any) -> Any:
    """Dates or durations as one array, or as a list of arrays; None of anything else."""
    whole = dates.array(times)
    if whole is not None or not is_list_of_arrays(times):
        return whole
    rows = [dates.array(row) for row in times]
    return None if not rows or any(row is None for row in rows) else rows


def _of_dates(times: Any, t0: Any, unit: Any) -> npt.NDArray[np.float64]:
    """`dt_from_times` of what `_dated` gave: of whole numbers of one resolution, which it subtracts exactly."""
    if unit is None:
        raise TypeError('`unit` must be given with dates, such as unit="h" where hours are near 1, got None')
    start = None if t0 is None else dates.array(t0)
    rows = times if isinstance(times, list) else [times]
    given = rows if start is None else [*rows, start]
    if (t0 is not None and start is None) or len({row.dtype.kind for row in given}) > 1:
        hint = ": pandas.Timestamp(t0) makes a date of text" if isinstance(t0, str) else ""
        raise TypeError(f"`times` and `t0` must be all dates, or all durations, got {checks.brief(t0)} for `t0`{hint}")
    for row in given:
        if np.isnat(row).any():
            name, remedy = ("t0", "give a date") if row is start else ("times", "leave out observations without a time")
            raise ValueError(f"`{name}` must be finite, got NaT: {remedy}")
    fine = np.result_type(*given)
    ticks = [dates.refined(row, fine).view(np.int64) for row in given]
    t0 = None if start is None else ticks.pop()
    tick: Any = np.ones((), f"m8[{np.datetime_data(fine)[0]}]")
    one = float(dates.duration("unit", unit) / tick)

    def shown(time: Any) -> object:
        return np.array(time, np.int64).view(fine)

    return _elapsed(ticks if isinstance(times, list) else ticks[0], t0, one, shown) / one


COARSE = 64  # times whose steps are that many roundings at most may have been rounded to equal ones


def _wide(times: Numbers) -> Numbers:
    """Floats as float64, in which differences are not rounded to float32; integers as they are."""
    with np.errstate(over="ignore"):  # of wider floats, which are refused then
        return times.astype(np.float64) if times.dtype.kind == "f" else times


def _differences(
    name: str, times: Numbers, start: Any, alone: float, shown: Callable[[Any], object]
) -> npt.NDArray[np.float64]:
    """`_elapsed` of one sequence (T,), which may be empty."""
    if times.ndim != 1:
        raise ValueError(f"`{name}` must be (T,), got shape {times.shape}")
    apart = float(np.spacing(np.abs(times).max())) if times.dtype.kind == "f" and len(times) else 0.0
    times = _wide(times)
    if not np.isfinite(times).all():
        where = int(np.argmin(np.isfinite(times)))
        raise ValueError(f"`{name}` must be finite, got {times[where]} at {where}")
    if start is not None and not np.isfinite(start):
        raise ValueError(f"`t0` must be finite, got {start}")
    if not len(times):
        return np.zeros(0)
    before, after = times[:-1], times[1:]
    if (after < before).any():
        where = int(np.argmax(after < before)) + 1
        got = f"{shown(times[where])} after {shown(times[where - 1])} at {where}"
        raise ValueError(f"`{name}` must not decrease, got {got}: sort the observations by their times")
    if times.dtype.kind == "f":
        steps = _apart(name, after, before)
    else:  # the unsigned difference is right whatever integers wrap around
        steps = after.astype(np.uint64) - before.astype(np.uint64)
    if len(steps) and steps.min() == 0 and 0 < steps.max() <= COARSE * apart:
        checks.warn(
            f"ltc_np: `{name}` has equal times, and numbers of this dtype and size are {apart:.3g} apart: give times "
            "as float64 or integers, or from a later origin, before they are rounded"
        )
    if start is None:
        first = steps[0] if len(steps) else alone
    else:
        # Less a float, an integer would be rounded to one: by up to 128 ns in nanoseconds since 1970.
        whole = times.dtype.kind != "f" and float(start).is_integer()
        first = float(int(times[0]) - int(start)) if whole else float(_apart(name, times[:1], start)[0])
        if first < 0:
            raise ValueError(f"`t0` must be at most `{name}[0]` = {shown(times[0])}, got {shown(start)}")
    return np.concatenate([[first], steps.astype(np.float64)])


def _apart(name: str, after: Numbers, before: Numbers) -> Numbers:
    """The difference of two floats or arrays of them, which float64 must hold."""
    with np.errstate(over="ignore"):
        steps = after - before
    if np.isinf(steps).any():
        where = int(np.argmax(np.isinf(steps)))
        got = f"{after[where]} after {np.broadcast_to(before, after.shape)[where]}"
        raise ValueError(f"`{name}` must have differences that float64 holds, got {got}: take a coarser unit of time")
    return steps
