"""The rows of a table as sequences: inputs, elapsed times, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.checks import counted
from ..base.types import Array, Ints, Numbers
from ..data import dt_from_times, forward_fill
from .calendar import SECONDS

if TYPE_CHECKING:
    from .columns import Column
    from .tables import Table
    from .task import Task


class Records(NamedTuple):
    """Sequences of rows, and what their cells hold.

    Attributes
    ----------
    rows : list of (T_i,) int arrays
        Rows of the table, in its order.
    names : list of str
        The groups, in the order of their first rows; one without a name where there are no groups.
    x : (n, F) array
        Features, NaN where there is no value.
    times : (n,) array or None
    dates : str
        The unit of times that are dates, "us" or "ns"; "" of other times.
    steps : (n,) array or None
        Elapsed times before the rows, where the table has them instead of times.
    """

    rows: list[Ints]
    names: list[str]
    x: Array
    times: Numbers | None
    dates: str
    steps: Array | None


def read(table: Table, task: Task) -> Records:
    """Sequences of a table; an error names the place where times do not increase."""
    time, group = task.time, task.group
    rows, names = _groups(table, group)
    x = np.concatenate([_feature(table, task, name) for name in task.features], axis=1)
    times, dates = None, ""
    if time is not None:
        column = table.column(time, "the model's --time")
        times, dates = column.times()
        for sequence, name in zip(rows, names, strict=True):
            _check_order(column, times, sequence, "" if group is None else f" of {group} {name}")
    steps = None if task.dt is None else _steps(table.column(task.dt, "the model's --dt"))
    return Records(rows, names, x, times, dates, steps)


def _feature(table: Table, task: Task, name: str) -> Array:
    """(n, 1) numbers of a column; or (n, words), 1 where the cell is this word, else 0, and NaN where it is empty."""
    column = table.column(name, "the model's --features")
    if name not in task.words:
        return column.numbers()[:, None]
    words, cells = task.words[name], column.words()
    unknown = [cell for cell in cells if cell is not None and cell not in words]
    if words and unknown:
        checks.warn(
            f"{counted(len(unknown), 'cell')} of column `{name}` hold words that the training part has not, such as "
            f"{unknown[0][:40]!r}: read as none of {', '.join(words)[:200]}"
        )
    found = [[np.nan if cell is None else float(cell == word) for word in words] for cell in cells]
    return np.array(found, np.float64).reshape(len(cells), len(words))


def _steps(column: Column) -> Array:
    steps = column.numbers()
    wrong = np.flatnonzero(~(steps >= 0))
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(f"column `{column.name}` must hold an elapsed time >= 0 in every row, got {column.show(row)}")
    if not steps.any():
        raise ValueError(f"column `{column.name}` must hold an elapsed time > 0 in some row, got only 0")
    return steps


def _groups(table: Table, group: str | None) -> tuple[list[Ints], list[str]]:
    if group is None:
        return [np.arange(table.rows)], [""]
    column = table.column(group, "the model's --group")
    found: dict[str, list[int]] = {}
    for row, word in enumerate(column.words()):
        if word is None:
            raise ValueError(f"column `{group}` must name a group in every row, got none {column.place(row)}")
        found.setdefault(word, []).append(row)
    return [np.array(sequence) for sequence in found.values()], list(found)


def _check_order(column: Column, times: Numbers, rows: Ints, of: str) -> None:
    steps = np.diff(times[rows])
    wrong, equal = np.flatnonzero(~(steps >= 0)), np.flatnonzero(steps == 0)
    if wrong.size:
        before, after = (column.show(int(rows[wrong[0] + k])) for k in (0, 1))
        rule = f"column `{column.name}` must increase from row to row{of}"
        several = "" if of else ", or give the column that tells several sequences apart as --group"
        raise ValueError(f"{rule}, got {after} after {before}: sort the table by it{several}")
    if equal.size:
        checks.warn(
            f"column `{column.name}` has the time of the row before in {counted(equal.size, 'row')}{of}, first "
            f"{column.show(int(rows[equal[0] + 1]))}: an elapsed time of 0 was taken, in which a liquid cell does not "
            "notice what the row says"
        )


def elapsed(records: Records) -> list[Array] | None:
    """Elapsed times before the rows of each sequence, in the unit of the column, of dates in seconds."""
    if records.steps is not None:
        return [records.steps[sequence] for sequence in records.rows]
    if records.times is None:
        return None
    scale = SECONDS.get(records.dates, 1.0)
    return [dt_from_times(records.times[sequence]) * scale for sequence in records.rows]


def inputs(task: Task, table: Table, records: Records) -> tuple[list[Array], list[Array] | None]:
    """What the network reads: (T_i, I) features and (T_i,) elapsed times in the task's unit, or None."""
    dt = elapsed(records)
    if task.dates != bool(records.dates):
        kinds = ("dates", "numbers") if task.dates else ("numbers", "dates")
        raise ValueError(f"column `{task.time}` must hold {kinds[0]} as in training, got {kinds[1]}")
    dt = None if dt is None else [steps / task.unit for steps in dt]
    x = [records.x[sequence] for sequence in records.rows]
    if task.missing == "error":
        check_complete(table, task.columns, records.x)
        return x, dt
    filled = forward_fill(x, dt=1.0 if dt is None else dt, first=np.array(task.first))
    masked = [np.concatenate(parts, axis=1) for parts in zip(*filled, strict=True)]
    return {"fill": filled.values, "mask": masked}[task.missing], dt


def check_complete(table: Table, names: tuple[str, ...], values: Array) -> None:
    """Refuse missing values, (n, columns), with the first place and the remedy."""
    for name, column in zip(names, values.T, strict=True):
        gone = np.flatnonzero(np.isnan(column))
        if gone.size:
            raise ValueError(
                f"column `{name}` must hold a value in every row, got {gone.size} missing, the first "
                f"{table.columns[name].place(int(gone[0]))}: --missing fill takes the last value before it, "
                "--missing mask also tells the network; rows without a target then weigh nothing"
            )


def targets(task: Task, table: Table) -> Any:
    """What the answers shall be: (n, O) numbers, NaN where missing; or (n,) floats, the number of the class."""
    columns = [table.column(name, "the model's --target") for name in task.target]
    if task.labels is None:
        return np.stack([column.numbers() for column in columns], axis=1)
    codes = {label: float(k) for k, label in enumerate(task.labels)}
    values = np.full(table.rows, np.nan)
    for row, word in enumerate(columns[0].words()):
        if word is not None and word not in codes:
            known = ", ".join(task.labels[:8]) + (", ..." if len(task.labels) > 8 else "")
            got = columns[0].show(row)
            raise ValueError(f"column `{task.target[0]}` must hold a class of the training part ({known}), got {got}")
        if word is not None:
            values[row] = codes[word]
    return values


def answers(task: Task, records: Records, values: Any) -> list[Any]:
    """Of each sequence what the network shall answer: at every row, NaN in the last ``horizon``; or once."""
    if not task.every_step:
        return [values[sequence[-1]] for sequence in records.rows]
    found = []
    for sequence in records.rows:
        later = np.full_like(values[sequence], np.nan)
        later[: max(0, len(sequence) - task.horizon)] = values[sequence[task.horizon :]]
        found.append(later)
    return found
