"""How elements are weighed."""

import math
from functools import partial

import numpy as np
import pytest
from support.losses import ALL, class_weights, problem

from ltc_np import losses
from ltc_np.losses import check_target, get, normalise


def test_normalise():
    assert normalise(3.0, 2.0) == 1.5
    assert math.isnan(normalise(math.nan, 2.0))  # a diverged loss is for the caller to report
    for weight_sum in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="weights must not be 0 for every valid element, got the sum"):
            normalise(0.0, weight_sum)


def test_class_weight_is_checked():
    y, target = problem("cross_entropy")
    for bad in ([1.0] * 4, {0: 1.0}, ["a"] * 5, 2.0):
        with pytest.raises(ValueError, match="`class_weight` must be 5 real numbers, got"):
            losses.cross_entropy(y, target, class_weight=bad)
    for bad in ([1, 1, 1, 1, -1], [1, 1, 1, 1, np.nan], [1, 1, 1, 1, np.inf]):
        with pytest.raises(ValueError, match="`class_weight` must be finite and >= 0, got"):
            losses.cross_entropy(y, target, class_weight=bad)
    for small in (1e-39, 1e16):  # products of float32
        with pytest.raises(ValueError, match=r"`class_weight` must be 0 or in \[1e-15, 1e15\], got"):
            losses.cross_entropy(y, target, class_weight=[1, 1, 1, 1, small])
    with pytest.raises(ValueError, match="`class_weight` must be None for a loss without classes"):
        losses.mse(y, y, class_weight=np.ones(5))
    for delta in (0, -1.0, np.nan, np.inf, "1", None):
        for call in (
            lambda delta: losses.huber(y, y, delta=delta),
            lambda delta: get(partial(losses.huber, delta=delta)),
        ):
            with pytest.raises((ValueError, TypeError), match="`delta` must be a finite number > 0, got"):
                call(delta)
    with pytest.raises(TypeError, match="cross_entropy must be integer classes, got dtype float64"):
        losses.cross_entropy(y, target.astype(float))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_the_sum_of_weights_without_the_loss(name, weighted, dtype):
    """The same bits as with it, whatever the weights."""
    y, target = problem(name)
    y, target = y.astype(dtype), check_target(ALL[name], y.shape, target, dtype)
    weight = np.random.default_rng(1).random((3, 4)).astype(dtype) if weighted else None
    for classes in (None, class_weights(name, 5)):
        wanted = ALL[name](y, target, weight, classes)[1]
        classes = None if classes is None else classes.astype(dtype)
        assert losses.weight_sum(ALL[name], target, weight, classes) == wanted
