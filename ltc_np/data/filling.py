"""Missing values: what was observed last, what was observed at all, and how long ago."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Numbers, Shape, Targets
from .arrays import real, same_features
from .padding import check_same_lengths, is_list_of_sequences


class Filled(NamedTuple):
    """What `forward_fill` makes of inputs; each an array of their shape, or a list of such arrays.

    Attributes
    ----------
    values
        Where a value is missing, the last one observed of its feature.
    mask
        1 where a value was observed, 0 where it was filled in.
    since
        Time since the last observation of the feature before this step, in the unit of ``dt``.
    """

    values: Any
    mask: Any
    since: Any


@with_signature_hints
def forward_fill(x: Targets, dt: Targets | None = None, first: ArrayLike = 0.0) -> Filled:
    """Fill in missing inputs, NaN, with the last value observed, and say which they are and how old.

        values[t] = x[t] if observed, else values[t - 1]                 values[-1] = first
        mask[t]   = 1 if observed, else 0
        since[t]  = dt[t] + (0 if mask[t - 1] else since[t - 1])         since[0] = 0

    feature by feature: the masking and the time intervals of GRU-D, and its simple forward imputation.

    Parameters
    ----------
    x : (T, I) or (B, T, I) array, or a list of (T_i, I) arrays
        Real numbers, NaN where a feature was not observed.
    dt : number, (T,) or (B, T) array, or a list of (T_i,), optional
        Elapsed time before each step, as for models.  Default 1.  dt[0] is not used: nothing was observed before.
    first : number or (I,) array
        What stands for a feature until it is observed.  The paper takes the mean over the training data,
        ``np.nanmean(x, axis=(0, 1))``; 0 is that of standardised data.

    Returns
    -------
    Filled
        ``values``, ``mask`` and ``since``: arrays of the shape of x, float32 if x is, else float64; for a list, lists.

    Raises
    ------
    TypeError
        Values that are not real numbers.
    ValueError
        Infinite values, wrong shapes, elapsed times that are negative or not finite.

    Notes
    -----
    A model may take all three side by side, as 3 I features.  What lies behind the end of a padded sequence is filled
    in too, and the model never reads it.

    References
    ----------
    Che, Purushotham, Cho, Sontag and Liu, "Recurrent neural networks for multivariate time series with missing values",
    Scientific Reports 8, 6085, 2018, arXiv:1606.01865, section "Method": masking, time interval, "GRU-forward".

    Examples
    --------
    >>> x = np.array([[1.0, np.nan], [np.nan, 5.0], [np.nan, np.nan]])
    >>> filled = forward_fill(x, dt=[9.0, 0.5, 2.0])
    >>> filled.values.tolist()
    [[1.0, 0.0], [1.0, 5.0], [1.0, 5.0]]
    >>> filled.mask.tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    >>> filled.since.tolist()
    [[0.0, 0.0], [0.5, 0.5], [2.5, 2.0]]
    >>> np.concatenate(filled, axis=-1).shape
    (3, 6)
    """
    if is_list_of_sequences(x):
        return _of_list(x, dt, first)
    x = real("x", x)
    if x.ndim not in (2, 3):
        raise ValueError(f"`x` must be (T, I), (B, T, I) or a list of (T_i, I) arrays, got shape {x.shape}")
    return _fill("x", x, _elapsed("dt", dt, x.shape[:-1]), _first(first, x.shape[-1]))


def _of_list(x: Sequence[Any], dt: Any, first: ArrayLike) -> Filled:
    """`forward_fill` of a list of (T_i, I)."""
    x = same_features("x", x, (2,))
    if isinstance(dt, (list, tuple)):
        check_same_lengths("dt", dt, [len(values) for values in x])
        times = [_elapsed(f"dt[{k}]", own, values.shape[:1]) for k, (own, values) in enumerate(zip(dt, x, strict=True))]
    else:
        if np.ndim(dt) > 0:
            raise ValueError(f"`dt` must be a number or a list for a list of sequences, got shape {np.shape(dt)}")
        times = [_elapsed("dt", dt, values.shape[:1]) for values in x]
    first = _first(first, x[0].shape[1])
    parts = [_fill(f"x[{k}]", values, own, first) for k, (values, own) in enumerate(zip(x, times, strict=True))]
    return Filled(*map(list, zip(*parts, strict=True)))


def _elapsed(name: str, dt: Any, shape: Shape) -> Array:
    """dt of every step, float64, of ``shape`` (T,) or (B, T)."""
    dt = real(name, 1.0 if dt is None else dt).astype(np.float64)
    if dt.shape not in ((), shape[-1:], shape):
        allowed = " or ".join(map(str, dict.fromkeys((shape[-1:], shape))))
        raise ValueError(f"`{name}` must be a number or of shape {allowed}, got {dt.shape}")
    if not ((dt >= 0) & (dt < math.inf)).all():
        bad = dt[~((dt >= 0) & (dt < math.inf))].flat[0]
        raise ValueError(f"`{name}` must be finite and >= 0, got {bad}")
    return np.broadcast_to(dt, shape)


def _first(first: ArrayLike, I: int) -> Array:
    first = real("first", first).astype(np.float64)
    if first.shape not in ((), (I,)) or not np.isfinite(first).all():
        raise ValueError(f"`first` must be a finite number or ({I},) of them, got {checks.brief(first)}")
    return first


def _fill(name: str, x: Numbers, dt: Array, first: Array) -> Filled:
    """`Filled` of an array (..., T, I) and elapsed times (..., T)."""
    if np.isinf(x).any():
        where = tuple(int(i) for i in np.argwhere(np.isinf(x))[0])
        raise ValueError(f"`{name}` must be finite, or NaN where a value is missing, got {x[where]} at index {where}")
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    seen = ~np.isnan(x)
    values, since = np.empty(x.shape, dtype), np.zeros(x.shape, dtype)
    last = np.broadcast_to(first, x[..., 0, :].shape)
    for t in range(x.shape[-2]):
        last = values[..., t, :] = np.where(seen[..., t, :], x[..., t, :], last)
        if t:
            before = np.where(seen[..., t - 1, :], 0, since[..., t - 1, :])
            since[..., t, :] = before + dt[..., t, None]
    return Filled(values, seen.astype(dtype), since)
