"""Policies that learn by rewards alone, by proximal policy optimisation, and see no velocities.

A pole on a cart (Gymnasium's CartPole-v1) is balanced by a network that sees place and angle; a pendulum
(Pendulum-v1) is swung up by one that sees where it points.  Both must find the velocities themselves: they have a
memory for it.  What is learnt is an ordinary model, written to a file, for `ltc_np.load` and the exports.

    python examples/reinforce.py                      # both, a minute each
    python examples/reinforce.py cart_pole --seed 3 --output cart_pole.npz
    python examples/reinforce.py cart_pole_ltc --keep-best   # another network; and the best of trials in between
    python examples/reinforce.py --c                  # both, and then the loop closed with the policy's C
    python examples/reinforce.py --quick              # a few iterations of each: that it runs
"""

import argparse
import time
from typing import NamedTuple

import reinforce_c

from ltc_np import LSTM, LTC, CfC, Conv1D, Dense, FullyConnected, Model, Standardize
from ltc_np.control import PPO, Environments, KeepBest, evaluate


class Task(NamedTuple):
    """An environment, what is seen of it, layers between observations and outputs, and settings of the learning."""

    name: str
    observed: tuple[int, ...]
    outputs: int
    count: int
    memory: tuple
    options: dict
    dt: float | None = None  # elapsed time of a step, for networks that know it; None: 1

    def environments(self, count=None):
        """So many of them side by side."""
        return Environments.make(self.name, count or self.count, observed=self.observed, dt=self.dt)


def cart_pole(*memory, lr=1e-3, dt=None):
    """The cart and the pole, with longer rollouts than an LSTM has below."""
    options = {"steps": 128, "epochs": 10, "gamma": 0.99, "lam": 0.9, "lr": lr}
    return Task("CartPole-v1", (0, 2), 2, 8, memory, options, dt)


TASKS = {
    # As rl-baselines3-zoo has them for sb3-contrib's RecurrentPPO, but for a longer horizon: a cart drifts slowly.
    "cart_pole": Task(
        "CartPole-v1", (0, 2), 2, 8, (LSTM(64),),
        {"steps": 32, "epochs": 20, "gamma": 0.99, "lam": 0.9, "lr": 1e-3},
    ),
    # Three observations say how fast it turns; and a longer horizon than there: it swings more than once to get up.
    "pendulum": Task(
        "Pendulum-v1", (0, 1), 1, 8, (Conv1D(64, 3, activation="tanh"), CfC(64, backbone_units=64)),
        {"steps": 256, "epochs": 10, "gamma": 0.95, "lr": 2e-3, "entropy": 0.01, "longest": 64, "correlation": 0.9},
    ),
    "cart_pole_conv_cfc": cart_pole(Conv1D(64, 3, activation="tanh"), CfC(64, backbone_units=64)),
    "cart_pole_conv_ltc": cart_pole(Conv1D(64, 3, activation="tanh"), LTC(FullyConnected(32))),
    "cart_pole_cfc": cart_pole(CfC(64)),
    # With the shorter time its potentials remember more of the step before, from which speeds are found.
    "cart_pole_ltc": cart_pole(LTC(FullyConnected(32)), lr=3e-3, dt=0.2),
}  # fmt: skip
BOTH = "cart_pole", "pendulum"


def policy_for(task, seed):
    """Observations brought to mean 0 and deviation 1, a memory, and outputs near 0, so that no action is preferred."""
    last = Dense(task.outputs, init={"weight": ("orthogonal", 0.01)})
    return Model(Standardize(clip=10), *task.memory, last, input_dim=len(task.observed), seed=seed)


def learn(task, steps, seed, callback=None, progress=False):
    """The `PPO` after so many steps; learning rate and clip fall to 0 meanwhile."""
    ppo = PPO(policy_for(task, seed), task.environments(), decay_steps=steps, seed=seed, **task.options)
    whole = steps // (task.count * ppo.steps) * task.count * ppo.steps
    ppo.learn(whole, callback=callback, progress=progress)
    return ppo


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", nargs="?", choices=[*TASKS], help="default: both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100_000, help="of all environments together")
    parser.add_argument("--output", help="file for the policy")
    parser.add_argument("--keep-best", action="store_true", help="of trials after each 10,000 steps, 20 episodes each")
    parser.add_argument("--c", action="store_true", help="play it in C too, here and on an emulated Cortex-M4F")
    parser.add_argument("--quick", action="store_true", help="a few iterations, and ten episodes to judge by")
    options = parser.parse_args()
    episodes = 10 if options.quick else 100
    for name in [options.task] if options.task else BOTH:
        began, task = time.process_time(), TASKS[name]
        best = KeepBest(task.environments(), seed=1) if options.keep_best else None
        ppo = learn(task, 3000 if options.quick else options.steps, options.seed, best, not options.quick)
        policy, found = ppo.policy, evaluate(ppo.policy, ppo.environments, episodes, seed=1000)
        print(f"{name}: {found.mean:.1f} after {ppo.done} steps, {time.process_time() - began:.0f} s of processor time")
        if best is not None:
            best.judge(ppo)  # at the end, too
            policy, found = best.policy, evaluate(best.policy, ppo.environments, episodes, seed=1000)
            print(f"{name}: {found.mean:.1f} of the best, after {best.steps} steps")
        if options.output:
            policy.save(options.output)
        if options.c:
            print(reinforce_c.table(policy, task.environments(episodes), ppo.distribution, seed=1000))


if __name__ == "__main__":
    main()
