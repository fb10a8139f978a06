"""Which values a layer drops in training: factors that are the same however a batch is divided among processes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.types import Array, Float, Shape


class PartOfBatch(np.random.Generator):
    """A generator for a process that has only a part of a batch: its rows are number ``first`` and the next ones, of
    ``count``.

    `dropout_mask` then gives the rows that it would give for the whole batch.
    """

    def __init__(self, bits: np.random.BitGenerator, first: int, count: int) -> None:
        super().__init__(bits)
        self.first: int = int(first)
        self.count: int = int(count)


def own_rng(rng: np.random.Generator | None) -> np.random.Generator | None:
    """A generator for one layer or mask: how much is drawn from it changes nothing for others.  None for None."""
    if rng is None:
        return None
    bits = np.random.Philox(int(rng.integers(2**63)))
    return PartOfBatch(bits, rng.first, rng.count) if isinstance(rng, PartOfBatch) else np.random.Generator(bits)


def dropout_mask(rng: np.random.Generator, rate: float, shape: Shape, dtype: Float) -> Array:
    """Factors of an array in training: 0 with probability ``rate``, else 1 / (1 - rate).

    ``shape`` has time first: then the factors of a step are the same however many steps, of padding, come behind it.
    """
    own: Any = own_rng(rng)
    drawn = _rows_of(own, shape) if isinstance(own, PartOfBatch) else own.random(shape, np.float32)
    return (drawn >= rate) * dtype.type(1 / (1 - rate))


# How many float32 numbers Philox makes from one value of its counter: 4 words of 64 bits, of which each gives two.
AT_ONCE = 8


def _rows_of(rng: PartOfBatch, shape: Shape) -> Array:
    """The rows from ``rng.first`` on, (T, B, F), of what would be drawn for the whole batch, (T, rng.count, F)."""
    T, B, F = shape
    drawn, counter = np.empty((T, B * F), np.float32), 0
    for t in range(T):
        place, over = divmod((t * rng.count + rng.first) * F, AT_ONCE)
        rng.bit_generator.advance(place - counter)  # type: ignore[attr-defined]
        drawn[t] = rng.random(over + B * F, np.float32)[over:]
        counter = place + -(-(over + B * F) // AT_ONCE)
    return drawn.reshape(shape)
