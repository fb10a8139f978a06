"""Targets: a whole array is checked once and cast to what its loss reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.types import ArrayLike, Bools, LibraryLoss, Loss, Numbers, Shape
from .kind import LossKind
from .registry import get, kind_of, option_of
from .shapes import of_one_output

if TYPE_CHECKING:
    import numpy.typing as npt


REMEDY = 'for targets that are missing give missing="ignore"'


def check_target(
    loss: Loss,
    y_shape: Shape,
    target: ArrayLike,
    dtype: npt.DTypeLike,
    valid: Bools | None = None,
    argument: str = "target",
) -> Numbers:
    """Validate the target of a loss and cast it for fast use.

    Parameters
    ----------
    loss : str or callable
        As for `get`, or what `get` returned.
    y_shape : tuple of int
        (B, T, O) or (B, O), the shape of the prediction.
    target : array_like
        Real numbers of shape ``y_shape`` for mse, mae and huber, of (..., O / Q) for quantile with Q quantiles, and of
        (..., N) for mixture_density, where 1 + 2 N must divide O; integers or bools in 0..O-1 of shape ``y_shape[:-1]``
        for cross_entropy; numbers in [0, 1] of shape ``y_shape`` for binary_cross_entropy; anything numeric with B as
        first size for a function of your own.  For one output the last axis may be missing.  Nothing is broadcast.
    dtype : float dtype
        That of the model.
    valid : bool array of shape y_shape[:-1] or of the target's, or None
        Elements outside are not read (they may be NaN) and come back as 0; None is all valid.
    argument : str
        What errors call the target.

    Returns
    -------
    contiguous array, possibly ``target`` itself
        Classes as intp, everything else in ``dtype``, of the shape ``y_shape``, or (..., N) for mixture_density.  For a
        function of your own the shape stays, integers become intp and bools stay.

    Raises
    ------
    TypeError
        Object, complex, string, ... values, or numbers that are no integers for cross_entropy.
    ValueError
        A wrong shape, NaN, an infinity, a class or a probability out of range.

    Examples
    --------
    >>> check_target("mse", (1, 3), [[1, 2, 3]], np.float32)
    array([[1., 2., 3.]], dtype=float32)
    >>> valid = np.array([[True, True, False]])
    >>> check_target("cross_entropy", (1, 3, 4), [[3, 0, -1]], np.float32, valid).tolist()
    [[3, 0, 0]]
    >>> check_target("cross_entropy", (1, 3, 4), [[3, 0, -1]], np.float32)
    Traceback (most recent call last):
    ValueError: `target` of cross_entropy must be classes in 0..3, got -1: NaN is no class, with missing="ignore"
    """
    function = get(loss)
    y_shape = tuple(y_shape)
    target = real_target(argument, for_each_output(function, y_shape, argument, target))
    if valid is not None:
        valid = np.asarray(valid)
        if valid.dtype != bool or valid.shape not in (y_shape[:-1], target.shape):
            raise ValueError(f"`valid` must be bool of shape {y_shape[:-1]}, got {checks.describe(valid)}")

    kind = kind_of(function)
    if kind is None:
        return _free(y_shape, target, dtype, valid, argument)
    target = (_of_steps if kind.integer_targets else _of_outputs)(kind, y_shape, target, argument)
    found = _blank(target, valid) if kind.integer_targets else _finite(target, dtype, valid, argument)
    if kind.check_values is not None:
        kind.check_values(argument, target if valid is None else target[valid], y_shape[-1])
    return np.ascontiguousarray(found, dtype=np.intp if kind.integer_targets else dtype)


def for_each_output(loss: LibraryLoss, y_shape: Shape, argument: str, target: ArrayLike) -> ArrayLike:
    """A target as often as outputs belong to it, for `quantile`; for other losses as it is.

    Parameters
    ----------
    loss : callable
        What `get` returned.
    y_shape : tuple of int
        (B, T, O) or (B, O), the shape of the prediction.
    argument : str
        What errors call the target.
    target : array_like
    """
    kind = kind_of(loss)
    if kind is None or kind.for_each_output is None:
        return target
    return kind.for_each_output(option_of(loss), argument, target, y_shape)


def real_target(argument: str, target: ArrayLike) -> Numbers:
    """A target as an array of numbers or bools."""
    target = checks.plain(argument, target)
    if target.dtype.kind not in "biuf":
        words = target.dtype.kind in "US" or (target.size and isinstance(target.flat[0], str))
        hint = ": np.unique(y, return_inverse=True)[1] numbers classes that have names" if words else ""
        raise TypeError(f"`{argument}` must be real numbers, got dtype {target.dtype}{hint}")
    return target


def known_target(loss: LibraryLoss, argument: str, target: ArrayLike) -> tuple[Numbers, Bools | None]:
    """Which elements of a target are not NaN, and the target without the others.

    Parameters
    ----------
    loss : callable
        What `get` returned.
    argument : str
        What errors call the target.
    target : array_like

    Returns
    -------
    target : array
        With 0 instead of NaN.  For a loss of classes whole numbers become integers: NaN needs an array of floats.
    known : bool array of the target's shape, or None
        None is all.

    Examples
    --------
    >>> from ltc_np.losses import cross_entropy
    >>> known_target(cross_entropy, "y", [2.0, np.nan, 1.0])
    (array([2, 0, 1]), array([ True, False,  True]))
    """
    target = real_target(argument, target)
    if target.dtype.kind != "f":
        return target, None
    known: Any = ~np.isnan(target)
    if known.all():
        known = None
    else:
        target = np.where(known, target, target.dtype.type(0))
    kind = kind_of(loss)
    whole = kind is not None and kind.integer_targets
    if whole and (np.abs(target) < 2**53).all() and (target == np.rint(target)).all():
        target = target.astype(np.intp)
    return target, known


def _of_outputs(kind: LossKind, y_shape: Shape, target: Numbers, argument: str) -> Numbers:
    """A target with a number for each output."""
    if kind.fit_target is not None:
        return kind.fit_target(argument, target, y_shape)
    found = of_one_output(target, y_shape)
    if found.shape != y_shape:
        shapes = f"{y_shape} or {y_shape[:-1]}" if y_shape[-1] == 1 else f"{y_shape}"
        classes = target.dtype.kind in "biu" and target.shape == y_shape[:-1]
        hint = ": classes are for the loss 'cross_entropy'" if classes else _one_a_sequence(y_shape, target.shape)
        raise ValueError(f"`{argument}` of {kind.name} must have shape {shapes}, got {checks.describe(target)}{hint}")
    return found


def _of_steps(kind: LossKind, y_shape: Shape, target: Numbers, argument: str) -> Numbers:
    """A target with a class for each step."""
    if y_shape[-1] < 2:
        raise ValueError(f"{kind.name} needs at least 2 outputs, got {y_shape[-1]} (use binary_cross_entropy)")
    if target.dtype.kind == "f" and np.isnan(target).any():
        raise ValueError(f"`{argument}` of {kind.name} must be integer classes, got nan: {REMEDY}")
    if target.shape != y_shape[:-1]:
        hint = _of_another_shape(y_shape, target.shape)
        raise ValueError(f"`{argument}` of {kind.name} must have shape {y_shape[:-1]}, got {target.shape}{hint}")
    return target


def _of_another_shape(y_shape: Shape, shape: Shape) -> str:
    """What to do about classes that have another shape than (B, T) or (B,); "" if that cannot be told."""
    if shape == y_shape:
        return ": of one-hot rows take y.argmax(axis=-1)"
    if shape == (*y_shape[:-1], 1):
        return ": take y[..., 0]"
    return _one_a_sequence(y_shape, shape)


def _one_a_sequence(y_shape: Shape, shape: Shape) -> str:
    """What to do about a target (B,) for outputs at every step."""
    one = len(y_shape) == 3 and shape == y_shape[:1]
    return ": for one answer a sequence make the model with return_sequences=False" if one else ""


def _free(y_shape: Shape, target: Numbers, dtype: npt.DTypeLike, valid: Bools | None, argument: str) -> Numbers:
    """Target of a user's own loss: only that it can be cut into batches, and is finite where it is valid."""
    if target.ndim == 0 or target.shape[0] != y_shape[0]:
        raise ValueError(f"`{argument}` must have first size {y_shape[0]}, the batch, got shape {target.shape}")
    if valid is not None and target.shape[: valid.ndim] != valid.shape:
        valid = None  # not one target per step: the whole array counts
    if target.dtype.kind == "f":
        return _finite(target, dtype, valid, argument)
    target = _blank(target, valid)
    return np.ascontiguousarray(target, dtype=bool if target.dtype.kind == "b" else np.intp)


def _finite(target: Numbers, dtype: npt.DTypeLike, valid: Bools | None, argument: str) -> Numbers:
    if valid is None and target.dtype == dtype and target.flags.c_contiguous and checks.surely_finite(target):
        return target
    target = _blank(target, valid)
    with np.errstate(over="ignore"):  # reported as the infinity it becomes
        cast = np.ascontiguousarray(target, dtype=dtype)
    bad = ~np.isfinite(cast)
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        hint = f": {REMEDY}" if np.isnan(target[where]) else ""
        raise ValueError(f"`{argument}` must be finite in {np.dtype(dtype)}, got {target[where]} at {where}{hint}")
    return cast


def _blank(target: Numbers, valid: Bools | None) -> Numbers:
    """The target with 0 where it is not valid."""
    if valid is None or valid.all():
        return target
    target = target.copy()
    target[~valid] = 0
    return target
