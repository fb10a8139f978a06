"""Whether two states, or two adjoints, are the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...base.types import Array, Bools


def rounding(dtype: np.dtype) -> float:
    """What rounding leaves between two results, relative to each number itself: a few units of its last place."""
    return 8 * float(np.finfo(dtype).eps)


def smallest(dtype: np.dtype) -> float:
    """Below this a number is judged as if it were this large: near the end of the range there are no eight digits."""
    return 1e3 * float(np.finfo(dtype).tiny)


def near(a: Array, b: Array, tolerance: float) -> Bools:
    """Which numbers agree: to the bit, or to ``tolerance`` relative to the larger of the two.

    Each number is judged by its own size, never by that of its neighbours: a neuron's parameters have gradients of the
    size of its own adjoint, however large the others' are.  With a NaN in the same place in both they agree, or the
    same infinity: nothing is won by computing it again.
    """
    agree = (a == b) | (np.isnan(a) & np.isnan(b))
    if tolerance == 0:
        return agree
    size = np.maximum(np.fmax(np.abs(a), np.abs(b)), smallest(a.dtype))
    return agree | (apart_by(a, b) <= tolerance * np.minimum(size, np.finfo(a.dtype).max))


def apart_by(a: Array, b: Array) -> Array:
    """|a - b|, infinite where one of them is not finite."""
    finite = np.isfinite(a) & np.isfinite(b)
    return np.abs(np.subtract(a, b, out=np.full(a.shape, np.inf, a.dtype), where=finite))


def largest(arrays: Iterable[Array]) -> Array:
    """Of each number the largest finite one in some arrays of one shape, 0 where there is none."""
    every = np.stack(list(arrays))
    return np.max(every, axis=0, where=np.isfinite(every), initial=0)
