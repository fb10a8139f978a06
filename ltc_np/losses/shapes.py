"""What the losses check where users call them; training checks whole arrays once and calls what lies behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import checks

if TYPE_CHECKING:
    from ..base.types import Array, ArrayLike, Numbers, Shape


def checked(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None, target_shape: Shape | None = None, by_output: bool = True
) -> tuple[Array, Numbers, Numbers | None]:
    """y, target and weight as arrays that go together.

    ``target_shape`` is that of y by default.  ``by_output``: weights may be those of single outputs, of y's shape.
    """
    y, target = checks.plain("y", y), checks.plain("target", target)
    if y.dtype.kind != "f":
        raise TypeError(f"`y` must be a float array, got dtype {y.dtype}")
    if y.ndim not in (2, 3):
        raise ValueError(f"`y` must be (B, T, O) or (B, O), got shape {y.shape}")
    if target.dtype.kind not in "biuf":
        raise TypeError(f"`target` must be real numbers, got dtype {target.dtype}")
    if target_shape is None:
        target = of_one_output(target, y.shape)
    target_shape = target_shape or y.shape
    if target.shape != target_shape:
        raise ValueError(f"`target` must have shape {target_shape}, got {target.shape}")
    if weight is None:
        return y, target, None
    weight = checks.plain("weight", weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"`weight` must be real numbers, got dtype {weight.dtype}")
    if weight.shape != y.shape[:-1] and not (by_output and weight.shape == y.shape):
        also = f" or {y.shape}" if by_output else ""
        raise ValueError(f"`weight` must have shape {y.shape[:-1]}{also}, got {weight.shape}")
    bad = ~((weight >= 0) & np.isfinite(weight))
    if bad.any():
        raise ValueError(f"`weight` must be finite and >= 0, got {weight[bad].flat[0]}")
    return y, target, weight


def of_one_output(target: Numbers, shape: Shape) -> Numbers:
    """A target without the last axis, for outputs of this shape that need none: (B, T) for (B, T, 1); a view."""
    return target[..., None] if shape[-1:] == (1,) and target.shape == shape[:-1] else target


def of_each_quantile(argument: str, target: ArrayLike, shape: Shape, count: int) -> Numbers:
    """A target (..., O) with each number ``count`` times, for outputs of ``shape`` (..., O ``count``).

    What has that shape already stays; for O = 1 the last axis may be missing.
    """
    target = checks.plain(argument, target)
    if shape[-1] % count:
        raise ValueError(f"`quantiles` must divide the outputs, {count} of each target, got {shape[-1]} outputs")
    if target.shape == shape:
        return target
    single = (*shape[:-1], shape[-1] // count)
    found = of_one_output(target, single)
    if found.shape != single:
        of_one = f" or {single[:-1]}" if single[-1] == 1 else ""
        raise ValueError(f"`{argument}` must have shape {single}{of_one}, got {target.shape}")
    return np.repeat(found, count, axis=-1)


def checked_regression(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None, class_weight: object
) -> tuple[Array, Numbers, Numbers | None]:
    """The same for a loss without classes."""
    if class_weight is not None:
        raise ValueError(f"`class_weight` must be None for a loss without classes, got {checks.brief(class_weight)}")
    return checked(y, target, weight)
