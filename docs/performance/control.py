"""Time of recurrent PPO here and by sb3-contrib, in turn, with the same networks and settings.

    python docs/performance/control.py --steps 10240 --runs 2      # needs gymnasium, sb3-contrib and PyTorch

CartPole-v1 without velocities, 8 environments of 32 steps, batches of 256, 20 epochs; an LSTM of 64 and a layer of 64
for policy and critic each; one thread.
"""

import argparse
import os
import time

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")  # before NumPy

import gymnasium
import numpy as np
import sb3_contrib
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from ltc_np import LSTM, Dense, Model, Standardize
from ltc_np.control import PPO, Environments

SETTINGS = {"batch_size": 256, "gamma": 0.98}


def ours(steps):
    policy = Model(Standardize(clip=10), LSTM(64), Dense(64, "relu"), Dense(2), input_dim=2, seed=0)
    critic = Model(Standardize(clip=10), LSTM(64), Dense(64, "relu"), Dense(1), input_dim=2, seed=1)
    environments = Environments.make("CartPole-v1", 8, observed=[0, 2])
    ppo = PPO(policy, environments, critic=critic, steps=32, epochs=20, lam=0.8, lr=1e-3, **SETTINGS)
    return lambda: ppo.learn(steps)


class Masked(gymnasium.ObservationWrapper):
    """Without velocities."""

    def __init__(self, environment):
        super().__init__(environment)
        space = environment.observation_space
        self.observation_space = gymnasium.spaces.Box(space.low[[0, 2]], space.high[[0, 2]], dtype=np.float32)

    def observation(self, observation):
        return observation[[0, 2]]


def theirs(steps):
    torch.set_num_threads(1)
    environments = VecNormalize(make_vec_env("CartPole-v1", n_envs=8, seed=0, wrapper_class=Masked), gamma=0.98)
    model = sb3_contrib.RecurrentPPO(
        "MlpLstmPolicy", environments, n_steps=32, n_epochs=20, gae_lambda=0.8, learning_rate=1e-3, ent_coef=0.0,
        policy_kwargs={"lstm_hidden_size": 64, "net_arch": [64], "activation_fn": torch.nn.ReLU}, device="cpu",
        **SETTINGS,
    )  # fmt: skip
    return lambda: model.learn(steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=10_240)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    ours(256)()  # kernels are compiled, or read from their cache
    for _ in range(options.runs):
        for side in (ours, theirs):
            learn = side(options.steps)
            clock, processor = time.perf_counter(), time.process_time()
            learn()
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            print(f"{side.__name__}, {options.steps} steps: {clock:.1f} s, {processor:.1f} of a processor", flush=True)


if __name__ == "__main__":
    main()
