"""What the losses check where users call them; training checks whole arrays once and calls what lies behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Numbers, Shape


def read_arguments(
    y: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None,
    of_steps: bool,
    fit_target: Callable[[str, Numbers, Shape], Numbers] | None = None,
) -> tuple[Array, Numbers, Numbers | None]:
    """y, target and weight as arrays that go together.

    ``of_steps``: there is one target and one weight for all outputs of a step.  Otherwise targets have y's shape, or
    that which ``fit_target`` gives them (`LossKind`), and weights may have the targets'.
    """
    y, target = checks.plain("y", y), checks.plain("target", target)
    if y.dtype.kind != "f":
        raise TypeError(f"`y` must be a float array, got dtype {y.dtype}")
    if y.ndim not in (2, 3):
        raise ValueError(f"`y` must be (B, T, O) or (B, O), got shape {y.shape}")
    if target.dtype.kind not in "biuf":
        raise TypeError(f"`target` must be real numbers, got dtype {target.dtype}")
    if fit_target is not None:
        target = fit_target("target", target, y.shape)
    else:
        target_shape = y.shape[:-1] if of_steps else y.shape
        target = target if of_steps else of_one_output(target, y.shape)
        if target.shape != target_shape:
            raise ValueError(f"`target` must have shape {target_shape}, got {target.shape}")
    if weight is None:
        return y, target, None
    weight = checks.plain("weight", weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"`weight` must be real numbers, got dtype {weight.dtype}")
    if weight.shape not in (y.shape[:-1], target.shape):
        also = "" if of_steps else f" or {target.shape}"
        raise ValueError(f"`weight` must have shape {y.shape[:-1]}{also}, got {weight.shape}")
    bad = ~((weight >= 0) & np.isfinite(weight))
    if bad.any():
        raise ValueError(f"`weight` must be finite and >= 0, got {weight[bad].flat[0]}")
    return y, target, weight


def of_one_output(target: Numbers, shape: Shape) -> Numbers:
    """A target without the last axis, for outputs of this shape that need none: (B, T) for (B, T, 1); a view."""
    return target[..., None] if shape[-1:] == (1,) and target.shape == shape[:-1] else target
