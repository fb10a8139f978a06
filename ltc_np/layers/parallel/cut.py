"""Which steps belong to which chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ...base.types import Array, Bools, Ints


class Cut(NamedTuple):
    """B sequences of T steps in chunks of equal length, of which all but the first are run from some steps earlier.

    Arrays of chunks have the axes (B, chunks, steps, ...); `flat` makes of them those of a batch.
    """

    B: int
    T: int
    chunks: int
    steps: int
    early: int

    @classmethod
    def of(cls, B: int, T: int, chunks: int, early: int) -> Cut:
        """Into at most so many chunks, none of which is empty."""
        steps = -(-T // chunks)
        return cls(B, T, -(-T // steps), steps, min(early, steps))

    def split(self, array: Array) -> Array:
        """(B, T, ...) as (B, chunks, steps, ...), 0 behind the end."""
        room = self.chunks * self.steps
        if room != self.T:
            whole = np.zeros((self.B, room, *array.shape[2:]), array.dtype)
            whole[:, : self.T] = array
            array = whole
        return array.reshape(self.B, self.chunks, self.steps, *array.shape[2:])

    def joined(self, array: Array) -> Array:
        """(B * chunks, steps, ...) as (B, T, ...): the inverse of `split` and `flat`."""
        array = array.reshape(self.B, self.chunks * self.steps, *array.shape[2:])
        return np.ascontiguousarray(array[:, : self.T])

    def by_chunk(self, array: Array) -> Array:
        """(B * chunks, K) as (B, chunks, K)."""
        return array.reshape(self.B, -1, array.shape[-1])

    def lengths(self, lengths: Ints, first: int, steps: int) -> Ints:
        """(B, chunks) valid steps of the windows of so many steps that begin ``first`` steps after each chunk does."""
        return np.clip(lengths[:, None] - np.arange(self.chunks) * self.steps - first, 0, steps)

    def last(self, lengths: Ints) -> Ints:
        """(B,) the chunk in which each sequence ends."""
        return np.maximum(lengths - 1, 0) // self.steps

    def borders(self, lengths: Ints) -> Bools:
        """(B, chunks - 1) whether there are steps behind a border, so that its states must agree."""
        return np.arange(1, self.chunks) * self.steps < lengths[:, None]


def flat(array: Array) -> Array:
    """The first two axes as one, contiguous."""
    return np.ascontiguousarray(array).reshape(-1, *array.shape[2:])
