"""A pole balanced at random times, by networks that know how much time has passed and by some that do not.

Gymnasium's cart pole without its speeds: each push lasts for 1 to 4 steps of 20 ms at random, and only then the place
and the angle are seen again.  How fast the pole turns is the difference of two angles by the time between them.  An
expert that sees the speeds teaches all networks with the same code, rounds and epochs (DAgger).

    pip install "ltc-np[control,plot]" "gymnasium[classic-control]"    # the last draws the moving picture
    python examples/random_intervals.py                  # an hour of processor time; writes random_intervals.gif
    python examples/random_intervals.py --quick          # one seed, two short rounds; a minute
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from ltc_np import GRU, LSTM, LTC, AutoNCP, CfC, Dense, Model, set_num_threads
from ltc_np.control import Environments, dagger, evaluate, record

MOST = 4  # steps that a push lasts at most
SCALE = np.array([1.0, 0.5, 0.1, 0.5], np.float32)  # what a network sees as 1: m, m/s, rad, rad/s
GAINS = np.array([0.1, 0.3, 3.0, 1.0]) * SCALE
UNITS = 32
ROUNDS, EPOCHS, EPISODES, BATCH = 8, 30, 16, 8
TRIED, TEST_SEED = 100, 1_000_000


class RandomIntervals(gymnasium.Wrapper):
    """Repeats each action for 1 to `MOST` steps; for how many is in ``info["dt"]``, and the last number seen."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(SCALE) + 1,), np.float32)

    def reset(self, **options):
        seen, info = self.env.reset(**options)
        return self._told(seen, info, 1)

    def step(self, action):
        total, passed, ended = 0.0, 0, False
        times = int(self.np_random.integers(1, MOST + 1))
        while passed < times and not ended:
            seen, reward, terminated, truncated, info = self.env.step(action)
            total, passed, ended = total + float(reward), passed + 1, terminated or truncated
        seen, info = self._told(seen, info, passed)
        return seen, total, terminated, truncated, info

    def _told(self, seen, info, passed):
        return np.append(seen / SCALE, np.float32(passed)), {**info, "dt": float(passed)}


class Setting(NamedTuple):
    """A network, and how it learns of the time."""

    title: str
    layers: tuple[Any, ...]
    dt: str | None = None  # "info": as elapsed time
    seen: tuple[int, ...] = (0, 2)  # place and angle; 4 is the time, as a number like others


MODELS = {
    "cfc": Setting("CfC, elapsed time", (CfC(UNITS, backbone_units=UNITS),), "info"),
    "ltc": Setting("LTC, elapsed time", (LTC(AutoNCP(UNITS, 8)),), "info"),
    "gru": Setting("GRU, not told", (GRU(UNITS),)),
    "lstm": Setting("LSTM, not told", (LSTM(UNITS),)),
    "gru_input": Setting("GRU, time as an input", (GRU(UNITS),), None, (0, 2, 4)),
    "untold": Setting("CfC, not told", (CfC(UNITS, backbone_units=UNITS),)),
}


def carts(setting, count, **options):
    """Carts at random times, as a network sees them."""
    return Environments.make(
        "CartPole-v1", count, observed=setting.seen, dt=setting.dt,
        vectorization_mode="sync", wrappers=[RandomIntervals], **options,
    )  # fmt: skip


def expert(seen, dt):
    """Push to the side to which the pole falls."""
    return (seen[:, : len(GAINS)] @ GAINS > 0).astype(int)


def network(name, seed):
    """The network of a row."""
    setting = MODELS[name]
    return Model(*setting.layers, Dense(2), input_dim=len(setting.seen), seed=seed)


def train(name, seed, rounds, epochs):
    """Parameters of the best round, and the mean return of 100 other episodes."""
    set_num_threads(1)
    setting, model = MODELS[name], network(name, seed)
    history = dagger(
        model, expert, carts(setting, 16), rounds=rounds, episodes=EPISODES, trials=32, seed=seed, epochs=epochs,
        batch_size=BATCH, clip_norm=1.0,
    )  # fmt: skip
    found = evaluate(model, carts(setting, 20), TRIED, seed=TEST_SEED).mean
    rounds = ", ".join(f"{value:.0f}" for value in history["return"])
    print(f"{name}, seed {seed}: {found:.1f} ({rounds}), {history.seconds:.0f} s", file=sys.stderr, flush=True)
    return model.theta, found


def expert_mean():
    """Mean return of the expert in the same way."""
    environments = carts(Setting("", (), None, (0, 1, 2, 3)), TRIED)
    now, total, over = environments.reset(TEST_SEED), 0.0, np.zeros(TRIED, bool)
    while not over.all():
        now = environments.step(expert(now.observations, now.dt))
        total += now.rewards[~over].sum()
        over |= now.ended
    return total / TRIED


def table(found):
    """Markdown: mean returns of all seeds by network."""
    lines = ["| network | parameters | mean return | seeds |", "|---|---|---|---|"]
    for name, results in found.items():
        means = np.array([mean for _, mean in results])
        spread = f" ± {means.std(ddof=1):.0f}" if len(means) > 1 else ""
        each = ", ".join(f"{mean:.0f}" for mean in means)
        lines.append(f"| {MODELS[name].title} | {results[0][0].size:,} | {means.mean():.0f}{spread} | {each} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, two short rounds")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    args = parser.parse_args()
    seeds, rounds, epochs = ([0], 2, 3) if args.quick else (args.seeds, ROUNDS, EPOCHS)
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        futures = {
            (name, seed): pool.submit(train, name, seed, rounds, epochs) for seed in seeds for name in args.models
        }
        found = {name: [futures[name, seed].result() for seed in seeds] for name in args.models}
    print(table(found))
    print(f"The expert, which sees the speeds: {expert_mean():.0f}")
    first = args.models[0]
    model = network(first, seeds[0])
    model.theta[:] = found[first][0][0]
    shown = record(model, carts(MODELS[first], 1, render_mode="rgb_array"), "random_intervals.gif", every=2)
    print(f"random_intervals.gif: {MODELS[first].title}, return {shown.mean:.0f}")


if __name__ == "__main__":
    main()
