"""What an expression of a `Program` may do with numbers: each operation by its name, with its definition in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..base.activations import normal_cdf, sigmoid


class Operation(NamedTuple):
    """An operation on numbers, element by element.

    Attributes
    ----------
    arguments : int
    compute : callable
        The definition; takes and gives arrays.
    """

    arguments: int
    compute: Callable[..., np.ndarray]


def relaxed(r: np.ndarray) -> np.ndarray:
    """(1 - exp(-r)) / r, which is 1 at r = 0: the mean of exp(-s) for s from 0 to r, which may be negative."""
    r = np.asarray(r)
    with np.errstate(over="ignore"):
        rise = -np.expm1(-r)
    return np.divide(rise, r, out=np.ones_like(r), where=r != 0)


def chosen(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a where c > 0, else b."""
    return np.where(c > 0, a, b)


OPERATIONS = {
    "add": Operation(2, np.add),
    "subtract": Operation(2, np.subtract),
    "multiply": Operation(2, np.multiply),
    "divide": Operation(2, np.divide),
    "negative": Operation(1, np.negative),
    "absolute": Operation(1, np.abs),
    "minimum": Operation(2, np.minimum),
    "maximum": Operation(2, np.maximum),
    "sqrt": Operation(1, np.sqrt),
    "exp": Operation(1, np.exp),
    "sin": Operation(1, np.sin),
    "cos": Operation(1, np.cos),
    "tanh": Operation(1, np.tanh),
    "sigmoid": Operation(1, sigmoid),
    "normal_cdf": Operation(1, normal_cdf),
    "relaxed": Operation(1, relaxed),
    # Both values are computed, so neither may divide by 0.
    "select": Operation(3, chosen),
}
