"""Clipping of the gradient."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_np.optim import clip_by_global_norm

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@dtypes
@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), max_size=20), st.floats(1e-3, 1e3))
def test_clip(dtype, values, max_norm):
    grad = np.array(values, dtype)
    before = grad.copy()
    expected = math.sqrt(math.fsum(float(v) ** 2 for v in grad))
    norm = clip_by_global_norm(grad, max_norm)
    assert type(norm) is float and norm == pytest.approx(expected, rel=1e-14)
    if norm <= max_norm:
        np.testing.assert_array_equal(grad, before)
    else:
        # the norm's error and one rounding per element; those near the smallest float32 keep fewer digits
        close = {"rtol": 1e-14 + np.finfo(dtype).eps, "atol": float(np.finfo(dtype).tiny)}
        np.testing.assert_allclose(grad, before.astype(float) * (max_norm / expected), **close)


def test_clip_extremes():
    zero = np.zeros(3, np.float32)
    assert clip_by_global_norm(zero, 1.0) == 0.0 and not zero.any()
    assert clip_by_global_norm(np.zeros(0), 1.0) == 0.0
    for bad in (np.nan, np.inf, -np.inf):
        grad = np.array([1.0, bad, 5.0])
        before = grad.copy()
        assert clip_by_global_norm(grad, 1.0) == pytest.approx(abs(bad), nan_ok=True)
        np.testing.assert_array_equal(grad, before)
    with np.errstate(all="raise"):
        large = np.full(4, 3e38, np.float32)  # squares, and the norm itself, do not fit into float32
        assert clip_by_global_norm(large, 2.0) == pytest.approx(6e38, rel=1e-7)
        assert large.tolist() == [1.0] * 4
        assert clip_by_global_norm(np.array([3e-200, 4e-200]), 1.0) == pytest.approx(5e-200, rel=1e-15, abs=0)
        huge = np.full(4, 1.5e308)  # even float64 cannot hold the norm
        assert clip_by_global_norm(huge, 1.0) == math.inf and (huge == 1.5e308).all()
    for grad in ([1.0], np.ones(2, int)):
        with pytest.raises(TypeError, match="`grad` must be a float array, got"):
            clip_by_global_norm(grad, 1.0)
    for max_norm in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="`max_norm` must be a finite number > 0, got"):
            clip_by_global_norm(np.ones(2), max_norm)
