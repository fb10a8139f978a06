"""What a network must be better than: a mean, the most frequent class, the value before, a linear function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.types import Array, Bools, Ints
from .split import TRAIN

if TYPE_CHECKING:
    from .records import Records
    from .task import Task

LAGS, MOST_COLUMNS = 8, 256  # of a linear function: rows, and numbers of these rows
RIDGE = 1.0  # penalty, of columns with spread 1
AT_ONCE = 65536  # rows


def of(task: Task, records: Records, x: list[Array], y: Array, part_of_answer: Ints, now: Any) -> dict[str, Array]:
    """Name -> (N, O) outputs for all answers, fitted to those of the training part.

    Parameters
    ----------
    x : list of (T_i, I) arrays
        What the network reads, and elapsed times if there are any.
    y : (N, O) or (N,) array
        All answers, of the sequences one after the other; NaN where there is none.
    part_of_answer : (N,) int array
        See `split`.
    now : (n, O) or (n,) array
        The targets of the table's rows.
    """
    known = (part_of_answer == TRAIN) & ~np.isnan(y if y.ndim == 1 else y.sum(1))
    wanted = y if task.labels is None else np.eye(len(task.labels))[np.nan_to_num(y).astype(int)]
    mean = wanted[known].mean(0)
    if task.labels is None:
        found = {"mean": np.broadcast_to(mean, wanted.shape)}
    else:
        found = {f"always {task.labels[int(mean.argmax())]}": np.broadcast_to(mean, wanted.shape)}
    if task.horizon and task.every_step:
        last = [_last_known(now[sequence]) for sequence in records.rows]
        flat = np.concatenate(last)
        ready = flat if task.labels is None else np.eye(len(task.labels))[np.nan_to_num(flat).astype(int)]
        found["the value now"] = np.where(np.isnan(flat if flat.ndim == 2 else flat[:, None]), mean, ready)
    found[_linear_name(task, x)] = _ridge(task, x, wanted, known)
    return found


def _last_known(values: Array) -> Array:
    """Each value, or the last one before it that is known; NaN before the first."""
    flat = values.reshape(len(values), -1)
    last = np.maximum.accumulate(np.where(np.isnan(flat), 0, np.arange(len(flat))[:, None]), axis=0)
    return np.take_along_axis(flat, last, axis=0).reshape(values.shape)


def _lags(I: int) -> int:
    return max(1, min(LAGS, MOST_COLUMNS // I))


def _linear_name(task: Task, x: list[Array]) -> str:
    lags = _lags(x[0].shape[1])
    if not task.every_step:
        return "linear, of means, spreads, ends"
    return "linear, of the row" if lags == 1 else f"linear, of {lags} rows"


def _columns(task: Task, x: list[Array]) -> Iterator[Array]:
    """What the linear function reads for all answers in their order, some rows at a time."""
    if not task.every_step:
        yield np.stack([np.concatenate([v.mean(0), v.std(0), v[0], v[-1]]) for v in x])
        return
    for values in x:
        lags = _lags(values.shape[1])
        for first in range(0, len(values), AT_ONCE):
            rows = np.arange(first, min(len(values), first + AT_ONCE))[:, None] - np.arange(lags)
            yield values[np.maximum(rows, 0)].reshape(len(rows), -1)


def _known_rows(task: Task, x: list[Array], wanted: Array, known: Bools) -> Iterator[tuple[Array, Array]]:
    """What the linear function reads and should answer where the answer is known, some rows at a time."""
    at = 0
    for columns in _columns(task, x):
        part = slice(at, at + len(columns))
        yield columns[known[part]], wanted[part][known[part]]
        at += len(columns)


def _ridge(task: Task, x: list[Array], wanted: Array, known: Bools) -> Array:
    """Linear least squares with a small penalty, in closed form."""
    count = known.sum()
    origin = next(columns[0] for columns, _ in _known_rows(task, x, wanted, known) if len(columns))
    total: Any = 0.0
    squares: Any = 0.0
    for columns, _ in _known_rows(task, x, wanted, known):
        moved = columns - origin  # so that squares lose no digits where a column has a huge offset
        total, squares = total + moved.sum(0), squares + (moved**2).sum(0)
    spread = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
    mean = origin + total / count
    scale = np.where(spread > 1e-12 * np.abs(mean), spread, np.inf)  # a constant column says nothing
    center = wanted[known].mean(0)
    gram: Any = RIDGE * np.eye(len(mean))
    moment: Any = 0.0
    for columns, answers in _known_rows(task, x, wanted, known):
        z = (columns - mean) / scale
        gram, moment = gram + z.T @ z, moment + z.T @ (answers - center)
    weights = np.linalg.solve(gram, moment)
    return np.concatenate([(columns - mean) / scale @ weights + center for columns in _columns(task, x)])
