"""Logistic cross-entropy of two classes."""

import numpy as np

from .shapes import check_shapes
from .weights import check_class_weight, sum_of_weights, weigh


def binary_cross_entropy(y, target, weight=None, class_weight=None):
    """Logistic cross-entropy of logits, one element per output; with p = 1 / (1 + exp(-y)),

        l = -a log(p) - b log(1 - p)           a = target           (times class_weight[1])
        dl/dy = b p - a (1 - p)                b = 1 - target       (times class_weight[0])

    computed as a log(1 + exp(-y)) + b log(1 + exp(y)) from exp(-abs(y)), which cannot overflow.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
        Logits.
    target : array of y's shape, values in [0, 1], or int or bool array of shape y.shape[:-1] when O == 1
        Probability of the positive class (`check_target` makes sure of the range).
    weight : array of shape y.shape[:-1], >= 0, or None
    class_weight : (2,) array >= 0, or None
        Weights of the negative and of the positive class.  A target in between belongs to both, to each in
        part.

    Returns
    -------
    total : float
        Sum of w l over all (b, t, o).
    weight_sum : float
        Sum of w (a + b) over the same elements: O times the sum of ``weight`` without ``class_weight``.
    d_y : array of y's shape and dtype

    Raises
    ------
    ValueError
        A shape that differs, or a ``class_weight`` that is not (2,), finite and >= 0.

    Examples
    --------
    >>> total, weight_sum, d_y = binary_cross_entropy(np.array([[0.0], [1000.0]]), np.array([[1.0], [1.0]]))
    >>> round(total, 6), weight_sum, d_y.tolist()
    (0.693147, 2.0, [[-0.5], [0.0]])
    """
    if y.shape[-1] == 1 and target.shape == y.shape[:-1] and target.dtype.kind in "iub":
        target = target[..., None]
    check_shapes(y, target, y.shape, weight)
    positive, negative, sizes = _parts(target, class_weight, y.dtype)
    small = np.exp(-np.abs(y))
    # log(1 + exp(y)) = max(y, 0) + log(1 + exp(-|y|)); 1 - p from the exponential too, or its digits are lost
    elements = (positive + negative) * np.log1p(small)
    elements += positive * np.maximum(-y, 0) + negative * np.maximum(y, 0)
    p = np.where(y >= 0, 1, small) / (1 + small)
    q = np.where(y >= 0, small, 1) / (1 + small)
    return weigh(elements, negative * p - positive * q, weight, sizes)


def _parts(target, class_weight, dtype):
    """a and b of each element, in ``dtype``, and a + b; None is 1 everywhere."""
    positive = target.astype(dtype)
    negative = 1 - positive
    if class_weight is None:
        return positive, negative, None
    scale = check_class_weight(class_weight, 2, dtype)
    negative *= scale[0]
    positive *= scale[1]
    return positive, negative, positive + negative


def weight_sum(target, weight, class_weight, outputs, dtype):
    """The ``weight_sum`` of `binary_cross_entropy` alone."""
    sizes = None if class_weight is None else _parts(target, class_weight, dtype)[2]
    return sum_of_weights(weight, target.shape, sizes)
