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
            seen, led = ([x[k, at] for at in (0, 1)] for x in (now.observations, after.final))
            assert after.final[k, -1] == actions[k]
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
    """Also with numbers in another order, and with times that are made of what the environments say."""
    for factor, options in (
        (1, {"dt": "info"}), (2, {"dt": lambda infos: 2 * infos["dt"], "observed": [0, 1, 2]}), (0, {"dt": 3})
    ):  # fmt: skip
        found, began = played(mode, **options)
        for k in range(3):
            # Episode 1 ends by its rules after 4 steps, episode 2 by the clock after 5, episode 3 after 3.
            wanted = [
                ([e, float(t)], factor * (0.5 if t == 0 else 1 + t / 10) or 3, 10.0 * e + t + 1, rules and t + 1 == T,
                 not rules and t + 1 == T, [e, t + 1.0], factor * (1 + (t + 1) / 10) or 3)
                for e, T, rules in ((0.0, 5, False), (1.0, 4, True), (2.0, 5, False), (3.0, 3, True))[k:]
                for t in range(T)
            ]  # fmt: skip
            assert found[k][: len(wanted)] == wanted
            begun = 1 + sum(step[k] for step in began)
            assert begun == len({seen[0] for seen, *_ in found[k]}) + (found[k][-1][3] or found[k][-1][4])


@pytest.mark.parametrize("mode", toys.MODES)
def test_what_is_seen_is_in_the_order_asked_for(mode):
    """Also of an observation after which an episode has begun anew; numbers of several axes are made flat."""

    class Table(toys.Counting):
        observation_space = toys.gymnasium.spaces.Box(-np.inf, np.inf, (3, 1), np.float64)

        def reset(self, **options):
            seen, info = super().reset(**options)
            return seen[:, None], info

        def step(self, action):
            seen, *rest = super().step(action)
            return seen[:, None], *rest

    vectors = [toys.SyncVectorEnv([kind] * 2, autoreset_mode=toys.MODES[mode]) for kind in (toys.Counting, Table) * 2]
    some = [Environments(vector, observed=[2, 0] if k > 1 else None) for k, vector in enumerate(vectors)]
    assert [own.size for own in some] == [3, 3, 2, 2]
    steps = [own.reset(seed=0) for own in some]
    for call in range(12):
        for name in "observations", "final":
            whole = getattr(steps[0], name)
            for step, wanted in zip(steps[1:], (whole, whole[:, [2, 0]], whole[:, [2, 0]]), strict=True):
                assert np.array_equal(getattr(step, name), wanted), call
        steps = [own.step(np.array([call % 3, 1])) for own in some]
    assert all(own.resets == 1 for own in some)


@pytest.mark.parametrize("mode", toys.MODES)
def test_episodes_that_were_under_way_are_forgotten(mode):
    """Also one that has just ended, which with NEXT_STEP would begin in the next call."""
    environments = Environments(toys.counting(mode))
    environments.reset(seed=0)
    while not environments.step(np.zeros(3, int)).ended.any():
        pass
    begun = environments.reset()
    assert begun.began.all() and not begun.counts.any() and not begun.ended.any() and environments.resets == 2
    after = environments.step(np.ones(3, int))
    assert after.counts.all() and after.rewards.all() and not after.began.any()
    assert after.observations[:, 1].tolist() == [1, 1, 1]


def test_what_environments_write_again_is_kept():
    """Their arrays may be the same ones in every step; actions come as they are told, and stay as they were."""
    given = []

    class Same(toys.SyncVectorEnv):
        held = None

        def step(self, actions):
            given.append(actions)
            found = super().step(actions)
            if self.held is None:
                self.held = found[:4]
            for held, now in zip(self.held, found[:4], strict=True):
                held[...] = now
            return *self.held, found[4]

    makers = toys.counters()
    one, two = Environments(Same(makers)), Environments(toys.counting("NEXT_STEP"))
    both = [[own.reset(seed=0)] + [own.step([0, 1, 2]) for _ in range(7)] for own in (one, two)]
    for kept, wanted in zip(*both, strict=True):
        for name, a, b in zip(kept._fields, kept, wanted, strict=True):
            assert np.array_equal(a, b), name
    assert all(actions.dtype == np.int64 for actions in given)
    numbers = Environments(toys.echo(2))
    numbers.reset(seed=0)
    told, step = [], numbers.vector.step
    numbers.vector.step = lambda actions: told.append(actions) or step(actions)
    numbers.step([[1], [0]])
    assert told[0].dtype == np.float32 and told[0].tolist() == [[1], [0]]


def test_observations_and_times_that_are_none():
    for mode, name in (("NEXT_STEP", "observations"), ("SAME_STEP", "final_obs")):
        environments = Environments(toys.counting(mode, 1))
        environments.reset(seed=0)
        only = environments.vector.envs[0]
        only.step = lambda action, mode=mode: (np.full(3, np.nan), 0.0, mode == "SAME_STEP", False, {})
        with pytest.raises(ValueError, match=f"`{name}` must be finite"):
            environments.step(np.zeros(1, int))
    for dt, message in (
        (lambda infos: infos["dt"][:2], r"`dt` must give elapsed times of shape \(3,\), got \(2,\)"),
        (lambda infos: -infos["dt"], "`dt` must be finite, >= 0"),
        ("now", "`dt` must be"), (-1, "`dt` must be"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Environments(toys.counting("NEXT_STEP"), dt=dt).reset(seed=0)


@pytest.mark.parametrize("mode", toys.MODES)
def test_times_must_be_said_where_they_are_needed(mode):
    """By each environment, in the last step of an episode too."""

    class Ends(toys.Counting):
        def step(self, action):
            *rest, info = super().step(action)
            return *rest, {} if rest[3] else info

    class Begins(toys.Counting):
        def reset(self, **options):
            seen, info = super().reset(**options)
            return seen, {} if self.episode else info

    for kind in Ends, Begins:
        makers = [toys.Counting, kind]
        environments = Environments(toys.SyncVectorEnv(makers, autoreset_mode=toys.MODES[mode]), dt="info")
        environments.reset(seed=0)
        for _ in range(5 if kind is Begins and mode == "NEXT_STEP" else 4):
            assert environments.step(np.zeros(2, int)).final_dt.all()
        with pytest.raises(ValueError, match='needs the key "dt" in infos'):
            environments.step(np.zeros(2, int))


def test_environments_that_go_on_are_not_those_that_begin():
    """Whatever is said of them while the others begin anew."""
    environments = Environments(toys.counting("DISABLED"), dt="info")
    environments.reset(seed=0)
    reset = environments.vector.reset

    def loud(*, options, seed=None):
        others = ~options["reset_mask"]
        seen, infos = reset(options=options)
        return np.where(others[:, None], 99, seen), infos | {"dt": np.where(others, 99, infos["dt"])}

    environments.vector.reset = loud
    steps = [environments.step(np.zeros(3, int)) for _ in range(4)]
    assert steps[3].began.tolist() == [False, True, False]
    assert steps[3].observations.tolist() == [[0, 4, 0], [2, 0, -1], [2, 4, 0]]
    assert steps[3].dt.tolist() == [1.4, 0.5, 1.4]


def test_what_is_made(monkeypatch):
    """The arguments are those of the class, the others Gymnasium's, of which wrapped environments are single ones."""
    given = []
    monkeypatch.setattr(
        toys.gymnasium, "make_vec", lambda *args, **named: given.append((args, named)) or toys.counting("SAME_STEP")
    )
    made = Environments.make("Own-v0", 3, observed=[2, 1], dt=0.5, size=7)
    assert (made.observed, made.dt, made.count) == ((2, 1), 0.5, 3)
    Environments.make("Own-v0", 3, wrappers=[str])
    Environments.make("Own-v0", 3, wrappers=[str], vectorization_mode="own")
    assert given == [
        (("Own-v0",), {"num_envs": 3, "size": 7}),
        (("Own-v0",), {"num_envs": 3, "wrappers": [str], "vectorization_mode": "sync"}),
        (("Own-v0",), {"num_envs": 3, "wrappers": [str], "vectorization_mode": "own"}),
    ]
    with pytest.raises(TypeError, match="no argument `num_envs`: it is `count`"):
        Environments.make("Own-v0", 2, num_envs=2)
    with pytest.raises(ValueError, match="`count` must be"):
        Environments.make("Own-v0", 0)
    assert len(given) == 3


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
    several.single_action_space = toys.gymnasium.spaces.Discrete(2, start=-1)
    assert Environments(several).distribution("categorical") == Categorical(2, start=-1)
    for shape, kind in (((2, 2), np.float32), ((), np.float32), ((2,), np.int64)):
        several.single_action_space = toys.gymnasium.spaces.Box(0, 1, shape, kind)
        with pytest.raises(TypeError, match="a Box of numbers with one axis"):
            Environments(several)
    for shape in ((), (3, 0)):
        several.single_observation_space = toys.gymnasium.spaces.Box(0, 1, shape, np.float32)
        with pytest.raises(TypeError, match="observations must be a Box of numbers"):
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


def test_what_cannot_be_seen():
    for wrong in (2, slice(0, 2), [True, False], [], [-1], [[0], [1]]):
        with pytest.raises((TypeError, ValueError), match=r"`observed` must be .* in 0\.\.2"):
            Environments(toys.counting("NEXT_STEP"), observed=wrong)
    with pytest.raises(TypeError, match="`seed` must be an int"):
        Environments(toys.counting("NEXT_STEP")).reset("now")
