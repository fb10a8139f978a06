"""Many environments of Gymnasium side by side, read so that whoever learns need not know how they begin anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.optional import need
from ..base.types import Array, Bools, Numbers
from .distributions import Categorical, Distribution, Gaussian, MixtureOfGaussians, SquashedGaussian, check_actions

if TYPE_CHECKING:
    from types import ModuleType

# Elapsed times: a number for all, "info" for what the environments say under "dt", or a function of their infos.
Elapsed: TypeAlias = float | Literal["info"] | Callable[[dict[str, Any]], Array] | None
DistributionName: TypeAlias = Literal["auto", "categorical", "gaussian", "squashed", "mixture"]


class Step(NamedTuple):
    """What n environments have answered to an action each, or to `Environments.reset`.

    Attributes
    ----------
    observations : (n, D) float64 array
        What the policy sees next.
    dt : (n,) array
        Elapsed time before each of them.
    began : (n,) bools
        Which are the first of an episode: states are those at the start then, before they are read.
    rewards : (n,) array
        0 where ``counts`` is False.
    terminated, truncated : (n,) bools
        Whether the episode has ended by the rules of the task, or because time was up: then what would have followed
        has a value still.
    counts : (n,) bools
        False where the call only began an episode and the action was ignored, as environments with NEXT_STEP do.
    final : (n, D) array
        What the action led to: ``observations``, but for episodes that ended and have begun anew in the same call.
    final_dt : (n,) array
        Elapsed time before each of them.
    """

    observations: Array
    dt: Array
    began: Bools
    rewards: Array
    terminated: Bools
    truncated: Bools
    counts: Bools
    final: Array
    final_dt: Array

    @property
    def ended(self) -> Bools:
        """Which episodes are over."""
        return self.terminated | self.truncated


class Environments:
    """n environments of Gymnasium, with any of its three ways to begin anew (NEXT_STEP, SAME_STEP, DISABLED).

    Parameters
    ----------
    vector : gymnasium.vector.VectorEnv
        Observations are numbers, of any shape, which is made flat; actions are `Discrete`, or a `Box` (A,).  A
        terminal's Ctrl-C ends the processes of an `AsyncVectorEnv` of your own: let `make` begin them instead.
    observed : sequence of int, optional
        Which numbers of the observations the policy sees; the others are hidden from it, velocities for example.
    dt : number, "info", or function, optional
        Elapsed time before each observation, for policies that know it: the same always; what the environments say in
        their infos under the key "dt", also of `reset`; or a function of a vector environment's infos to (n,) numbers.
        None: 1.

    Attributes
    ----------
    count : int
        n.
    size : int
        D, numbers of an observation that the policy sees.
    vector : gymnasium.vector.VectorEnv
    resets : int
        How often `reset` has begun episodes everywhere; who goes on sees by it that others have played in between.

    Raises
    ------
    ImportError
        Gymnasium is missing (extra ``control``).
    TypeError, ValueError
        Environments, spaces or an argument that do not fit.

    Examples
    --------
    The cart and its pole without their velocities:

    >>> environments = Environments.make("CartPole-v1", 3, observed=[0, 2])  # doctest: +SKIP
    >>> environments.reset(seed=0).observations.shape  # doctest: +SKIP
    (3, 2)
    """

    count: int
    size: int
    vector: Any
    observed: tuple[int, ...] | None
    dt: Elapsed
    resets: int

    @with_signature_hints
    def __init__(self, vector: Any, *, observed: Sequence[int] | None = None, dt: Elapsed = None) -> None:
        gymnasium = need("gymnasium", "control", "`ltc_np.control.Environments`")
        if not isinstance(vector, gymnasium.vector.VectorEnv):
            raise TypeError(
                f"`vector` must be a gymnasium.vector.VectorEnv, got {checks.brief(vector)}: "
                "`Environments.make(name, count)` makes one, and gymnasium.make_vec"
            )
        self.vector, self.count = vector, vector.num_envs
        self._mode = _mode(vector, gymnasium)
        D = _numbers(vector.single_observation_space, gymnasium)
        self.observed = None if observed is None else _observed(observed, D)
        self.size = D if self.observed is None else len(self.observed)
        self.dt = _elapsed(dt)
        self._auto = _actions(vector.single_action_space, gymnasium)
        self._ended: Bools = np.zeros(self.count, bool)
        self.resets = 0

    @classmethod
    def make(
        cls, name: Any, count: int, *, observed: Sequence[int] | None = None, dt: Elapsed = None, **keywords: Any
    ) -> Environments:
        """``count`` environments of a name that Gymnasium has registered, or of an `EnvSpec`.

        ``keywords`` go to `gymnasium.make_vec`: ``vectorization_mode="sync"`` or ``"async"``, ``wrappers=[...]``, and
        what the environment itself takes.  Gymnasium wraps single environments only, so those with ``wrappers`` are
        "sync" by default, also of names that have a vectorised form, such as CartPole-v1.  Processes of "async" ignore
        Ctrl-C, which a terminal sends to all of them: it is for the one that learns.
        """
        gymnasium = need("gymnasium", "control", "`ltc_np.control.Environments`")
        if "num_envs" in keywords:
            raise TypeError("`Environments.make` has no argument `num_envs`: it is `count`")
        if keywords.get("wrappers"):
            keywords.setdefault("vectorization_mode", "sync")
        mode = keywords.get("vectorization_mode")
        if getattr(mode, "value", mode) == "async":
            keywords["wrappers"] = [*(keywords.get("wrappers") or ()), _ignoring_interrupts()]
        vector = gymnasium.make_vec(name, num_envs=checks.integer("count", count), **keywords)
        return cls(vector, observed=observed, dt=dt)

    def distribution(self, name: DistributionName = "auto") -> Distribution:
        """The distribution of these actions: "auto" is "categorical" for choices, "gaussian" for numbers.

        "mixture" has five components; make a `MixtureOfGaussians` for another number of them.
        """
        kinds = {"gaussian": Gaussian, "squashed": SquashedGaussian, "mixture": MixtureOfGaussians}
        name = checks.one_of("distribution", name, ("auto", "categorical", *kinds))
        chosen = isinstance(self._auto, Categorical)
        if name == "auto" or (name == "categorical" and chosen):
            return self._auto
        if chosen or name == "categorical":
            allowed = "'categorical'" if chosen else "one of " + ", ".join(map(repr, kinds))
            raise ValueError(f"`distribution` must be {allowed} or 'auto' for these actions, got {name!r}")
        numbers = cast(Gaussian, self._auto)
        return kinds[name](numbers.low, numbers.high)

    def check(self, distribution: Distribution) -> None:
        """A ValueError for a distribution whose actions these environments do not take."""
        check_actions(distribution, self._auto)

    def reset(self, seed: int | None = None) -> Step:
        """Begin an episode everywhere; environment k with ``seed + k``."""
        seed = None if seed is None else checks.integer("seed", seed, 0)
        self.resets += 1
        observations, infos = self.vector.reset(seed=seed)
        self._ended = np.zeros(self.count, bool)
        now, dt = self._seen(observations), self._times(infos, np.ones(self.count, bool))
        none, zeros = np.zeros(self.count, bool), np.zeros(self.count)
        return Step(now, dt, ~none, zeros, none, none, none, now, dt)

    def step(self, actions: Numbers) -> Step:
        """One step of all: ``actions`` (n,) or (n, A), as of `Distribution.actions`."""
        space, given = self.vector.single_action_space, np.asarray(actions)
        shape = (self.count, *space.shape)
        if given.shape != shape or (space.dtype.kind in "iu" and given.dtype.kind not in "iu"):
            kind = "integers" if space.dtype.kind in "iu" else "numbers"
            raise ValueError(f"`actions` must be {kind} of shape {shape}, got {checks.describe(given)}")
        given = given.astype(space.dtype)
        observations, rewards, terminated, truncated, infos = self.vector.step(given)
        terminated, truncated = np.array(terminated, bool), np.array(truncated, bool)
        ignored = self._ended if self._mode == "NEXT_STEP" else np.zeros(self.count, bool)
        rewards = np.where(ignored, 0.0, np.asarray(rewards, np.float64))
        checks.finite("rewards", rewards)
        ended = terminated | truncated
        now, dt = self._seen(observations), self._times(infos, ~ended if self._mode == "SAME_STEP" else None)
        final, final_dt, began = now, dt, ignored
        if self._mode != "NEXT_STEP" and ended.any():
            began = ended
            if self._mode == "SAME_STEP":
                final, final_dt = self._last(now, dt, infos, ended)
                dt = self._times(infos, None)
            else:
                observations, infos = self.vector.reset(options={"reset_mask": ended})
                now = np.where(ended[:, None], self._seen(observations), now)
                dt = np.where(ended, self._times(infos, ended), dt)
        self._ended = ended
        return Step(now, dt, began, rewards, terminated, truncated, ~ignored, final, final_dt)

    def close(self) -> None:
        """End the environments' processes and windows."""
        self.vector.close()

    def __repr__(self) -> str:
        return f"Environments({self.count} of {getattr(self.vector.spec, 'id', 'no name')}, {self.size} numbers seen)"

    def _seen(self, observations: Any) -> Array:
        """What the policy sees (n, D)."""
        found = np.asarray(observations, np.float64).reshape(self.count, -1)
        found = found.copy() if self.observed is None else found[:, self.observed]
        checks.finite("observations", found)
        return found

    def _last(self, now: Array, dt: Array, infos: dict[str, Any], ended: Bools) -> tuple[Array, Array]:
        """What the actions led to where episodes have begun anew, and the elapsed times before it."""
        last, which = infos["final_obs"], np.flatnonzero(ended)
        rows = np.array([np.asarray(last[k], np.float64).reshape(-1) for k in which])
        final, final_dt = now.copy(), dt.copy()
        final[ended] = rows if self.observed is None else rows[:, self.observed]
        checks.finite("final_obs", final)
        final_dt[ended] = self._times(infos.get("final_info", {}), ended)[ended]
        return final, final_dt

    def _times(self, infos: dict[str, Any], needed: Bools | None) -> Array:
        """Elapsed times (n,); the environments must say those that are ``needed``, None: all."""
        if self.dt is None or isinstance(self.dt, float):
            return np.full(self.count, 1.0 if self.dt is None else self.dt)
        if callable(self.dt):
            found, said = np.asarray(self.dt(infos), np.float64), np.ones(self.count, bool)
        else:
            found = np.asarray(infos.get("dt", np.zeros(self.count)), np.float64)
            said = np.asarray(infos.get("_dt", np.full(self.count, "dt" in infos)), bool)
        if found.shape != (self.count,):
            raise ValueError(f"`dt` must give elapsed times of shape ({self.count},), got {found.shape}")
        missing = ~said if needed is None else needed & ~said
        if missing.any():
            raise ValueError(f'`dt="info"` needs the key "dt" in infos of every step and reset, got {sorted(infos)}')
        times = np.where(said, found, 0.0)
        checks.elapsed_range(times)
        return times


def _ignoring_interrupts() -> Callable[[Any], Any]:
    """A wrapper that changes no environment: other processes than this one, in which it is called, ignore Ctrl-C, since
    without them no step could be ended well.

    A signal mask that they inherit would not do: Python unblocks the signal when it begins helpers of processes.
    """
    own = os.getpid()

    def wrap(environment: Any) -> Any:  # sent by value, so that processes need not import this package
        if os.getpid() != own:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return environment

    return wrap


def _mode(vector: Any, gymnasium: ModuleType) -> str:
    """How episodes begin anew."""
    found = (vector.metadata or {}).get("autoreset_mode", gymnasium.vector.AutoresetMode.NEXT_STEP)
    name = getattr(found, "name", found)
    if name not in ("NEXT_STEP", "SAME_STEP", "DISABLED"):
        raise ValueError(f"`vector.metadata['autoreset_mode']` must be one of gymnasium's AutoresetMode, got {found!r}")
    return name


def _numbers(space: Any, gymnasium: ModuleType) -> int:
    """How many numbers an observation has."""
    if not isinstance(space, gymnasium.spaces.Box) or not space.shape or not np.prod(space.shape):
        raise TypeError(
            f"observations must be a Box of numbers, got {space}: gymnasium.wrappers.FlattenObservation makes one"
        )
    return int(np.prod(space.shape))


def _observed(observed: Any, D: int) -> tuple[int, ...]:
    """Which numbers of D are seen."""
    values = np.asarray(observed)
    if values.dtype.kind not in "iu" or values.ndim != 1 or len(set(values.tolist())) != max(values.size, 1):
        raise (ValueError if values.dtype.kind in "iu" else TypeError)(
            f"`observed` must be a sequence of different numbers in 0..{D - 1}, at least one, got {observed}"
        )
    return tuple(checks.integer("observed", k, 0, D - 1) for k in values.tolist())


def _elapsed(dt: Elapsed) -> Elapsed:
    """``dt`` checked."""
    if dt is None or callable(dt):
        return dt
    if isinstance(dt, str):
        return checks.one_of("dt", dt, ("info",))
    return checks.number("dt", dt)


def _actions(space: Any, gymnasium: ModuleType) -> Categorical | Gaussian:
    """The usual distribution of a space of actions."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return Categorical(int(space.n), int(space.start))
    if isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1 and space.dtype.kind == "f":
        return Gaussian(space.low, space.high)
    raise TypeError(
        f"actions must be Discrete, or a Box of numbers with one axis, got {space}: "
        "gymnasium.wrappers.TransformAction makes one"
    )
