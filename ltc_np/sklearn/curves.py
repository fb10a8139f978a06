"""Quantiles between those that a network has learned, and beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import checks
from ..base.levels import scores
from ..base.types import Array


def at_scores(learned: tuple[float, ...], values: Array, z: Array) -> Array:
    """Quantiles at the normal scores ``z`` (..., n), of those learned, in the last axis of ``values``, in order.

    Linear in the score, between the learned quantiles and beyond the outermost ones: right for every normal
    distribution.  With one learned quantile it is this one everywhere.
    """
    known = scores(learned)
    if len(known) == 1:
        return np.broadcast_to(values, np.broadcast_shapes(values.shape, z.shape)).copy()
    k = np.clip(np.searchsorted(known, z) - 1, 0, len(known) - 2)
    low, high = (
        np.take_along_axis(values, np.broadcast_to(j, (*values.shape[:-1], j.shape[-1])), -1) for j in (k, k + 1)
    )
    share = (z - known[k]) / (known[k + 1] - known[k])
    return low + share * (high - low)


def ends(name: str, coverage: Any) -> Array:
    """The levels of both ends of an interval."""
    share = checks.number(name, coverage, high=1, low_open=True, high_open=True)
    return np.array([0.5 - share / 2, 0.5 + share / 2])
