"""Levels of quantiles, and where a standard normal distribution has them."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from . import checks
from .types import Array


def scores(levels: Any) -> Array:
    """Where a standard normal distribution has its quantiles."""
    return np.array([NormalDist().inv_cdf(float(level)) for level in np.atleast_1d(levels)])


def check_levels(name: str, levels: Any) -> Array:
    """Levels of quantiles that a user asks for, (n,)."""
    found = [
        checks.number(f"{name}[{k}]", level, high=1, low_open=True, high_open=True)
        for k, level in enumerate(np.atleast_1d(np.asarray(levels, dtype=object)).tolist())
    ]
    if not found:
        raise ValueError(f"`{name}` must have at least one number in (0, 1), got none")
    return np.array(found)
