"""Frames and series of pandas as arrays, with the names of their columns.

pandas is not imported: a frame is known by ``iloc`` and ``columns``, a series by ``iloc`` alone.  Rows are taken in
their order; an index is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .types import Numbers


def is_pandas(values: object) -> bool:
    """Whether this is a frame or a series."""
    return hasattr(values, "iloc") and hasattr(values, "dtypes")


def columns(values: object) -> list[object] | None:
    """The names of the columns of a frame, or of the first frame of a list; None of anything else."""
    if type(values) is np.ndarray:  # soonest: every call of a model asks
        return None
    if isinstance(values, (list, tuple)) and len(values):
        values = values[0]
    return list(values.columns) if is_pandas(values) and hasattr(values, "columns") else None


def column(names: Sequence[object] | None, k: int) -> str:
    """Which column is meant, for errors: the name at position ``k``, "" where there are no names."""
    return "" if names is None or not -len(names) <= k < len(names) else f", column {names[k]!r}"


def rows_are_steps(values: Any) -> bool:
    """Whether rows of a frame look like times of a series, and columns like its features, and not like steps.

    The index holds dates, or columns are of several dtypes, or their names are words without a number in them.
    """
    if not is_pandas(values) or not hasattr(values, "columns"):
        return False
    dates = getattr(values.index, "inferred_type", "").startswith(("date", "timedelta", "period"))
    words = all(isinstance(name, str) and not any(map(str.isdigit, name)) for name in values.columns)
    return dates or words or len(set(values.dtypes)) > 1


def array(name: str, values: Any) -> Numbers:
    """A frame as (T, I), a series as (T,); missing values become NaN.

    A TypeError names the column that does not hold numbers.
    """
    if not hasattr(values, "columns"):
        return _numbers(name, "" if values.name is None else f" in series {values.name!r}", values)
    names = list(values.columns)
    parts = [_numbers(name, column(names, k), values.iloc[:, k]) for k in range(len(names))]
    if not parts:
        return np.empty((len(values), 0))
    return np.stack(parts, axis=1)


def _numbers(name: str, where: str, series: Any) -> Numbers:
    """The values of a series, numbers or bools."""
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if kind not in "biuf":
        words = "of words pandas.get_dummies(..., dtype=float) makes columns of numbers"
        dates = "dates are no feature: leave them out, and give dt=ltc_np.data.dt_from_times(dates, unit=...)"
        raise TypeError(f"`{name}` must be real numbers, got {dtype}{where}: {dates if kind == 'M' else words}")
    if isinstance(dtype, np.dtype):
        return series.to_numpy()
    if hasattr(dtype, "fill_value"):  # sparse, as `get_dummies(sparse=True)` makes columns
        return np.asarray(series.array, dtype.subtype)
    if series.isna().any():  # of a kind that has a value of its own for it
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    return series.to_numpy(dtype=dtype.numpy_dtype)


def check_same_columns(name: str, frames: Sequence[object]) -> None:
    """Refuse frames of a list that have other columns than the first one, or the same in another order."""
    first = columns(frames)
    for k, frame in enumerate(frames if first is not None else ()):
        own = columns(frame)
        if own is not None and own != first:
            raise ValueError(f"`{name}[{k}]` must have the columns of {name}[0], {first}, got {own}")
