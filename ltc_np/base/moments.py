"""Mean and variance of numbers that come one after another."""

from __future__ import annotations

import numpy as np

from .types import Array


class Moments:
    """Mean and variance of all rows so far, each of D numbers; exact however the rows are divided.

    Attributes
    ----------
    count : int
    mean, variance : (D,) float64 arrays
        The variance is divided by ``count``.
    """

    count: int
    mean: Array
    squares: Array

    def __init__(self, size: int) -> None:
        self.count, self.mean, self.squares = 0, np.zeros(size), np.zeros(size)

    @property
    def variance(self) -> Array:
        return self.squares / max(self.count, 1)

    def add(self, rows: Array) -> None:
        """Take rows (N, D) in: Chan, Golub and LeVeque (1983), of two parts."""
        n = len(rows)
        if not n:
            return
        mean, total = rows.mean(axis=0), self.count + n
        apart = mean - self.mean
        self.squares = self.squares + ((rows - mean) ** 2).sum(axis=0) + apart**2 * (self.count * n / total)
        self.mean = self.mean + apart * (n / total)
        self.count = total

    def state(self) -> dict[str, object]:
        """As plain data and arrays."""
        return {"count": self.count, "mean": self.mean, "squares": self.squares}

    def restore(self, state: dict[str, object]) -> None:
        """Inverse of `state`."""
        mean, squares = (np.array(state[name], np.float64) for name in ("mean", "squares"))
        if mean.shape != self.mean.shape or squares.shape != self.mean.shape:
            raise ValueError(f"moments must have shape {self.mean.shape}, got {mean.shape} and {squares.shape}")
        self.count, self.mean, self.squares = int(state["count"]), mean, squares
