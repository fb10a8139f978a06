"""How the sequences of every batch are divided among ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...base.types import Ints
from .communication import Alone


class Place(NamedTuple):
    """Where a rank's sequences stand in a batch: the number of their ``first`` one, and how many the ``whole`` batch
    has."""

    first: int
    whole: int


class Division:
    """Which sequences of each batch are this rank's.

    If all ranks have the same data, each batch is cut into parts of nearly equal size, in its order.  If each rank has
    data of its own, every batch takes sequences of all ranks in proportion to how many each has, and is full.  To do
    so, imagine the sequences of each rank spread evenly over the epoch, and all of them merged.

    Parameters
    ----------
    ranks : Alone
    count : int
        Sequences that this rank was given.
    batch_size : int
        Of all ranks together.
    drop_last : bool

    Attributes
    ----------
    count, batches : int
        Sequences of all ranks, and batches of an epoch.
    bounds : (batches + 1,) array
        Where batches begin and end, in sequences of all ranks.
    owned : (ranks, batches + 1) array or None
        How many of each rank's sequences stand before each of the ``bounds``; None where all have the same data.
    """

    ranks: Alone
    count: int
    batch_size: int
    batches: int
    bounds: Ints
    owned: Ints | None

    def __init__(self, ranks: Alone, count: int, batch_size: int, drop_last: bool) -> None:
        counts = ranks.allgather(count) if ranks.shares else [count]
        self.ranks, self.count, self.batch_size = ranks, sum(counts), batch_size
        whole, rest = divmod(self.count, batch_size)
        self.batches = whole + (rest > 0 and not drop_last)
        self.bounds = np.minimum(np.arange(self.batches + 1) * batch_size, self.count)
        self.owned = merged(counts, self.bounds) if ranks.shares else None

    def of_batch(self, batch: int) -> tuple[slice, Place]:
        """Which sequences of this rank's order belong to a batch, as a slice, and their `Place` in it."""
        start, stop = self.bounds[batch : batch + 2].tolist()
        if self.ranks.size == 1:
            return slice(start, stop), Place(0, stop - start)
        if self.owned is None:
            rank, size = self.ranks.rank, self.ranks.size
            first, last = cut(stop - start, rank, size)
            return slice(start + first, start + last), Place(first, stop - start)
        begin, end = self.owned[:, batch : batch + 2].T
        rows = slice(int(begin[self.ranks.rank]), int(end[self.ranks.rank]))
        return rows, Place(int((end - begin)[: self.ranks.rank].sum()), stop - start)


def cut(count: int, rank: int, size: int) -> tuple[int, int]:
    """(first, last) of a rank's part of ``count`` things."""
    return count * rank // size, count * (rank + 1) // size


def merged(counts: Sequence[int], bounds: Ints) -> Ints:
    """How many of each rank's sequences stand among the first ``bounds`` of all, (ranks, len(bounds))."""
    owners = np.repeat(np.arange(len(counts)), counts)
    times = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    position = np.empty(owners.size, np.int64)
    position[np.lexsort((owners, times))] = np.arange(owners.size)
    parts = np.split(position, np.cumsum(counts)[:-1])
    return np.stack([np.searchsorted(part, bounds) for part in parts])
