"""Softmax cross-entropy of classes."""

import numpy as np

from .shapes import check_shapes
from .weights import check_class_weight, sum_of_weights, weigh


def cross_entropy(y, target, weight=None, class_weight=None):
    """Softmax cross-entropy of logits, one element per step:

        l = log(sum_o exp(y_o)) - y_c          dl/dy_o = exp(y_o) / sum_o' exp(y_o') - [o == c]

    with c the target; the largest logit is subtracted first, so that nothing overflows.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
        Logits, O >= 2.
    target : int array of shape y.shape[:-1]
        Classes in 0..O-1 (`check_target` makes sure of the range).
    weight : array of shape y.shape[:-1], >= 0, or None
    class_weight : (O,) array >= 0, or None
        Multiplies the weight of an element by the entry of its target.

    Returns
    -------
    total, weight_sum : float
        Sums over (b, t) of w l and of w; the mean is torch's weighted mean.
    d_y : array of y's shape and dtype

    Raises
    ------
    TypeError
        A target that is not made of integers.
    ValueError
        A shape that differs, or a ``class_weight`` that is not (O,), finite and >= 0.

    Examples
    --------
    >>> total, weight_sum, d_y = cross_entropy(np.array([[0.0, 0.0], [0.0, 1000.0]]), np.array([0, 1]))
    >>> round(total, 6), weight_sum, d_y.tolist()
    (0.693147, 2.0, [[-0.5, 0.5], [0.0, 0.0]])
    """
    check_shapes(y, target, y.shape[:-1], weight)
    if target.dtype.kind not in "iu":
        raise TypeError(f"`target` of cross_entropy must be integer classes, got dtype {target.dtype}")
    classes = target.ravel()
    rows = np.arange(classes.size)
    logits = y.reshape(classes.size, y.shape[-1])
    logits = logits - logits.max(axis=1, keepdims=True)
    chosen = logits[rows, classes]
    d_y = np.exp(logits, out=logits)
    norm = d_y.sum(axis=1, keepdims=True)
    elements = np.log(norm[:, 0]) - chosen
    d_y /= norm
    d_y[rows, classes] -= 1
    weight = _step_weight(target, weight, class_weight, y.shape[-1], y.dtype)
    total, weight_sum, d_y = weigh(elements[:, None], d_y, weight)
    return total, weight_sum, d_y.reshape(y.shape)


def _step_weight(target, weight, class_weight, outputs, dtype):
    """(number of steps,) ``weight`` of each times the weight of its class, in ``dtype``; None is 1 everywhere."""
    if class_weight is not None:
        scale = check_class_weight(class_weight, outputs, dtype)[target]
        weight = scale if weight is None else scale * weight
    return None if weight is None else weight.ravel()


def weight_sum(target, weight, class_weight, outputs, dtype):
    """The ``weight_sum`` of `cross_entropy` alone."""
    return sum_of_weights(_step_weight(target, weight, class_weight, outputs, dtype), (target.size, 1))
