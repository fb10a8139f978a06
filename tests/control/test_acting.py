"""The model of a policy's actions: those that its distribution takes."""

import numpy as np
import pytest

from ltc_np import GRU, LTC, AutoNCP, Conv1D, Dense, MixtureDensity, Model, Standardize
from ltc_np.control import Categorical, Gaussian, MixtureOfGaussians, SquashedGaussian, acting

LOW, HIGH = [-2.0, 1.0, 0.0], [2.0, 5.0, 0.5]


def policies():
    """One layer, whose parameters have plain names, and several; outputs go beyond the bounds."""
    for layers in (LTC(AutoNCP(9, 3)),), (Standardize(clip=3), Conv1D(4, 3), GRU(5), Dense(3)):
        policy = Model(*layers, input_dim=2, seed=0, backend="numpy")
        policy.buffer_vector[:] *= 1.5
        policy.theta[-3:] = 0.4, -5.0, 3.0
        yield policy


@pytest.mark.parametrize("kind", [Gaussian, SquashedGaussian])
def test_its_outputs_are_the_actions(kind, rng):
    distribution = kind(LOW, HIGH)
    for policy in policies():
        x, before = 2 * rng.standard_normal((4, 9, 2)), policy.theta.copy()
        model = acting(policy, distribution)
        y = policy(x).reshape(-1, 3).astype(np.float64)
        wanted = distribution.actions(distribution.mode(y)).reshape(4, 9, 3)
        np.testing.assert_allclose(model(x), wanted, rtol=0, atol=3e-6)  # of numbers up to 5, in float32
        assert (model.dtype, model.backend) == (policy.dtype, "numpy")
        model.theta[:] = 0
        assert np.array_equal(policy.theta, before)


def test_it_computes_as_the_policy_does(rng):
    """In 64 bits as exactly."""
    policy = Model(GRU(5), Dense(3), input_dim=2, seed=0, dtype="float64", backend="numpy")
    x, distribution = rng.standard_normal((4, 9, 2)), SquashedGaussian(LOW, HIGH)
    wanted = distribution.actions(distribution.mode(policy(x).reshape(-1, 3))).reshape(4, 9, 3)
    np.testing.assert_allclose(acting(policy, distribution)(x), wanted, rtol=1e-12)


def test_what_has_no_such_model():
    policy = Model(Dense(2), input_dim=2, seed=0)
    for distribution, error, words in (
        (Categorical(2), TypeError, r"got Categorical\(2\): of choices the largest output is the action"),
        (type("Own", (Gaussian,), {})([0.0] * 2, [1.0] * 2), TypeError, "must be a Gaussian or SquashedGaussian"),
        (Gaussian([0.0, -np.inf], [1.0, 1.0]), ValueError, "must have finite bounds.* export the policy"),
        (Gaussian([0.0], [1.0]), ValueError, "must have the 1 outputs"),
    ):
        with pytest.raises(error, match=words):
            acting(policy, distribution)
    with pytest.raises(TypeError, match="of a mixture `mode` tells which mean"):
        acting(Model(MixtureDensity(1, 2), input_dim=2), MixtureOfGaussians([0.0], [1.0], 2))
    with pytest.raises(TypeError, match="`policy` must be a model"):
        acting(np.tanh, Gaussian([0.0], [1.0]))
