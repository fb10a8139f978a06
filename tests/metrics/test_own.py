"""Metrics of a user's own: ltc_np.metrics.own."""

import numpy as np
import pytest

from ltc_np.metrics import Metric, get


def largest_error(y, target):
    return np.abs(y - target).max()


def test_own_metric_sees_all_valid_elements():
    metric = get(largest_error)
    assert isinstance(metric, Metric) and metric.name == "largest_error"
    assert repr(metric) == "<metric largest_error>"
    y = np.zeros((2, 3, 1))
    target = np.array([[[1.0], [2.0], [np.nan]], [[-4.0], [0.0], [0.0]]])
    weight = np.array([[1, 1, 0], [1, 1, 1]])
    metric.update(y, target, weight)
    y += 100  # a workspace that the caller uses again
    metric.update(np.ones((1, 1, 1)), np.zeros((1, 1, 1)))
    assert metric.result() == 4.0
    metric.reset()
    metric.update(np.ones((1, 1)), np.zeros((1, 1)))
    assert metric.result() == 1.0

    shapes = []
    metric = get(lambda y, target: shapes.append((y.shape, target.shape)) or 1)
    metric.update(np.ones((2, 3, 4)), np.zeros((2, 3), int))
    metric.update(np.ones((1, 2, 4)), np.zeros((1, 2), int))
    assert metric.result() == 1.0 and shapes == [((8, 4), (8,))]


def test_own_metric_is_checked():
    with pytest.raises(ValueError, match=r"`weight` must be 0 or 1 .*\(largest_error\), got 0.5"):
        get(largest_error).update(np.ones((2, 1)), np.ones((2, 1)), [1, 0.5])
    for value, kind in (("good", "str 'good'"), (np.ones(2), "ndarray"), (None, "NoneType None")):
        metric = get(lambda y, target, value=value: value)
        metric.update(np.ones((2, 1)), np.ones((2, 1)))
        with pytest.raises(TypeError, match=f"must return a real number, got {kind}"):
            metric.result()
