"""Which steps belong to which chunk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...base.types import Array, Bools, Ints


class Cut(NamedTuple):
    """B sequences of T steps in chunks of equal length, of which all but the first are run from some steps earlier.

    Arrays of chunks have the axes (B, chunks, steps, ...); `flat` makes of them those of a batch.  A *window* is the
    ``early`` steps before a border, in which a state is found, or behind it, in which an adjoint is: as many as there
    are, if that is fewer.
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
        return cls(B, T, -(-T // steps), steps, early)

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
        """(B * chunks, ...) as (B, chunks, ...): the inverse of `flat`."""
        return array.reshape(self.B, -1, *array.shape[1:])

    def lengths(self, lengths: Ints) -> Ints:
        """(B, chunks) valid steps of the chunks."""
        return np.clip(lengths[:, None] - np.arange(self.chunks) * self.steps, 0, self.steps)

    def before(self, lengths: Ints) -> tuple[Ints, Ints]:
        """Of the windows before the borders: first steps (chunks - 1,), and valid steps (B, chunks - 1)."""
        border = np.arange(1, self.chunks) * self.steps
        first = np.maximum(border - self.early, 0)
        return first, np.clip(lengths[:, None] - first, 0, border - first)

    def behind(self, lengths: Ints) -> tuple[Ints, Ints]:
        """The same of the windows behind the borders."""
        first = np.arange(1, self.chunks) * self.steps
        return first, np.clip(lengths[:, None] - first, 0, self.early)

    def windows(self, array: Array, first: Ints) -> Array:
        """(B * (chunks - 1), early, ...): windows of an array of chunks that have these first steps."""
        whole = array.reshape(self.B, -1, *array.shape[3:])
        steps = np.minimum(first[:, None] + np.arange(self.early), whole.shape[1] - 1)
        return flat(whole[:, steps])

    def last(self, lengths: Ints) -> Ints:
        """(B,) the chunk in which each sequence ends."""
        return np.maximum(lengths - 1, 0) // self.steps

    def borders(self, lengths: Ints) -> Bools:
        """(B, chunks - 1) whether there are steps behind a border, so that its states must agree."""
        return np.arange(1, self.chunks) * self.steps < lengths[:, None]


def flat(array: Array) -> Array:
    """The first two axes as one, contiguous."""
    return np.ascontiguousarray(array).reshape(-1, *array.shape[2:])
