"""Where a training takes its batches from, epoch by epoch: arrays, or arrays in files."""

from typing import NamedTuple

import numpy as np

from .. import losses
from ..base import checks
from . import order
from .batches import Batches, prepare_data, prepare_part


def data_of(model, arguments, loss, missing):
    """`Batches` of `Arguments`, or `Mapped` ones where an array lies in a file; the loss is from `losses.get`."""
    if any(isinstance(values, np.memmap) for values in arguments):
        return Mapped(model, arguments.checked(), loss, missing)
    return prepare_data(model, *arguments, loss, missing)


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

    def __init__(self, model, arguments, loss, missing):
        self.model, self.arguments, self.loss, self.missing = model, arguments, loss, missing
        self.count, self.steps = np.shape(arguments.x)[:2]
        lengths = arguments.lengths
        self.lengths = checks.lengths(None if lengths is None else lengths, self.count, self.steps)[0]

    def sample(self):
        """`Batches` of the first sequences that count."""
        parts = (self.at(slice(first, first + SAMPLE)) for first in range(0, self.count, SAMPLE))
        found = next((part for part in parts if part is not None), None)
        if found is None:
            raise ValueError("`y` must have at least one target that counts, got NaN for all of them")
        return found[0]

    def at(self, rows):
        """`Batches` of these sequences, and that it is all of them; None where none has a step or a target."""
        if not self.lengths[rows].any():
            return None
        try:
            data = prepare_part(self.model, self.arguments.part(rows), self.loss, self.missing)
        except losses.NoWeightError:
            return None
        return data, slice(0, data.count)

    def first_that_counts(self, count, size):
        """None: who wants to look at a batch takes the last one that was read."""
        return None


class Shuffled(NamedTuple):
    """Batches of sequences that lie in arrays.

    Attributes
    ----------
    data : Batches or Mapped
    batch_size : int
    drop_last, shuffle, by_length : bool
        As for `fit`.
    """

    data: Batches | Mapped
    batch_size: int
    drop_last: bool
    shuffle: bool
    by_length: bool

    @property
    def batches(self):
        """How many an epoch has."""
        whole, rest = divmod(self.data.count, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    @property
    def whole(self):
        """`Batches` of all sequences, None where they are read some at a time."""
        return self.data if isinstance(self.data, Batches) else None

    def chunks(self, size):
        """How many chunks of ``size`` steps a batch has; one if that is None."""
        return 1 if size is None else -(-self.data.steps // size)

    def epoch(self, epoch, rng, first=0):
        """The number of every batch of an epoch, `Batches` that have it, and which sequences of them are the batch.

        What is random is drawn from ``rng``.  Those before batch ``first`` have been taken already.
        """
        rows = self._order(rng)
        for batch in range(first, self.batches):
            part = slice(batch * self.batch_size, min((batch + 1) * self.batch_size, self.data.count))
            found = self.data.at(part if rows is None else rows[part])
            if found is not None:
                yield batch, *found

    def _order(self, rng):
        """The sequences in their order, None for that of the data."""
        if self.by_length:
            return order.grouped(self.data.lengths, self.batch_size, rng)
        return order.shuffled(self.data.lengths, rng) if self.shuffle else None

    def first_that_counts(self, count, size):
        """A `Batch` to look at the loss, or None: the last one that was trained on."""
        return self.data.first_that_counts(count, size)


def check_balanced(class_weight, data):
    """Refuse class weights that depend on all targets, where these are not at hand."""
    if isinstance(class_weight, str) and not isinstance(data, Batches):
        raise ValueError(
            f"`class_weight` must be numbers, in a dict or an array, for data that are read batch by batch, got "
            f"{class_weight!r}: it would need all targets"
        )
