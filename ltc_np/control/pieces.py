"""A rollout cut where episodes begin: sequences of their own lengths, from known states, for exact gradients."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Bools, Ints, Numbers
from ..network.network import Network
from ..network.sequences import Sequences
from .rollout import Rollout


class Pieces(NamedTuple):
    """Where pieces lie: (P,) integers each; ``start`` and ``stop`` are steps of environment ``row``."""

    row: Ints
    start: Ints
    stop: Ints

    @property
    def sizes(self) -> Ints:
        """Steps of each."""
        return self.stop - self.start

    def part(self, which: Ints) -> Pieces:
        """Some of them."""
        return Pieces(*(values[which] for values in self))


def cut(began: Bools, counts: Bools, most: int | None = None) -> Pieces:
    """The pieces of a rollout, from its arrays of that name.

    A new one begins with each episode, and, with ``most``, after so many steps: then from the state that the policy had
    there in the rollout, to which no gradient flows.  Steps at an end that do not count are left out.
    """
    found = []
    for row in range(len(began)):
        edges = np.unique(np.append(np.flatnonzero(began[row]), [0, began.shape[1]]))
        for start, stop in pairwise(edges.tolist()):
            counting = np.flatnonzero(counts[row, start:stop])
            if counting.size:
                end = start + counting[-1] + 1
                found += [(row, at, min(at + (most or end), end)) for at in range(start, end, most or end)]
    return Pieces(*np.array(found, np.int64).reshape(-1, 3).T)


class Minibatch(NamedTuple):
    """Some pieces, padded to the longest: P sequences of L steps, of which N count.

    Attributes
    ----------
    policy, critic : Sequences
        The same observations from each one's own states.
    counts : (P, L) bools
        Which steps there are, and count.
    draws : (N,) or (N, A) array
    log_probabilities, advantages, returns, values : (N,) arrays
        Of the rollout.
    """

    policy: Sequences
    critic: Sequences
    counts: Bools
    draws: Numbers
    log_probabilities: Array
    advantages: Array
    returns: Array
    values: Array


def gather(rollout: Rollout, advantages: Array, pieces: Pieces, policy: Network, critic: Network) -> Minibatch:
    """The `Minibatch` of these pieces."""
    sizes, L = pieces.sizes, int(pieces.sizes.max())
    inside = checks.before_end(sizes, L)
    rows, steps = pieces.row[:, None], np.minimum(pieces.start[:, None] + np.arange(L), pieces.stop[:, None] - 1)
    counts = inside & rollout.counts[rows, steps]
    valid = None if inside.all() else inside
    both: list[Sequences] = []
    for network, states in ((policy, rollout.policy_states), (critic, rollout.critic_states)):
        x = np.where(inside[:, :, None], rollout.observations[rows, steps], 0.0).astype(network.dtype)
        dt = np.where(inside, rollout.dt[rows, steps], 0.0).astype(network.dtype)
        both.append(Sequences(x, dt, sizes, valid, states[pieces.row, pieces.start]))
    kept = {
        "draws": rollout.draws, "log_probabilities": rollout.log_probabilities, "advantages": advantages,
        "returns": advantages + rollout.values, "values": rollout.values,
    }  # fmt: skip
    return Minibatch(both[0], both[1], counts, **{name: array[rows, steps][counts] for name, array in kept.items()})
