"""Softmax cross-entropy of classes: docs/maths/losses.md#softmax-cross-entropy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base.types import Array, ArrayLike, Ints, Numbers
from .kind import LossKind
from .probabilities import softmax
from .weights import sum_of_weights, weigh


def cross_entropy(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, class_weight: ArrayLike | None = None
) -> tuple[float, float, Array]:
    """Softmax cross-entropy of logits, one element per step:

        l = log(sum_o exp(y_o)) - y_c          dl/dy_o = exp(y_o) / sum_o' exp(y_o') - [o == c]

    with c the target; the largest logit is subtracted first, so that nothing overflows.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
        Logits, O >= 2.
    target : int or bool array of shape y.shape[:-1]
        Classes in 0..O-1.
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
        A target that is not made of integers or bools.
    ValueError
        A shape that differs, a class out of range, a weight that is negative or not finite, or a ``class_weight`` that
        is not (O,), finite and >= 0.

    Examples
    --------
    >>> total, weight_sum, d_y = cross_entropy(np.array([[0.0, 0.0], [0.0, 1000.0]]), np.array([0, 1]))
    >>> round(total, 6), weight_sum, d_y.tolist()
    (0.693147, 2.0, [[-0.5, 0.5], [0.0, 0.0]])
    """
    return CROSS_ENTROPY.checked(y, target, weight, class_weight)


def elements(logits: Array, classes: Ints) -> tuple[Array, Array]:
    """l (n,) and dl/dy (n, O) of logits (n, O)."""
    rows = np.arange(classes.size)
    logits = logits - logits.max(axis=1, keepdims=True)
    chosen = logits[rows, classes]
    d_y, norm = softmax(logits)
    d_y[rows, classes] -= 1
    return np.log(norm[:, 0]) - chosen, d_y


def unchecked(
    y: Array,
    target: Ints,
    weight: Array | None = None,
    class_weight: Array | None = None,
    elements: Callable[[Array, Ints], tuple[Array, Array]] = elements,
) -> tuple[float, float, Array]:
    """`cross_entropy` of checked arrays; targets are intp, class_weight is of y's dtype."""
    classes = target.ravel()
    values, d_y = elements(y.reshape(classes.size, y.shape[-1]), classes)
    weight = _step_weight(target, weight, class_weight)
    total, weight_sum, d_y = weigh(values[:, None], d_y, weight)
    return total, weight_sum, d_y.reshape(y.shape)


def _step_weight(target: Ints, weight: Array | None, class_weight: Array | None) -> Array | None:
    """(number of steps,) ``weight`` of each times the weight of its class; None is 1 everywhere."""
    if class_weight is not None:
        scale = class_weight[target]
        weight = scale if weight is None else scale * weight
    return None if weight is None else weight.ravel()


def weight_sum(target: Ints, weight: Array | None, class_weight: Array | None) -> float:
    """The ``weight_sum`` of `unchecked` alone."""
    return sum_of_weights(_step_weight(target, weight, class_weight), (target.size, 1))


def check_classes(argument: str, target: Numbers, O: int) -> None:
    """Refuse what is not made of classes in 0..O-1."""
    if target.dtype.kind not in "iub":
        whole = target.dtype.kind == "f" and (target == np.rint(target)).all()
        hint = f": take {argument}.astype(int)" if whole else ""
        raise TypeError(f"`{argument}` of cross_entropy must be integer classes, got dtype {target.dtype}{hint}")
    outside = (target < 0) | (target >= O)
    if outside.any():
        got = target[outside].flat[0]
        hint = 'NaN is no class, with missing="ignore"' if got < 0 else "they count from 0, one for each output"
        raise ValueError(f"`{argument}` of cross_entropy must be classes in 0..{O - 1}, got {got}: {hint}")


CROSS_ENTROPY = LossKind(
    cross_entropy,
    unchecked,
    scale_powers=None,
    on_card=True,
    class_count=lambda outputs: outputs,
    integer_targets=True,
    weight_sum=weight_sum,
    check_values=check_classes,
    foreign_names="crossentropy crossentropyloss categorical_crossentropy sparse_categorical_crossentropy log_loss",
    note="takes logits",
)
