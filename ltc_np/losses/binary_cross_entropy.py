"""Logistic cross-entropy of two classes: docs/maths/losses.md#binary-cross-entropy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base.types import Array, ArrayLike, Numbers
from .kind import LossKind
from .probabilities import logistic
from .weights import sum_of_weights, weigh


def binary_cross_entropy(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, class_weight: ArrayLike | None = None
) -> tuple[float, float, Array]:
    """Logistic cross-entropy of logits, one element per output; with p = 1 / (1 + exp(-y)),

        l = -a log(p) - b log(1 - p)           a = target           (times class_weight[1])
        dl/dy = b p - a (1 - p)                b = 1 - target       (times class_weight[0])

    computed as a log(1 + exp(-y)) + b log(1 + exp(y)) from exp(-abs(y)), which cannot overflow.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
        Logits.
    target : array of y's shape, or of shape y.shape[:-1] when O == 1, values in [0, 1]
        Probability of the positive class.
    weight : array of shape y.shape[:-1] or of y's shape, >= 0, or None
        Weight of all O outputs of a step, or of each output.
    class_weight : (2,) array >= 0, or None
        Weights of the negative and of the positive class.  A target in between belongs to both, to each in
        part.

    Returns
    -------
    total : float
        Sum of w l over all (b, t, o).
    weight_sum : float
        Sum of w (a + b) over the same elements: the sum of w without ``class_weight``.
    d_y : array of y's shape and dtype

    Raises
    ------
    TypeError
        A y that is no float array, a target or a weight that is not made of real numbers.
    ValueError
        A shape that differs, a target that is not in [0, 1], a weight that is negative or not finite, or a
        ``class_weight`` that is not (2,), finite and >= 0.

    Examples
    --------
    >>> total, weight_sum, d_y = binary_cross_entropy(np.array([[0.0], [1000.0]]), np.array([[1.0], [1.0]]))
    >>> round(total, 6), weight_sum, d_y.tolist()
    (0.693147, 2.0, [[-0.5], [0.0]])
    """
    return BINARY_CROSS_ENTROPY.checked(y, target, weight, class_weight)


def elements(y: Array, target: Array, class_weight: Array | None) -> tuple[Array, Array]:
    """l and dl/dy of each element."""
    positive, negative, _ = _parts(target, class_weight)
    small = np.exp(-np.abs(y))
    # log(1 + exp(y)) = max(y, 0) + log(1 + exp(-|y|))
    values = (positive + negative) * np.log1p(small)
    values += positive * np.maximum(-y, 0) + negative * np.maximum(y, 0)
    p, q = logistic(y, small)
    return values, negative * p - positive * q


def unchecked(
    y: Array,
    target: Array,
    weight: Array | None = None,
    class_weight: Array | None = None,
    elements: Callable[[Array, Array, Array | None], tuple[Array, Array]] = elements,
) -> tuple[float, float, Array]:
    """`binary_cross_entropy` of checked arrays; target is of y's shape, all of its dtype."""
    values, d_y = elements(y, target, class_weight)
    return weigh(values, d_y, weight, None if class_weight is None else _parts(target, class_weight)[2])


def _parts(target: Array, class_weight: Array | None) -> tuple[Array, Array, Array | None]:
    """a and b of each element, and a + b; None is 1 everywhere."""
    if class_weight is None:
        return target, 1 - target, None
    positive, negative = target * class_weight[1], (1 - target) * class_weight[0]
    return positive, negative, positive + negative


def weight_sum(target: Array, weight: Array | None, class_weight: Array | None) -> float:
    """The ``weight_sum`` of `unchecked` alone."""
    sizes = None if class_weight is None else _parts(target, class_weight)[2]
    return sum_of_weights(weight, target.shape, sizes)


def check_probabilities(argument: str, target: Numbers, O: int) -> None:
    """Refuse what is not in [0, 1]."""
    outside = ~((target >= 0) & (target <= 1))  # also true for NaN
    if outside.any():
        rule = f"`{argument}` of binary_cross_entropy must be in [0, 1]"
        raise ValueError(f"{rule}, got {target[outside].flat[0]}: of two classes take 0 and 1")


BINARY_CROSS_ENTROPY = LossKind(
    binary_cross_entropy,
    unchecked,
    scale_powers=None,
    on_card=True,
    class_count=lambda outputs: 2,
    weight_sum=weight_sum,
    check_values=check_probabilities,
    foreign_names="bce binary_crossentropy bceloss bcewithlogitsloss binary_cross_entropy_with_logits",
    note="takes logits",
)
