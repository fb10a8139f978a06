"""Squared near the target, absolute far away: docs/maths/losses.md#huber."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike
from .kind import Option, kind_of_errors


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
    return HUBER.checked(y, target, weight, class_weight, delta=delta)


def elements(error: Array, delta: float) -> tuple[Array, Array]:
    """l and dl/dy of each error."""
    slope = np.minimum(np.maximum(error, -delta), delta)
    return slope * (error - slope / 2), slope  # both branches: slope is e or +-delta


def check_delta(delta: float) -> float:
    """``delta`` as a float: a NumPy scalar would promote float32."""
    return checks.number("delta", delta, low_open=True)


HUBER = kind_of_errors(
    huber,
    elements,
    scale_powers=(1, 2),
    on_card=True,
    option=Option("delta", check_delta),
    foreign_names="huber_loss huberloss smooth_l1 smooth_l1_loss smoothl1loss",
    note="`functools.partial(ltc_np.losses.huber, delta=0.1)` for another width",
)
