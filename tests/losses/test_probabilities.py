"""Probabilities of logits: ltc_np.losses.probabilities."""

import math

import numpy as np
import pytest

from ltc_np.losses.probabilities import probabilities


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities(dtype):
    """Against plain formulas, and where these would overflow or lose their digits."""
    y = np.random.default_rng(0).normal(0, 3, (2, 5, 4)).astype(dtype)
    wide, tolerance = y.astype(np.longdouble), 4 * np.finfo(dtype).eps  # of a few roundings
    p = probabilities(y)
    assert p.dtype == dtype and p.shape == y.shape
    np.testing.assert_allclose(p, np.exp(wide) / np.exp(wide).sum(-1, keepdims=True), rtol=tolerance)
    np.testing.assert_allclose(probabilities(y, multilabel=True), 1 / (1 + np.exp(-wide)), rtol=tolerance)
    one = probabilities(y[..., :1])
    np.testing.assert_allclose(one[..., 0], 1 / (1 + np.exp(wide[..., 0])), rtol=tolerance)
    np.testing.assert_allclose(one[..., 1], 1 / (1 + np.exp(-wide[..., 0])), rtol=tolerance)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        large = np.array([[3e4, -3e4, 0]], dtype)
        assert probabilities(large).tolist() == [[1, 0, 0]]
        assert probabilities(large, multilabel=True).tolist() == [[1, 0, 0.5]]
    assert probabilities(np.array([[40.0]]))[0, 0] == pytest.approx(math.exp(-40), rel=1e-15)
