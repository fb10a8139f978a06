"""The joint of training: gradients of parts of a batch add up to that of the whole, on every engine."""

import numpy as np
import pytest

from ltc_np import LTC, Adam, AutoNCP, Dense, Model, losses
from ltc_np.base.workspace import Workspace
from ltc_np.network.engine import Objective
from ltc_np.network.sequences import check
from ltc_np.optim.clip import Clip


def trainer(model, optimizer, clip=None):
    found = model.engine.trainer(Objective(losses.get("mse"), None, None), optimizer, clip, "full", Workspace())
    found.load()
    return found


@pytest.mark.parametrize("clip", [None, Clip(0.05), Clip(0.02, per_array=True)])
@pytest.mark.parametrize("backend", ["numpy", "cpu", "cuda"])
def test_parts_of_a_batch_make_the_step_of_the_whole(backend, clip, request, rng):
    """Two trainers with unequal shares, weighed by what they hold; float64, sums in another order."""
    if backend == "cuda":
        request.getfixturevalue("emulator")
    x, y, lengths = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4, 2)), np.array([4, 1, 3, 2, 4])

    def made():
        layers = LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2), Dense(2, input_dim=3)
        return Model(*layers, seed=0, dtype="float64", backend=backend)

    def batch(model, rows):
        return model.make_batch(check(model, x[rows], None, lengths[rows], None)[0], y[rows], "mse", None)

    alone, parts = made(), [made(), made()]
    whole = trainer(alone, Adam(0.1), clip)
    trainers = [trainer(model, Adam(0.1), clip) for model in parts]
    for _ in range(3):
        whole.gradient(batch(alone, slice(0, 5)), None, False, False)
        whole.update()
        found = [
            one.gradient(batch(model, rows), None, False, False)
            for one, model, rows in zip(trainers, parts, (slice(0, 2), slice(2, 5)), strict=True)
        ]
        shares = np.array([part.weight for part in found]) / sum(part.weight for part in found)
        total = sum(share * one.flat() for share, one in zip(shares, trainers, strict=True))
        for one in trainers:
            one.replace(total)
            np.testing.assert_array_equal(one.flat(), total)
            one.update()
    for one in (whole, *trainers):
        one.store()
    assert np.array_equal(parts[0].theta, parts[1].theta)
    np.testing.assert_allclose(parts[0].theta, alone.theta, rtol=0, atol=1e-12)
    assert np.abs(alone.theta - made().theta).max() > 0.1
