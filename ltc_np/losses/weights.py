"""How the elements of a batch are weighed: by step, by class, and the sum that the loss is divided by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Shape

if TYPE_CHECKING:
    import numpy.typing as npt


class NoWeightError(ValueError):
    """Every valid element of a batch has weight 0, or there is none."""


def normalise(total: float, weight_sum: float) -> float:
    """The loss of a batch, ``total / weight_sum``.

    Parameters
    ----------
    total, weight_sum : float
        What a loss returned, or sums of those over shards.

    Raises
    ------
    ValueError
        If ``weight_sum`` is not positive: all weights are 0, or there is no valid element at all.

    Examples
    --------
    >>> normalise(3.0, 2.0)
    1.5
    """
    if not weight_sum > 0:
        raise NoWeightError(f"sample and class weights must not be 0 for every valid element, got the sum {weight_sum}")
    return total / weight_sum


def check_has_classes(class_weight: object, size: int) -> None:
    """Refuse weights for a loss without classes."""
    if not size:
        raise ValueError(f"`class_weight` must be None for a loss without classes, got {checks.brief(class_weight)}")


def check_class_weight(class_weight: ArrayLike, size: int, dtype: npt.DTypeLike) -> Array:
    """``class_weight`` as a (size,) array of ``dtype``."""
    check_has_classes(class_weight, size)
    scale = checks.plain("class_weight", class_weight)
    if scale.shape != (size,) or scale.dtype.kind not in "biuf":
        raise ValueError(f"`class_weight` must be {size} real numbers, got {checks.describe(class_weight)}")
    if not (np.isfinite(scale) & (scale >= 0)).all():
        raise ValueError(f"`class_weight` must be finite and >= 0, got {class_weight!r}")
    if not ((scale == 0) | ((scale >= 1e-15) & (scale <= 1e15))).all():  # float32 must hold products with others
        raise ValueError(f"`class_weight` must be 0 or in [1e-15, 1e15], got {class_weight!r}")
    return scale.astype(dtype)


def sum_of_weights(weight: Array | None, shape: Shape, sizes: Array | None = None) -> float:
    """Sum of the weights of all elements.

    Parameters
    ----------
    weight : array of shape shape[:-1] or of this shape, or None
        Of the steps, or of each element; None is 1 everywhere.
    shape : tuple of int
        Of the elements.
    sizes : array of this shape, or None
        The elements' own weights; None is 1 everywhere.

    Returns
    -------
    float
    """
    if weight is None:
        return float(math.prod(shape)) if sizes is None else float(np.add.reduce(sizes, None, np.float64))
    weight = np.asarray(weight, dtype=np.float64)
    if sizes is None:
        return (shape[-1] if weight.ndim < len(shape) else 1) * float(np.sum(weight))
    return float(np.sum(_of_elements(weight, sizes) * sizes))


def _of_elements(weight: Array, elements: Array) -> Array:
    """``weight`` with an axis of outputs, if it has none."""
    return weight if weight.ndim == elements.ndim else weight[..., None]


def weigh(elements: Array, d_y: Array, weight: Array | None, sizes: Array | None = None) -> tuple[float, float, Array]:
    """Sum ``elements`` (..., O) and scale ``d_y`` in place by ``weight``, (...) or (..., O); ``sizes`` (..., O) are
    elements' own weights, already inside ``elements`` and ``d_y``, None for 1.

    Sums go through ufunc reductions: BLAS would be as fast, but its order depends on the number of threads.

    Returns
    -------
    total, weight_sum, d_y
        As every loss returns them.
    """
    weight_sum = sum_of_weights(weight, elements.shape, sizes)
    if weight is None:
        return float(np.add.reduce(elements, None, np.float64)), weight_sum, d_y
    weight = _of_elements(np.asarray(weight, dtype=np.float64), elements)
    d_y *= weight.astype(d_y.dtype)
    return float(np.sum(weight * elements)), weight_sum, d_y


def weigh_errors(
    elements: Callable[..., tuple[Array, Array]],
    y: Array,
    target: Array,
    weight: Array | None = None,
    class_weight: None = None,
    **option: Any,
) -> tuple[float, float, Array]:
    """The loss of errors y - target, of which ``elements`` gives l and dl/dy."""
    return weigh(*elements(y - target, **option), weight)
