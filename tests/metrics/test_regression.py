"""Metrics of numbers where digits may be lost."""

from fractions import Fraction

import numpy as np
import pytest

from ltc_np.metrics import MAE, MSE, R2


def test_r2_survives_a_large_mean():
    """Targets 1e8 + noise: sums of squares would have no digit left (1e16 * 1e-16 = 1)."""
    rng = np.random.default_rng(0)
    target = 1e8 + rng.normal(size=(60, 2))
    target[0] += 1e4  # a first element that is no good guess of the mean
    y = target + 0.1 * rng.normal(size=(60, 2))
    metric = R2()
    for k in range(0, 60, 7):
        metric.update(y[k : k + 7], target[k : k + 7])
    shares = []
    for o in range(2):
        t, p = ([Fraction(v) for v in a[:, o]] for a in (target, y))
        mean = sum(t) / 60
        residual = sum((a - b) ** 2 for a, b in zip(t, p, strict=True))
        shares.append(residual / sum((a - mean) ** 2 for a in t))
    # the shares are 6e-9: what is left after taking them from 1 has an error of 1e-16 / 6e-9
    assert 1 - metric.result() == pytest.approx(float(sum(shares) / 2), rel=1e-7, abs=0)


def test_r2_of_small_weights():
    """Weights that sum to less than 1, in batches: only their ratios matter."""
    rng = np.random.default_rng(0)
    y, target, weight = rng.normal(size=(6, 2)), rng.normal(size=(6, 2)), rng.uniform(0.01, 0.1, 6)
    values = []
    for scale in (1.0, 1000.0):
        metric = R2()
        for cut in (slice(0, 2), slice(2, 6)):
            metric.update(y[cut], target[cut], scale * weight[cut])
        values.append(metric.result())
    mean = np.average(target, axis=0, weights=weight)
    residual, spread = (np.sum(weight[:, None] * (target - a) ** 2, axis=0) for a in (y, mean))
    assert values == [pytest.approx(np.mean(1 - residual / spread), rel=1e-12)] * 2


def test_r2_of_a_constant_target_whose_first_elements_are_missing():
    """The offsets are from the first target that is there, in this batch or a later one."""
    target, weight = np.full((10, 2), 0.1), np.ones((10, 2))  # seven times 0.1, divided by seven, is not 0.1
    target[:3, 1] = np.nan
    weight[:3, 1] = 0
    y = np.where(weight > 0, target, 5.0) + np.array([0.0, 1e-9])
    metric = R2()
    for cut in (slice(0, 2), slice(2, 10)):
        metric.update(y[cut], target[cut], weight[cut])
    assert metric.result() == (1 + 0) / 2


def test_r2_of_a_constant_target():
    constant = np.full((5, 1), 0.1)  # its mean, computed plainly, is not 0.1
    for y, expected in ((constant, 1.0), (constant + 1e-9, 0.0)):
        metric = R2()
        metric.update(y[:2], constant[:2])
        metric.update(y[2:], constant[2:])
        assert metric.result() == expected
    metric = R2()  # the other output keeps its own score
    metric.update(np.array([[1.0, 7.0], [2.0, 8.0]]), np.array([[1.0, 7.0], [2.0, 7.0]]))
    assert metric.result() == 0.5
    metric = R2()
    metric.update(np.array([[2.0]]), np.array([[2.5]]))
    assert metric.result() == 0.0


def test_r2_of_integers_and_floats32():
    metric = R2()
    large_small = np.array([[250], [1]], np.uint8)  # differences would wrap around
    metric.update(large_small, large_small[::-1])
    assert metric.result() == pytest.approx(-3.0)
    for metric in (MSE(), MAE()):
        metric.update(np.array([[1]], np.uint8), np.array([[3]], np.uint8))
        assert metric.result() == {"mse": 4.0, "mae": 2.0}[metric.name]
    metric = MSE()  # 2**24 + 1 is no float32
    metric.update(np.array([[2.0**12], [1.0]], np.float32), np.zeros((2, 1), np.float32))
    assert metric.result() == (2.0**24 + 1) / 2
