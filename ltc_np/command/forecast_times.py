"""For which time a forecast is: that of the row that it is about, or, after the last row, what regular steps say."""

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
        step = _step(clock[sequence])
        if step is not None:
            after = clock[sequence[-1]] + step * (np.arange(here, len(sequence)) + horizon - len(sequence) + 1)
            # Of dates ``after`` has microseconds, and ``dtype`` makes dates of them again.
            found[sequence[here:]] = (
                _shown(after, str(column.cells[sequence[-1]]), records.dates) if text else after.astype(dtype)
            )
    return found


def _step(times: Numbers) -> float | int | None:
    """What is between any two times, if it is the same."""
    steps = np.diff(times)
    if not steps.size:
        return None
    if times.dtype.kind in "iu":
        return int(steps[0]) if (steps == steps[0]).all() else None
    near = ROUNDING * np.spacing(np.abs(times).max())
    return float((times[-1] - times[0]) / len(steps)) if np.ptp(steps) <= near else None


def _shown(after: Numbers, like: str, dates: bool) -> list[str]:
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
