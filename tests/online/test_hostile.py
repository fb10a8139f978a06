"""Hostile streams: NaN, infinity, jumps, standing still, no time; an error that changes nothing, or bounded weights."""

import numpy as np
import pytest

from ltc_np import LSTM, LTC, SGD, Adam, AutoNCP, Dense, LrcSSM, Model
from ltc_np.online import LMS, NLMS, RLS, Guard, Learner

GUARD = Guard(distance=2.0, horizon=10)
LEARNERS = [
    {"rule": LMS(0.05), "guard": GUARD},
    {"rule": NLMS(0.5), "guard": GUARD},
    {"rule": RLS(0.95), "guard": GUARD, "delay": 1},
    {"rule": Adam(0.05), "guard": GUARD},
    {"rule": SGD(0.5), "guard": GUARD, "delay": 1},
    {"rule": SGD(0.5), "clip_norm": 1.0, "loss": "huber"},
    {"rule": Adam(0.05), "pull": 0.1, "loss": "mae"},
]
LAYERS = [LTC(AutoNCP(5, 2)), LSTM(2), LrcSSM(3)]


def hostile(seed, steps):
    """(x, dt, target, weight), one step after another."""
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(10)[: rng.integers(1, 6)]  # what this stream does
    held = rng.normal(size=2)
    for _ in range(steps):
        x, dt, target, weight = rng.normal(size=2), rng.uniform(0, 2), rng.normal(size=2), 1.0
        match rng.choice(kinds) if rng.random() < 0.5 else None:
            case 0:
                x = x * rng.choice([np.nan, np.inf, -np.inf])
            case 1:
                x = x * rng.choice([1e6, -1e6, 1e18])
            case 2:
                x = held
            case 3:
                x = np.zeros(2)
            case 4:
                dt = 0.0
            case 5:
                dt = rng.choice([-1.0, np.nan, np.inf, 1e6])
            case 6:
                target = target * rng.choice([np.nan, np.inf, -np.inf])
            case 7:
                target = target * rng.choice([1e6, 1e12, 1e19, 1e38])
            case 8:
                target[rng.integers(2)] = np.nan
            case 9:
                weight = rng.choice([0.0, 1e-30, 1e6, 1e30, np.nan, -1.0])
        yield x, dt, target, weight


def run(seed, steps, backend):
    """The learner after one stream."""
    rng = np.random.default_rng(seed)
    options = dict(LEARNERS[seed % len(LEARNERS)])
    layer = LAYERS[rng.integers(len(LAYERS))]
    learner = Learner(Model(layer, Dense(2), input_dim=2, seed=seed, backend=backend), **options)
    delay, guarded, norm = options.get("delay", 0), "guard" in options, np.linalg.norm(learner.deployed)
    for x, dt, target, weight in hostile(seed, steps):
        weights, state = learner.weights, learner.state.copy()
        try:
            y = learner.predict(x, dt=dt if learner.network().takes_dt else None)
        except (ValueError, FloatingPointError) as error:
            assert "must" in str(error)
            np.testing.assert_array_equal(learner.state, state)
            np.testing.assert_array_equal(learner.weights, weights)
            continue
        assert np.isfinite(y).all() and np.isfinite(learner.state).all()
        weights, log = learner.weights, learner.log.steps
        try:
            learner.learn(target, ago=min(delay, len(learner._waiting.answers) - 1), weight=weight)
        except (ValueError, FloatingPointError) as error:
            assert "must" in str(error)
            np.testing.assert_array_equal(learner.weights, weights)
            assert learner.log.steps == log
        apart = np.linalg.norm(learner.weights - learner.deployed)
        assert np.isfinite(learner.weights).all()
        if guarded:
            assert apart <= 2.0 * norm * (1 + 1e-4)
    assert np.isfinite(learner.log.rows).all()
    return learner


@pytest.mark.single
@pytest.mark.parametrize("seed", range(7))
def test_hostile_streams_lose_nothing(seed, backend):
    run(seed, 20, backend)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1000, 50))
def test_a_thousand_hostile_streams(first, tmp_path):
    learnt = 0
    for seed in range(first, first + 50):
        learner = run(seed, 40, "auto")
        learnt += learner.log.steps
        learner.save(tmp_path / "learner.npz")  # only finite numbers can be written
        np.testing.assert_array_equal(Learner.load(tmp_path / "learner.npz").weights, learner.weights)
    assert learnt > 500
