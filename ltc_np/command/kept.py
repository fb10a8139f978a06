"""Which rows of a table have trained a model, chosen its weights and judged it: kept with its file, by what they hold.

The groups of a table may stand in another order later, or it has grown.  So the file says of every block, the rows of
one sequence that belong to one part, where it begins, how many rows it has, and a digest of them: of the columns that
the model reads, and of the target.  Names of groups and the order of sequences do not count.  The beginning is a time,
or the number of the row in its sequence where a table has no times.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.types import Array, Ints
from ..model import Model
from .split import NO_PART, PARTS

if TYPE_CHECKING:
    from .task_data import TaskData

KEY = "parts"  # in the notes of a model
MOST = 100_000  # blocks, some megabytes: of more there is no note
BYTES = 8  # of a digest

Block = tuple[float, int, str]  # where it begins, its rows, and their digest


def noted(data: TaskData) -> dict[str, Any]:
    """The parts of a table that was split, in plain data, for the notes of a model; nothing if they are too many."""
    found: dict[str, list[list[Any]]] = {name: [] for name in PARTS}
    for content, parts, begins in zip(_contents(data), data.part_of_row, _beginnings(data), strict=True):
        borders = [0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), len(parts)]
        for first, end in itertools.pairwise(borders):
            digest = _digests(content[first:], [end - first])[end - first]
            found[PARTS[parts[first]]].append([begins[first], end - first, digest])
    return {KEY: found} if sum(map(len, found.values())) <= MOST else {}


def of_model(model: Model, path: str) -> dict[str, list[Block]] | None:
    """The blocks of each part; None of a file that has none; a ValueError that names the file if they are no blocks."""
    saved = (model.notes or {}).get(KEY)
    if saved is None:
        return None
    try:
        found = {name: [_block(*block) for block in saved[name]] for name in PARTS}
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"{path}: its notes do not say which rows were for which part") from None
    return found


def _block(begins: Any, rows: Any, digest: Any) -> Block:
    if type(begins) is not float or type(rows) is not int or rows < 1 or type(digest) is not str:
        raise TypeError
    return begins, rows, digest


def find(blocks: dict[str, list[Block]], data: TaskData) -> list[Ints]:
    """The part of each row of each sequence, (T_i,); `NO_PART` of rows that are none of these blocks.

    Sequences that hold the same are told apart by nothing, so of these as many are of each part as there were.
    """
    left: dict[Block, list[int]] = defaultdict(list)  # the parts of blocks that have not been found yet
    sizes: dict[float, set[int]] = defaultdict(set)
    for part, name in enumerate(PARTS):
        for block in blocks[name]:
            left[block].append(part)
            sizes[block[0]].add(block[1])
    found = []
    for content, begins in zip(_contents(data), _beginnings(data), strict=True):
        parts = np.full(len(content), NO_PART)
        first = 0
        while first < len(content):
            known = sorted(n for n in sizes.get(begins[first], ()) if n <= len(content) - first)
            there = [(begins[first], n, digest) for n, digest in _digests(content[first:], known).items()]
            hits = [block for block in there if left.get(block)]
            rows = 1
            if hits:  # the longest, since a block may begin as a shorter one does
                rows = hits[-1][1]
                parts[first : first + rows] = left[hits[-1]].pop(0)
            first += rows
        found.append(parts)
    return found


def _contents(data: TaskData) -> list[Array]:
    """What the rows of each sequence hold, (T_i, columns), with one kind of zero and of NaN."""
    records, now = data.records, data.now
    clock = records.times if records.steps is None else records.steps
    columns = [*([] if clock is None else [clock]), records.x, now]
    values = np.column_stack(columns).astype("<f8") + 0.0
    values[np.isnan(values)] = np.nan
    return [values[rows] for rows in records.rows]


def _beginnings(data: TaskData) -> list[list[float]]:
    """What tells where a block begins, of the rows of each sequence."""
    times = data.records.times
    begins = [np.arange(len(rows)) if times is None else times[rows] for rows in data.records.rows]
    return [values.astype(float).tolist() for values in begins]


def _digests(rows: Array, counts: list[int]) -> dict[int, str]:
    """Digests of the first so many rows, for counts that rise."""
    state, found, before = hashlib.blake2b(digest_size=BYTES), {}, 0
    for count in counts:
        state.update(rows[before:count].tobytes())
        found[count], before = state.hexdigest(), count
    return found
