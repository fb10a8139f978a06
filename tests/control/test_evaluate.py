"""Evaluation: whole episodes, each environment its share, and how far their mean can be trusted."""

import math

import numpy as np
import pytest
from support import toys

from ltc_np import CfC, Dense, Model
from ltc_np.control import Environments, Evaluation, evaluate
from ltc_np.control.evaluate import Stepper, student_quantile


@pytest.mark.parametrize(
    ("level", "freedom", "wanted"),
    [(0.975, 1, 12.706205), (0.975, 4, 2.776445), (0.95, 30, 1.697261), (0.995, 99, 2.626405)],
)
def test_student_quantile(level, freedom, wanted):
    """As printed in tables."""
    assert student_quantile(level, freedom) == pytest.approx(wanted, abs=1e-6)


def test_interval():
    found = Evaluation(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.ones(5, int))
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert found.interval() == pytest.approx((3 - half, 3 + half), abs=1e-5)
    assert repr(found) == "Evaluation(mean 3 (95 %: 1.037 to 4.963), 5 episodes)"
    with pytest.raises(ValueError, match="at least 2 episodes"):
        Evaluation(np.ones(1), np.ones(1, int)).interval()


@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpu", marks=pytest.mark.compiled)])
def test_steps_are_those_of_the_model(backend):
    model = Model(CfC(5), Dense(2), input_dim=3, seed=0, backend=backend)
    rng = np.random.default_rng(0)
    stepper, state = Stepper(model, 4), model.starting_state(4)
    for _ in range(3):
        x, dt = rng.normal(size=(4, 3)), rng.uniform(0, 2, 4)
        wanted = model.step(x, dt=dt, state=state)
        y, state = stepper(x, dt, state)
        assert np.array_equal(y, wanted[0]) and np.array_equal(state, wanted[1])
    model.theta[:] *= 0.5
    stepper.refresh()
    assert np.array_equal(stepper(x, dt, state)[0], model.step(x, dt=dt, state=state)[0])


def test_every_environment_plays_its_share():
    policy = Model(CfC(4), Dense(3), input_dim=3, seed=0)
    for mode in toys.MODES:
        found = evaluate(policy, Environments(toys.counting(mode)), 7)
        # Episodes 0, 1, 2 of the first environment, and so on; number e lasts 5 steps, or 3 + e % 3 if it is odd.
        lengths = sorted([5, 4, 5, 4, 5, 5, 3])
        assert sorted(found.lengths.tolist()) == lengths
        episodes = [(0, 5), (1, 4), (2, 5), (1, 4), (2, 5), (2, 5), (3, 3)]
        assert sorted(found.returns) == sorted(10 * e * T + T * (T + 1) / 2 for e, T in episodes)
    with pytest.raises(ValueError, match="input_dim=3"):
        evaluate(Model(Dense(3), input_dim=2), Environments(toys.counting(mode)))
    with pytest.raises(TypeError, match="`environments` must be Environments, got"):
        evaluate(policy, toys.counting(mode))
    with pytest.raises(ValueError, match=r"`own` must have shape \(1,\)"):
        evaluate(Model(Dense(1), input_dim=1), Environments(toys.echo(2)), own=[0.0, 0.0], deterministic=False)


def test_a_policy_without_numbers_has_no_return():
    """The largest of NaNs is the first choice: there would be a return like any other."""
    policy = Model(Dense(3), input_dim=3, seed=0, backend="numpy")
    policy.params["bias"][1] = np.nan
    with pytest.raises(FloatingPointError, match="must be numbers, got NaN"):
        evaluate(policy, Environments(toys.counting("NEXT_STEP")), 2)
