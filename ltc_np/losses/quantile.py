"""Quantiles of what may come, by the pinball loss: docs/maths/losses.md#quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Shape
from .kind import Option, kind_of_errors
from .shapes import of_one_output

RULE = "`quantiles` must be a tuple of increasing numbers between 0 and 1"


def quantile(
    y: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    *,
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
) -> tuple[float, float, Array]:
    """The pinball loss, smallest where each output is a quantile of the target; with e = y - target and a quantile p,

        l = (1 - p) e    if e > 0
        l = -p e         otherwise
        dl/dy = 1 - p if e > 0, -p if e < 0, 0 at the kink

    For p = 1/2 it is half of `mae`.  A model has Q outputs for each of O targets, side by side: with Q quantiles
    output ``o Q + q`` belongs to target o and quantile q, so ``y.reshape(*y.shape[:-1], O, Q)`` has an axis of each.
    Every output is learned by itself, so nothing keeps quantiles from crossing where a network has learned little:
    ``np.sort`` over the axis of quantiles puts them in order, and is never farther from the true quantiles.

    Parameters, returns and errors are those of `mse`, and

    Parameters
    ----------
    y : (B, T, O Q) or (B, O Q) float array
    target : (B, T, O) or (B, O) array
        For one target the last axis may be missing.  What has y's shape is taken as it is.
    quantiles : tuple of Q increasing floats in (0, 1)
        Elsewhere in the library a loss is an argument; write
        ``functools.partial(ltc_np.losses.quantile, quantiles=(0.05, 0.95))``.

    References
    ----------
    Koenker and Bassett, "Regression quantiles", Econometrica 46 (1978), 33-50.  That sorting helps: Chernozhukov,
    Fernandez-Val and Galichon, "Quantile and probability curves without crossing", Econometrica 78 (2010), 1093-1125.

    Examples
    --------
    >>> total, weight_sum, d_y = quantile(np.array([[0.0, 3.0, 4.0]]), np.array([[2.0]]))
    >>> round(total, 12), weight_sum, d_y.round(12).tolist()
    (0.9, 3.0, [[-0.1, 0.5, 0.1]])
    """
    return QUANTILE.checked(y, target, weight, class_weight, quantiles=quantiles)


def elements(error: Array, quantiles: tuple[float, ...]) -> tuple[Array, Array]:
    """l and dl/dy of each error."""
    levels = np.tile(np.array(quantiles, error.dtype), error.shape[-1] // len(quantiles))
    slope = np.where(error > 0, 1 - levels, np.where(error < 0, -levels, error.dtype.type(0)))
    return slope * error, slope


def check_quantiles(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    """``quantiles`` as floats."""
    if not isinstance(quantiles, tuple) or not quantiles:
        raise TypeError(f"{RULE}, got {checks.brief(quantiles)}")
    found = tuple(
        checks.number(f"quantiles[{k}]", value, high=1, low_open=True, high_open=True)
        for k, value in enumerate(quantiles)
    )
    if list(found) != sorted(set(found)):
        raise ValueError(f"{RULE}, got {quantiles}")
    return found


def of_each_quantile(option: dict[str, Any], argument: str, target: ArrayLike, shape: Shape) -> ArrayLike:
    """A target (..., O) with each number once for each of Q quantiles, for outputs of ``shape`` (..., O Q).

    What has that shape already stays; for O = 1 the last axis may be missing.
    """
    count = len(option["quantiles"])
    if count == 1:
        return target
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


QUANTILE = kind_of_errors(
    quantile,
    elements,
    scale_powers=(1, 1),
    on_card=True,
    option=Option("quantiles", check_quantiles),
    for_each_output=of_each_quantile,
    foreign_names="pinball pinball_loss quantile_loss quantileloss mean_pinball_loss",
    note="`functools.partial(ltc_np.losses.quantile, quantiles=(0.05, 0.95))` for quantiles other than 0.1, 0.5 and "
    "0.9; the model needs one output for each target and each quantile",
)
