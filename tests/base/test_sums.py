"""Sums over whole arrays."""

import math

import numpy as np
import pytest

from ltc_np.base.sums import SERIAL, sum_of_squares


@pytest.mark.parametrize("size", [1, SERIAL, SERIAL + 1, 3 * SERIAL, 3 * SERIAL + 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_are_summed_alone(size, dtype):
    """The same bits as vector by vector, whatever the shape of the array."""
    x = np.random.default_rng(0).normal(size=size).astype(dtype)
    parts = [x[k : k + SERIAL] for k in range(0, size, SERIAL)]
    want = sum(float(np.vdot(part, part)) for part in parts)
    assert sum_of_squares(x) == sum_of_squares(x[:, None]) == want
    # A float's precision for a sum of SERIAL terms in vectors of at least 4; also where others lie between them.
    exact, tolerance = math.fsum(float(v) ** 2 for v in x), SERIAL / 4 * np.finfo(dtype).eps
    for found in (want, sum_of_squares(np.repeat(x, 2)[::2])):
        assert abs(found - exact) <= tolerance * exact


def test_what_is_not_finite_shows():
    x = np.zeros(3 * SERIAL + 5, np.float32)
    for k in (0, SERIAL, x.size - 1):
        for value in (math.inf, math.nan):
            x[k] = value
            assert not math.isfinite(sum_of_squares(x))
        x[k] = 0
