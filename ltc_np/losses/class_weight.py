"""The weights of classes, in the forms in which users give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..base import checks
from ..base.types import Array, ClassWeight, Float, LibraryLoss, Numbers
from .registry import class_count, takes_weight
from .weights import check_class_weight, check_has_classes


def read_class_weight(
    loss: LibraryLoss,
    class_weight: ClassWeight,
    outputs: int,
    dtype: Float,
    target: Numbers,
    mask: Numbers | None,
    of_all: Callable[[Array], Array] = lambda counts: counts,
) -> Array | None:
    """The weights of classes as an array.

    Parameters
    ----------
    loss : callable
        What `get` returned.
    class_weight : (C,) array, dict class -> weight, "balanced" or None
        Numbers >= 0; classes that a dict does not name weigh 1.  "balanced" is n / (C n_c) for n elements that count,
        of which n_c are of class c: then all classes weigh the same in sum.
    outputs : int
        Number O of outputs.
    dtype : float dtype
        Of the prediction.
    target : array
        From `check_target`: what "balanced" counts.  A probability counts for both classes, for each in part.
    mask : array of the steps' or of the target's shape, or None
        Elements count where it is > 0; None is everywhere.
    of_all : callable
        If these targets are only a part of all: makes the counts (C,) of all targets from the counts of these.

    Returns
    -------
    (C,) array of ``dtype``, or None
        C is O for cross_entropy, 2 for binary_cross_entropy (all outputs have the same weights); for a loss of a user's
        own O, but 2 of a single output.

    Raises
    ------
    ValueError, TypeError
        A loss without classes, numbers or classes that do not fit, "balanced" without an element of some class.

    Examples
    --------
    >>> from ltc_np.losses import cross_entropy
    >>> target = np.array([0, 0, 0, 1])
    >>> read_class_weight(cross_entropy, "balanced", 2, np.float32, target, None).tolist()
    [0.6666666865348816, 2.0]
    >>> read_class_weight(cross_entropy, {1: 5.0}, 3, np.float32, target, None).tolist()
    [1.0, 5.0, 1.0]
    """
    if class_weight is None:
        return None
    size = class_count(loss, outputs)
    check_has_classes(class_weight, size)
    if isinstance(class_weight, str):
        checks.one_of("class_weight", class_weight, ("balanced",))
        if not takes_weight(loss):
            _check_countable(size, target, mask)
        class_weight = _balanced(of_all(_counts(size, target if mask is None else target[mask > 0])))
    elif isinstance(class_weight, Mapping):
        class_weight = _by_class(size, class_weight)
    return check_class_weight(class_weight, size, dtype)


def _by_class(size: int, weights: Mapping[int, float]) -> Array:
    found = np.ones(size)
    for label, weight in weights.items():
        if not isinstance(label, (int, np.integer)) or not 0 <= label < size:
            wrong = ValueError if isinstance(label, (int, np.integer)) else TypeError
            raise wrong(f"`class_weight` must name classes in 0..{size - 1}, got {label!r}")
        found[int(label)] = checks.number(f"class_weight[{label}]", weight)
    return found


def _check_countable(size: int, target: Numbers, mask: Numbers | None) -> None:
    """Refuse targets of a user's own loss that are no classes, one for each step: they may be anything."""
    other_form = target.dtype.kind == "f" or (mask is not None and mask.shape != target.shape)
    if other_form or (target.size and not 0 <= int(target.min()) <= int(target.max()) < size):
        raise ValueError(
            f"`class_weight` must be numbers, in a dict or an array, where targets are not classes 0..{size - 1}, one "
            'for each step, which could be counted, got "balanced"'
        )


def _counts(size: int, target: Numbers) -> Array:
    if target.dtype.kind == "f":
        positive = np.sum(target, dtype=np.float64)
        return np.array([target.size - positive, positive])
    return np.bincount(target.ravel(), minlength=size).astype(np.float64)


def _balanced(counts: Array) -> Array:
    if not counts.all():
        missing = int(np.argmin(counts))
        raise ValueError(
            f'`class_weight` of "balanced" needs an element of every class, got none of class {missing}: give the '
            "weights as a dict"
        )
    return counts.sum() / (counts.size * counts)
