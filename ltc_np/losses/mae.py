"""Absolute error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .shapes import checked_regression
from .weights import weigh

if TYPE_CHECKING:
    from ..base.types import Array, ArrayLike


def mae(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, class_weight: ArrayLike | None = None
) -> tuple[float, float, Array]:
    """Absolute error: l = abs(y - target), with derivative sign(y - target), which is 0 at the kink.

    Parameters, returns and errors are those of `mse`.

    Examples
    --------
    >>> total, weight_sum, d_y = mae(np.array([[1.0, -2.0, 5.0]]), np.array([[1.0, 0.0, 2.0]]))
    >>> total, weight_sum, d_y.tolist()
    (5.0, 3.0, [[0.0, -1.0, 1.0]])
    """
    return trusted(*checked_regression(y, target, weight, class_weight))


def trusted(
    y: Array, target: Array, weight: Array | None = None, class_weight: Array | None = None
) -> tuple[float, float, Array]:
    """`mae` of checked arrays."""
    error = np.subtract(y, target, dtype=y.dtype)
    return weigh(np.abs(error), np.sign(error), weight)
