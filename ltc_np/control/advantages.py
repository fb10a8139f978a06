"""How much better an action was than expected: generalised advantages, and the scale of rewards."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.moments import Moments
from ..base.types import Array, Bools, Ints

SMALLEST = 1e-8  # a variance below it counts as this


@with_signature_hints
def gae(
    rewards: Array,
    values: Array,
    next_values: Array,
    terminated: Bools,
    ended: Bools,
    gamma: float = 0.99,
    lam: float = 0.95,
) -> Array:
    """Generalised advantages (n, T) of n environments for T steps, from the last step to the first::

        delta[t] = rewards[t] + gamma next_values[t] (1 - terminated[t]) - values[t]
        A[t] = delta[t] + gamma lam (1 - ended[t]) A[t + 1]                      A[T] = 0

    Where an episode ended because time was up, what would have followed keeps its value, and the sum ends.

    Parameters
    ----------
    rewards, values : (n, T) arrays
        Of a step, and of the observation and state in which its action was taken.
    next_values : (n, T) array
        Of what the action led to, before anything began anew; of steps that are ``terminated`` it is not read.
    terminated, ended : (n, T) bools
        Whether the episode ended with the step by the rules of the task; or at all.
    gamma, lam : floats in [0, 1]
        Discount of a step, and of further errors of the values.

    Raises
    ------
    TypeError, ValueError
        Arrays that are no numbers, or of other shapes.

    References
    ----------
    Schulman, Moritz, Levine, Jordan and Abbeel, "High-dimensional continuous control using generalized advantage
    estimation", ICLR 2016, arXiv:1506.02438, equation 16.

    Examples
    --------
    Three steps, of which the second ends an episode:

    >>> import numpy as np
    >>> ends = np.array([[False, True, False]])
    >>> values, following = np.array([[0.5, 0.6, 0.7]]), np.array([[0.6, 0.7, 0.8]])
    >>> gae(np.ones((1, 3)), values, following, ends, ends).round(4).tolist()
    [[1.4702, 0.4, 1.092]]
    """
    rewards, values, next_values = (
        checks.real(name, array, np.dtype(np.float64), "(n, T)")
        for name, array in (("rewards", rewards), ("values", values), ("next_values", next_values))
    )
    terminated, ended = np.asarray(terminated, bool), np.asarray(ended, bool)
    shapes = [array.shape for array in (rewards, values, next_values, terminated, ended)]
    if len(shapes[0]) != 2 or len(set(shapes)) > 1:
        names = "`rewards`, `values`, `next_values`, `terminated` and `ended`"
        raise ValueError(f"{names} must all have the same shape (n, T), got {', '.join(map(str, shapes))}")
    # Not 0 times a value: that of a state after the end may be infinite.
    delta = rewards + gamma * np.where(terminated, 0.0, next_values) - values
    found, after = np.empty_like(delta), np.zeros(len(delta))
    for t in range(delta.shape[1])[::-1]:
        after = delta[:, t] + gamma * lam * np.where(ended[:, t], 0.0, after)
        found[:, t] = after
    return found


class RewardScale:
    """Rewards divided by the deviation of discounted sums G of them, G <- gamma G + r, begun anew with each episode.

    The mean is left alone: without it, a policy would be told that longer episodes are worse, or better.
    """

    gamma: float
    sums: Array
    moments: Moments

    def __init__(self, count: int, gamma: float) -> None:
        self.gamma, self.sums, self.moments = gamma, np.zeros(count), Moments(1)

    def scale(self) -> float:
        """What rewards are divided by."""
        return float(np.sqrt(self.moments.variance[0] + SMALLEST))

    def add(self, rewards: Array, ended: Bools, counts: Bools) -> None:
        """Take rewards (n, T) in, those that count."""
        sums = np.empty_like(rewards)
        for t in range(rewards.shape[1]):
            self.sums = np.where(counts[:, t], self.gamma * self.sums + rewards[:, t], self.sums)
            sums[:, t] = self.sums
            self.sums[ended[:, t]] = 0.0
        self.moments.add(sums[counts][:, None])


def explained_variance(returns: Array, values: Array) -> float:
    """1 - var(returns - values) / var(returns): 1 for perfect values, 0 for their mean; NaN if returns never differ."""
    spread = float(np.var(returns))
    return float("nan") if spread == 0 else 1 - float(np.var(returns - values)) / spread


def divided(sizes: Ints, target: int) -> list[Ints]:
    """Numbers of pieces of these sizes, in their order, in groups of about ``target`` steps."""
    groups = max(1, round(int(sizes.sum()) / target))
    # A piece belongs where its middle lies.
    middles = np.cumsum(sizes) - sizes / 2
    group = np.minimum((middles * groups / sizes.sum()).astype(int), groups - 1)
    return [np.flatnonzero(group == k) for k in range(groups) if (group == k).any()]
