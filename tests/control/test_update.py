"""One update: rollout, pieces, loss and gradient, equal to a loop that goes step by step through each environment."""

import numpy as np
import pytest
from support import toys

from ltc_np import GRU, LTC, S4D, AutoNCP, CfC, Dense, MixtureDensity, Model
from ltc_np.control import Categorical, Environments, MixtureOfGaussians, SquashedGaussian
from ltc_np.control.advantages import gae
from ltc_np.control.pieces import cut, gather
from ltc_np.control.rollout import Collector
from ltc_np.control.update import Joint, Terms, loss_and_gradient, squared_error, standardised, surrogate

TERMS = Terms(clip=0.1, clip_value=0.05, entropy=0.02, value=0.7, normalise=True)


def networks(outputs, size, seed=0):
    last = outputs if not isinstance(outputs, int) else Dense(outputs)
    policy = Model(CfC(3, backbone_units=4), last, input_dim=size, seed=seed, dtype="float64", backend="numpy")
    critic = Model(LTC(AutoNCP(5, 2)), Dense(1), input_dim=size, seed=1, dtype="float64", backend="numpy")
    return policy, critic


def collected(environments, distribution, policy, critic, T=11, before=4):
    """The second rollout of two, so that episodes are under way when it begins."""
    collector = Collector(policy, critic, environments, distribution, np.random.default_rng(5), 0)
    collector.collect(before, distribution.initial())
    return collector.collect(T, distribution.initial())


def looped(rollout, policy, critic, distribution, own, old):
    """The numbers of a `Loss` with nothing but `Model.step` and sums; ``old`` has the advantages."""
    n, T = rollout.rewards.shape
    rows = []
    for e in range(n):
        h, c = rollout.policy_states[e, 0], rollout.critic_states[e, 0]
        for t in range(T):
            if rollout.began[e, t]:
                h, c = policy.initial_state(), critic.initial_state()
            x, dt = rollout.observations[e, t], float(rollout.dt[e, t])
            y, h = policy.step(x, dt=dt, state=h)
            v, c = critic.step(x, dt=dt, state=c)
            if rollout.counts[e, t]:
                rows.append((e, t, y, v[0]))
    loss = values = entropies = divergence = clipped = 0.0
    advantages = np.array([old[e, t] for e, t, _, _ in rows])
    mean, deviation = advantages.mean(), np.sqrt(((advantages - advantages.mean()) ** 2).sum() / (len(rows) - 1))
    for (e, t, y, v), advantage in zip(rows, advantages, strict=True):
        log_p = distribution.log_probability(y[None], own, rollout.draws[e, t][None])[0]
        ratio, A = np.exp(log_p - rollout.log_probabilities[e, t]), (advantage - mean) / (deviation + 1e-8)
        loss -= min(ratio * A, min(max(ratio, 1 - TERMS.clip), 1 + TERMS.clip) * A)
        apart = v - rollout.values[e, t]
        kept = rollout.values[e, t] + min(max(apart, -TERMS.clip_value), TERMS.clip_value)
        values += 0.5 * (kept - (advantage + rollout.values[e, t])) ** 2
        entropies += distribution.entropy(y[None], own)[0]
        divergence += ratio - 1 - np.log(ratio)
        clipped += abs(ratio - 1) > TERMS.clip
    total = loss + TERMS.value * values - TERMS.entropy * entropies
    return np.array([total, loss, values, entropies, divergence, clipped]) / len(rows)


CASES = {
    "choices": lambda mode: (Environments(toys.counting(mode), dt="info"), Categorical(3), 3),
    "squashed": lambda mode: (Environments(toys.echo(3, length=5)), SquashedGaussian([-2.0], [2.0], -0.5), 1),
    "mixture": lambda mode: (
        Environments(toys.echo(3, length=5)), MixtureOfGaussians([-2.0], [2.0], 2), MixtureDensity(1, components=2)
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "mode"), [*(("choices", mode) for mode in toys.MODES), ("squashed", ""), ("mixture", "")]
)
def test_loss_and_gradient_are_those_of_a_loop(case, mode):
    environments, distribution, outputs = CASES[case](mode)
    policy, critic = networks(outputs, environments.size)
    rollout = collected(environments, distribution, policy, critic)
    advantages = gae(rollout.rewards, rollout.values, rollout.next_values, rollout.terminated, rollout.ended, 0.9, 0.8)
    rng = np.random.default_rng(7)
    policy.theta[:] += rng.normal(0, 0.1, policy.theta.size)  # so that ratios differ from 1, some beyond the clip
    critic.theta[:] += rng.normal(0, 0.02, critic.theta.size)
    own = distribution.initial() + rng.normal(0, 0.1, distribution.own)
    pieces = cut(rollout.began, rollout.counts)
    batch = gather(rollout, advantages, pieces.part(rng.permutation(len(pieces.row))), policy, critic)
    found = loss_and_gradient(policy, critic, distribution, own, batch, TERMS)
    assert 0.05 < found.clipped < 0.95 and found.divergence > 0

    def loss(vector):
        joint = Joint(policy, critic, own.copy())
        joint.theta[:] = vector
        joint.project()
        return looped(rollout, policy, critic, distribution, joint.own, advantages)[0]

    here = np.concatenate([policy.theta, critic.theta, own])
    wanted = looped(rollout, policy, critic, distribution, own, advantages)
    assert list(found[:6]) == pytest.approx(wanted.tolist(), abs=1e-11)
    assert found.total == found.policy + TERMS.value * found.value - TERMS.entropy * found.entropy
    for _ in range(6):  # in random directions: a loop takes some milliseconds
        way = rng.normal(size=here.size)
        slope = (loss(here + 1e-6 * way) - loss(here - 1e-6 * way)) / 2e-6
        assert found.gradient @ way == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("mode", toys.MODES)
def test_values_of_what_follows(mode):
    """Also where time was up: that of the last observation, with the state after the step before."""
    environments = Environments(toys.counting(mode), dt="info")
    policy, critic = networks(3, 3)
    collector = Collector(policy, critic, environments, Categorical(3), np.random.default_rng(5), 0)
    collector.collect(3, np.zeros(0))
    rollout, following = collector.collect(14, np.zeros(0)), collector.collect(1, np.zeros(0))
    episodes = 0
    for e in range(3):
        for t in np.flatnonzero(rollout.ended[e] & ~rollout.terminated[e]):
            number, last = rollout.observations[e, t, 0], 5
            final = np.array([number, last, rollout.draws[e, t]])
            _, after = critic.step(
                rollout.observations[e, t], dt=float(rollout.dt[e, t]), state=rollout.critic_states[e, t]
            )
            wanted = critic.step(final, dt=1 + last / 10, state=after)[0][0]
            assert rollout.next_values[e, t] == pytest.approx(wanted, abs=1e-12)
            episodes += 1
        going = ~rollout.ended[e, :-1]
        assert np.allclose(rollout.next_values[e, :-1][going], rollout.values[e, 1:][going], atol=1e-12)
        if rollout.counts[e, -1] and not rollout.ended[e, -1]:  # the next rollout sees what follows
            assert rollout.next_values[e, -1] == pytest.approx(following.values[e, 0], abs=1e-12)
            episodes += 1
    assert episodes >= 5
    assert (rollout.next_values[rollout.terminated] == 0).all()


def test_a_rollout_is_played_with_the_parameters_as_they_are():
    """Not with those of the rollout before; states are those before each step, and go on."""
    environments, distribution = CASES["squashed"]("")[:2]
    policy, critic = networks(1, 1)
    collector = Collector(policy, critic, environments, distribution, np.random.default_rng(5), 0)
    after = None
    for own in np.array([-0.5]), np.array([0.3]):
        rollout = collector.collect(7, own)
        for e in range(3):
            for t in range(7):
                at = {"dt": float(rollout.dt[e, t])}
                x, states = rollout.observations[e, t], (rollout.policy_states[e, t], rollout.critic_states[e, t])
                (y, h), (v, c) = (
                    model.step(x, state=state, **at) for model, state in zip((policy, critic), states, strict=True)
                )
                log_p = distribution.log_probability(y[None], own, rollout.draws[e, t][None])[0]
                assert rollout.log_probabilities[e, t] == pytest.approx(log_p, abs=1e-12)
                assert rollout.values[e, t] == pytest.approx(v[0], abs=1e-12)
                if t < 6 and not rollout.began[e, t + 1]:
                    assert np.allclose(rollout.policy_states[e, t + 1], h, atol=1e-12)
                    assert np.allclose(rollout.critic_states[e, t + 1], c, atol=1e-12)
        going = ~rollout.began[:, 0]
        assert after is None or (going.any() and np.array_equal(rollout.policy_states[going, 0], after[going]))
        after = collector.policy_state
        policy.theta[:] *= 0.5
        critic.theta[:] *= 0.5


def test_all_ways_to_begin_anew_give_the_same_update():
    """Whatever rows a way adds: rewards, values and states of steps that count are the same, as long as actions are."""
    policy, critic = networks(3, 3)
    policy.theta[:] *= 0  # all actions equally likely
    policy.params["1.bias"][:] = [50, 0, 0]
    found = []
    for mode in toys.MODES:
        environments = Environments(toys.counting(mode), dt="info")
        rollout = Collector(policy, critic, environments, Categorical(3), np.random.default_rng(0), 0).collect(
            16, np.zeros(0)
        )
        advantages = gae(rollout.rewards, rollout.values, rollout.next_values, rollout.terminated, rollout.ended)
        ends = [np.flatnonzero(rollout.ended[e])[1] for e in range(3)]  # two whole episodes
        found.append([advantages[e, : end + 1][rollout.counts[e, : end + 1]] for e, end in enumerate(ends)])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert np.allclose(a, b, atol=1e-10)


def test_pieces():
    began = np.zeros((2, 8), bool)
    began[0, [0, 5]] = began[1, 3] = True
    counts = np.ones((2, 8), bool)
    counts[0, 4] = counts[1, 7] = False
    pieces = cut(began, counts)
    assert list(zip(*(a.tolist() for a in pieces), strict=True)) == [(0, 0, 4), (0, 5, 8), (1, 0, 3), (1, 3, 7)]
    assert cut(began, counts, 3).sizes.tolist() == [3, 1, 3, 3, 3, 1]
    counts[1, :3] = False  # all that there is before the episode begins
    assert cut(began, counts).row.tolist() == [0, 0, 1]


def test_each_network_computes_with_numbers_of_its_own_kind(monkeypatch):
    """Which compiled kernels ask for; behind the end of a piece there are zeros."""
    environments, distribution, _ = CASES["choices"]("NEXT_STEP")
    policy, critic = Model(GRU(3), Dense(3), input_dim=3, seed=0, backend="numpy"), networks(1, 3)[1]
    rollout, given = collected(environments, distribution, policy, critic), []
    batch = gather(rollout, rollout.rewards, cut(rollout.began, rollout.counts), policy, critic)
    behind = np.arange(batch.counts.shape[1]) >= batch.policy.lengths[:, None]
    for network, sequences in (policy, batch.policy), (critic, batch.critic):
        assert sequences.x.dtype == sequences.dt.dtype == network.dtype and behind.any()
        assert not sequences.x[behind].any() and not sequences.dt[behind].any() and sequences.dt[~behind].all()
        backward = network.engine.backward
        monkeypatch.setattr(
            network.engine, "backward", lambda *args, run=backward: given.append(args[3].dtype) or run(*args)
        )
    loss_and_gradient(policy, critic, distribution, np.zeros(0), batch, TERMS)
    assert given == [np.float32, np.float64]


def test_the_surrogate_by_hand():
    """r = 1.5, .5, 1.5, .5 with A = 1, 1, -1, -1 and clip .2: min is 1.2, .5, -1.5, -.8."""
    log_p, A = np.log([1.5, 0.5, 1.5, 0.5]), np.array([1.0, 1.0, -1.0, -1.0])
    side, ratio = surrogate(log_p, np.zeros(4), A, 0.2)
    assert ratio.tolist() == pytest.approx([1.5, 0.5, 1.5, 0.5])
    assert side.loss == pytest.approx(-(1.2 + 0.5 - 1.5 - 0.8) / 4)
    assert side.d.tolist() == pytest.approx([0, -0.5 / 4, 1.5 / 4, 0])


def test_values_that_may_move_little():
    values, old, returns = np.array([1.0, 2.0]), np.array([0.5, 1.95]), np.array([3.0, 3.0])
    assert squared_error(values, old, returns, None) == (pytest.approx((4 + 1) / 4), pytest.approx([-1.0, -0.5]))
    side = squared_error(values, old, returns, 0.1)
    assert side.loss == pytest.approx((2.4**2 + 1) / 4)
    assert side.d.tolist() == pytest.approx([0, -0.5])


def test_one_optimiser_for_all_parts():
    """It makes the same steps as three would, leaves what is frozen, and keeps bounds."""
    from ltc_np import Adam

    policy, critic = networks(2, 1)
    policy.freeze("1")
    own, frozen = np.zeros(2), policy.params["1.weight"].copy()
    joint = Joint(policy, critic, own)
    gradient = np.random.default_rng(0).normal(size=joint.theta.size)
    alone = Model(*critic.layers, input_dim=1, seed=1, dtype="float64", backend="numpy")
    optimizer, only = Adam(0.1), Adam(0.1)
    for _ in range(3):
        joint.take()
        optimizer.step(joint, gradient)
        only.step(alone, joint.parts(gradient)[1].copy())
    assert np.array_equal(critic.theta, alone.theta)
    assert np.array_equal(policy.params["1.weight"], frozen)
    assert np.allclose(np.abs(own), 0.3, rtol=1e-6)


def test_all_parts_are_within_their_bounds_and_decay_by_their_layouts():
    """The one vector holds what the parts hold after a step, and a deviation of the distribution does not decay."""
    policy = Model(LTC(AutoNCP(5, 2), positivity="clip"), input_dim=1, seed=0, dtype="float64", backend="numpy")
    critic = networks(2, 1)[1]
    joint = Joint(policy, critic, np.zeros(2))
    joint.theta -= 10
    joint.project()
    held = np.concatenate([policy.theta, critic.theta, np.full(2, -10.0)])
    assert np.array_equal(joint.theta, held) and (policy.theta == 0).any()  # a weight of at least 0
    assert np.array_equal(joint.layout.decay, [*policy.layout.decay, *critic.layout.decay, False, False])
    assert critic.layout.decay.any()


def test_parts_keep_their_order_in_the_one_vector():
    """What is frozen and the rates of parameters are in the order policy, critic, distribution; all may be free."""
    kinds = [[GRU(3)], [S4D(2, lr_scale=0.25)]]
    for layers in kinds, kinds[::-1]:
        both = [Model(*own, Dense(1), input_dim=1, seed=0, backend="numpy") for own in layers]
        joint = Joint(*both, np.ones(2))
        assert joint.trainable is None
        assert np.array_equal(joint.theta, [*both[0].theta, *both[1].theta, 1, 1])
        rates = [np.ones(n.theta.size) if n.layout.lr_scale is None else n.layout.lr_scale for n in both]
        assert np.array_equal(joint.layout.lr_scale, [*rates[0], *rates[1], 1, 1]) and 0.25 in rates[layers is kinds]
        for k in range(2):
            both[k].freeze("0")
            wanted = [np.ones(n.theta.size, bool) if n.trainable is None else n.trainable for n in both]
            assert np.array_equal(joint.trainable, [*wanted[0], *wanted[1], True, True])
            both[k].unfreeze()
        both[1].theta[:] = 7
        joint.own[:] = 5
        joint.take()
        assert np.array_equal(joint.theta, [*both[0].theta, *both[1].theta, 5, 5])
    assert Joint(*networks(1, 1), np.zeros(0)).layout.lr_scale is None
    for single in (both[0], networks(1, 1)[0]), (networks(1, 1)[0], both[0]):
        assert Joint(*single, np.zeros(1)).theta.dtype == np.float64


def test_advantages_of_a_batch():
    """Their deviation is that with N - 1; a single one stays as it is, and equal ones are 0."""
    assert standardised(np.array([1.0, 2.0, 6.0])) == pytest.approx(np.array([-2, -1, 3]) / 7**0.5, rel=1e-7)
    assert standardised(np.array([3.0])).tolist() == [3.0] and standardised(np.array([3.0, 3.0])).tolist() == [0, 0]
