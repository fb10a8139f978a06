"""`KeepBest`: when it lets a policy play, and which one it keeps."""

import numpy as np
import pytest
from support import toys

from ltc_np import Dense, Model
from ltc_np.control import PPO, Environments, KeepBest, evaluate, keep_best


def learner():
    return PPO(Model(Dense(1), input_dim=1, seed=0, backend="numpy"), Environments(toys.echo(2, 0)), steps=8)


def test_the_best_stays_when_the_policy_gets_worse():
    """The action that is seen is right; a callback sets what the policy has learnt, from worst over best to good."""
    ppo, best, gains = learner(), KeepBest(Environments(toys.echo(2, 0)), episodes=4, every=32, seed=9), []

    def callback(found):
        gains.append([0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5, 0.4, 0.45][len(gains)])
        found.policy.theta[:] = gains[-1], 0
        tried = best.tried
        best(found)
        assert (best.tried > tried) == (found.done % 32 == 0)

    ppo.learn(9 * 16, callback=callback)
    assert best.tried == 8 * 16 and best.steps == 6 * 16 and best.policy.theta.tolist() == [0.5, 0.0]
    assert best.value == evaluate(best.policy, Environments(toys.echo(2, 0)), 4, seed=9).mean == pytest.approx(8)
    assert best.judge(ppo).mean < best.value and best.tried == 9 * 16
    assert np.array_equal(ppo.policy.theta, np.array([0.45, 0], np.float32))


def test_usual_trials_and_what_is_played_in_them(monkeypatch):
    """Are those of the documentation: after 10,000 steps 20 episodes; what the outputs mean is as for who learns."""
    environments, given = Environments(toys.echo(2, 0)), []
    best = KeepBest(environments)
    assert (best.episodes, best.every, best.seed) == (20, 10_000, 0)
    assert (best.policy, best.value, best.steps, best.tried) == (None, -np.inf, 0, 0)
    monkeypatch.setattr(keep_best, "evaluate", lambda *args, **named: given.append((*args, named)) or evaluate(*args))
    ppo = learner()
    ppo.done = 9_999
    best(ppo)
    assert best.policy is None and given == []
    ppo.done = 10_000
    best(ppo)
    assert given == [(ppo.policy, environments, 20, {"distribution": ppo.distribution, "seed": 0})]
    assert best.steps == best.tried == 10_000 and best.policy is not ppo.policy


def test_learning_has_the_same_bits_beside_it():
    one, two = learner(), learner()
    one.learn(64)
    two.learn(64, callback=KeepBest(Environments(toys.echo(2, 0)), episodes=2, every=16))
    assert np.array_equal(one.policy.theta, two.policy.theta)


def test_what_does_not_fit():
    ppo = learner()
    for own in ppo.environments, Environments(ppo.environments.vector):  # the second does not count the first's resets
        with pytest.raises(ValueError, match="others than those of the PPO"):
            ppo.learn(64, callback=KeepBest(own, every=1))
    with pytest.raises(ValueError, match="`every`"):
        KeepBest(ppo.environments, every=0)
    with pytest.raises(TypeError, match="must be Environments"):
        KeepBest("CartPole-v1")
