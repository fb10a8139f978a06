"""Arrays that are made in every call."""

from __future__ import annotations

from typing import Any

import numpy as np

from .types import Numbers, Shape


def filled(shape: int | Shape, value: float, dtype: np.dtype[Any] | type) -> Numbers:
    """A new array of one number; `np.full` and `np.ones` take several times as long for few."""
    found = np.empty(shape, dtype)
    found.fill(value)
    return found


def are_all(array: Numbers, value: float) -> bool:
    """Whether all numbers of a flat array have the bits of this one; to compare them takes NumPy twice as long."""
    return array.tobytes() == np.array(value, array.dtype).tobytes() * len(array)
