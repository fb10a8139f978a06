"""Forecasts of frames and series of pandas, with an index that continues theirs and the names of their columns."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from ..base import dates, frames
from ..base.types import Array, Numbers


class Labels(NamedTuple):
    """How the rows and columns of a series of pandas are called.

    Attributes
    ----------
    index : pandas.Index
    columns : pandas.Index, or None of a Series
    name : of a Series
    """

    index: Any
    columns: Any
    name: Any

    def later(self, count: int) -> Any:
        """The index of the next steps; where it is not known how an index goes on, the numbers of the steps."""
        import pandas  # which made the index

        index, one, last = self.index, None, self.index[-1]
        if isinstance(index, pandas.PeriodIndex):
            one = index.freq
        elif isinstance(index, (pandas.DatetimeIndex, pandas.TimedeltaIndex)):
            one = index.freq or type(index)(index, freq="infer").freq  # which is None where steps differ
        elif index.dtype.kind in "iuf" and not index.hasnans:
            numbers = index.tolist()  # those of Python do not wrap around
            steps = {after - before for before, after in pairwise(numbers)}
            one, last = steps.pop() if len(steps) == 1 and any(steps) else None, numbers[-1]
        if one is None:
            return pandas.RangeIndex(len(index), len(index) + count)
        return pandas.Index([last + k * one for k in range(1, count + 1)], name=index.name)

    def dates(self, T: int, H: int) -> Numbers | None:
        """(T + H,) dates of the last T steps and the next H; None of an index without dates, or of irregular ones."""
        import pandas

        known, later = self.index[-T:], self.later(H)
        if isinstance(known, pandas.PeriodIndex):
            known, later = known.to_timestamp(), later.to_timestamp()
        both = known.append(later)
        return dates.array(both) if both.dtype.kind == "M" else None

    def around(self, found: Array, columns: list[Any] | None) -> Any:
        """A forecast (H,) or (H, F), or (H, n) or (H, F, n) with ``columns`` for the last axis, of pandas."""
        import pandas

        index = self.later(len(found))
        if columns is None and self.columns is None:
            return pandas.Series(found, index, name=self.name)
        names = self.columns if columns is None else columns
        if columns is not None and self.columns is not None:
            every = [(*(name if isinstance(name, tuple) else [name]), one) for name in self.columns for one in columns]
            names = pandas.MultiIndex.from_tuples(every, names=[*self.columns.names, None])
        return pandas.DataFrame(found.reshape(len(found), -1), index, names)


def of(values: Any) -> Labels | None:
    """`Labels` of a series or frame of pandas; None of anything else."""
    if not frames.is_pandas(values) or not hasattr(values, "index"):
        return None
    columns = getattr(values, "columns", None)
    return Labels(values.index, columns, getattr(values, "name", None) if columns is None else None)
