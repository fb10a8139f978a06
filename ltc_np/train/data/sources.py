"""Where a training takes its batches from, epoch by epoch: arrays, or arrays in files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ... import losses
from ...base import checks
from ...base.types import ClassWeight, Ints, LibraryLoss, Missing
from ...network.engine import Batch
from ...network.network import Network
from ...network.outputs import too_short
from ...network.trained import Times
from ..ranks.division import Division, Place
from . import shuffling
from .arguments import DataArguments
from .batches import Batches, prepare_data, prepare_part


def data_of(model: Network, arguments: DataArguments, loss: LibraryLoss, missing: Missing, whole: bool = True) -> Data:
    """`Batches` of `DataArguments`, or `Mapped` ones where an array lies in a file; the loss is from `losses.get`.

    ``whole``: there are no other data, whose weights theirs are compared with.
    """
    if any(isinstance(values, np.memmap) for values in arguments):
        return Mapped(model, arguments.checked(), loss, missing)
    return prepare_data(model, *arguments, loss, missing) if whole else prepare_part(model, arguments, loss, missing)


SAMPLE = 32  # sequences that are read at once to see whether arguments fit


class Mapped:
    """Sequences of arrays that lie in a file: some at a time are read, checked, and become `Batches`.

    Attributes
    ----------
    count : int
        Sequences in all.
    steps : int
        Of the longest.
    lengths : (B,) array
    """

    model: Network
    arguments: DataArguments
    loss: LibraryLoss
    missing: Missing
    count: int
    steps: int
    lengths: Ints

    def __init__(self, model: Network, arguments: DataArguments, loss: LibraryLoss, missing: Missing) -> None:
        self.model, self.arguments, self.loss, self.missing = model, arguments, loss, missing
        self.count, self.steps = np.shape(arguments.x)[:2]  # type: ignore[misc]  # not of a number
        lengths = arguments.lengths
        self.lengths = checks.lengths(None if lengths is None else lengths, self.count, self.steps)[0]

    def sample(self) -> Batches:
        """`Batches` of the first sequences that count."""
        stride, longest = self.model.layer_stack.stride, int(self.lengths.max())
        if stride > 1 and longest < stride:
            raise too_short(stride, longest)
        parts = (self.at(slice(first, first + SAMPLE)) for first in range(0, self.count, SAMPLE))
        found = next((part for part in parts if part is not None), None)
        if found is None:
            raise ValueError("`y` must have at least one target that counts, got NaN for all of them")
        return found[0]

    def at(self, rows: slice | Ints) -> tuple[Batches, slice] | None:
        """`Batches` of these sequences, and that it is all of them; None where none has a step or a target."""
        if not self.lengths[rows].any():
            return None
        try:
            data = prepare_part(self.model, self.arguments.part(rows), self.loss, self.missing)
        except losses.NoWeightError:
            return None
        return data, slice(0, data.count)

    def first_that_counts(self, count: int, size: int | None) -> None:
        """None, since a file would have to be read again: whoever wants to look at a batch takes the last one."""
        return None


Data: TypeAlias = Batches | Mapped


class Drawn(NamedTuple):
    """A batch of an epoch: its number, the `Batches` that have this rank's part of it, which rows of them it is, and
    the `Place` of this part in the whole batch.

    ``data`` is None if this rank has nothing that counts.
    """

    batch: int
    data: Batches | None
    rows: slice | Ints | None
    place: Place


class ArraySource(NamedTuple):
    """Batches of sequences that lie in arrays.

    Attributes
    ----------
    data : Batches or Mapped
    division : Division
    shuffle, by_length : bool
        As for `fit`.
    times : Times or None
        The elapsed times of all ranks, see `ltc_np.network.elapsed`.
    """

    data: Data
    division: Division
    shuffle: bool
    by_length: bool
    times: Times | None = None

    @property
    def batches(self) -> int:
        """How many an epoch has."""
        return self.division.batches

    @property
    def whole(self) -> Batches | None:
        """`Batches` of all sequences, None where they are read some at a time."""
        return self.data if isinstance(self.data, Batches) else None

    def sizes(self) -> dict[str, Any]:
        """What decides how many steps there are, to be compared when a training is resumed."""
        steps = max(self.division.ranks.allgather(self.data.steps))
        return {"sequences": self.division.count, "time steps": steps}

    def chunks(self, size: int | None) -> int:
        """How many chunks of ``size`` steps the longest sequence of all ranks has; one if ``size`` is None."""
        return 1 if size is None else -(-max(self.division.ranks.allgather(self.data.steps)) // size)

    def epoch(self, epoch: int, rng: np.random.Generator, first: int = 0) -> Iterator[Drawn]:
        """`Drawn` of every batch of an epoch in which something counts, or may count on another rank.

        What is random is drawn from ``rng``.  Those before batch ``first`` have been taken already.
        """
        rows, alone = self._order(rng), self.division.ranks.size == 1
        for batch in range(first, self.batches):
            part, place = self.division.of_batch(batch)
            found = None
            if part.stop > part.start:
                found = self.data.at(part if rows is None else rows[part])
            if found is not None or not alone:
                data, which = found or (None, None)
                yield Drawn(batch, data, which, place)

    def rows(self, rng: np.random.Generator) -> tuple[Ints, list[int]]:
        """The sequences of an epoch in the order in which `epoch` draws them, and where batches begin and end: of one
        rank, with all data in arrays."""
        order = self._order(rng)
        order = np.arange(self.division.count) if order is None else order.astype(np.int64, copy=False)
        return order, self.division.bounds.tolist()

    def _order(self, rng: np.random.Generator) -> Ints | None:
        """The sequences in their order, None for that of the data."""
        if self.by_length:
            return shuffling.grouped(self.data.lengths, self.division.batch_size, rng)
        return rng.permutation(self.data.count) if self.shuffle else None

    def first_that_counts(self, count: int, size: int | None) -> Batch | None:
        """A `Batch` to look at the loss, or None: the last one that was trained on."""
        return None if self.division.ranks.shares else self.data.first_that_counts(count, size)


def check_balanced(class_weight: ClassWeight, data: Data | None) -> None:
    """Refuse class weights that depend on all targets, where these are not at hand."""
    if isinstance(class_weight, str) and not isinstance(data, Batches):
        raise ValueError(
            f"`class_weight` must be numbers, in a dict or an array, for data that are read batch by batch, got "
            f"{class_weight!r}: it would need all targets"
        )
