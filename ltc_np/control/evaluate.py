"""How well a policy does: whole episodes, their returns, and how far their mean can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, Ints
from ..network.network import Network
from ..network.step import check_causal
from .distributions import Distribution, check_outputs
from .environments import DistributionName, Environments


class Stepper:
    """Steps of n streams of a model, with what the model keeps for `Network.step`; of its checks that for NaN is left.

    Parameters
    ----------
    model : Network
    n : int
    """

    model: Network
    n: int
    start: Array

    def __init__(self, model: Network, n: int) -> None:
        self.model, self.n = model, n
        self.refresh()

    def refresh(self) -> None:
        """Take the parameters as they are now."""
        _, self._stream = self.model.engine.stream(self.n)
        self.start = self.model.starting_state(self.n)

    def __call__(self, x: Array, dt: Array, state: Array) -> tuple[Array, Array]:
        """Outputs (n, O), float64, and the states (n, K) after it, for observations (n, D) and elapsed times (n,)."""
        stream = self._stream
        stream.now[...], stream.state[...] = x, state
        if self.model.takes_dt:
            stream.dt[:, 0], stream.ones = dt, False
        y, after = stream.run()
        if np.isnan(y).any():  # the largest of which is the first choice, without any sign
            raise FloatingPointError(
                f"outputs of {checks.brief(self.model)} must be numbers, got NaN: its parameters are NaN, or its "
                "state overflows; go back to a model from before"
            )
        return y[:, 0].astype(np.float64), after.copy()


class Evaluation(NamedTuple):
    """Episodes that a policy has played.

    Attributes
    ----------
    returns : (E,) array
        Sum of the rewards of each episode, without discount.
    lengths : (E,) integers
        Steps of each.
    """

    returns: Array
    lengths: Ints

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation of the returns, with E - 1; NaN for a single episode."""
        return float(self.returns.std(ddof=1)) if len(self.returns) > 1 else math.nan

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where the mean of all possible episodes lies with this confidence, by Student's distribution.

        It speaks of episodes of this policy; how far trainings differ only several seeds can tell.
        """
        level = checks.number("level", level, high=1, low_open=True, high_open=True)
        n = len(self.returns)
        if n < 2:
            raise ValueError(f"an interval needs at least 2 episodes, got {n}")
        half = student_quantile((1 + level) / 2, n - 1) * self.deviation / math.sqrt(n)
        return self.mean - half, self.mean + half

    def __repr__(self) -> str:
        spread = "" if len(self.returns) < 2 else " (95 %: {:.4g} to {:.4g})".format(*self.interval())
        return f"Evaluation(mean {self.mean:.4g}{spread}, {checks.counted(len(self.returns), 'episode')})"


@with_signature_hints
def evaluate(
    policy: Network,
    environments: Environments,
    episodes: int = 100,
    *,
    distribution: Distribution | DistributionName = "auto",
    own: Array | None = None,
    deterministic: bool = True,
    seed: int = 0,
) -> Evaluation:
    """Whole episodes of a policy, which must end: `gymnasium.wrappers.TimeLimit` sees to it.

    Every environment plays its share of the episodes, so that short ones, which are over first, count no more than
    others.

    Parameters
    ----------
    policy : Model
    environments : Environments
        They begin anew.
    episodes : int >= 1
    distribution : Distribution or name
        What the policy's outputs mean; see `Environments.distribution`.
    own : (own,) array, optional
        The distribution's own parameters, for random actions; default: those to begin with.
    deterministic : bool
        The most likely action always, or random ones.
    seed : int >= 0
        Of the environments and of random actions.

    Returns
    -------
    Evaluation

    Raises
    ------
    FloatingPointError
        An output of the policy is NaN.
    TypeError, ValueError
        What does not fit.
    """
    distribution = chosen(policy, environments, distribution)
    n, episodes = environments.count, checks.integer("episodes", episodes)
    seed = checks.integer("seed", seed, 0)
    rng = np.random.default_rng(seed)
    own = distribution.initial() if own is None else checks.real("own", own, np.dtype(np.float64))
    if own.shape != (distribution.own,):
        raise ValueError(f"`own` must have shape ({distribution.own},), that of {distribution!r}, got {own.shape}")
    checks.finite("own", own)
    stepper, state = Stepper(policy, n), policy.starting_state(n)
    left = np.full(n, episodes // n) + (np.arange(n) < episodes % n)
    returns, lengths, sums, steps = [], [], np.zeros(n), np.zeros(n, np.int64)
    now = environments.reset(seed)
    while left.any():
        state[now.began] = stepper.start[now.began]
        y, state = stepper(now.observations, now.dt, state)
        draws = distribution.mode(y) if deterministic else distribution.sample(y, own, rng)
        now = environments.step(distribution.actions(draws))
        sums += now.rewards
        steps += now.counts
        for k in np.flatnonzero(now.ended):
            if left[k]:
                returns.append(sums[k])
                lengths.append(steps[k])
                left[k] -= 1
            sums[k] = steps[k] = 0
    return Evaluation(np.array(returns), np.array(lengths))


def chosen(policy: Network, environments: Environments, distribution: Distribution | DistributionName) -> Distribution:
    """The distribution of these actions; refuse a policy that cannot see the observations or choose them."""
    check_environments(environments)
    if isinstance(distribution, Distribution):
        environments.check(distribution)
    else:
        distribution = environments.distribution(distribution)
    if not isinstance(policy, Network):
        raise TypeError(f"`policy` must be a model of ltc_np, got {checks.brief(policy)}")
    if policy.input_size != environments.size:
        raise ValueError(
            f"`policy` must have input_dim={environments.size}, the numbers of an observation, got {policy.input_size}"
        )
    check_outputs(distribution, policy.output_size)
    check_steps("policy", policy)
    return distribution


def check_environments(environments: Environments) -> None:
    """Refuse all but `Environments`."""
    if not isinstance(environments, Environments):
        raise TypeError(
            f"`environments` must be Environments, got {checks.brief(environments)}: Environments(vector_env), or "
            "Environments.make(name, count)"
        )


def check_steps(name: str, network: Network) -> None:
    """Refuse a network that cannot go step by step, with an output for each."""
    check_causal(network, f"`{name}` needs", "take layers that read no later inputs")
    if network.layer_stack.stride != 1:
        raise ValueError(f"`{name}` must have an output at every step, got one in {network.layer_stack.stride}")


def student_quantile(level: float, freedom: int) -> float:
    """Where Student's distribution with so many degrees of freedom reaches a probability in (0.5, 1).

    With t = sqrt(freedom) tan(a) its density in a is cos(a)**(freedom - 1) up to a factor: 200 Gauss-Legendre nodes for
    the integral, and a bracket of a that is halved.
    """
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def mass(end: float) -> float:
        return float(np.cos(end * (nodes + 1) / 2) ** (freedom - 1) @ weights) * end / 2

    low, high, whole = 0.0, math.pi / 2, mass(math.pi / 2)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mass(middle) / whole < 2 * level - 1 else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)
