"""A model's answers to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.types import Array, Ints
from ..losses import Mixture
from ..model import Model
from . import records, split
from .records import Records

if TYPE_CHECKING:
    from .tables import Table
    from .task import Task


class TaskData(NamedTuple):
    """All that a table says for a task.

    Attributes
    ----------
    task : Task
    records : Records
    x, dt : lists of (T_i, I) and (T_i,) arrays, or None
        What the network reads.
    y : list
        What it shall answer; see `records.answers`.
    part_of_row : list of (T_i,) int arrays
        See `split.of_rows`.
    part_of_answer : list of (T_i,) or (1,) int arrays
        See `split.of_answers`.
    now : (n, O) or (n,) array
        The targets of the table's rows.
    """

    task: Task
    records: Records
    x: list[Array]
    dt: list[Array] | None
    y: list[Any]
    part_of_row: list[Ints]
    part_of_answer: list[Ints]
    now: Any

    def flat_parts(self) -> Ints:
        """The parts of all answers, in the order of `flat`."""
        return np.concatenate(self.part_of_answer)

    def flat(self, values: list[Any]) -> Any:
        """Values of all answers, those of the sequences one after the other."""
        return np.concatenate(values) if self.task.every_step else np.array(values)


def read(task: Task, table: Table, parts: bool) -> TaskData:
    """Read a table for a task; ``parts``: as it was split in training, else all answers count as test."""
    rows = records.read(table, task)
    all_test = [np.full(len(row), split.TEST) for row in rows.rows]
    return of_records(task, table, rows, parts_of_rows(task, table, rows) if parts else all_test)


def parts_of_rows(task: Task, table: Table, rows: Records) -> list[Ints]:
    """The part of each row, (T_i,), as a table is split for a task."""
    labels = table.column(task.target[0], "the model's --target").words() if task.labels is not None else []
    return split.of_rows(task, rows, labels)


def of_records(task: Task, table: Table, rows: Records, part_of_row: list[Ints]) -> TaskData:
    """What a task reads of the rows, and its answers, which belong to the parts that the rows belong to."""
    now = records.targets(task, table)
    if task.missing == "error":
        records.check_complete(table, task.target, now if now.ndim == 2 else now[:, None])
    x, dt = records.inputs(task, table, rows)
    y = records.answers(task, rows, now)
    return TaskData(task, rows, x, dt, y, part_of_row, split.of_answers(task, part_of_row), now)


def density(task: Task, y: Array) -> Mixture | None:
    """What outputs (..., K + 2 K O) say of the targets, if they are a density of these; None if they are numbers."""
    return None if y.shape[-1] == task.outputs else Mixture.of(y, task.outputs)


def means(task: Task, found: list[Array]) -> list[Array]:
    """Outputs of sequences as numbers (..., O), of densities their means."""
    densities = [density(task, y) for y in found]
    return [y if own is None else own.mean() for y, own in zip(found, densities, strict=True)]


def outputs(model: Model, x: list[Array], dt: list[Array] | None) -> list[Array]:
    """A model's outputs for whole sequences: (T_i, O) for each, or (O,)."""
    refuse_short(model, x)
    return list(model.predict(x, dt=dt) if dt is not None and model.takes_dt else model.predict(x))


def refuse_short(model: Model, x: list[Array]) -> None:
    """An error for sequences that end before a model with strides gives its first output."""
    stride = model.layer_stack.stride
    short = [len(rows) for rows in x if len(rows) < stride]
    if short:
        raise ValueError(
            f"every group must have at least {stride} rows, of which --conv-layers makes one step, got {len(short)} of "
            f"{len(x)} with fewer, the shortest with {min(short)}: leave them out, or train with fewer --conv-layers"
        )
