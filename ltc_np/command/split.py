"""Which answers train a network, which choose its best weights, and which judge it in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Ints, Numbers

if TYPE_CHECKING:
    from .records import Records
    from .task import Task

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 0, 1, 2
WINDOW, FEW, SHORT = 64, 8, 512  # of windows that nobody asked for
MANY = 256  # windows are rather as many as this than apart


def of_rows(task: Task, records: Records, words: list[str | None]) -> list[Ints]:
    """The part of each row, (T_i,).

    By time, every sequence has its first rows in the training, its last ones in the test.  By group, whole sequences
    belong to a part; of classes, which ``words`` says of the table's rows, each part has its share.  They are told
    apart by their words: which of them are known is not known before.
    """
    if task.by == "time":
        return [_by_time(task, len(sequence), name) for sequence, name in zip(records.rows, records.names, strict=True)]
    checks.one_of("by", task.by, ("group",))
    codes = None
    if task.labels is not None and not task.every_step:
        codes = np.unique([words[sequence[-1]] or "" for sequence in records.rows], return_inverse=True)[1]
    of_group = _by_group(task, len(records.rows), codes)
    return [np.full(len(sequence), part) for sequence, part in zip(records.rows, of_group, strict=True)]


def of_answers(task: Task, parts: list[Ints]) -> list[Ints]:
    """The part of each answer, of those of the rows: (T_i,), -1 where there is none; or () for one of a sequence.

    What counts is the row that the target is in; one answer of a sequence belongs to a part if all its rows do.
    """
    if not task.every_step:
        return [part[0] if (part == part[0]).all() else np.array(-1) for part in parts]
    return [np.concatenate([part[task.horizon :], np.full(min(task.horizon, len(part)), -1)]) for part in parts]


def _by_time(task: Task, n: int, name: str) -> Ints:
    ends = [round(n * (1 - task.validation - task.test)), round(n * (1 - task.test)), n]
    if ends[0] <= task.horizon or ends[1] == ends[0] or ends[2] == ends[1]:
        of = f"group {name}" if name else "the table"
        more = "" if not task.horizon else f", with {task.horizon} before the first target"
        hint = ": --split group takes whole groups" if name else ": give more rows"
        rows = checks.counted(n, "row")
        raise ValueError(f"{of} has {rows}, too few for a training, a validation and a test part{more}{hint}")
    return np.searchsorted(ends, np.arange(n), side="right")


def _by_group(task: Task, n: int, codes: Numbers | None) -> Ints:
    count = [max(1, round(n * share)) for share in (task.test, task.validation)]
    if n - sum(count) < 1:
        raise ValueError(f"--split group needs at least 3 groups, got {n}: --split time cuts every group")
    order = np.random.default_rng(task.seed).permutation(n)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    where = np.full(n, TRAIN)
    for part, m in zip((TEST, VALIDATION), count, strict=True):
        rest = order[where[order] == TRAIN]
        where[rest[((np.arange(m) + 0.5) * len(rest) / m).astype(int)]] = part  # evenly, so of every class
    return where


class Sequences(NamedTuple):
    """What `fit` takes: lists, but for answers that are one a sequence, (B,) or (B, O)."""

    x: list[Array]
    dt: list[Array] | None
    y: Any


def training(
    task: Task, x: list[Array], dt: list[Array] | None, y: list[Any], where: list[Ints], window: int | None, hop: int
) -> Sequences:
    """The training part, cut into windows of ``window`` rows if that is a number, one every ``hop`` rows."""
    cuts = [(k, cut) for k, part in enumerate(where) for cut in _cuts(length(part, len(x[k])), window, hop)]
    return _sequences(task, x, dt, [(k, cut, y[k][cut] if task.every_step else y[k]) for k, cut in cuts])


def _sequences(task: Task, x: list[Array], dt: list[Array] | None, found: list[tuple[int, slice, Any]]) -> Sequences:
    """Some rows of some sequences, and their targets: (number of the sequence, rows, target)."""
    targets = [target for _, _, target in found]
    return Sequences(
        [x[k][cut] for k, cut, _ in found],
        None if dt is None else [dt[k][cut] for k, cut, _ in found],
        targets if task.every_step else np.array(targets),
    )


def length(where: Ints, n: int) -> int:
    """Rows of a sequence that the training reads: they are its first ones."""
    return int((where == TRAIN).sum()) if where.ndim else n * int(where == TRAIN)


def lengths(x: list[Array], where: list[Ints]) -> list[int]:
    """Rows of each sequence that the training reads, where there are any."""
    return [n for n in (length(part, len(values)) for part, values in zip(where, x, strict=True)) if n]


def _cuts(n: int, window: int | None, hop: int) -> list[slice]:
    if window is None or n <= window:
        return [slice(0, n)] if n else []
    return [slice(first, first + window) for first in range(0, n - window + 1, hop)]


def windows(found: list[int], window: int | None, hop: int | None) -> tuple[int | None, int]:
    """Window and hop, chosen where they are not given, for training sequences of these lengths."""
    longest = max(found)
    if window is not None and window > longest:
        raise ValueError(f"--window must be at most {longest}, the rows of the longest training sequence, got {window}")
    if window is None and (len(found) < FEW or longest > SHORT):
        window = min(WINDOW, max(2, longest // 4)) if longest > 2 else None
    if window is None:
        return None, 1
    return window, hop or max(1, min(window // 2, sum(found) // MANY))


def validation(
    task: Task, x: list[Array], dt: list[Array] | None, y: list[Any], where: list[Ints], warm_up: int
) -> Sequences:
    """The validation part; by time, each sequence begins ``warm_up`` rows before, which have no targets there."""
    found: list[tuple[int, slice, Any]] = []
    for k, part in enumerate(where):
        (rows,) = np.nonzero(np.atleast_1d(part == VALIDATION))
        if not rows.size:
            continue
        if not task.every_step:
            found.append((k, slice(None), y[k]))
            continue
        cut = slice(max(0, int(rows[0]) - warm_up), int(rows[-1]) + 1)
        target = y[k][cut].copy()
        target[part[cut] != VALIDATION] = np.nan
        found.append((k, cut, target))
    return _sequences(task, x, dt, found)
