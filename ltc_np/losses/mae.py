"""Absolute error: docs/maths/losses.md#absolute-error."""

from __future__ import annotations

import numpy as np

from ..base.types import Array, ArrayLike
from .kind import kind_of_errors


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
    return MAE.checked(y, target, weight, class_weight)


def elements(error: Array) -> tuple[Array, Array]:
    """l and dl/dy of each error."""
    return np.abs(error), np.sign(error)


MAE = kind_of_errors(
    mae,
    elements,
    scale_powers=(1, 1),
    on_card=True,
    foreign_names="mean_absolute_error l1_loss l1loss l1 absolute_error",
)
