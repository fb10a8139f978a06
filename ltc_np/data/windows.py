"""Windows of series."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Numbers, Targets
from .arrays import is_list_of_arrays, real, same_features


@with_signature_hints
def windows(series: Targets, length: int, hop: int = 1, horizon: int = 1) -> tuple[Numbers, Numbers]:
    """Cut series into input windows and the windows ``horizon`` steps later, for s = 0, hop, 2 hop, ...

        x_i = series[s : s + length]        y_i = series[s + horizon : s + horizon + length]

    as long as y_i is complete.  No window reaches from one series into the next.

    Parameters
    ----------
    series : (T, I) array, or several: (n, T, I) array or list of (T_i, I) arrays
        Real numbers; the dtype is kept.
    length : int >= 1
    hop : int >= 1
    horizon : int >= 0

    Returns
    -------
    x, y : (number of windows, length, I) arrays
        Contiguous copies, in the order of the series.  A series of T points gives
        ``(T - length - horizon) // hop + 1`` windows; the tutorial makes one less and leaves out the last.

    Raises
    ------
    TypeError
        Values that are not real numbers.
    ValueError
        A series shorter than ``length + horizon``, other shapes, numbers out of range.

    Examples
    --------
    >>> x, y = windows(np.arange(5.0)[:, None], length=3)
    >>> x[..., 0].tolist(), y[..., 0].tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]])
    """
    for name, value, low in (("length", length, 1), ("hop", hop, 1), ("horizon", horizon, 0)):
        checks.integer(name, value, low)
    if not is_list_of_arrays(series):
        series = real("series", series)
        if series.ndim not in (2, 3):
            rule = "(T, I), (n, T, I) or a list of (T_i, I) arrays"
            raise ValueError(f"`series` must be {rule}, got shape {series.shape}")
        series = [series] if series.ndim == 2 else list(series)
    series = same_features("series", series, (2,))
    if not series:
        raise ValueError("`series` must have at least one series, got none")
    x, y = [], []
    for k, values in enumerate(series):
        count = len(values) - length - horizon
        if count < 0:
            need = f"length + horizon = {length + horizon}"
            got = f"{len(values)} in series {k}"
            raise ValueError(f"`series` must have at least {need} points each, got {got}")
        index = np.arange(0, count + 1, hop)[:, None] + np.arange(length)
        x.append(values[index])
        y.append(values[index + horizon])
    return np.concatenate(x), np.concatenate(y)
