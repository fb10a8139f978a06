"""`PPO`: it learns, goes on from files with the same bits, ends where it is asked to, and says what does not fit."""

import copy
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from support import toys

import ltc_np
from ltc_np import GRU, LTC, Adam, AutoNCP, Dense, Model, Standardize
from ltc_np.control import PPO, Environments, Gaussian, MixtureOfGaussians, evaluate, stored
from ltc_np.control import ppo as ppo_module
from ltc_np.control.advantages import divided, explained_variance, gae
from ltc_np.control.pieces import cut, gather
from ltc_np.control.ppo import standardizes
from ltc_np.control.rollout import Collector
from ltc_np.control.update import Joint, Loss, Terms, loss_and_gradient


def small(policy=None, **options):
    """Of the toy that wants what was seen a step ago."""
    policy = policy or Model(Standardize(clip=10), GRU(4), Dense(1), input_dim=1, seed=0, backend="numpy")
    options = {"steps": 8, "batch_size": 16, "epochs": 2, "lr": 1e-2, **options}
    return PPO(policy, Environments(toys.echo(4)), **options)


OF_ITS_OWN = {
    "steps": 11, "batch_size": 12, "epochs": 3, "gamma": 0.9, "lam": 0.8, "lr": 0.02, "clip": 0.15, "clip_value": 0.25,
    "entropy": 0.03, "value_weight": 0.6, "clip_norm": 0.4, "target_kl": 7.0, "normalise_advantages": False,
    "normalise_rewards": False, "decay_steps": 400, "longest": 5, "correlation": 0.3, "seed": 6,
}  # fmt: skip


def test_every_argument_is_kept_as_it_is_given(tmp_path):
    """Also by a file; the usual ones are those of the documentation."""
    assert small(**OF_ITS_OWN).settings() == OF_ITS_OWN
    small(**OF_ITS_OWN).save(tmp_path / "ppo")
    assert PPO.load(tmp_path / "ppo", Environments(toys.echo(4))).settings() == OF_ITS_OWN
    usual = PPO(Model(Dense(1), input_dim=1), Environments(toys.echo(1)))
    assert usual.settings() == {
        "steps": 128, "batch_size": 256, "epochs": 10, "gamma": 0.99, "lam": 0.95, "lr": 3e-4, "clip": 0.2,
        "clip_value": None, "entropy": 0.0, "value_weight": 1.0, "clip_norm": 0.5, "target_kl": None,
        "normalise_advantages": True, "normalise_rewards": True, "decay_steps": None, "longest": None,
        "correlation": 0.0, "seed": 0,
    }  # fmt: skip
    assert (usual.rewards.gamma, usual.optimizer.lr, usual.optimizer.epsilon) == (0.99, 3e-4, 1e-5)


@pytest.mark.parametrize("more", [{}, {"normalise_rewards": True, "normalise_advantages": True, "clip_norm": None}])
def test_iterations_one_by_one(more):
    """Two calls of `learn` beside a loop that scales, learns and observes as the documentation says."""
    given = OF_ITS_OWN | more
    ppo, (gamma, lam, T, n) = small(**given), (0.9, 0.8, 11, 4)
    policy, critic, own, distribution = *map(copy.deepcopy, (ppo.policy, ppo.critic)), np.zeros(1), ppo.distribution
    joint, adam, done, seen, discounted = Joint(policy, critic, own), Adam(0.02, epsilon=1e-5), 0, [], []
    history = []
    for call, iterations in enumerate((2, 1)):
        ppo.learn(n * T * iterations)
        seeds = np.random.SeedSequence(6, spawn_key=(call,))
        rng, sums = np.random.default_rng(seeds), np.zeros(n)
        collector = Collector(
            policy, critic, Environments(toys.echo(n)), distribution, rng, int(seeds.generate_state(1)[0] >> 1), 0.3
        )
        for _ in range(iterations):
            left, rollout, losses = 1 - done / 400, collector.collect(T, own), []
            done += n * T
            for t in range(T):
                for e in range(n):
                    if rollout.counts[e, t]:
                        sums[e] = gamma * sums[e] + rollout.rewards[e, t]
                        discounted.append(sums[e])
                    if rollout.ended[e, t]:
                        sums[e] = 0
            scale = np.sqrt(np.var(discounted) + 1e-8) if given["normalise_rewards"] else 1
            advantages = gae(
                rollout.rewards / scale, rollout.values, rollout.next_values, rollout.terminated, rollout.ended, gamma,
                lam,
            )  # fmt: skip
            terms = Terms(0.15 * left, 0.25, 0.03, 0.6, given["normalise_advantages"])
            pieces = cut(rollout.began, rollout.counts, 5)
            for _ in range(3):
                order = pieces.part(rng.permutation(len(pieces.row)))
                for which in divided(order.sizes, 12):
                    batch = gather(rollout, advantages, order.part(which), policy, critic)
                    losses.append(loss_and_gradient(policy, critic, distribution, own, batch, terms))
                    gradient, norm = losses[-1].gradient, np.linalg.norm(losses[-1].gradient)
                    if given["clip_norm"] is not None:
                        gradient *= min(1, 0.4 / norm)
                    adam.lr = 0.02 * left
                    joint.take()
                    adam.step(joint, gradient.astype(np.float32))
            seen += [*rollout.observations[rollout.counts]]
            for network in (policy, critic):
                network.buffers["0.mean"][:], network.buffers["0.scale"][:] = np.mean(seen), np.std(seen)
            returns = (advantages + rollout.values)[rollout.counts]
            history.append(
                [done, *(np.mean([loss[k] for loss in losses]) for k in range(6)),
                 explained_variance(returns, rollout.values[rollout.counts])]
            )  # fmt: skip
    names = ("steps", "loss", "policy_loss", "value_loss", "entropy", "divergence", "clipped", "explained")
    found = [ppo.history[name] for name in names]
    np.testing.assert_allclose(np.transpose(found), history, rtol=1e-3, atol=1e-6)
    for one, other in ((ppo.policy, policy), (ppo.critic, critic)):
        np.testing.assert_allclose(one.theta, other.theta, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(one.buffer_vector, other.buffer_vector, rtol=1e-5)
    np.testing.assert_allclose(ppo.own, own, rtol=1e-4)
    assert len({loss.clipped for loss in losses}) > 1


def test_the_last_hundred_episodes_are_told():
    """Of episodes of one step, with those of a step begun in between: 120 of them end in 30 steps of eight."""
    ppo = PPO(Model(Dense(1), input_dim=1, seed=0, backend="numpy"), Environments(toys.echo(8, 0, 1)), steps=30)
    step, rewards = ppo.environments.step, []

    def watched(actions):
        after = step(actions)
        rewards.extend(after.rewards[after.counts])
        return after

    ppo.environments.step = watched
    assert ppo.learn(1)["return"] == [pytest.approx(np.mean(rewards[-100:]), rel=1e-12)] and len(rewards) == 120


def test_a_reward_counts_no_more_than_ten_deviations():
    ppo, rewards = small(), np.zeros((4, 100))
    rewards[0, 99], rewards[1, 99], rewards[2, 99] = 1, -1, 0.1
    rollout = SimpleNamespace(rewards=rewards, ended=np.zeros((4, 100), bool), counts=np.ones((4, 100), bool))
    scaled = ppo._scaled(rollout)
    assert scaled[:, 99].tolist() == [10, -10, pytest.approx(0.1 / np.sqrt(np.var(rewards) + 1e-8)), 0]
    assert rewards[0, 99] == 1


@pytest.mark.compiled
@pytest.mark.slow
def test_it_learns_to_remember():
    """The action must be what was seen a step before; that of now, or none, leaves 1/3 or more of squared error.

    With a rate that stays the same the deviation shrinks on and on, and with it the errors that ratios forgive, until
    the policy falls apart again: one of six seeds has a return of 1.1 after 30,000 steps.  With one that falls to 0 ten
    seeds have 7.997 to 7.999 of 8.
    """
    policy = Model(GRU(8), Dense(1), input_dim=1, seed=0)
    ppo = PPO(
        policy, Environments(toys.echo(8)), distribution=Gaussian([-2.0], [2.0], -1.0), steps=32, batch_size=64,
        epochs=10, gamma=0.0, lr=1e-2, decay_steps=20_000, seed=0,
    )  # fmt: skip
    before = evaluate(policy, ppo.environments, 40)
    ppo.learn(20_000)
    after = evaluate(policy, ppo.environments, 40)
    assert before.mean < 8 * (1 - 0.25)
    assert after.mean > 8 * (1 - 0.05)


def test_a_file_goes_on_with_the_same_bits(tmp_path):
    whole, path = small(decay_steps=400, seed=3), tmp_path / "ppo.npz"
    whole.learn(64)
    whole.save(path)
    whole.learn(64)
    part = PPO.load(path, Environments(toys.echo(4)), backend="numpy")
    assert part.done == 64 and part.history.epoch == [0, 1]
    part.learn(64)
    for name in ("theta", "buffer_vector"):
        assert np.array_equal(getattr(part.policy, name), getattr(whole.policy, name))
        assert np.array_equal(getattr(part.critic, name), getattr(whole.critic, name))
    assert np.array_equal(part.own, whole.own) and part.own[0] != 0
    assert part.settings() == whole.settings()
    for name, values in whole.history.items():
        assert name == "seconds" or np.array_equal(part.history[name], values, equal_nan=True)
    assert np.array_equal(ltc_np.load(path).theta, PPO.load(path, Environments(toys.echo(4))).policy.theta)


def test_a_file_keeps_every_kind(tmp_path):
    """A critic of one's own with frozen parameters, and a density with two numbers of its own."""
    critic = Model(LTC(AutoNCP(5, 2)), Dense(1), input_dim=1, seed=2, backend="numpy")
    critic.freeze("1")
    policy = Model(GRU(3), ltc_np.MixtureDensity(1, components=2), input_dim=1, seed=0, backend="numpy")
    ppo = small(policy, critic=critic, distribution=MixtureOfGaussians([-2.0], [2.0], 2), clip_norm=None)
    ppo.learn(32)
    ppo.save(tmp_path / "a")
    again = PPO.load(tmp_path / "a", Environments(toys.echo(4)))
    assert again.distribution == ppo.distribution and again.clip_norm is None
    assert (
        again.critic.layers == critic.layers
        and again.critic.return_sequences
        and np.array_equal(again.critic.trainable, critic.trainable)
    )


def test_a_damaged_training(tmp_path):
    from ltc_np import io

    ppo, path = small(), tmp_path / "a"
    ppo.save(path)
    _, found = io.load_with(path, (Model,), "numpy")
    critic = found["critic"]
    for wrong, message in (
        ({"critic": {**critic, "theta": critic["theta"][1:]}}, "`critic` must have"),
        ({"critic": {**critic, "theta": critic["theta"] * np.nan}}, "finite parameters"),
        ({"critic": {**critic, "buffers": critic["buffers"][1:]}}, "`critic` must have"),
        ({"critic": {**critic, "buffers": np.full_like(critic["buffers"], np.inf)}}, "finite parameters"),
        ({"own": np.zeros(3)}, "`own` must have shape"),
        ({"distribution": {"name": "Another", "arguments": {}}}, "damaged training: KeyError"),
        ({"history": None}, "damaged training: TypeError"),
    ):
        io.save_with(path, ppo.policy, {**found, **wrong})
        with pytest.raises(ValueError, match=message):
            PPO.load(path, ppo.environments, backend="numpy")


def test_a_distribution_that_no_file_knows():
    class Own(Gaussian):
        pass

    with pytest.raises(TypeError, match="to be saved, got Own"):
        stored.distribution_form(Own([-1.0], [1.0]))


def test_the_same_seed_gives_the_same_bits():
    found = []
    for seed in (0, 0, 1):
        ppo = small(seed=seed)
        ppo.learn(64)
        found.append(ppo.policy.theta.copy())
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_observations_are_brought_to_mean_0_by_both_networks():
    ppo = small()
    assert standardizes(ppo.policy) and standardizes(ppo.critic) and ppo.adapts == (True, True)
    seen = []
    step = ppo.environments.step

    def watched(actions):
        seen.append(now[0].observations)
        now[0] = step(actions)
        return now[0]

    reset, now = ppo.environments.reset, [None]
    ppo.environments.reset = lambda seed: now.__setitem__(0, reset(seed)) or now[0]
    ppo.environments.step = watched
    ppo.learn(64)
    rows = np.concatenate(seen)  # of the toy every ninth call only begins an episode; there are 16
    keep = np.ones((16, 4), bool)
    keep[8] = False
    rows = np.array(seen)[keep]
    for network in (ppo.policy, ppo.critic):
        assert np.allclose(network.buffers["0.mean"], rows.mean(axis=0), rtol=1e-5)
        assert np.allclose(network.buffers["0.scale"], rows.std(axis=0), rtol=1e-5)


def test_a_policy_that_was_fitted_keeps_its_scale(tmp_path):
    """What it has learnt is of those inputs; the new critic takes the scale of the observations, also after a file."""
    policy = Model(Standardize(), GRU(4), Dense(1), input_dim=1, seed=0, backend="numpy")
    policy.buffers["0.mean"][:], policy.buffers["0.scale"][:] = 0.25, 2
    ppo = small(policy)
    assert ppo.adapts == (False, True)
    ppo.learn(32)
    ppo.save(tmp_path / "ppo")
    again = PPO.load(tmp_path / "ppo", Environments(toys.echo(4)), backend="numpy")
    before = again.critic.buffers["0.scale"][0]
    again.learn(32)
    assert (again.policy.buffers["0.mean"][0], again.policy.buffers["0.scale"][0]) == (0.25, 2)
    assert again.critic.buffers["0.scale"][0] not in (1, before)


def test_rate_and_clip_fall_to_0():
    ppo = small(decay_steps=96)
    ppo.learn(96)
    assert ppo.optimizer.lr == pytest.approx(ppo.lr / 3)  # of the last of three iterations
    before = ppo.policy.theta.copy()
    ppo.learn(32)
    assert np.array_equal(ppo.policy.theta, before)


def test_the_clip_is_never_0(monkeypatch):
    """Also where so little of it is left that `decay_steps` are all but over."""
    found, learn = [], ppo_module.loss_and_gradient

    def watched(*given):
        found.append(next(value for value in given if isinstance(value, Terms)).clip)
        return learn(*given)

    monkeypatch.setattr(ppo_module, "loss_and_gradient", watched)
    ppo = small(decay_steps=10**15, epochs=1)
    for done in 0, 10**15 - 1, 10**15:
        ppo.done = done
        ppo.learn(32)
    assert found == [ppo.clip] * 2 + [ppo_module.SMALLEST_CLIP] * 4


def test_an_iteration_ends_where_the_policy_is_far_from_what_it_was():
    ppo = small(target_kl=1e-9, epochs=50)
    ppo.learn(32)
    assert ppo.optimizer.t == 1


@pytest.mark.parametrize(("divergence", "steps"), [(1.4, 4), (1.6, 0)])
def test_half_of_the_divergence_more_is_still_near(divergence, steps, monkeypatch):
    """As elsewhere, an update ends at one and a half times `target_kl`."""
    computed = ppo_module.loss_and_gradient
    monkeypatch.setattr(
        ppo_module, "loss_and_gradient", lambda *given: computed(*given)._replace(divergence=0.01 * divergence)
    )
    ppo = small(target_kl=0.01)
    ppo.learn(32)
    assert ppo.optimizer.t == steps


def test_what_never_changes_has_a_scale(monkeypatch):
    """It would be divided by 0; and what is explained is of the steps that count."""
    ppo, told = small(), []
    rollout = SimpleNamespace(
        observations=np.full((2, 3, 1), 7.0), counts=np.array([[True, True, False]] * 2), values=np.zeros((2, 3))
    )
    ppo._observe(rollout)
    assert ppo.policy.buffers["0.scale"] == pytest.approx(1e-4) and ppo.policy.buffers["0.mean"] == 7
    monkeypatch.setattr(ppo_module, "explained_variance", lambda returns, values: told.append(returns.shape) or 0.0)
    ppo.learn(64)
    assert told[1] == (28,)  # of 32 steps of the second rollout four only begin an episode


def test_longer_pieces_are_cut():
    """So there are more batches: with pieces of at most 2 steps, 2 of 16 steps, of each of 2 epochs."""
    ppo = small(longest=2)
    ppo.learn(32)
    assert ppo.optimizer.t == 4


def test_history_and_callback():
    ppo, seen = small(), []
    history = ppo.learn(10_000, callback=lambda p: seen.append(p.done) or len(seen) < 3)
    assert seen == [32, 64, 96] == history["steps"] and history.stopped == "by the callback"
    assert np.isnan(history["return"][0]) == (not np.isfinite(history["length"][0]))
    assert history["length"][-1] == 8
    assert len(history.table()["epoch"]) == 3 and history.seconds > 0


def test_a_callback_may_play_in_the_same_environments():
    """Episodes of 8 steps are under way after 12, and cannot go on: they are not counted with those that follow."""
    ppo, sums = small(steps=12, seed=1), []
    add = ppo.rewards.add
    ppo.rewards.add = lambda *given: sums.append(ppo.rewards.sums.any()) or add(*given)
    history = ppo.learn(144, callback=lambda p: evaluate(p.policy, p.environments, 4))
    assert history["length"] == [8, 8, 8] and ppo.rewards.sums.any() and sums == [False] * 3
    collector = Collector(ppo.policy, ppo.critic, ppo.environments, ppo.distribution, np.random.default_rng(0), 0)
    collector.collect(3, ppo.own)
    assert not collector.begin_if_others_played() and not collector.now.began.any()
    evaluate(ppo.policy, ppo.environments, 4)
    assert collector.begin_if_others_played() and collector.now.began.all()
    assert not collector.begin_if_others_played() and not collector.episodes.steps.any()
    begun = collector.now.observations
    evaluate(ppo.policy, ppo.environments, 4)
    assert collector.begin_if_others_played() and not np.array_equal(collector.now.observations, begun)
    with pytest.raises(TypeError, match="`callback` must be a function of the PPO, got 3"):
        ppo.learn(48, callback=3)
    assert ppo.done == 144


def test_ctrl_c_ends_after_the_iteration(capfd):
    ppo = small()
    history = ppo.learn(10_000, callback=lambda p: os.kill(os.getpid(), signal.SIGINT))
    assert history.stopped == "interrupted" and ppo.done == 32
    assert "Ctrl-C once more" in capfd.readouterr().err


def test_progress(capsys):
    small().learn(32, progress=True)
    assert capsys.readouterr().err.startswith("step 32/32  return: ")


def test_progress_is_told_about_twice_a_second(monkeypatch, capsys):
    """And at the end; by a clock that goes on by a fifth of a second whenever it is read, once in an iteration."""
    clock = iter(np.arange(100) / 5)
    monkeypatch.setattr(ppo_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    ppo = small()
    history = ppo.learn(6 * 32, progress=True)
    told = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["64/192", "160/192", "192/192"]
    assert history["seconds"] == pytest.approx([0.2] * 6) and history.seconds == pytest.approx(1.2)
    ppo.learn(32)
    assert history.seconds == pytest.approx(1.4) and history.epoch == list(range(7)) and history.stopped == ""


def test_the_critic_has_the_layers_of_the_policy():
    """But for a readout, and computes as that does, with other numbers to begin with."""

    def made(*layers, **options):
        return Model(*layers, input_dim=1, seed=1, **{"backend": "numpy"} | options)

    density = MixtureOfGaussians([-2.0], [2.0], 2)
    for policy, like, options in (
        (made(GRU(4), Dense(1), dtype="float64"), [GRU(4)], {}),
        (made(GRU(4), ltc_np.MixtureDensity(1, components=2)), [GRU(4)], {"distribution": density}),
        (made(LTC(AutoNCP(5, 1))), [LTC(AutoNCP(5, 1))], {}),
        (made(Dense(1)), [Dense(1)], {}),
        (ltc_np.Model(GRU(4), Dense(1), input_dim=1, backend="cpu"), [GRU(4)], {}),
    ):
        critic, wanted = small(policy, **options).critic, made(*like, Dense(1))
        assert [repr(layer) for layer in critic.layers] == [repr(layer) for layer in wanted.layers]
        assert np.array_equal(critic.theta.astype("f"), wanted.theta)
        assert (critic.dtype, critic.backend) == (policy.dtype, policy.backend)


def test_which_networks_take_the_scale_of_observations():
    """Those that begin with a `Standardize` which is as it was made, and have another layer."""

    def said(*layers, **buffers):
        model = Model(*layers, input_dim=2, seed=0, backend="numpy")
        for name, value in buffers.items():
            model.buffers[f"0.{name}"][1] = value
        return standardizes(model)

    assert said(Standardize(), Dense(1)) and said(Standardize(clip=10), GRU(2), Dense(1))
    assert (
        not said(Standardize()) and not said(Dense(2), Standardize()) and not said(Standardize(inverse=True), Dense(1))
    )
    assert not said(Standardize(), Dense(1), mean=0.5) and not said(Standardize(), Dense(1), scale=2)


def test_a_loss_that_is_not_finite_changes_nothing():
    ppo = small(normalise_rewards=False)
    step = ppo.environments.step
    ppo.environments.step = lambda actions: (s := step(actions))._replace(rewards=s.rewards + 1e200)
    before = ppo.joint.theta.copy()
    with pytest.raises(FloatingPointError, match="loss and gradient must be finite"):
        ppo.learn(32)
    assert np.array_equal(ppo.policy.theta, ppo.joint.parts(before)[0])
    zeros = np.zeros(before.size)
    for total, gradient in ((np.nan, zeros), (1.0, np.append(zeros[1:], np.inf)), (1.0, zeros + 1e300)):
        with np.errstate(over="ignore"), pytest.raises(FloatingPointError):
            ppo._step(Loss(total, 0, 0, 0, 0, 0, gradient), 1.0)
    assert np.array_equal(ppo.joint.theta, before) and ppo.optimizer.t == 0


def test_correlated_noise():
    """Its density is that of one step, whatever the correlation; 4,000 numbers say it to a few percent."""
    ppo = small(correlation=0.8)
    ppo.policy.theta[:] = 0  # so all means are 0
    collector = Collector(
        ppo.policy, ppo.critic, ppo.environments, ppo.distribution, np.random.default_rng(0), 0, ppo.correlation
    )
    noise = collector.collect(1000, ppo.own).draws[..., 0]
    assert noise.std() == pytest.approx(1, rel=0.1)
    assert (noise[:, 1:] * noise[:, :-1]).mean() == pytest.approx(0.8, rel=0.1)


def test_correlated_noise_goes_on():
    """From step to step and from one rollout to the next, for each number of each environment by itself."""
    policy = Model(Dense(1), input_dim=1, seed=0, backend="numpy")
    policy.theta[:] = 0
    gaussian, environments = Gaussian([-2.0], [2.0]), Environments(toys.echo(3))
    for correlation, fresh in (0.8, 0.6), (0.0, 1.0):
        rng, wanted = np.random.default_rng(7), []
        collector = Collector(policy, policy, environments, gaussian, np.random.default_rng(7), 0, correlation)
        noise = rng.standard_normal((3, 1)) if correlation else 0.0
        for _ in range(9):
            noise = correlation * noise + fresh * rng.standard_normal((3, 1))
            wanted.append(0.5 * noise)
        found = [collector.collect(T, np.log([0.5])).draws for T in (4, 5)]
        np.testing.assert_allclose(np.concatenate(found, axis=1), np.stack(wanted, axis=1), rtol=1e-12)


def test_correlated_noise_is_as_wide_at_the_first_step():
    """Of 400 environments; begun at 0 it would have a deviation of 0.6 there."""
    policy = Model(Dense(1), input_dim=1, seed=0, backend="numpy")
    policy.theta[:] = 0
    environments, gaussian = Environments(toys.echo(400)), Gaussian([-2.0], [2.0])
    collector = Collector(policy, policy, environments, gaussian, np.random.default_rng(0), 0, 0.8)
    assert collector.collect(1, gaussian.initial()).draws.std() == pytest.approx(1, abs=4 / np.sqrt(2 * 400))


def test_what_does_not_fit(tmp_path):
    policy = Model(GRU(4), Dense(1), input_dim=1, seed=0)
    environments = Environments(toys.echo(4))
    with pytest.raises(TypeError, match=r"Environments\(vector_env\)"):
        PPO(policy, toys.echo(2))
    with pytest.raises(ValueError, match="1 outputs of Gaussian"):
        PPO(Model(GRU(4), Dense(2), input_dim=1), environments)
    with pytest.raises(ValueError, match=r"end with Dense\(1\)"):
        PPO(policy, environments, critic=Model(GRU(4), Dense(2), input_dim=1))
    with pytest.raises(ValueError, match="must have 1 inputs and 1 output, got 2 and 1"):
        PPO(policy, environments, critic=Model(GRU(4), Dense(1), input_dim=2))
    with pytest.raises(ValueError, match="`critic` must have an output at every step"):
        PPO(policy, environments, critic=Model(ltc_np.Conv1D(4, 2, stride=2), Dense(1), input_dim=1))
    with pytest.raises(ValueError, match="a model of its own"):
        PPO(policy, environments, critic=policy)
    with pytest.raises(ValueError, match="no later input"):
        PPO(Model(ltc_np.Bidirectional(GRU(4)), Dense(1), input_dim=1), environments)
    with pytest.raises(ValueError, match="`correlation` must be 0 but for"):
        small(
            Model(ltc_np.MixtureDensity(1, components=2), input_dim=1),
            distribution=MixtureOfGaussians([-2.0], [2.0], 2), correlation=0.5,
        )  # fmt: skip
    for theirs, ours in (
        ("n_steps", "steps"), ("gae_lambda", "lam"), ("clip_range", "clip"), ("ent_coef", "entropy"),
        ("max_grad_norm", "clip_norm"), ("vf_coef", "value_weight"), ("n_epochs", "epochs"),
        ("learning_rate", "lr"), ("clip_range_vf", "clip_value"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"no argument `{theirs}`: did you mean `{ours}`"):
            PPO(policy, environments, **{theirs: 1})
    with pytest.raises(TypeError, match="did you mean `steps`"):
        PPO(policy, environments).learn(total_timesteps=3)
    policy.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"must be a file of `PPO.save`"):
        PPO.load(tmp_path / "model.npz", environments)
    ppo = PPO(policy, environments)
    ppo.save(tmp_path / "ppo.npz")
    with pytest.raises(ValueError, match="must be 4 as before, got 2"):
        PPO.load(tmp_path / "ppo.npz", Environments(toys.echo(2)))
    with pytest.raises(TypeError, match="`environments` must be Environments, got 'CartPole-v1'"):
        PPO.load(tmp_path / "ppo.npz", "CartPole-v1")
    with pytest.raises(ValueError, match=r"`distribution` must give actions .* choices in 0\.\.2, got Gaussian"):
        PPO.load(tmp_path / "ppo.npz", Environments(toys.counting("NEXT_STEP", 4), observed=[1]))
