"""Ctrl-C while policies learn, play and are judged: what has been learnt stays, one line says what ends when."""

import os
import signal

import numpy as np
import pytest
from support import toys
from support.processes import python

from ltc_np import GRU, Dense, Model, Standardize
from ltc_np.control import PPO, Environments, EvolutionStrategy, dagger, evaluate, record

pytestmark = pytest.mark.usefixtures("interruptible")


class Pressed(toys.Echo):
    """Raises KeyboardInterrupt in one of its steps, once, as a second Ctrl-C does."""

    left = -1  # steps of all of them until then

    def step(self, action):
        Pressed.left -= 1
        if Pressed.left == 0:
            raise KeyboardInterrupt
        return super().step(action)


@pytest.fixture
def environments():
    """Two, whose episodes have 8 steps; all of one take 9 calls of both."""
    Pressed.left = -1
    return Environments(toys.SyncVectorEnv([Pressed] * 2))


def policy():
    return Model(Standardize(clip=10), GRU(4), Dense(1), input_dim=1, seed=0, backend="numpy")


def press(*_):
    os.kill(os.getpid(), signal.SIGINT)


OPTIONS = {"rounds": 3, "episodes": 2, "trials": 2, "epochs": 2, "batch_size": 1}


def expert(seen, dt):
    return seen / 2


def taught(environments, rounds):
    """(policy, history) of a DAgger that nobody interrupts."""
    model = policy()
    return model, dagger(model, expert, environments, **OPTIONS | {"rounds": rounds})


@pytest.mark.parametrize("calls", [12, 1], ids=["second round", "first round"])
def test_dagger_ends_after_the_episodes_that_are_played(calls, environments, capfd):
    """The expert is asked 8 times a round; in the first one there is nothing to be kept yet."""
    model, asked = policy(), []
    before = model.theta.copy()

    def watched(seen, dt):
        asked.append(len(seen))
        if len(asked) == calls:
            press()
        return expert(seen, dt)

    history = dagger(model, watched, environments, **OPTIONS)
    assert capfd.readouterr().err == (
        "\nltc_np: learning ends after these episodes; Ctrl-C once more to raise KeyboardInterrupt now\n"
    )
    done = calls // 8
    assert history.stopped == "interrupted" and history.epoch == list(range(done)) and len(asked) == 8 * (done + 1)
    assert np.array_equal(model.theta, taught(environments, 1)[0].theta if done else before)


@pytest.mark.parametrize("step", [0, 3])
def test_dagger_ends_after_the_batch_that_it_learns_from(step, environments):
    """In the first epoch there is no loss yet, and what has been learnt is judged all the same."""
    from ltc_np import Callback

    class Presses(Callback):
        def on_batch_end(self, at, logs):
            if at == step:
                press()

    model = policy()
    before = model.theta.copy()
    history = dagger(model, expert, environments, callbacks=Presses(), **OPTIONS)
    assert history.stopped == "interrupted" and history.epoch == [0] and history.best_epoch == 0
    assert np.isnan(history["loss"][0]) == (step == 0)
    assert history["return"] == [evaluate(model, environments, 2, seed=0).mean]
    assert not np.array_equal(model.theta, before)


def test_a_round_of_dagger_that_is_not_judged(environments):
    """9 calls of 2 environments play the first round, as many judge it, and so on."""
    wanted, history = taught(environments, 1)
    for left, rounds in ((18 + 5, 0), (36 + 5, 1), (54 + 5, 1)):
        model, Pressed.left = policy(), left
        with pytest.raises(KeyboardInterrupt):
            dagger(model, expert, environments, **OPTIONS)
        assert np.array_equal(model.theta, wanted.theta), rounds
    assert history.best_epoch == 0


def test_ppo_has_what_its_iterations_have_learnt(environments):
    one = PPO(policy(), environments, steps=8, batch_size=16, epochs=1)
    one.learn(16)
    Pressed.left = 16 + 5
    two = PPO(policy(), environments, steps=8, batch_size=16, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        two.learn(160)
    assert two.done == 16 and np.array_equal(two.policy.theta, one.policy.theta)
    two.learn(16)
    assert two.done == 32 and two.history.stopped == ""


def test_a_search_goes_on_with_the_same_bits(environments):
    def search():
        return EvolutionStrategy(policy(), lambda: environments, population=2, sigma=0.1, trials=2, episodes=2)

    one, two = search(), search()
    one.learn(3)
    Pressed.left = 18 * 3 + 18 + 5  # of the second generation
    with pytest.raises(KeyboardInterrupt):
        two.learn(3)
    assert two.generation == 1 and two.judged[0] == 1
    two.learn(2)
    assert np.array_equal(one.policy.theta, two.policy.theta) and np.array_equal(one.center.theta, two.center.theta)
    assert one.history["return"] == two.history["return"] and one.done == two.done


def test_who_only_plays_raises_it(environments, tmp_path):
    """And can play again."""
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    environments.vector.render_mode = "rgb_array"
    environments.vector.render = lambda: np.zeros((2, 4, 4, 3), np.uint8)
    found = evaluate(policy(), environments, 4).returns
    for play in (
        lambda: evaluate(policy(), environments, 4),
        lambda: record(policy(), environments, tmp_path / "episode.gif"),
    ):
        Pressed.left = 5
        with pytest.raises(KeyboardInterrupt):
            play()
        assert list(tmp_path.iterdir()) == []
        assert np.array_equal(evaluate(policy(), environments, 4).returns, found)


def test_only_other_processes_ignore_it(monkeypatch):
    """Gymnasium makes one of the environments here, too, where Ctrl-C must be heard."""
    given, before = {}, signal.getsignal(signal.SIGINT)

    def make_vec(name, **keywords):
        given[name] = keywords.get("wrappers")
        return toys.echo(1)

    monkeypatch.setattr(toys.gymnasium, "make_vec", make_vec)
    for mode in ("async", toys.gymnasium.VectorizeMode.ASYNC, "sync"):
        Environments.make(mode, 1, vectorization_mode=mode, wrappers=[str])
    assert given["sync"] == [str]
    for wrappers in (given["async"], given[toys.gymnasium.VectorizeMode.ASYNC]):
        assert wrappers[:-1] == [str]
        with monkeypatch.context() as there:
            assert wrappers[-1]("environment") == "environment" and signal.getsignal(signal.SIGINT) is before
            there.setattr(os, "getpid", lambda: -1)
            try:
                assert wrappers[-1]("environment") == "environment"
                assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            finally:
                signal.signal(signal.SIGINT, before)


@toys.needs_gymnasium
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals of POSIX")
@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_environments_in_processes_of_their_own(context):
    """A terminal sends Ctrl-C to all processes: those of environments would end, and the next step would fail."""
    done = python(
        f"""
        import os, signal
        from gymnasium.envs.registration import EnvSpec
        from ltc_np import GRU, Dense, Model
        from ltc_np.control import PPO, Environments

        os.setpgrp()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        own = EnvSpec("Own-v0", entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv")
        context = {{"context": "{context}"}}
        environments = Environments.make(own, 2, vectorization_mode="async", vector_kwargs=context)
        ppo = PPO(Model(GRU(4), Dense(2), input_dim=4, seed=0, backend="numpy"), environments, steps=8, epochs=1)
        history = ppo.learn(64, callback=lambda ppo: os.killpg(0, signal.SIGINT))
        print(history.stopped, ppo.done)
        ppo.learn(16)
        environments.close()
        print(ppo.done)
        """,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["interrupted 16", "32"], done.stderr
    assert (
        done.stderr == "\nltc_np: learning ends after this iteration; Ctrl-C once more to raise KeyboardInterrupt now\n"
    )
