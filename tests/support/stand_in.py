"""What the tests of control need of Gymnasium, where that is not installed; `.ci/run` runs them with Gymnasium, too."""

import enum
from types import SimpleNamespace

import numpy as np


class Env:
    metadata, render_mode, spec, np_random = {}, None, None, None

    def reset(self, *, seed=None, options=None):
        if seed is not None or self.np_random is None:
            self.np_random = np.random.default_rng(seed)


class Box:
    def __init__(self, low, high, shape, dtype):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.low, self.high = np.full(shape, low, dtype), np.full(shape, high, dtype)


class Discrete:
    shape, dtype = (), np.dtype(np.int64)

    def __init__(self, n, start=0):
        self.n, self.start = n, start


class MultiDiscrete:
    def __init__(self, nvec):
        self.shape, self.dtype = (len(nvec),), np.dtype(np.int64)


class AutoresetMode(enum.Enum):
    NEXT_STEP, SAME_STEP, DISABLED = "NextStep", "SameStep", "Disabled"


class VectorizeMode(enum.Enum):
    ASYNC = "async"


class VectorEnv:
    spec = None


class SyncVectorEnv(VectorEnv):
    """Environments one after the other, as Gymnasium's class of this name."""

    def __init__(self, makers, autoreset_mode=AutoresetMode.NEXT_STEP):
        self.envs = [make() for make in makers]
        first, self.num_envs, self.mode = self.envs[0], len(self.envs), autoreset_mode
        self.metadata, self.render_mode = first.metadata | {"autoreset_mode": autoreset_mode}, first.render_mode
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.now, self.ended = [None] * self.num_envs, np.zeros(self.num_envs, bool)

    def reset(self, *, seed=None, options=None):
        infos, which = {}, (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        for k in np.flatnonzero(which):
            self._begin(k, infos, None if seed is None else seed + int(k))
        self.ended &= ~which
        return self._seen(), infos

    def step(self, actions):
        assert self.mode is not AutoresetMode.DISABLED or not self.ended.any()
        infos, rewards = {}, np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), bool)
        for k, action in enumerate(actions):
            if self.mode is AutoresetMode.NEXT_STEP and self.ended[k]:
                self._begin(k, infos)
                continue
            self.now[k], rewards[k], terminated[k], truncated[k], info = self.envs[k].step(action)
            if self.mode is AutoresetMode.SAME_STEP and (terminated[k] or truncated[k]):
                self._tell({"final_obs": self.now[k], "final_info": info}, infos, k)
                self._begin(k, infos)
            else:
                self._tell(info, infos, k)
        self.ended = terminated | truncated
        return self._seen(), rewards, terminated, truncated, infos

    def render(self):
        return tuple(env.render() for env in self.envs)

    def _begin(self, k, infos, seed=None):
        self.now[k], info = self.envs[k].reset(seed=seed)
        self._tell(info, infos, k)

    def _tell(self, info, infos, k):
        """What an environment says becomes element k of arrays, beside which others tell who has said something."""
        for name, value in info.items():
            if isinstance(value, dict):
                self._tell(value, infos.setdefault(name, {}), k)
            else:
                empty = np.full(self.num_envs, None if isinstance(value, np.ndarray) else type(value)())
                infos.setdefault(name, empty)[k] = value
            infos.setdefault(f"_{name}", np.zeros(self.num_envs, bool))[k] = True

    def _seen(self):
        return np.array(self.now, self.single_observation_space.dtype)


def make_vec(name, **options):
    raise NotImplementedError("Gymnasium has the environments with names")


spaces = SimpleNamespace(Box=Box, Discrete=Discrete, MultiDiscrete=MultiDiscrete)
vector = SimpleNamespace(VectorEnv=VectorEnv, SyncVectorEnv=SyncVectorEnv, AutoresetMode=AutoresetMode)
