"""The table of a forecast: the series that are continued, what is read besides, and for which times."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..base import checks
from ..base.checks import counted
from ..base.types import Array, Bools, Numbers
from ..data import forward_fill
from . import forecast_times, records
from .records import Records
from .task import Task

if TYPE_CHECKING:
    import argparse

    from .columns import Column
    from .tables import Table

TESTED = 0.2  # share of the rows, at the end
FEWEST, FOR_EACH_STEP = 20, 5  # rows that there must be, and as many times the horizon
MOST = 500  # forecasts that are judged, unless too much is missing


class Series(NamedTuple):
    """What a table says for a forecast.

    Attributes
    ----------
    task : Task
    records : Records
    y : (T, F) array
        The targets; NaN where there is none.
    others : (T, E) array
        What is read besides.
    later : (H,) array
        Times of the forecast, exactly; numbers of rows where there are no times.
    start : int
        The first row that judges.
    step : int
        Of so many forecasts of the rows from there on one is judged.
    """

    task: Task
    records: Records
    y: Array
    others: Array
    later: Numbers
    start: int
    step: int

    def exogenous(self, stop: int | None = None) -> Array | None:
        """What is read besides, of the first rows; None for nothing."""
        return self.others[:stop] if self.others.shape[1] else None


def read(args: argparse.Namespace, table: Table) -> Series:
    """The table of a forecast; errors say what is wrong with it."""
    task = _task(args, table)
    target, found, T, H = task.target, records.read(table, task), table.rows, task.horizon
    least = max(FEWEST, FOR_EACH_STEP * H)
    if least > T:
        rule = (
            f"a forecast of {counted(H, 'row')} needs a table of {least} rows or more, of which the last fifth judges"
        )
        raise ValueError(f"{rule}, got {T}: give more rows, or a smaller --horizon")
    start = T - int(TESTED * T)
    if args.season is not None and args.season >= start:
        raise ValueError(f"--season must be less than {start}, the rows of the training, got {args.season}")
    known = ~np.isnan(found.x)
    for k, name in enumerate(task.features):
        if not known[:start, k].any():
            raise ValueError(f"column `{name}` must hold a value in the first {start} rows, got none")
    known, step = known[start:, : len(target)], 1 + (T - start - H) // MOST
    while step > 1 and _unknown(known, H, step) is not None:
        step -= 1
    gone = _unknown(known, H, step)
    if gone is not None:
        rule = f"column `{target[gone[0]]}` must hold values in the last {T - start} rows, which judge the forecasts"
        raise ValueError(f"{rule}, got none {counted(gone[1], 'row')} ahead: empty rows at the end must go")
    others = found.x[:, len(target) :]
    if others.shape[1]:
        others = forward_fill(others, first=np.nanmean(others[:start], axis=0)).values
    return Series(task, found, found.x[:, : len(target)], others, _later(table, task, found), start, step)


def _unknown(known: Bools, horizon: int, step: int) -> tuple[int, int] | None:
    """A column and how many rows ahead it is not known to any of the forecasts, of which one in ``step`` is judged."""
    rows, count = len(known) - horizon + 1, known.shape[1]
    pairs = ((k, h) for k in range(count) for h in range(1, horizon + 1))
    return next((pair for pair in pairs if not known[pair[1] - 1 : rows + pair[1] - 1 : step, pair[0]].any()), None)


def _task(args: argparse.Namespace, table: Table) -> Task:
    if table.sequences:
        raise ValueError(f"{table.path}: holds sequences, and a forecast is of a table whose rows are the steps of one")
    target = table.named(args.target, "--target")
    features = () if args.features is None else table.named(args.features, "--features")
    twice = [name for name in features if name in target]
    if twice:
        raise ValueError(f"--features must not name a target, which is read anyhow, got `{twice[0]}`")
    if args.time is None:
        for name in [name for name in table.columns if name not in target]:
            if _may_be_the_time(table.columns[name]):
                checks.warn(f"column `{name}` rises by equal steps: --time {name} if it says when rows were observed")
    else:
        table.column(args.time, "--time")
        if args.time in (*target, *features):
            raise ValueError(f"--time must be another column than --target and --features, got `{args.time}` for both")
    return Task(features=(*target, *features), target=target, time=args.time, horizon=args.horizon)


def _may_be_the_time(column: Column) -> bool:
    """Whether the command would take a column as its times."""
    try:
        times, dates = column.times()
    except ValueError:  # no times
        return False
    return bool((np.diff(times) > 0).all()) and forecast_times.continued(times, dates, 1) is not None


def _later(table: Table, task: Task, found: Records) -> Numbers:
    """Times of the forecast; an error names the row before which steps are not what they were before."""
    times, dates = found.times, found.dates
    if times is None or task.time is None:
        return np.arange(table.rows, table.rows + task.horizon)
    column, equal = table.columns[task.time], np.flatnonzero(np.diff(times) == 0)
    if equal.size:
        before, after = (column.show(int(equal[0]) + k) for k in (0, 1))
        rule = f"column `{task.time}` must increase from row to row"
        raise ValueError(f"{rule}, got {after} after {before}: two rows have the same time")
    exact = forecast_times.clock(column, found)
    later = forecast_times.continued(exact, dates, task.horizon)
    if later is not None:
        return later

    def differs(row: int) -> bool:
        return forecast_times.continued(exact[: row + 1], dates, 1) is None

    row = bisect.bisect_left(range(table.rows), True, lo=2, key=differs)
    got = f"{column.show(row)} after {column.show(row - 1)}"
    raise ValueError(
        f"column `{task.time}` must have steps that are equal{', or whole months' if dates else ''}, got {got}: give "
        "rows that are missing, with empty cells, or leave out --time, so that every row counts as one step"
    )
