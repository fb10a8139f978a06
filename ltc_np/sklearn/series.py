"""Series as users of a forecaster give them: one or several, of one or several values a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import checks, frames
from ..base.types import Array
from . import labels


class Series(NamedTuple):
    """One series.

    Attributes
    ----------
    values : (T, F) float64 array
        NaN where a value is missing.
    exogenous : (T, E) float64 array
        E is 0 where there are none.
    dt : (T,) float64 array, or None
        Elapsed time before each step.
    """

    values: Array
    exogenous: Array
    dt: Array | None


class Collection(NamedTuple):
    """Several series, and how they came.

    Attributes
    ----------
    series : list of Series
    listed : bool
        They came in a list.
    flat : bool
        They came without an axis of values, as (T,).
    labels : list of Labels or None
        What pandas calls the rows and columns of each.
    """

    series: list[Series]
    listed: bool
    flat: bool
    labels: list[labels.Labels | None]

    @property
    def form(self) -> Form:
        """How they came, without what they hold."""
        return Form(self.listed, self.flat, self.labels)


class Form(NamedTuple):
    """How series came, in which form their forecasts go; see `Collection`."""

    listed: bool
    flat: bool
    labels: list[labels.Labels | None]

    def of(self, found: Array, last: list[Any] | None = None) -> Any:
        """Forecasts (B, H, F), or (B, H, F, n) with names for the last axis, of these series."""
        found = found[:, :, 0] if self.flat else found
        rows = [
            one if label is None else label.around(one, last) for one, label in zip(found, self.labels, strict=True)
        ]
        return rows if self.listed else rows[0]


def is_list(values: Any) -> bool:
    """Whether these are several series, not one written as a list of numbers or of rows."""
    if not isinstance(values, (list, tuple)) or not len(values):
        return False
    return all(isinstance(v, np.ndarray) or frames.is_pandas(v) or np.ndim(v) == 2 for v in values) and (
        np.ndim(values[0]) > 0
    )


def read(name: str, values: Any, exogenous: Any, dt: Any, prefix: str = "") -> Collection:
    """Checked series, named ``name`` in errors, with what belongs to each, whose names begin with ``prefix``."""
    listed = is_list(values) or (isinstance(values, np.ndarray) and values.ndim == 3)
    rows = list(values) if listed else [values]
    others = for_each(f"{prefix}exogenous", exogenous, rows, listed)
    times = for_each(f"{prefix}dt", dt, rows, listed)
    found, axes = [], []
    for k, (given, more, elapsed) in enumerate(zip(rows, others, times, strict=True)):
        at = f"[{k}]" if listed else ""
        array = checks.real(f"{name}{at}", given, np.dtype(np.float64), "(T,) or (T, features)")
        axes.append(array.ndim)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or array.size == 0:
            raise ValueError(f"`{name}{at}` must be (T,) or (T, features) with T > 0, got shape {np.shape(given)}")
        if np.isinf(array).any():
            raise ValueError(f"`{name}{at}` must be finite, or NaN where a value is missing, got an infinity")
        T = len(array)
        more = read_exogenous(f"{prefix}exogenous{at}", more, T)
        found.append(Series(array, more, read_dt(f"{prefix}dt{at}", elapsed, T)))
    for what, sizes in (
        ("axes", axes),
        ("values a step", [len(s.values[0]) for s in found]),
        ("elapsed times", ["none" if s.dt is None else "one a step" for s in found]),
        ("exogenous values a step", [s.exogenous.shape[1] for s in found]),
    ):
        if len(set(sizes)) > 1:
            raise ValueError(f"`{name}` must have as many {what} in every series, got {sizes}")
    return Collection(found, listed, axes[0] == 1, [labels.of(given) for given in rows])


def for_each(name: str, values: Any, rows: Sequence[Any], listed: bool) -> list[Any]:
    """What belongs to each of the series: of a list of them a list too; a number and None are for all."""
    if not listed or values is None or np.isscalar(values):
        return [values] * len(rows)
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) != len(rows):
        got = len(values) if hasattr(values, "__len__") else checks.brief(values)
        raise ValueError(f"`{name}` must be a list of {len(rows)}, one for each series, got {got}")
    return list(values)


def read_exogenous(name: str, values: Any, T: int, count: int | None = None) -> Array:
    """Exogenous values (T, E); ``count`` is E where it is known."""
    if values is None:
        if count:
            raise ValueError(f"`{name}` must be given, as it was in fit: ({T}, {count}), got None")
        return np.zeros((T, 0))
    array = checks.real(name, values, np.dtype(np.float64), "(T,) or (T, E)")
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != T or (count is not None and array.shape[1] != count):
        wanted = f"({T}, {'E' if count is None else count})"
        raise ValueError(f"`{name}` must be {wanted}, one row a step, got shape {np.shape(values)}")
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be finite, got NaN or an infinity: ltc_np.data.forward_fill fills them in")
    return array


def read_dt(name: str, values: Any, T: int) -> Array | None:
    """Elapsed times (T,), or None."""
    if values is None:
        return None
    dt = checks.real(name, values, np.dtype(np.float64), "a number or (T,)")
    if dt.shape not in ((), (T,)):
        raise ValueError(f"`{name}` must be a number or of shape ({T},), got {dt.shape}")
    if not (np.isfinite(dt) & (dt >= 0)).all():
        raise ValueError(f"`{name}` must be finite and >= 0, got {dt[~(np.isfinite(dt) & (dt >= 0))].flat[0]}")
    return np.array(np.broadcast_to(dt, (T,)))
