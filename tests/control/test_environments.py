"""Environments: what comes back is the same whatever way they begin anew."""

import numpy as np
import pytest
from support import stand_in, toys

from ltc_np.control import Categorical, Environments, Gaussian, MixtureOfGaussians, SquashedGaussian


def played(mode, calls=24, **options):
    """Of each environment the transitions that count: (seen, dt, action, reward, terminated, truncated, led to, dt)."""
    environments = Environments(toys.counting(mode), **options)
    found, began = [[] for _ in range(3)], []
    now = environments.reset(seed=0)
    assert now.began.all() and not now.rewards.any()
    for call in range(calls):
        actions = np.array([call, call + 1, call + 2]) % 3
        after = environments.step(actions)
        began.append(after.began)
        for k in np.flatnonzero(after.counts):
            # Which action it was depends on the calls, of which NEXT_STEP needs more.
            seen, led = now.observations[k, :2].tolist(), after.final[k, :2].tolist()
            assert after.final[k, -1] == actions[k] or environments.observed
            ends = bool(after.terminated[k]), bool(after.truncated[k])
            found[k].append((seen, now.dt[k], after.rewards[k], *ends, led, after.final_dt[k]))
        now = after
    return found, began


@toys.needs_gymnasium
@pytest.mark.parametrize("mode", toys.MODES)
def test_what_stands_in_for_gymnasium_answers_the_same(mode):
    theirs, own = toys.counting(mode), stand_in.SyncVectorEnv(toys.counters(), stand_in.AutoresetMode[mode])
    answers = [(vector.reset(seed=0),) for vector in (theirs, own)]
    for call in range(24):
        for one, other in zip(*answers, strict=True):
            assert repr(one) == repr(other), call
        actions = (np.arange(3) + call) % 3
        answers = [[vector.step(actions)] for vector in (theirs, own)]
        ended = answers[0][0][2] | answers[0][0][3]
        if mode == "DISABLED" and ended.any():
            for answer, vector in zip(answers, (theirs, own), strict=True):
                answer.append(vector.reset(options={"reset_mask": ended.copy()}))


@pytest.mark.parametrize("mode", toys.MODES)
def test_all_ways_to_begin_anew_give_the_same_transitions(mode):
    found, _ = played(mode, dt="info")
    # Environment 1: episode 1 ends by its rules after 4 steps, episode 2 by the clock after 5, episode 3 after 3.
    wanted = [
        ([e, float(t)], 0.5 if t == 0 else 1 + t / 10, 10.0 * e + t + 1, rules and t + 1 == T, not rules and t + 1 == T,
         [e, t + 1.0], 1 + (t + 1) / 10)
        for e, T, rules in ((1.0, 4, True), (2.0, 5, False), (3.0, 3, True))
        for t in range(T)
    ]  # fmt: skip
    assert found[1][: len(wanted)] == wanted


def test_with_next_step_the_call_after_an_end_is_ignored():
    environments = Environments(toys.counting("NEXT_STEP"))
    environments.reset(seed=0)
    steps = [environments.step(np.zeros(3, int)) for _ in range(6)]
    assert [bool(s.ended[1]) for s in steps] == [False, False, False, True, False, False]
    assert [bool(s.counts[1]) for s in steps] == [True, True, True, True, False, True]
    assert [bool(s.began[1]) for s in steps] == [False, False, False, False, True, False]
    assert steps[4].observations[1].tolist() == [2, 0, -1] and steps[4].rewards[1] == 0
    assert steps[3].final[1].tolist() == [1, 4, 0] == steps[3].observations[1].tolist()


def test_a_reward_of_a_call_that_is_ignored_is_none():
    """Whatever an environment gives there, also what is no number."""
    environments = Environments(toys.counting("NEXT_STEP"))
    environments.reset(seed=0)
    step, ended = environments.vector.step, np.zeros(3, bool)

    def loud(actions):
        nonlocal ended
        seen, rewards, terminated, truncated, infos = step(actions)
        rewards, ended = np.where(ended, np.nan, rewards + 5), terminated | truncated
        return seen, rewards, terminated, truncated, infos

    environments.vector.step = loud
    steps = [environments.step(np.zeros(3, int)) for _ in range(6)]
    assert steps[4].rewards[1] == 0 and steps[3].rewards[1] >= 5


def test_elapsed_times():
    fixed = Environments(toys.counting("NEXT_STEP"), dt=0.02)
    assert fixed.reset().dt.tolist() == [0.02] * 3
    own = Environments(toys.counting("NEXT_STEP"), dt=lambda infos: infos["dt"] * 2)
    assert own.reset().dt.tolist() == [1.0] * 3
    silent = Environments(toys.echo(2), dt="info")
    with pytest.raises(ValueError, match='needs the key "dt" in infos'):
        silent.reset(seed=0)


def test_what_is_hidden_and_what_actions_there_are():
    environments = Environments(toys.counting("SAME_STEP"), observed=[2, 0])
    assert environments.reset(seed=0).observations.tolist() == [[-1, 0], [-1, 1], [-1, 2]]
    assert environments.distribution() == Categorical(3)
    numbers = Environments(toys.echo(2))
    assert numbers.distribution() == Gaussian([-2.0], [2.0]) and numbers.size == 1
    assert isinstance(numbers.distribution("squashed"), SquashedGaussian)
    assert isinstance(numbers.distribution("mixture"), MixtureOfGaussians)
    with pytest.raises(ValueError, match="'categorical' or 'auto'"):
        environments.distribution("gaussian")
    with pytest.raises(ValueError, match="'mixture' or 'auto'"):
        numbers.distribution("categorical")


@toys.needs_gymnasium
def test_environments_of_gymnasium_by_name():
    environments = Environments.make("CartPole-v1", 2, observed=[0, 2], vectorization_mode="sync")
    whole = environments.vector.reset(seed=3)[0]
    assert np.array_equal(environments.reset(seed=3).observations, whole[:, [0, 2]])
    assert repr(environments) == "Environments(2 of CartPole-v1, 2 numbers seen)"
    environments.close()


def test_what_does_not_fit():
    with pytest.raises(TypeError, match=r"`Environments.make\(name, count\)`"):
        Environments(toys.Counting())
    with pytest.raises(ValueError, match=r"in 0\.\.2"):
        Environments(toys.counting("NEXT_STEP"), observed=[3])
    with pytest.raises(ValueError, match="different numbers"):
        Environments(toys.counting("NEXT_STEP"), observed=[1, 1])
    several = toys.counting("NEXT_STEP")
    several.single_action_space = toys.gymnasium.spaces.MultiDiscrete([2, 2])
    with pytest.raises(TypeError, match="actions must be Discrete"):
        Environments(several)
    named = toys.counting("NEXT_STEP")
    named.single_observation_space = toys.gymnasium.spaces.Discrete(4)
    with pytest.raises(TypeError, match="FlattenObservation"):
        Environments(named)
    odd = toys.counting("NEXT_STEP")
    odd.metadata = {"autoreset_mode": "SOMETIMES"}
    with pytest.raises(ValueError, match="AutoresetMode"):
        Environments(odd)


def test_rewards_that_are_no_numbers():
    environments = Environments(toys.counting("NEXT_STEP"))
    environments.reset(seed=0)
    environments.vector.envs[1].step = lambda action: (np.zeros(3), np.nan, False, False, {})
    with pytest.raises(ValueError, match="`rewards` must be finite"):
        environments.step(np.zeros(3, int))


def test_distributions_of_other_actions_are_refused():
    """Those with fewer choices, or with narrower bounds, are taken: they choose what the environments know."""
    choices, numbers = Environments(toys.counting("NEXT_STEP")), Environments(toys.echo(2))
    for fits in (Categorical(3), Categorical(2, start=1)):
        choices.check(fits)
    for fits in (Gaussian([-2.0], [2.0]), SquashedGaussian([-2 - 1e-7], [1.0]), MixtureOfGaussians([-1.0], [2.0])):
        numbers.check(fits)
    for wrong in (Categorical(4), Categorical(3, start=1), Categorical(2, start=-1), Gaussian([0.0], [1.0])):
        with pytest.raises(ValueError, match=r"these environments take, choices in 0\.\.2, got"):
            choices.check(wrong)
    for wrong in (
        Categorical(3), Gaussian([-2.0] * 2, [2.0] * 2), SquashedGaussian([-2.1], [2.0]), Gaussian([-2.0], [np.inf])
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"take, numbers in \[-2\.\] to \[2\.\], got"):
            numbers.check(wrong)


def test_actions_of_another_kind_are_refused():
    environments = Environments(toys.counting("NEXT_STEP"))
    environments.reset(seed=0)
    for wrong in (np.zeros(3), [0, 1], np.zeros((3, 1), int)):
        with pytest.raises(ValueError, match=r"`actions` must be integers of shape \(3,\)"):
            environments.step(wrong)
    assert environments.step([0, 1, 2]).observations[:, 2].tolist() == [0, 1, 2]


@toys.needs_gymnasium
def test_wrapped_environments_by_name():
    """CartPole-v1 has a vectorised form, which Gymnasium does not wrap."""
    environments = Environments.make("CartPole-v1", 2, wrappers=[toys.gymnasium.wrappers.FlattenObservation])
    assert isinstance(environments.vector, toys.gymnasium.vector.SyncVectorEnv)
    environments.close()
    with pytest.raises(TypeError, match="no argument `num_envs`: it is `count`"):
        Environments.make("CartPole-v1", 2, num_envs=2)
    for wrong in (2, slice(0, 2), [True, False], []):
        with pytest.raises((TypeError, ValueError), match=r"a sequence of different numbers in 0\.\.2"):
            Environments(toys.counting("NEXT_STEP"), observed=wrong)
    with pytest.raises(TypeError, match="`seed` must be an int"):
        Environments(toys.counting("NEXT_STEP")).reset("now")
