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
KERNELS = 100  # about, of a density
SMALLEST = 1e-9  # deviation, in units of the largest value: of what is always the same


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


def densities(given: dict[str, Array], y: Array, part_of_answer: Ints) -> dict[str, Array]:
    """Name -> (N, K + 2 K O) densities, as `Mixture` takes them, fitted to the training part.

    One normal density around each of the answers that are ``given``, whose deviations are those of the errors, and a
    kernel density of some of the targets (Scott's width), which reads nothing.
    """
    known = (part_of_answer == TRAIN) & ~np.isnan(y).any(1)
    found = {}
    for name, answers in given.items():
        deviation = np.sqrt(np.mean((y[known] - answers[known]) ** 2, axis=0))
        found[f"{name}, normal around it"] = _density(answers[:, None], deviation)
    some = y[known][:: 1 + known.sum() // KERNELS]
    width = y[known].std(0) * len(some) ** (-1 / (y.shape[1] + 4))
    one = _density(some[None], width)
    return found | {"kernel density of the targets": np.broadcast_to(one, (len(y), one.shape[1]))}


def _density(mu: Array, sigma: Array) -> Array:
    """Outputs (n, K + 2 K O) of K equal shares, means (n, K, O) and deviations (O,)."""
    n, K = mu.shape[:2]
    log_sigma = np.log(np.maximum(sigma, SMALLEST * np.maximum(np.abs(mu).max(), 1)))
    return np.concatenate([np.zeros((n, K)), mu.reshape(n, -1), np.tile(log_sigma, (n, K))], axis=1)


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
