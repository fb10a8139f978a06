"""Where a training takes its batches from, epoch by epoch."""

from typing import NamedTuple

from . import order
from .batches import Batches


class Shuffled(NamedTuple):
    """Batches of sequences that lie in arrays.

    Attributes
    ----------
    data : Batches
    batch_size : int
    drop_last, shuffle, by_length : bool
        As for `fit`.
    """

    data: Batches
    batch_size: int
    drop_last: bool
    shuffle: bool
    by_length: bool

    @property
    def batches(self):
        """How many an epoch has."""
        whole, rest = divmod(self.data.count, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def epoch(self, epoch, rng):
        """`Batches`, and which sequences of them, for every batch of an epoch; what is random is drawn from ``rng``."""
        rows = self._order(rng)
        for batch in range(self.batches):
            part = slice(batch * self.batch_size, min((batch + 1) * self.batch_size, self.data.count))
            yield self.data, part if rows is None else rows[part]

    def _order(self, rng):
        """The sequences in their order, None for that of the data."""
        lengths = self.data.whole.sequences.lengths
        if self.by_length:
            return order.grouped(lengths, self.batch_size, rng)
        return order.shuffled(lengths, rng) if self.shuffle else None
