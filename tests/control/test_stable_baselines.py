"""An update beside that of sb3-contrib, on its own rollout and with its own weights."""

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed: pip install sb3-contrib")

from types import SimpleNamespace

import gymnasium
import sb3_contrib
import torch
from support import toys

from ltc_np import LSTM, Dense, Model
from ltc_np.control import Categorical, Gaussian
from ltc_np.control.advantages import gae
from ltc_np.control.pieces import cut, gather
from ltc_np.control.rollout import Rollout
from ltc_np.control.update import Terms, loss_and_gradient

GAMMA, LAM, ENTROPY, CLIP, UNITS = 0.9, 0.8, 0.02, 0.1, 6


def theirs(make, n=3, T=12):
    """A model of theirs, after a rollout; the gradient that its update would make, by parameter; and the rollout."""
    from stable_baselines3.common.logger import configure
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.manual_seed(0)
    model = sb3_contrib.RecurrentPPO(
        "MlpLstmPolicy", DummyVecEnv([make] * n), n_steps=T, batch_size=n * T, n_epochs=1, gamma=GAMMA, gae_lambda=LAM,
        ent_coef=ENTROPY, clip_range=CLIP, vf_coef=0.5, max_grad_norm=1e9, seed=0, device="cpu",
        policy_kwargs={"lstm_hidden_size": UNITS, "net_arch": []},
    )  # fmt: skip
    model.set_logger(configure(None, []))
    _, callback = model._setup_learn(10_000)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, T)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, T)  # episodes are under way when it begins
    buffer = model.rollout_buffer
    kept = {
        name: np.array(getattr(buffer, name)).swapaxes(0, 1)  # (n, T, ...)
        for name in ("observations", "actions", "rewards", "episode_starts", "values", "log_probs", "advantages")
    }
    # (T, layers, n, units) each: before every step
    states = [
        np.concatenate([np.array(h)[:, 0], np.array(c)[:, 0]], axis=-1).swapaxes(0, 1)
        for h, c in (
            (buffer.hidden_states_pi, buffer.cell_states_pi), (buffer.hidden_states_vf, buffer.cell_states_vf)
        )
    ]  # fmt: skip
    with torch.no_grad():  # so that ratios differ from 1
        for parameter in model.policy.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    gradients = {}
    model.policy.optimizer.step = lambda: gradients.update(
        {name: p.grad.numpy().copy() for name, p in model.policy.named_parameters() if p.grad is not None}
    )
    logged = {}
    model.logger.record = lambda key, value, **more: logged.__setitem__(key, value)
    return SimpleNamespace(
        model=model, kept=kept, states=states, gradients=gradients, logged=logged, last=(model._last_episode_starts,)
    )


def ours(found, prefix, readout, outputs, size):
    """A model of ours with the weights of one side of theirs."""
    state = {name: value.numpy() for name, value in found.model.policy.state_dict().items()}
    network = Model(LSTM(UNITS), Dense(outputs), input_dim=size, seed=0, backend="numpy")
    network.params["0.w_x"][:] = state[f"{prefix}.weight_ih_l0"].T
    network.params["0.w_h"][:] = state[f"{prefix}.weight_hh_l0"].T
    network.params["0.b"][:] = state[f"{prefix}.bias_ih_l0"] + state[f"{prefix}.bias_hh_l0"]
    network.params["1.weight"][:], network.params["1.bias"][:] = state[f"{readout}.weight"].T, state[f"{readout}.bias"]
    return network


def by_name(network, gradient, prefix, readout):
    """Our gradient under their names."""
    part = network.views(gradient)
    return {
        f"{prefix}.weight_ih_l0": part["0.w_x"].T, f"{prefix}.weight_hh_l0": part["0.w_h"].T,
        f"{prefix}.bias_ih_l0": part["0.b"], f"{readout}.weight": part["1.weight"].T, f"{readout}.bias": part["1.bias"],
    }  # fmt: skip


class Masked(gymnasium.ObservationWrapper):
    """A cart and a pole without their velocities, and little time, so that some episodes end by it."""

    def __init__(self):
        super().__init__(gymnasium.make("CartPole-v1", max_episode_steps=9))
        space = self.env.observation_space
        self.observation_space = gymnasium.spaces.Box(space.low[[0, 2]], space.high[[0, 2]], dtype=np.float32)

    def observation(self, observation):
        return observation[[0, 2]]


@pytest.mark.parametrize("kind", ["choices", "numbers"])
@pytest.mark.filterwarnings("ignore")  # of their libraries
def test_one_update(kind, monkeypatch):
    if kind == "choices":
        found, distribution, outputs, size = theirs(Masked), Categorical(2), 2, 2
    else:
        found = theirs(lambda: toys.Echo(delay=1, length=5))
        distribution, outputs, size = Gaussian([-np.inf], [np.inf]), 1, 1
    policy = ours(found, "lstm_actor", "action_net", outputs, size)
    critic = ours(found, "lstm_critic", "value_net", 1, size)
    kept, began = found.kept, found.kept["episode_starts"].astype(bool)
    n, T = began.shape
    ended = np.append(began[:, 1:], np.array(found.last[0])[:, None], axis=1)
    # They have added the discounted value of what would have followed to the reward where time was up, and then take
    # all ends for ends by the rules.
    following = np.append(kept["values"][:, 1:], np.full((n, 1), np.nan), axis=1)
    states = [np.where(began[:, :, None], 0, s) for s in found.states]
    draws = kept["actions"][..., 0].astype(int) if kind == "choices" else kept["actions"]
    advantages = gae(kept["rewards"], kept["values"], np.nan_to_num(following), ended, ended, GAMMA, LAM)
    whole = [np.flatnonzero(ended[e])[-1] + 1 for e in range(n)]  # what follows the last end is not known here
    assert sum(whole) > n * T / 3
    for e in range(n):
        assert np.allclose(advantages[e, : whole[e]], kept["advantages"][e, : whole[e]], atol=1e-5)
    counts = np.ones((n, T), bool)
    rollout = Rollout(
        kept["observations"], np.ones((n, T)), began, counts, ended, ended, draws, kept["log_probs"].astype(float),
        kept["values"].astype(float), following, kept["rewards"], *states,
    )  # fmt: skip
    own = np.zeros(0) if kind == "choices" else found.model.policy.log_std.detach().numpy().astype(float)
    batch = gather(rollout, kept["advantages"].astype(float), cut(began, counts), policy, critic)
    loss = loss_and_gradient(policy, critic, distribution, own, batch, Terms(CLIP, None, ENTROPY, 1.0, True))
    monkeypatch.setattr(np.random, "randint", lambda *given, **more: 0)  # they would cut a sequence somewhere
    found.model.train()
    log = found.logged
    assert loss.policy == pytest.approx(log["train/policy_gradient_loss"], rel=1e-5, abs=1e-6)
    assert 2 * loss.value == pytest.approx(log["train/value_loss"], rel=1e-5)
    assert -loss.entropy == pytest.approx(log["train/entropy_loss"], rel=1e-5)
    assert loss.divergence == pytest.approx(log["train/approx_kl"], rel=1e-3, abs=1e-6)
    assert loss.clipped == pytest.approx(log["train/clip_fraction"], abs=1e-6) and loss.clipped > 0
    P = policy.theta.size
    both = by_name(policy, loss.gradient[:P], "lstm_actor", "action_net")
    both |= by_name(critic, loss.gradient[P : P + critic.theta.size], "lstm_critic", "value_net")
    if kind == "numbers":
        both["log_std"] = loss.gradient[P + critic.theta.size :]
    assert {name for name in found.gradients if not name.endswith("bias_hh_l0")} == set(both)
    for name, wanted in found.gradients.items():
        if name in both:
            assert np.abs(both[name] - wanted).max() <= 1e-5 * np.abs(wanted).max() + 1e-7, name
