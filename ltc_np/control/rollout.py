"""A rollout: what n environments and a policy do together for T steps, and all that an update needs of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array, Bools, Ints, Numbers
from ..network.network import Network
from .distributions import Distribution, Gaussian
from .environments import Environments, Step
from .evaluate import Stepper


class Rollout(NamedTuple):
    """T steps of n environments.

    Attributes
    ----------
    observations : (n, T, D) array
        What the policy saw; it normalises them itself.
    dt : (n, T) array
        Elapsed time before each.
    began, counts, terminated, ended : (n, T) bools
        Whether the observation was the first of an episode, and what became of the action: as of `Step`.
    draws : (n, T) or (n, T, A) array
    log_probabilities, values, next_values : (n, T) arrays
        ``next_values`` are of what the actions led to, with the state after it, before anything began anew.
    rewards : (n, T) array
        As the environments gave them.
    policy_states, critic_states : (n, T, K) arrays
        Before each step.
    """

    observations: Array
    dt: Array
    began: Bools
    counts: Bools
    terminated: Bools
    ended: Bools
    draws: Numbers
    log_probabilities: Array
    values: Array
    next_values: Array
    rewards: Array
    policy_states: Array
    critic_states: Array


class Episodes:
    """Returns and lengths of the episodes that have ended: sums so far of the n that are under way."""

    sums: Array
    steps: Ints
    returns: list[float]
    lengths: list[int]

    def __init__(self, count: int) -> None:
        self.sums, self.steps = np.zeros(count), np.zeros(count, np.int64)
        self.returns, self.lengths = [], []

    def forget(self) -> None:
        """Leave out the episodes that are under way."""
        self.sums[:], self.steps[:] = 0, 0

    def add(self, step: Step) -> None:
        self.sums += step.rewards
        self.steps += step.counts
        for k in np.flatnonzero(step.ended):
            self.returns.append(float(self.sums[k]))
            self.lengths.append(int(self.steps[k]))
            self.sums[k] = self.steps[k] = 0


class Collector:
    """Makes rollouts, one after the other: environments, and the states of policy and critic, go on in between.

    Parameters
    ----------
    policy, critic : Network
    environments : Environments
    distribution : Distribution
    rng : numpy.random.Generator
        Of random actions.
    seed : int
        The environments begin with it.
    correlation : float in [0, 1)
        Of the random parts of numbers from one step to the next.
    """

    environments: Environments
    distribution: Distribution
    rng: np.random.Generator
    policy: Stepper
    critic: Stepper
    now: Step
    resets: int
    policy_state: Array
    critic_state: Array
    episodes: Episodes
    correlation: float
    noise: Array

    def __init__(
        self,
        policy: Network,
        critic: Network,
        environments: Environments,
        distribution: Distribution,
        rng: np.random.Generator,
        seed: int,
        correlation: float = 0.0,
    ) -> None:
        n = environments.count
        self.environments, self.distribution, self.rng = environments, distribution, rng
        self.policy, self.critic = Stepper(policy, n), Stepper(critic, n)
        self.policy_state, self.critic_state = policy.starting_state(n), critic.starting_state(n)
        self.episodes = Episodes(n)
        self._begin(seed)
        self.correlation, shape = correlation, (n, distribution.outputs)
        self.noise = rng.standard_normal(shape) if correlation else np.zeros(shape)

    def _begin(self, seed: int) -> None:
        self.now, self.resets = self.environments.reset(seed), self.environments.resets

    def begin_if_others_played(self) -> bool:
        """Begin new episodes if somebody has begun some since: those from before cannot go on.  Whether it was so."""
        if self.environments.resets == self.resets:
            return False
        self._begin(int(self.rng.integers(2**31)))
        self.episodes.forget()
        return True

    def collect(self, T: int, own: Array) -> Rollout:
        """T steps, with the parameters as they are now and those of the distribution."""
        self.policy.refresh()
        self.critic.refresh()
        columns: list[tuple[Numbers, ...]] = []
        next_values, cut = np.zeros((self.environments.count, T)), np.zeros(self.environments.count, bool)
        for t in range(T):
            now = self.now
            # What is kept is the state before a step, as `Stepper` does not write to it.
            before = np.where(now.began[:, None], self.policy.start, self.policy_state)
            critic_before = np.where(now.began[:, None], self.critic.start, self.critic_state)
            y, self.policy_state = self.policy(now.observations, now.dt, before)
            values, self.critic_state = self._values(now.observations, now.dt, critic_before)
            if t:
                next_values[:, t - 1] = np.where(cut, next_values[:, t - 1], values)
            draws = self._draw(y, own)
            log_p = self.distribution.log_probability(y, own, draws)
            self.now = after = self.environments.step(self.distribution.actions(draws))
            self.episodes.add(after)
            cut = after.ended
            if after.truncated.any():  # with SAME_STEP nobody sees what this step led to any more
                following, _ = self._values(after.final, after.final_dt, self.critic_state)
                next_values[:, t] = np.where(after.truncated, following, 0.0)
            columns.append(
                (
                    now.observations, now.dt, now.began, after.counts, after.terminated, after.ended, draws, log_p,
                    values, after.rewards, before, critic_before,
                )
            )  # fmt: skip
        following, _ = self._values(self.now.final, self.now.final_dt, self.critic_state)
        next_values[:, -1] = np.where(cut, next_values[:, -1], following)
        found = [np.stack(column, axis=1) for column in zip(*columns, strict=True)]
        observations, dt, began, counts, terminated, ended, draws, log_p, values, rewards, before, critic_before = found
        return Rollout(
            observations, dt, began, counts, terminated, ended, draws, log_p, values, next_values, rewards, before,
            critic_before,
        )  # fmt: skip

    def _draw(self, y: Array, own: Array) -> Numbers:
        """Random draws; correlated ones have the same density at each step as others."""
        if not self.correlation or not isinstance(self.distribution, Gaussian):
            return self.distribution.sample(y, own, self.rng)
        fresh = np.sqrt(1 - self.correlation**2) * self.rng.standard_normal(y.shape)
        self.noise = self.correlation * self.noise + fresh
        return self.distribution.at(y, own, self.noise)

    def _values(self, observations: Array, dt: Array, state: Array) -> tuple[Array, Array]:
        y, after = self.critic(observations, dt, state)
        return y[:, 0], after
