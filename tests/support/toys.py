"""Small environments: of Gymnasium, or where it is missing of `support.stand_in`, which tests/control/conftest.py lets
the package find."""

import functools

import numpy as np
import pytest

try:
    import gymnasium
except ImportError:
    from . import stand_in as gymnasium

AutoresetMode, SyncVectorEnv = gymnasium.vector.AutoresetMode, gymnasium.vector.SyncVectorEnv
STANDS_IN = gymnasium.__name__ != "gymnasium"
needs_gymnasium = pytest.mark.skipif(STANDS_IN, reason='gymnasium is not installed: pip install "ltc-np[control]"')
MODES = {mode.name: mode for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)}


class Counting(gymnasium.Env):
    """Tells (episode, step, last action); an episode with an odd number ends by its rules after 3 + number % 3 steps,
    any other because time is up after 5.  Elapsed times are 1 + step / 10, and 0.5 at the start."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, first=0):
        self.episode, self.now = first - 1, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.now = self.episode + 1, 0
        return np.array([self.episode, 0.0, -1.0]), {"dt": 0.5}

    def step(self, action):
        self.now += 1
        odd = self.episode % 2 == 1
        terminated = odd and self.now == 3 + self.episode % 3
        truncated = not odd and self.now == 5
        seen = np.array([self.episode, float(self.now), float(action)])
        return seen, float(10 * self.episode + self.now), terminated, truncated, {"dt": 1 + self.now / 10}


class Echo(gymnasium.Env):
    """The action should be the number that was seen ``delay`` steps ago; the reward is 1 minus the squared error."""

    action_space = gymnasium.spaces.Box(-2.0, 2.0, (1,), np.float32)
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, delay=1, length=8):
        self.delay, self.length = delay, length

    def _see(self):
        self.seen.append(self.np_random.uniform(-1, 1, 1).astype(np.float32))
        return self.seen[-1]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seen, self.steps = [np.zeros(1, np.float32)] * self.delay, 0
        return self._see(), {}

    def step(self, action):
        error = float(action[0] - self.seen[-1 - self.delay][0])
        self.seen = self.seen[-self.delay :] if self.delay else []
        self.steps += 1
        return self._see(), 1 - error**2, False, self.steps == self.length, {}


def counters(count=3):
    """What makes environments, of which the first episode of number k has number k."""
    return [functools.partial(Counting, k) for k in range(count)]


def counting(mode, count=3):
    """The same side by side."""
    return SyncVectorEnv(counters(count), autoreset_mode=MODES[mode])


def echo(count=4, delay=1, length=8):
    return SyncVectorEnv([functools.partial(Echo, delay, length)] * count)
