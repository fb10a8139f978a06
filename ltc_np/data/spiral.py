"""The tutorial's data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Seed

if TYPE_CHECKING:
    import numpy.typing as npt


@with_signature_hints
def generate_spiral_data(
    num_points: int, num_turns: float, noise: float = 2, seed: Seed = None
) -> npt.NDArray[np.float64]:
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
        if np.ndim(seed) > 1:  # type: ignore[arg-type]  # which NumPy takes before 2.5
            raise ValueError
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"`seed` must be an int >= 0, a Generator or None, got {seed!r}") from None
    angle = np.linspace(0, num_turns * 2 * np.pi, num_points)
    r = np.linspace(0, 1, num_points)
    x = r * np.sin(angle) + noise * rng.standard_normal(num_points) / num_points
    y = r * np.cos(angle) + noise * rng.standard_normal(num_points) / num_points
    return np.stack([x, y], axis=1)
