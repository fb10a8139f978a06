"""Which answers train a network, which choose its best weights, and which judge it in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import checks
from ..base.types import Ints, Numbers

if TYPE_CHECKING:
    from .records import Records
    from .task import Task

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 0, 1, 2
# For an answer that the table does not hold, a row that belongs to no part, and a sequence whose rows are of several.
NO_PART = -1


def of_rows(task: Task, records: Records, label_of_row: list[str | None]) -> list[Ints]:
    """The part of each row, (T_i,).

    By time, every sequence has its first rows in the training, its last ones in the test.  By group, whole sequences
    belong to a part; if they have classes, each part has its share of every class.  A group's class is the label of its
    last row; labels are compared as text, since their numbers depend on the training part, which is not known yet.

    Parameters
    ----------
    label_of_row : list of str or None
        What the target says in each row of the table, in the table's order; read only if groups have classes.
    """
    if task.by == "time":
        return [_by_time(task, len(rows), name) for rows, name in zip(records.rows, records.names, strict=True)]
    checks.one_of("by", task.by, ("group",))
    class_of_group = None
    if task.labels is not None and not task.every_step:
        labels = [label_of_row[rows[-1]] or "" for rows in records.rows]
        class_of_group = np.unique(labels, return_inverse=True)[1]
    part_of_group = _by_group(task, len(records.rows), class_of_group)
    return [np.full(len(rows), part) for rows, part in zip(records.rows, part_of_group, strict=True)]


def of_answers(task: Task, part_of_row: list[Ints]) -> list[Ints]:
    """The parts of each sequence's answers: (T_i,), or (1,) if a sequence has one answer; `NO_PART` for none.

    What counts is the row that the target is in; one answer of a sequence belongs to a part if all its rows do.
    """
    if not task.every_step:
        return [parts[:1] if (parts == parts[0]).all() else np.full(1, NO_PART) for parts in part_of_row]
    h = task.horizon
    return [np.concatenate([parts[h:], np.full(min(h, len(parts)), NO_PART)]) for parts in part_of_row]


def _by_time(task: Task, n: int, name: str) -> Ints:
    """The part of each of the n rows of a sequence."""
    train_end, validation_end = round(n * (1 - task.validation - task.test)), round(n * (1 - task.test))
    if train_end <= task.horizon or not train_end < validation_end < n:
        whose = f"group {name}" if name else "the table"
        before = "" if not task.horizon else f", with {task.horizon} before the first target"
        remedy = ": --split group takes whole groups" if name else ": give more rows"
        rows = checks.counted(n, "row")
        raise ValueError(f"{whose} has {rows}, too few for a training, a validation and a test part{before}{remedy}")
    return np.searchsorted([train_end, validation_end], np.arange(n), side="right")


def _by_group(task: Task, n: int, class_of_group: Numbers | None) -> Ints:
    """The part of each of n groups, drawn by the task's seed."""
    counts = {part: max(1, round(n * share)) for part, share in ((TEST, task.test), (VALIDATION, task.validation))}
    if n - sum(counts.values()) < 1:
        raise ValueError(f"--split group needs at least 3 groups, got {n}: --split time cuts every group")
    order = np.random.default_rng(task.seed).permutation(n)
    if class_of_group is not None:
        order = order[np.argsort(class_of_group[order], kind="stable")]
    part_of_group = np.full(n, TRAIN)
    for part, count in counts.items():
        rest = order[part_of_group[order] == TRAIN]
        places = (np.arange(count) + 0.5) * len(rest) / count  # evenly spread, so that they are of every class
        part_of_group[rest[places.astype(int)]] = part
    return part_of_group


def training_rows(task: Task, parts: Ints, n: int) -> int:
    """How many of a sequence's n rows the training reads, which are its first ones; ``parts``: of its answers."""
    if not task.every_step:
        (part,) = parts
        return n if part == TRAIN else 0
    count = int((parts == TRAIN).sum())
    assert (parts[:count] == TRAIN).all(), "the training reads the first rows of a sequence"
    return count
