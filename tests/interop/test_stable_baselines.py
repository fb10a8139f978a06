"""A policy for sb3-contrib: its sequences and gradients are those of the model, and `RecurrentPPO` learns with it."""

import numpy as np
import pytest

from ltc_np import GRU, CfC, Model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
sb3 = pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")

from ltc_np.interop.stable_baselines import LiquidPolicy, Recurrent  # noqa: E402


def network(size):
    return Model(CfC(3), input_dim=size, seed=0, backend="numpy")


@pytest.mark.parametrize("elapsed", [None, 0, -1])
def test_sequences_begin_where_episodes_do(elapsed):
    """Against the model on each piece by itself, outputs and gradients of parameters and inputs."""
    rng = np.random.default_rng(0)
    recurrent = Recurrent(network(2), elapsed)
    size, n, T = recurrent.input_size, 2, 5
    seen = torch.tensor(rng.uniform(0.5, 1.5, (n, T, size)), dtype=torch.float32)
    starts = torch.tensor([[0.0, 0, 1, 0, 0], [1, 0, 0, 1, 0]])
    state = torch.tensor(rng.normal(size=(1, n, recurrent.hidden_size)), dtype=torch.float32)
    weights = torch.tensor(rng.normal(size=(n * T, 3)), dtype=torch.float32)
    y, (after, _) = LiquidPolicy._process_sequence(
        seen.reshape(n * T, size), (state, state), starts.reshape(-1), recurrent
    )
    (y * weights).sum().backward()

    model, gradient = network(2), 0.0
    columns = [k for k in range(size) if elapsed is None or k != elapsed % size]
    for row, begin, end, h0 in [(0, 0, 2, state[0, 0]), (0, 2, 5, None), (1, 0, 3, None), (1, 3, 5, None)]:
        piece = seen[row, begin:end].numpy()
        dt = None if elapsed is None else piece[:, elapsed]
        h0 = None if h0 is None else h0.numpy()
        wanted, tape = model.forward(piece[:, columns], dt=dt, h0=h0)
        own = slice(row * T + begin, row * T + end)
        assert y[own].detach().numpy() == pytest.approx(wanted, abs=1e-6)
        gradient = gradient + model.backward(tape, weights[own].numpy()).theta
        if end == T:
            assert after[0, row].detach().numpy() == pytest.approx(wanted[-1], abs=1e-6)
    found = recurrent.module.theta.grad.numpy()
    assert found == pytest.approx(gradient, abs=1e-5 * np.abs(gradient).max())  # float32, other order of sums


@pytest.mark.slow
@pytest.mark.parametrize("made", [network, lambda size: Model(GRU(4), input_dim=size, seed=0, backend="numpy")])
def test_recurrent_ppo_learns(made):
    learner = sb3.RecurrentPPO(
        LiquidPolicy, "CartPole-v1", n_steps=64, batch_size=32, n_epochs=2, seed=0, policy_kwargs={"network": made},
        device="cpu",
    )  # fmt: skip
    actor = learner.policy.lstm_actor
    before = actor.module.theta.detach().clone(), learner.policy.lstm_critic.module.theta.detach().clone()
    learner.learn(128)
    assert not torch.equal(before[0], actor.module.theta) and not torch.equal(
        before[1], learner.policy.lstm_critic.module.theta
    )
    seen, _ = learner.env.envs[0].reset(seed=0)
    action, state = learner.predict(seen, deterministic=True)
    assert state[0].shape == (1, 1, actor.hidden_size)
    y, _ = actor.module.to_model().step(seen)
    logits = learner.policy.action_net(torch.tensor(y)[None])
    assert int(action) == int(logits.argmax())


def test_refusals():
    with pytest.raises(TypeError, match="`model` must be a model of ltc_np"):
        LiquidPolicy(*_spaces(), lambda rate: 1e-3, lambda size: "CfC")


def _spaces():
    import gymnasium

    return gymnasium.spaces.Box(-1, 1, (2,)), gymnasium.spaces.Discrete(2)
