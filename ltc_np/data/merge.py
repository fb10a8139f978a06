"""Channels that were observed at times of their own, as one series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import checks, dates
from ..base.calls import with_signature_hints
from ..base.types import Array, Numbers
from .arrays import real


class Merged(NamedTuple):
    """What `merge` makes of channels.

    Attributes
    ----------
    times : (T,) array
        All times at which a channel was observed, each once, in order; of the dtype that the channels have together.
    values : (T, C) array of float64
        NaN where a channel was not observed.
    names : tuple of C
    """

    times: Numbers
    values: Array
    names: tuple[Any, ...]


@with_signature_hints
def merge(channels: Mapping[Any, tuple[Any, Any]]) -> Merged:
    """One series of channels whose clocks differ: a step for each time at which one of them was observed.

    Parameters
    ----------
    channels : mapping from names to (times, values)
        Two (T_c,) arrays of each channel, in any order of times: numbers, or dates of NumPy.  A value may be NaN,
        which is no observation.

    Returns
    -------
    Merged
        Cost: a sort of all times.

    Raises
    ------
    ValueError
        No channel, arrays of unequal length, times that are not finite, one that a channel has twice, or times that no
        dtype holds together with those of the others.
    TypeError
        Values that are no real numbers, and numbers beside dates.

    Notes
    -----
    `forward_fill` of the values, with ``dt_from_times(times)``, gives what was observed last of each channel, and how
    long ago.

    Examples
    --------
    >>> merged = merge({"heat": ([0.0, 1.5], [20.0, 21.0]), "power": ([1.0, 1.5], [3.0, 4.0])})
    >>> merged.times.tolist()
    [0.0, 1.0, 1.5]
    >>> merged.values.tolist()
    [[20.0, nan], [nan, 3.0], [21.0, 4.0]]
    """
    if not isinstance(channels, Mapping) or not channels:
        raise ValueError(f"`channels` must be a mapping of at least one channel, got {checks.brief(channels)}")
    read = {name: _channel(name, given) for name, given in channels.items()}
    kinds = {times.dtype.kind in "mM" for times, _ in read.values()}
    if len(kinds) > 1:
        raise TypeError("`channels` must all have dates as times, or all numbers, got both")
    dtype = np.result_type(*(own.dtype for own, _ in read.values()))
    if dtype.kind == "f" and all(own.dtype.kind in "biu" for own, _ in read.values()):
        dtype = np.dtype(np.int64)  # and not float64, in which NumPy would put uint64 beside int64
    alike = [_in(dtype, own, f"channels[{name!r}][0]") for name, (own, _) in read.items()]
    times = np.unique(np.concatenate(alike))
    values = np.full((len(times), len(read)), np.nan)
    for k, (own, (_, observed)) in enumerate(zip(alike, read.values(), strict=True)):
        values[np.searchsorted(times, own), k] = observed
    return Merged(times, values, tuple(read))


def _in(dtype: np.dtype[Any], times: Numbers, what: str) -> Numbers:
    """Times in the dtype of all channels, in which none of them may change."""
    if dtype.kind in "mM":
        return dates.refined(times, dtype)
    found = times.astype(dtype)
    changed = np.flatnonzero((found.astype(times.dtype) != times) | (np.sign(found) != np.sign(times)))
    if changed.size:
        raise ValueError(
            f"`{what}` must hold times that {dtype} holds as they are, beside those of the other channels, got "
            f"{times[changed[0]]}: take away the first time from all, or give all as whole numbers"
        )
    return found


def _channel(name: Any, given: Any) -> tuple[Numbers, Array]:
    """Checked times and values of a channel, those that were observed."""
    what = f"channels[{name!r}]"
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"`{what}` must be (times, values), got {checks.brief(given)}")
    found = dates.array(given[0])
    times = real(f"{what}[0]", given[0]) if found is None else found
    values = np.asarray(real(f"{what}[1]", given[1]), np.float64)
    if times.ndim != 1 or values.shape != times.shape:
        raise ValueError(f"`{what}` must be two arrays (T,) of equal length, got {times.shape} and {values.shape}")
    missing = np.isnat(times) if times.dtype.kind in "mM" else ~np.isfinite(times)
    if missing.any() or np.isinf(values).any():
        raise ValueError(f"`{what}` must have times that are all known and finite, and values that are finite or NaN")
    known = ~np.isnan(values)
    times, values = times[known], values[known]
    ordered = np.sort(times)
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if twice.size:
        got = checks.brief(ordered[twice[0]].item())
        raise ValueError(f"`{what}` must have each time once, got {got} twice: take the mean of such values before")
    return times, values
