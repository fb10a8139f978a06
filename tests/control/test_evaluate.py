"""Evaluation: whole episodes, each environment its share, and how far their mean can be trusted."""

import functools
import math

import numpy as np
import pytest
from support import toys

from ltc_np import CfC, Dense, Line, Model, Residual
from ltc_np.control import Environments, Evaluation, Gaussian, evaluate
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
    assert found.deviation == pytest.approx(math.sqrt(2.5)) and found.interval(0.9) == pytest.approx(
        (3 - 2.131847 * math.sqrt(0.5), 3 + 2.131847 * math.sqrt(0.5)), abs=1e-5
    )
    alone = Evaluation(np.ones(1), np.ones(1, int))
    assert math.isnan(alone.deviation) and repr(alone) == "Evaluation(mean 1, 1 episode)"
    with pytest.raises(ValueError, match="at least 2 episodes"):
        alone.interval()
    for level in (0, 1):
        with pytest.raises(ValueError, match="`level` must be"):
            found.interval(level)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpu", marks=pytest.mark.compiled)])
def test_steps_are_those_of_the_model(backend):
    model = Model(CfC(5), Dense(2), input_dim=3, seed=0, backend=backend)
    rng = np.random.default_rng(0)
    stepper, state = Stepper(model, 4), model.starting_state(4)
    for _ in range(3):
        x, dt = rng.normal(size=(4, 3)), rng.uniform(0, 2, 4)
        wanted = model.step(x, dt=dt, state=state)
        before, kept = state, state.copy()
        y, state = stepper(x, dt, state)
        assert np.array_equal(y, wanted[0]) and np.array_equal(state, wanted[1])
        assert np.array_equal(before, kept) and y.dtype == np.float64
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


@pytest.mark.parametrize("mode", toys.MODES)
def test_episodes_are_those_of_a_loop(mode):
    """Each environment by itself, step by step: the second has longer episodes than the first, and one fewer."""
    beside = Residual(CfC(4), Dense(1), around=Line(1, 2, before=[0.7], weight=[[0.1], [0.9]], bias=[0.2]))
    policy, gaussian = Model(beside, input_dim=1, seed=0, backend="numpy"), Gaussian([-2.0], [2.0])
    policy.theta[:] *= 3
    assert policy.starting_state(1).any()
    makers = [functools.partial(toys.Echo, 1, length) for length in (3, 5)]
    environments = Environments(toys.SyncVectorEnv(makers, autoreset_mode=toys.MODES[mode]), dt=0.3)
    for own in (None, gaussian.initial(), np.array([-1.0])):
        noise, found = np.random.default_rng(4).standard_normal((40, 2, 1)), []
        for k, (make, episodes) in enumerate(zip(makers, (3, 2), strict=True)):
            environment, calls = make(), 0
            for episode in range(episodes):
                seen, _ = environment.reset(seed=None if episode else 4 + k)
                state, total, steps, ended = policy.initial_state(), 0.0, 0, False
                while not ended:
                    y, state = policy.step(seen, dt=0.3, state=state)
                    draw = y if own is None else y.astype(float) + np.exp(own) * noise[calls, k]
                    seen, reward, _, ended, _ = environment.step(np.clip(2 * draw, -2, 2).astype(np.float32))
                    total, steps, calls = total + reward, steps + 1, calls + 1
                found.append((calls, k, total, steps))
                calls += mode == "NEXT_STEP"  # which takes a call to begin
        options = {} if own is None else {"deterministic": False} | ({} if own[0] == 0 else {"own": own})
        result = evaluate(policy, environments, 5, seed=4, **options)
        _, _, returns, lengths = zip(*sorted(found), strict=True)
        assert result.returns == pytest.approx(returns, rel=1e-5) and result.lengths.tolist() == list(lengths)
        assert result.mean == pytest.approx(np.mean(returns), rel=1e-5)
    assert not np.array_equal(evaluate(policy, environments, 5, seed=5).returns, result.returns)


def test_what_does_not_fit():
    environments = Environments(toys.echo(2))
    policy = Model(Dense(1), input_dim=1)
    with pytest.raises(TypeError, match="`policy` must be a model of ltc_np"):
        evaluate(np.tanh, environments)
    with pytest.raises(ValueError, match="`own` must be finite"):
        evaluate(policy, environments, own=[np.nan])
    for wrong in ({"episodes": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
            evaluate(policy, environments, **wrong)
    with pytest.raises(ValueError, match=r"take, numbers in \[-2\.\] to \[2\.\], got"):
        evaluate(policy, environments, distribution=Gaussian([-3.0], [3.0]))
    assert len(evaluate(policy, environments).returns) == 100


def test_a_policy_without_numbers_has_no_return():
    """The largest of NaNs is the first choice: there would be a return like any other."""
    policy = Model(Dense(3), input_dim=3, seed=0, backend="numpy")
    policy.params["bias"][1] = np.nan
    with pytest.raises(FloatingPointError, match="must be numbers, got NaN"):
        evaluate(policy, Environments(toys.counting("NEXT_STEP")), 2)
