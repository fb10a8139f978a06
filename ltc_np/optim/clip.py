"""Clipping of the gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.from_arguments import Immutable
from ..base.layout import Layout
from ..base.sums import sum_of_squares
from ..base.types import Array


@with_signature_hints
def clip_by_global_norm(grad: Array, max_norm: float) -> float:
    """Scale a gradient in place so that its Euclidean norm is at most ``max_norm``.

    Parameters
    ----------
    grad : float array
        Changed only if its norm is finite and larger than ``max_norm``.
    max_norm : float > 0

    Returns
    -------
    float
        The norm before, computed in float64 without overflow; inf or nan if ``grad`` has such elements.

    Raises
    ------
    TypeError
        A gradient that is not a float array.
    ValueError
        A ``max_norm`` that is not a number > 0.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    algorithm 1.

    Examples
    --------
    >>> grad = np.array([3.0, 4.0])
    >>> clip_by_global_norm(grad, 2.5), grad.tolist()
    (5.0, [1.5, 2.0])
    """
    if not isinstance(grad, np.ndarray) or grad.dtype.kind != "f":
        raise TypeError(f"`grad` must be a float array, got {checks.describe(grad)}")
    max_norm = checks.number("max_norm", max_norm, low_open=True)
    norm = global_norm(grad)
    if max_norm < norm < math.inf:
        np.multiply(grad, max_norm / norm, out=grad, dtype=np.float64, casting="same_kind")
    return norm


@with_signature_hints
def clip_by_array_norm(gradients: Mapping[str, Array], max_norm: float) -> dict[str, float]:
    """Scale each of several gradients in place so that its own Euclidean norm is at most ``max_norm``.

    Parameters
    ----------
    gradients : mapping from names to float arrays
        ``model.views(grad)`` of a flat gradient, whose parts are changed in place.
    max_norm : float > 0
        For every array by itself, so that one large part does not make all others small, as
        `clip_by_global_norm` does.  The direction of the whole gradient may change.

    Returns
    -------
    dict
        name -> the norm before, as `clip_by_global_norm` returns it.

    Raises
    ------
    TypeError
        Gradients that are no mapping of float arrays.
    ValueError
        A ``max_norm`` that is not a number > 0.

    Examples
    --------
    >>> gradients = {"w": np.array([3.0, 4.0]), "b": np.array([0.5])}
    >>> clip_by_array_norm(gradients, 2.5), gradients["w"].tolist(), gradients["b"].tolist()
    ({'w': 5.0, 'b': 0.5}, [1.5, 2.0], [0.5])
    """
    if not isinstance(gradients, Mapping):
        hint = ": `model.views(grad)` gives it for a flat gradient" if isinstance(gradients, np.ndarray) else ""
        got = checks.describe(gradients)
        raise TypeError(f"`gradients` must be a mapping from names to arrays, got {got}{hint}")
    max_norm = checks.number("max_norm", max_norm, low_open=True)
    return {name: clip_by_global_norm(grad, max_norm) for name, grad in gradients.items()}


class Clip(Immutable):
    """How `fit` clips the gradient of each step.

    ``fit(clip_norm=1.0)`` means ``fit(clip_norm=Clip(1.0))``.

    Parameters
    ----------
    norm : float > 0
        Largest Euclidean norm of the whole gradient, as by `clip_by_global_norm`.
    per_array : bool
        Largest norm of each parameter's gradient by itself instead, as by `clip_by_array_norm`.
    """

    norm: float
    per_array: bool

    def __init__(self, norm: float, *, per_array: bool = False) -> None:
        self.norm = checks.number("norm", norm, low_open=True)
        self.per_array = checks.boolean("per_array", per_array)

    def __call__(self, grad: Array, layout: Layout) -> None:
        """Clip the flat gradient of a layout in place."""
        if self.per_array:
            clip_by_array_norm(layout.arrays(grad), self.norm)
        else:
            clip_by_global_norm(grad, self.norm)


def read_clip(name: str, clip_norm: float | Clip | None) -> Clip | None:
    """`Clip` of a number too; None for None."""
    if clip_norm is None or isinstance(clip_norm, Clip):
        return clip_norm
    return Clip(checks.number(name, clip_norm, low_open=True))


def global_norm(grad: Array) -> float:
    """The Euclidean norm of a float array, in float64 and without overflow; inf or nan if it has such elements."""
    if grad.dtype.itemsize < 8:  # squares of narrower floats do not overflow in float64
        return math.sqrt(sum_of_squares(grad.astype(np.float64)))
    largest = float(np.abs(grad).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(sum_of_squares(np.divide(grad, largest, dtype=np.float64)))
