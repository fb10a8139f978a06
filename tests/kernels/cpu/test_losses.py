"""Compiled losses against those in NumPy, the definition: sums, derivatives, padding, last outputs."""

from functools import partial

import numpy as np
import pytest
from support.backends import NO_KERNELS

from ltc_np import losses as library

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

from ltc_np.kernels.cpu import losses

LOSSES = {
    "mse": library.mse,
    "mae": library.mae,
    "huber": partial(library.huber, delta=0.3),
    "quantile": partial(library.quantile, quantiles=(0.1, 0.5, 0.8)),
    "cross_entropy": library.cross_entropy,
    "binary_cross_entropy": library.binary_cross_entropy,
}
# Those that go through exp and log are of another library there: 4 units in the last place.
TOLERANCES = {"cross_entropy": 4, "binary_cross_entropy": 4}


def given(name, dtype, steps):
    """Outputs (4, 5, 3), some of them far from 0 or on their targets, and targets of these steps."""
    rng = np.random.default_rng(3)
    y = rng.standard_normal((4, 5, 3))
    y[0, 1], y[1, 0], y[2, :2, 1] = (400.0, -400.0, 0.0), 80.0, -90.0
    y = y.astype(dtype)
    if name == "cross_entropy":
        return y, rng.integers(0, 3, (4, steps)).astype(np.intp)
    target = rng.standard_normal((4, steps, 3)).astype(dtype)
    target[3, 0] = y[3, 0]
    return y, (target > 0).astype(dtype) if name == "binary_cross_entropy" else target


def close(found, expected, name):
    units = TOLERANCES.get(name, 0)
    if not units:
        return np.testing.assert_array_equal(found, expected)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=units * np.finfo(expected.dtype).eps * largest)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("last", [False, True])
def test_a_batch_is_that_of_the_definition(name, dtype, last):
    y, target = given(name, dtype, 1 if last else 5)
    steps, d_y, total = np.array([5, 2, 1, 4]), np.full((4, 5, 3), 7, dtype), np.full(1, 7.0)
    kernel, before = losses.call(name, library.numbers(LOSSES[name], None, 3, np.dtype(dtype)), np.dtype(dtype))
    numbers = target.reshape(4, -1, 1 if name == "cross_entropy" else 3).astype(dtype)
    kernel(*before, y, numbers, steps, np.array([0.25, 9.0]), d_y, total)
    expected = np.zeros_like(d_y)
    if last:
        rows = np.arange(4), steps - 1
        value, _, expected[rows] = LOSSES[name](y[rows], target[:, 0])
    else:
        weight = (np.arange(5) < steps[:, None]).astype(dtype)
        value, _, expected = LOSSES[name](y, target, weight)
    close(d_y, expected * dtype(0.25), name)
    np.testing.assert_allclose(total, value, rtol=1e-14 if name not in TOLERANCES else 4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", losses.PIECES)
@pytest.mark.parametrize("weighed", [False, True])
def test_pieces_of_a_loss_are_those_of_the_definition(name, weighed):
    """Also with weights of steps and classes, and for outputs that are not contiguous."""
    kind, (y, target) = library.LOSSES[name], given(name, np.float32, 5)
    classes = 3 if name == "cross_entropy" else 2
    weights = (np.linspace(0.5, 2, 20).reshape(4, 5), np.arange(1, classes + 1, dtype=np.float32)) if weighed else ()
    y = np.asfortranarray(y)
    found = library.trusted(kind.function, losses.PIECES)(y, target, *weights)
    expected = kind.unchecked(y, target, *weights)
    np.testing.assert_allclose(found[:2], expected[:2], rtol=1e-6)
    close(found[2], expected[2], name)
    assert found[2].dtype == np.float32 and found[2].shape == y.shape
