"""Logits to probabilities."""

from __future__ import annotations

import numpy as np

from ..base.types import Array


def softmax(shifted: Array) -> tuple[Array, Array]:
    """exp(y_o) / sum_o' exp(y_o') of rows whose largest number is 0; in place.

    Returns
    -------
    p : (n, O) array
        ``shifted`` itself.
    norm : (n, 1) array
        The sums.
    """
    p = np.exp(shifted, out=shifted)
    norm = p.sum(axis=1, keepdims=True)
    p /= norm
    return p, norm


def logistic(y: Array, small: Array) -> tuple[Array, Array]:
    """p = 1 / (1 + exp(-y)) and 1 - p, from small = exp(-abs(y)): a difference 1 - p would lose the digits."""
    return np.where(y >= 0, 1, small) / (1 + small), np.where(y >= 0, small, 1) / (1 + small)


def probabilities(y: Array, multilabel: bool = False) -> Array:
    """The probabilities of classes, of logits.

    Parameters
    ----------
    y : (..., O) float array
        Logits, as the losses `cross_entropy` and `binary_cross_entropy` take them.
    multilabel : bool
        Every output is a class of its own, which is true or not whatever the others are: 1 / (1 + exp(-y)).

    Returns
    -------
    (..., C) array of y's dtype
        Softmax, or the probabilities of labels, of C = O classes.  One logit is that of class 1 against class 0: then
        C = 2, in this order.

    Examples
    --------
    >>> probabilities(np.array([[0.0], [np.log(3.0)]])).round(3).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    >>> probabilities(np.log([[1.0, 3.0, 4.0]])).round(3).tolist()
    [[0.125, 0.375, 0.5]]
    >>> probabilities(np.array([[0.0, 1000.0]]), multilabel=True).tolist()
    [[0.5, 1.0]]
    """
    if multilabel or y.shape[-1] == 1:
        p, q = logistic(y, np.exp(-np.abs(y)))
        return p if multilabel else np.concatenate([q, p], axis=-1)
    rows = y.reshape(-1, y.shape[-1])
    return softmax(rows - rows.max(axis=1, keepdims=True))[0].reshape(y.shape)
