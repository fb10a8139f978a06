"""Moments of numbers that come one after another, beside those of all at once."""

import numpy as np
import pytest

from ltc_np.base.moments import Moments


def test_moments_are_those_of_all_rows():
    rows = 1e4 + np.random.default_rng(0).normal(size=(100, 3))
    moments = Moments(3)
    for part in (rows[:1], rows[1:1], rows[1:40], rows[40:]):
        moments.add(part)
    assert moments.count == 100
    assert np.allclose(moments.mean, rows.mean(axis=0), rtol=1e-14)
    assert np.allclose(moments.variance, rows.var(axis=0), rtol=1e-9)
    again = Moments(3)
    again.restore(moments.state())
    assert np.array_equal(again.variance, moments.variance) and again.count == 100
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        Moments(2).restore(moments.state())
