"""Clipping of the gradient."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_np import Clip, Dense, Model
from ltc_np.optim import SGD, clip_by_array_norm, clip_by_global_norm

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@dtypes
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


@dtypes
def test_each_array_is_clipped_alone(dtype):
    rng = np.random.default_rng(0)
    before = {name: rng.normal(size=shape).astype(dtype) for name, shape in (("a", (3, 4)), ("b", 5), ("c", 1))}
    before["b"] *= dtype(1e-3)
    after = {name: values.copy() for name, values in before.items()}
    norms = clip_by_array_norm(after, 0.5)
    assert list(norms) == ["a", "b", "c"]
    for name, values in before.items():
        alone = values.copy()
        assert norms[name] == clip_by_global_norm(alone, 0.5)
        np.testing.assert_array_equal(after[name], alone)
    assert norms["a"] > 0.5 > norms["b"]
    for wrong, words in (([1.0], "list"), (np.ones(2), r".*: `model.views\(grad\)` gives it for a flat gradient")):
        with pytest.raises(TypeError, match=f"`gradients` must be a mapping from names to arrays, got {words}"):
            clip_by_array_norm(wrong, 1.0)
    with pytest.raises(TypeError, match="`grad` must be a float array, got"):
        clip_by_array_norm({"a": [1.0]}, 1.0)
    with pytest.raises(ValueError, match="`max_norm` must be a finite number > 0, got 0"):
        clip_by_array_norm(after, 0)


@pytest.mark.filterwarnings("ignore:ltc_np. .y. ")  # large on purpose, for the clipping
def test_fit_clips_each_array_alone():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2, 3)), 100 * rng.normal(size=(6, 2, 2))
    by_fit, by_hand = (Model(Dense(2, input_dim=3), Dense(2), seed=0, dtype="float64") for _ in range(2))
    by_fit.fit(x, y, clip_norm=Clip(0.5, per_array=True), optimizer=SGD(0.1), shuffle=False, verbose=False)
    _, grad = by_hand.loss_and_grad(x, y)
    clip_by_array_norm(by_hand.views(grad), 0.5)
    moved = by_fit.views(by_hand.theta - by_fit.theta)
    SGD(0.1).step(by_hand, grad)
    np.testing.assert_array_equal(by_fit.theta, by_hand.theta)
    for values in moved.values():
        assert np.linalg.norm(values) == pytest.approx(0.05, rel=1e-12)  # a learning rate times the limit
    with pytest.raises(ValueError, match="`norm` must be a finite number > 0, got -1"):
        Clip(-1, per_array=True)
    with pytest.raises(TypeError, match="`per_array` must be a bool, got 0.5"):
        Clip(1, per_array=0.5)
    with pytest.raises(ValueError, match="`clip_norm` must be a finite number > 0, got -1"):
        by_fit.fit(x, y, verbose=False, clip_norm=-1)
