"""The loss of one answer, which compiled kernels measure without the checks and arrays of whole batches."""

from functools import partial

import numpy as np
import pytest

from ltc_np import Dense, Model, losses
from ltc_np.losses import huber, quantile
from ltc_np.online.targets import Targets

LOSSES = {
    "mse": "mse",
    "mae": "mae",
    "huber": partial(huber, delta=0.3),
    "quantile": partial(quantile, quantiles=(0.2,)),
    "binary_cross_entropy": "binary_cross_entropy",
}


@pytest.mark.parametrize("outputs", [1, 3, 17])
@pytest.mark.parametrize("name", LOSSES)
def test_an_answer_is_measured_as_batches_are(name, outputs, backend):
    """The mean over the outputs that have a target, and its derivative, to the bit; sums are in float64."""
    loss, rng = losses.get(LOSSES[name]), np.random.default_rng(outputs)
    model = Model(Dense(outputs), input_dim=1, seed=0, backend=backend)
    targets = Targets(loss, model)
    y, target = rng.normal(size=(2, 1, outputs)).astype(np.float32)
    target = (target > 0).astype(np.float32) if name == "binary_cross_entropy" else target
    some = np.arange(outputs) != 1
    for known in (None, some):
        if known is not None and known.all():
            continue
        weight = None if known is None else known[None].astype(np.float32)
        total, count, d_y = loss(y, target, weight)
        found, derivative = targets.measure(y, target, known)
        assert found == pytest.approx(total / count, rel=1e-15)
        np.testing.assert_array_equal(derivative, d_y / np.float32(count))


def test_measuring_another_answer_leaves_a_derivative_as_it_was(backend):
    targets = Targets(losses.get("mse"), Model(Dense(1), input_dim=1, seed=0, backend=backend))
    zero = np.zeros((1, 1), np.float32)
    _, first = targets.measure(zero + 1, zero, None)
    targets.measure(zero + 5, zero, None)
    np.testing.assert_array_equal(first, zero + 2)
