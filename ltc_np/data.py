"""Data: the tutorial's spiral, windows of series, padding of unequal sequences, elapsed times.

Sizes: B sequences, T observations, I features; arrays are (batch, time, feature).
"""

import math

import numpy as np

from .base import checks

__all__ = ["dt_from_times", "generate_spiral_data", "pad", "windows"]


def generate_spiral_data(num_points, num_turns, noise=2, seed=None):
    """Points along a noisy spiral from the origin to radius 1, the tutorial's data: for k = 0..num_points - 1

        r = k / (num_points - 1)    angle = 2 pi num_turns r
        x = r sin(angle) + noise * n_x / num_points
        y = r cos(angle) + noise * n_y / num_points

    with standard normal n; all n_x are drawn before all n_y.

    Parameters
    ----------
    num_points : int >= 1
    num_turns : float
        Negative ones turn the other way.
    noise : float >= 0
        ``noise / num_points`` is the standard deviation.
    seed : int, numpy.random.Generator or None
        None is different every time.

    Returns
    -------
    (num_points, 2) float64 array

    Raises
    ------
    ValueError
        A number out of range.

    References
    ----------
    P. Nakaznenko, "Building a liquid LTC network from scratch" (tutorial, 2024), section on spiral data.

    Examples
    --------
    >>> generate_spiral_data(3, 0.5, noise=0).round(3).tolist()
    [[0.0, 0.0], [0.5, 0.0], [0.0, -1.0]]
    """
    checks.integer("num_points", num_points)
    checks.number("num_turns", num_turns, -math.inf)
    checks.number("noise", noise)
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"`seed` must be an int >= 0, a Generator or None, got {seed!r}") from None
    angle = np.linspace(0, num_turns * 2 * np.pi, num_points)
    r = np.linspace(0, 1, num_points)
    x = r * np.sin(angle) + noise * rng.standard_normal(num_points) / num_points
    y = r * np.cos(angle) + noise * rng.standard_normal(num_points) / num_points
    return np.stack([x, y], axis=1)


def windows(series, length, hop=1, horizon=1):
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
    if not _is_list_of_arrays(series):
        series = _real("series", series)
        if series.ndim not in (2, 3):
            rule = "(T, I), (n, T, I) or a list of (T_i, I) arrays"
            raise ValueError(f"`series` must be {rule}, got shape {series.shape}")
        series = [series] if series.ndim == 2 else list(series)
    series = _same_features("series", series, (2,))
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


def pad(sequences, value=0.0, name="sequences"):
    """One array from sequences of unequal length, filled up at the end.

    Parameters
    ----------
    sequences : list of B arrays (T_i, I), or of B arrays (T_i,)
        Real numbers or bools: inputs or targets; classes or elapsed times.  Some may have length 0, not all.
    value : number
        What to fill with; must be a value of the arrays' dtype.
    name : str
        What errors call the sequences.

    Returns
    -------
    x : (B, Tmax, I) or (B, Tmax) array
        In the common dtype of ``sequences``.
    lengths : (B,) int array

    Raises
    ------
    TypeError
        Values that are not real numbers.
    ValueError
        No sequence, only empty ones, shapes that do not go together, a ``value`` the dtype cannot hold.

    Examples
    --------
    >>> x, lengths = pad([[1, 2, 3], [4]])
    >>> x.tolist(), lengths.tolist()
    ([[1, 2, 3], [4, 0, 0]], [3, 1])
    """
    if isinstance(sequences, np.ndarray) and sequences.ndim < 2:
        raise ValueError(f"`{name}` must be a list of arrays, got an array of shape {sequences.shape}")
    sequences = _same_features(name, list(sequences), (1, 2))
    lengths = np.array([len(values) for values in sequences], dtype=np.intp)
    if not lengths.any():
        what = f"{len(sequences)} of length 0" if sequences else "no sequence"
        raise ValueError(f"`{name}` must have at least one element, got {what}")
    # an empty list becomes float64: it must not decide the dtype of integers
    dtype = np.result_type(*(values.dtype for values in sequences if len(values)))
    fill = np.asarray(value)
    if fill.ndim != 0 or fill.dtype.kind not in "biuf":
        raise ValueError(f"`value` must be one real number, got {value!r}")
    if dtype.kind != "f" and not (np.isfinite(fill) and fill.astype(dtype) == fill):
        raise ValueError(f"`value` must be a value of dtype {dtype}, got {value!r}")
    x = np.full((len(sequences), lengths.max(), *sequences[0].shape[1:]), fill, dtype=dtype)
    for row, values in zip(x, sequences, strict=True):
        row[: len(values)] = values
    return x, lengths


def dt_from_times(times, t0=None):
    """Elapsed time before every observation, for the ``dt`` argument of models.

        dt[k] = times[k] - times[k - 1]        dt[0] = times[0] - t0

    dt[0] lies between the initial state and the first observation.  Without ``t0`` it is not in the data; it
    is then set to dt[1], as if sampling had begun one interval earlier, or to 1.0 for a single observation.
    0 would be a bad guess: no time passes, so that the first observation has no effect at all.

    Parameters
    ----------
    times : (T,) or (B, T) array, or list of B arrays (T_i,)
        Not decreasing, in any unit.  Integers are subtracted as integers, so large time stamps lose nothing.
    t0 : number, (B,) array, or None
        Time of the initial state, at most ``times[..., 0]``.

    Returns
    -------
    (T,) or (B, T) float64 array
        For a list (B, max T_i), with 0 after the end of a sequence; ``pad`` gives their lengths.

    Raises
    ------
    TypeError
        Times that are not real numbers.
    ValueError
        No observation, wrong shapes, times that are not finite or decrease.

    Examples
    --------
    >>> dt_from_times([10.0, 10.5, 12.0]).tolist()
    [0.5, 0.5, 1.5]
    >>> dt_from_times([10.0, 10.5, 12.0], t0=9.0).tolist()
    [1.0, 0.5, 1.5]
    >>> dt_from_times([[1, 2, 5], [7]]).tolist()
    [[1.0, 1.0, 3.0], [1.0, 0.0, 0.0]]
    """
    if _is_list_of_arrays(times):
        rows, one = [_real(f"times[{b}]", row) for b, row in enumerate(times)], False
    else:
        times = _real("times", times)
        if times.ndim not in (1, 2):
            rule = "(T,), (B, T) or a list of (T_i,) arrays"
            raise ValueError(f"`times` must be {rule}, got shape {times.shape}")
        one = times.ndim == 1
        rows = [times] if one else list(times)
    starts = [None] * len(rows)
    if t0 is not None:
        t0 = _signed(_real("t0", t0))
        if t0.shape not in ((), (len(rows),)) or (one and t0.ndim):
            rule = "a number" if one else f"a number or {(len(rows),)}"
            raise ValueError(f"`t0` must be {rule}, got shape {t0.shape}")
        starts = np.broadcast_to(t0, len(rows))
    names = ["times"] if one else [f"times[{b}]" for b in range(len(rows))]
    dt = [_differences(*args) for args in zip(names, rows, starts, strict=True)]
    if not any(map(len, dt)):
        raise ValueError("`times` must have at least one observation, got none")
    return dt[0] if one else pad(dt)[0]


def _signed(times):
    """As int64 or float64, in which differences neither wrap around nor are rounded to float32."""
    return times.astype(np.int64 if times.dtype.kind in "biu" else np.float64)


def _differences(name, times, start):
    """`dt_from_times` of one sequence (T,), which may be empty."""
    if times.ndim != 1:
        raise ValueError(f"`{name}` must be (T,), got shape {times.shape}")
    if not np.isfinite(times).all():
        where = int(np.argmin(np.isfinite(times)))
        raise ValueError(f"`{name}` must be finite, got {times[where]} at {where}")
    if start is not None and not np.isfinite(start):
        raise ValueError(f"`t0` must be finite, got {start}")
    if not len(times):
        return np.zeros(0)
    # unsigned differences would wrap around, and those of float32 be rounded
    times = _signed(times)
    steps = np.diff(times)
    if (steps < 0).any():
        where = int(np.argmax(steps < 0)) + 1
        got = f"{times[where]} after {times[where - 1]} at {where}"
        raise ValueError(f"`{name}` must not decrease, got {got}")
    if start is None:
        first = steps[0] if len(steps) else 1.0
    else:
        first = times[0] - start
        if first < 0:
            raise ValueError(f"`t0` must be at most `{name}[0]` = {times[0]}, got {start}")
    return np.concatenate([[first], steps]).astype(np.float64)


def is_list_of_sequences(values):
    """Whether these are several (T_i, I) arrays in a list, which may differ in length."""
    if not isinstance(values, (list, tuple)) or len(values) == 0:
        return False
    if all(isinstance(v, np.ndarray) and v.ndim == 1 for v in values) and len({v.size for v in values}) > 1:
        raise ValueError(
            f"`x` must be a list of (T_i, I) arrays, got one of shape {values[0].shape}; of one feature it is "
            "[a[:, None] for a in x]"
        )
    try:
        return all(np.ndim(v) == 2 for v in values)
    except ValueError:  # an element is ragged itself
        return False


def check_same_lengths(name, values, lengths):
    """Refuse ``values`` unless it is a list of sequences of these lengths."""
    if not isinstance(values, (list, tuple)) or len(values) != len(lengths):
        got = f"{type(values).__name__} of {len(values)}" if hasattr(values, "__len__") else type(values).__name__
        raise ValueError(f"`{name}` must be a list of {len(lengths)} sequences as x is, got {got}")
    for k, (value, n) in enumerate(zip(values, lengths, strict=True)):
        if np.ndim(value) == 0 or len(value) != n:
            got = f"{value!r}" if np.ndim(value) == 0 else len(value)
            raise ValueError(f"`{name}[{k}]` must have the {n} steps of x[{k}], got {got}")


def _is_list_of_arrays(values):
    """Whether this is a list of several series, not one written as a list of numbers."""
    return isinstance(values, (list, tuple)) and not all(np.isscalar(v) for v in values)


def _same_features(name, sequences, ndims):
    """The sequences as arrays of real numbers, all (T_i, I) or, if ``ndims`` has 1, all (T_i,)."""
    arrays = [_real(f"{name}[{k}]", values) for k, values in enumerate(sequences)]
    for k, values in enumerate(arrays):
        if values.ndim not in ndims:
            rule = " or ".join({1: "(T,)", 2: "(T, I)"}[n] for n in ndims)
            raise ValueError(f"`{name}[{k}]` must be {rule}, got shape {values.shape}")
        if values.shape[1:] != arrays[0].shape[1:]:
            want = "(T, {})".format(*arrays[0].shape[1:]) if arrays[0].ndim == 2 else "(T,)"
            raise ValueError(f"`{name}[{k}]` must be {want} like the first, got shape {values.shape}")
    return arrays


def _real(name, values):
    array = checks.plain(name, values, "a regular array of real numbers")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must be real numbers, got dtype {array.dtype}")
    return array
