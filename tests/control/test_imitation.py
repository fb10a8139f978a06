"""Cloning and DAgger: the losses, who drives, what is learnt from."""

import inspect

import numpy as np
import pytest
from support import toys

from ltc_np import GRU, LTCRNN, Adam, AutoNCP, Callback, CfC, Dense, MixtureDensity, Model, Standardize
from ltc_np.control import (
    Categorical,
    Environments,
    Gaussian,
    Lessons,
    MixtureOfGaussians,
    SquashedGaussian,
    clone,
    dagger,
    evaluate,
    imitation,
)
from ltc_np.control.imitation import play


def lessons(actions, rng):
    """Three episodes, whose actions are right ones by the number that is seen."""
    xs = [rng.uniform(-1, 1, (T, 1)) for T in (4, 7, 5)]
    return Lessons(xs, [rng.uniform(0.5, 2, len(x)) for x in xs], [actions(x) for x in xs])


@pytest.mark.parametrize(
    ("distribution", "readout", "actions", "options"),
    [
        (Categorical(3, start=1), Dense(3), lambda x: 1 + (x[:, 0] > 0) + (x[:, 0] > 0.5), {"loss": "cross_entropy"}),
        (Gaussian([-2.0], [2.0]), Dense(1), lambda x: np.clip(3 * x, -2, 2), {"loss": "mse"}),
        (MixtureOfGaussians([-2.0], [2.0], 2), MixtureDensity(1, 2), lambda x: x, {"loss": "mixture_density"}),
    ],
)
def test_cloning_is_a_fit(distribution, readout, actions, options):
    """In the units of draws, with elapsed times, each sequence as long as it is."""
    found = lessons(actions, np.random.default_rng(0))
    one, two = (Model(CfC(4), readout, input_dim=1, seed=0, backend="numpy") for _ in range(2))
    common = {"epochs": 2, "batch_size": 2, "seed": 0, "verbose": False}
    history = clone(one, found, distribution, **common)
    units = [a - 1 if a.ndim == 1 else a / 2 for a in found.actions]
    x, dt, y = (
        np.zeros((3, 7, *values[0].shape[1:]), values[0].dtype) for values in (found.observations, found.dt, units)
    )
    for k, T in enumerate((4, 7, 5)):
        x[k, :T], dt[k, :T], y[k, :T] = found.observations[k], found.dt[k], units[k]
    wanted = two.fit(x, y, dt=dt, lengths=[4, 7, 5], **common, **options)
    assert history["loss"] == wanted["loss"] and np.array_equal(one.theta, two.theta)


def test_what_has_no_loss():
    with pytest.raises(TypeError, match="one of Categorical, Gaussian, MixtureOfGaussians"):
        clone(Model(Dense(1), input_dim=1), Lessons([], [], []), SquashedGaussian([-1.0], [1.0]))


@pytest.mark.parametrize("mode", toys.MODES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_who_drives(mode, share):
    """Observations tell (episode, step, last action): whole episodes, the driver's actions, the expert's labels.  The
    policy sees all steps, whoever has driven before."""
    environments = Environments(toys.counting(mode), observed=[2, 1], dt="info")
    policy = Model(GRU(6), Dense(3), input_dim=2, seed=1, backend="numpy")
    policy.theta[:] *= 5  # so that its state decides in two steps of five
    found = play(policy, lambda x, dt: x[:, 1].astype(int) % 3, environments, 7, share, Categorical(3), 0)
    lengths, driven = [len(x) for x in found.observations], []
    assert sorted(lengths) == sorted([5, 4, 5, 4, 5, 5, 3])  # as in test_evaluate.py
    for x, dt, actions in zip(*found, strict=True):
        assert x[:, 1].tolist() == list(range(len(x))) and actions.tolist() == [t % 3 for t in range(len(x))]
        assert dt == pytest.approx([0.5, *(1 + t / 10 for t in range(1, len(x)))])
        last, by_policy = x[1:, 0], x[1:, 0] == policy(x).argmax(axis=1)[:-1]
        assert x[0, 0] == -1 and (by_policy | (last == actions[:-1])).all()
        driven.append([by_policy.mean(), (last == actions[:-1]).mean()])
    by_policy, by_expert = np.mean(driven, axis=0)
    assert (by_policy == 1) == (share == 0) and (by_expert == 1) == (share == 1)


def test_steps_are_shared():
    """About as many are the expert's as were asked for; the policy never chooses action 2 here."""
    policy = Model(CfC(4), Dense(3), input_dim=3, seed=0, backend="numpy")
    policy.params["1.bias"][2] = -100
    environments = Environments(toys.counting("SAME_STEP"))
    found = play(policy, lambda x, dt: np.full(len(x), 2), environments, 200, 0.25, Categorical(3), 0)
    last = np.concatenate([x[1:, 2] for x in found.observations])
    assert abs(np.mean(last == 2) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / last.size)


def test_dagger_repeats_itself_and_keeps_the_best():
    """The action should be the number seen one step ago, which the expert reads from what the policy does not see."""

    class Told(toys.Echo):
        observation_space = toys.gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

        def _see(self):
            return np.concatenate([super()._see(), self.seen[-2]])

    vector = toys.SyncVectorEnv([Told] * 4)
    environments = Environments(vector, observed=[0])
    policy = LTCRNN(AutoNCP(8, 1), 1, seed=0, backend="numpy")
    one, two = policy, LTCRNN(AutoNCP(8, 1), 1, seed=0, backend="numpy")
    options = {"rounds": 2, "episodes": 8, "trials": 8, "epochs": 3, "batch_size": 4}
    histories = [dagger(model, lambda x, dt: x[:, 1:], environments, **options) for model in (one, two)]
    assert np.array_equal(one.theta, two.theta) and histories[0]["return"] == histories[1]["return"]
    assert histories[0]["steps"] == [64, 128]
    assert evaluate(one, environments, 8, seed=0).mean == max(histories[0]["return"])
    with pytest.raises(ValueError, match=r"shape \(4, 1\), got \(4,\)"):
        dagger(one, lambda x, dt: x[:, 1], environments, **options)


def test_rounds_one_by_one(monkeypatch, capsys):
    """Beside a loop of its parts: who plays, from what is learnt with which seeds and rates, and kept."""
    shares = []

    def expert(x, dt):
        return dt[:, None] / 4 - 1.5 * x  # so wrong that returns fall

    monkeypatch.setattr(imitation, "play", lambda *given: shares.append(given[4]) or play(*given))
    one, two = (Model(Standardize(), GRU(4), Dense(1), input_dim=1, seed=0, backend="numpy") for _ in range(2))
    environments = Environments(toys.echo(2))
    given = {"epochs": 2, "batch_size": 2, "clip_norm": 0.5, "standardize": True}  # the scale is that of all rounds
    options = {"rounds": 3, "episodes": 3, "trials": 4, "mixing": 0.5, "lr": 0.3, "seed": 5, "progress": True}
    history = dagger(one, expert, environments, **options, **given)
    gaussian, learnt, wanted = Gaussian([-2.0], [2.0]), Lessons([], [], []), {"loss": [], "return": [], "steps": []}
    learned = []
    for k in range(3):
        seeds = np.random.SeedSequence(5, spawn_key=(k,)).generate_state(2) >> 1
        found = play(two, expert, environments, 3, 0.5**k, gaussian, int(seeds[0]))
        learnt = Lessons(*(known + new for known, new in zip(learnt, found, strict=True)))
        rate = Adam(0.3 * np.sqrt(1 - k / 3))
        told = clone(two, learnt, gaussian, optimizer=rate, seed=int(seeds[1]), verbose=False, **given)
        wanted["loss"].append(told["loss"][-1])
        wanted["return"].append(evaluate(two, environments, 4, seed=5).mean)
        wanted["steps"].append(24 * (k + 1))
        learned.append((two.theta.copy(), two.buffer_vector.copy()))
    assert {name: history[name] for name in wanted} == {name: pytest.approx(found) for name, found in wanted.items()}
    assert shares == [1, 0.5, 0.25] and history.epoch == [0, 1, 2]
    assert history.best_epoch == np.argmax(wanted["return"]) != 2
    theta, buffers = learned[history.best_epoch]
    assert np.allclose(one.theta, theta, atol=1e-6) and np.allclose(one.buffer_vector, buffers, rtol=1e-6)
    assert not np.allclose(two.buffer_vector, buffers, rtol=1e-6)
    assert history.seconds == pytest.approx(sum(history["seconds"])) and min(history["seconds"]) > 0
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 3 and said.out == ""  # `fit` says nothing


def test_usual_arguments():
    """Are those of the documentation: the expert plays the first round alone, and the policy all others."""
    usual = {name: value.default for name, value in inspect.signature(dagger).parameters.items()}
    names = ("rounds", "episodes", "trials", "mixing", "distribution", "lr", "seed", "progress")
    assert [usual[name] for name in names] == [10, 16, 32, 0.0, "auto", 0.01, 0, False]


def test_an_expert_may_answer_with_the_same_array_again():
    """What it said before is kept."""
    said = np.zeros((2, 1))

    def expert(x, dt):
        said[:] = x
        return said

    policy = Model(Dense(1), input_dim=1, seed=0, backend="numpy")
    found = play(policy, expert, Environments(toys.echo(2)), 3, 0.5, Gaussian([-2.0], [2.0]), 0)
    for x, actions in zip(found.observations, found.actions, strict=True):
        assert np.array_equal(actions, x)


def test_of_rounds_with_the_same_return_the_last_is_kept(monkeypatch, capsys):
    """It has learnt from more; the rate falls with the root of what is left."""
    rates = []
    monkeypatch.setattr(imitation, "Adam", lambda lr: rates.append(lr) or Adam(lr))

    class Generous(toys.Echo):
        def step(self, action):
            seen, _, *ends = super().step(action)
            return seen, 1.0, *ends

    class Sees(Callback):
        def on_train_end(self):
            seen.append(self.model.theta.copy())

    environments = Environments(toys.SyncVectorEnv([Generous] * 2))
    policy, seen = Model(Dense(1), input_dim=1, seed=0, backend="numpy"), []
    options = {"rounds": 3, "episodes": 2, "trials": 2, "epochs": 1, "callbacks": Sees(), "verbose": True}
    history = dagger(policy, lambda x, dt: x, environments, **options)
    assert history["return"] == [8.0] * 3 and history.best_epoch == 2
    assert "loss" in "".join(capsys.readouterr())  # as `fit` was asked to
    assert rates == pytest.approx([0.01, 0.01 * (2 / 3) ** 0.5, 0.01 * (1 / 3) ** 0.5])
    assert np.array_equal(policy.theta, seen[2]) and not np.array_equal(seen[1], seen[2])


def test_what_does_not_fit():
    """Before anything is played or learnt."""
    environments, policy = Environments(toys.echo(2)), Model(Dense(1), input_dim=1, seed=0, backend="numpy")
    before = policy.theta.copy()
    with pytest.raises(ValueError, match=r"3 outputs of Categorical\(3\), got 1"):
        clone(policy, lessons(lambda x: np.zeros(len(x), int), np.random.default_rng(0)), Categorical(3))
    with pytest.raises(TypeError, match=r"must be Lessons\(observations, dt, actions\), got"):
        clone(policy, (np.zeros((1, 2, 1)), np.zeros((1, 2, 1))), Gaussian([-2.0], [2.0]))
    expert = np.add  # any function of two arrays
    for name, options in (
        ("optimizer", {"optimizer": None}), ("loss", {"loss": "mae"}), ("trials", {"trials": 0}),
        ("distribution", {"distribution": "squashed"}),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
            dagger(policy, expert, environments, epochs=1, **options)
    with pytest.raises(TypeError, match="`expert` must be a function"):
        dagger(policy, "expert", environments)
    assert environments.resets == 0
    with pytest.raises(ValueError, match=r"`expert` must give actions that the environments take: .* np.clip"):
        dagger(policy, lambda x, dt: np.full((2, 1), 2.5), environments)
    assert np.array_equal(policy.theta, before)
