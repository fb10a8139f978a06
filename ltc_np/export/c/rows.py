"""The elements of a matrix, or the synapses of neurons, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUMBER, INDEX = 4, 1  # bytes of a weight and of the index that a list keeps beside it


@dataclass(frozen=True, eq=False)
class Rows:
    """Lists of columns: those of row n are ``columns[start[n] : start[n + 1]]``.

    Attributes
    ----------
    columns, start : (S,) and (N + 1,) int arrays
    width : int
        How many columns there are.
    values : (S,) array
        Elements of a matrix in this order; empty for synapses.
    """

    columns: np.ndarray
    start: np.ndarray
    width: int
    values: np.ndarray

    @property
    def count(self) -> int:
        """N."""
        return len(self.start) - 1

    @property
    def is_full(self) -> bool:
        """Whether every row has every column, in order, so that no list is needed."""
        full = len(self.columns) == self.count * self.width
        return full and bool((self.columns == np.tile(np.arange(self.width), self.count)).all())

    @classmethod
    def of_lists(cls, columns: np.ndarray, start: np.ndarray, width: int) -> Rows:
        """Of synapses."""
        return cls(columns, start, width, np.empty(0))

    @classmethod
    def of_matrix(cls, weights: np.ndarray) -> Rows:
        """Of the elements that are not 0, or of all where that takes less room."""
        live = weights != 0
        if live.sum() * (NUMBER + INDEX) + len(live) * INDEX >= live.size * NUMBER:
            live[:] = True
        row, column = np.nonzero(live)
        start = np.searchsorted(row, np.arange(len(live) + 1))
        return cls(column, start, live.shape[1], weights[live])
