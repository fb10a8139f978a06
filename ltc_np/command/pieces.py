"""What `fit` is given of a table: its training part, whole or in windows, and its validation part."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base.types import Array
from . import split
from .task_data import TaskData

DEFAULT_WINDOW = 64  # the rows of a window that nobody asked for; less where no sequence is four times as long
FEW_SEQUENCES = 8  # fewer training sequences than these are cut into windows, since whole they are few examples
LONG_SEQUENCE = 512  # if a training sequence has more rows than these, all are cut into windows
WANTED_WINDOWS = 256  # about as many windows begin in the training part, or more: each laps the next by half at least


class Sequences(NamedTuple):
    """What `fit` takes: lists, but for answers that are one a sequence, (B,) or (B, O)."""

    x: list[Array]
    dt: list[Array] | None
    y: Any


class Piece(NamedTuple):
    """Some rows of one sequence: its number, which rows, and their targets or the sequence's one."""

    sequence: int
    rows: slice
    target: Any


def training(data: TaskData, window: int | None, hop: int) -> Sequences:
    """The training part; longer sequences are cut into windows of ``window`` rows, one every ``hop`` rows.

    The first window begins with the sequence.  Where the last one ends before the training part does, its newest rows,
    fewer than ``hop``, train nothing.
    """
    pieces = []
    for k, n in enumerate(training_rows_of_each(data)):
        y = data.y[k]
        pieces += [Piece(k, rows, y[rows] if data.task.every_step else y) for rows in _cuts(n, window, hop)]
    return _sequences(data, pieces)


def validation(data: TaskData, warm_up: int) -> Sequences:
    """The validation part; by time, each sequence begins ``warm_up`` rows before, which have no targets there."""
    pieces = []
    for k, parts in enumerate(data.part_of_answer):
        own = np.flatnonzero(parts == split.VALIDATION)
        if not own.size:
            continue
        if not data.task.every_step:
            pieces.append(Piece(k, slice(None), data.y[k]))
            continue
        rows = slice(max(0, int(own[0]) - warm_up), int(own[-1]) + 1)
        target = data.y[k][rows].copy()
        target[parts[rows] != split.VALIDATION] = np.nan
        pieces.append(Piece(k, rows, target))
    return _sequences(data, pieces)


def _sequences(data: TaskData, pieces: list[Piece]) -> Sequences:
    targets = [piece.target for piece in pieces]
    return Sequences(
        [data.x[piece.sequence][piece.rows] for piece in pieces],
        None if data.dt is None else [data.dt[piece.sequence][piece.rows] for piece in pieces],
        targets if data.task.every_step else np.array(targets),
    )


def training_rows_of_each(data: TaskData) -> list[int]:
    """Rows of each sequence that the training reads."""
    return [split.training_rows(data.task, parts, len(x)) for parts, x in zip(data.part_of_answer, data.x, strict=True)]


def _cuts(n: int, window: int | None, hop: int) -> list[slice]:
    """The rows of each window of n rows; all of them if there are no windows, or not so many rows."""
    if window is None or n <= window:
        return [slice(0, n)] if n else []
    return [slice(first, first + window) for first in range(0, n - window + 1, hop)]


def choose_windows(rows_of_each: list[int], window: int | None, hop: int | None) -> tuple[int | None, int]:
    """Window and hop, chosen where they are not given; a hop is given only with a window, which `roles` sees to.

    Without a window, None, sequences stay whole.  ``rows_of_each``: see `training_rows_of_each`.
    """
    assert hop is None or window is not None, "a hop needs a window"
    rows_of_each = [n for n in rows_of_each if n]
    longest = max(rows_of_each)
    if window is not None and window > longest:
        raise ValueError(f"--window must be at most {longest}, the rows of the longest training sequence, got {window}")
    if window is None and (len(rows_of_each) < FEW_SEQUENCES or longest > LONG_SEQUENCE):
        window = min(DEFAULT_WINDOW, max(2, longest // 4)) if longest > 2 else None
    if window is None:
        return None, 1
    return window, hop or max(1, min(window // 2, sum(rows_of_each) // WANTED_WINDOWS))
