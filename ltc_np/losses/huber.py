"""Squared near the target, absolute far away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import checks
from .shapes import checked_regression
from .weights import weigh

if TYPE_CHECKING:
    from ..base.types import Array, ArrayLike


def huber(
    y: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    *,
    delta: float = 1.0,
) -> tuple[float, float, Array]:
    """Squared near the target, absolute far away; with e = y - target,

        l = e**2 / 2                        if abs(e) <= delta
        l = delta * (abs(e) - delta / 2)    otherwise
        dl/dy = max(-delta, min(e, delta))

    Parameters, returns and errors are those of `mse`, and

    Parameters
    ----------
    delta : float > 0
        Where the two branches meet (value and slope agree there).  Elsewhere in the library a loss is an
        argument; write ``functools.partial(huber, delta=0.1)``.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964), 73-101.

    Examples
    --------
    >>> total, weight_sum, d_y = huber(np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]]))
    >>> total, weight_sum, d_y.tolist()
    (2.625, 2.0, [[0.5, 1.0]])
    """
    delta = check_delta(delta)
    return trusted(*checked_regression(y, target, weight, class_weight), delta=delta)


def check_delta(delta: float) -> float:
    """``delta`` as a float: a NumPy scalar would promote float32."""
    return checks.number("delta", delta, low_open=True)


def trusted(
    y: Array, target: Array, weight: Array | None = None, class_weight: Array | None = None, *, delta: float = 1.0
) -> tuple[float, float, Array]:
    """`huber` of checked arguments."""
    error = np.subtract(y, target, dtype=y.dtype)
    slope = np.minimum(np.maximum(error, -delta), delta)
    return weigh(slope * (error - slope / 2), slope, weight)  # both branches: slope is e or +-delta
