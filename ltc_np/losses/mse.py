"""Squared error: docs/maths/losses.md#squared-error."""

from __future__ import annotations

from ..base.types import Array, ArrayLike
from .kind import kind_of_errors


def mse(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, class_weight: ArrayLike | None = None
) -> tuple[float, float, Array]:
    """Squared error: l = (y - target)**2.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
    target : array of y's shape, or of shape y.shape[:-1] when O == 1
    weight : array of shape y.shape[:-1] or of y's shape, >= 0, or None
        Weight of all O outputs of a step, or of each output; None is 1 everywhere.
    class_weight : None
        There are no classes here; anything else is a ValueError.

    Returns
    -------
    total : float
        Sum of w l over all (b, t, o).
    weight_sum : float
        Sum of w over all (b, t, o), so that ``total / weight_sum`` is the mean when all weights are 1.
    d_y : array of y's shape and dtype
        2 w (y - target).

    Raises
    ------
    TypeError
        A y that is no float array, a target or a weight that is not made of real numbers.
    ValueError
        A shape that differs, a weight that is negative or not finite, or a ``class_weight``.

    Examples
    --------
    >>> import numpy as np
    >>> y, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [3.0, 3.0]])
    >>> total, weight_sum, d_y = mse(y, target)
    >>> total, weight_sum, total / weight_sum
    (5.0, 4.0, 1.25)
    >>> d_y.tolist()
    [[0.0, 4.0], [0.0, 2.0]]
    >>> mse(y, target, weight=np.array([0.0, 1.0]))[:2]
    (1.0, 2.0)
    """
    return MSE.checked(y, target, weight, class_weight)


def elements(error: Array) -> tuple[Array, Array]:
    """l and dl/dy of each error; the array of errors becomes dl/dy."""
    squares = error * error
    error += error
    return squares, error


MSE = kind_of_errors(
    mse,
    elements,
    scale_powers=(2, 2),
    on_card=True,
    foreign_names="mean_squared_error mse_loss mseloss squared_error l2",
)
