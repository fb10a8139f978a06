"""Who plays the episodes of `EvolutionStrategy`: this process, or others that each have environments of their own."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from ..base import threads
from ..base.types import Array, Ints
from ..network.network import Network
from .distributions import Distribution
from .environments import Environments
from .evaluate import evaluate
from .searches import Members

SHARES = 4  # tasks of each process in a generation, as some take longer


class Result(NamedTuple):
    """Mean return of a member's episodes, and the steps that they took."""

    value: float
    steps: int


class Game(NamedTuple):
    """What is played, and how actions are chosen; ``policy`` lends its layers and buffers."""

    policy: Network
    distribution: Distribution
    deterministic: bool

    def play(self, environments: Environments, theta: Array, episodes: int, seed: int) -> Result:
        """Episodes with other parameters."""
        self.policy.theta[:] = theta
        found = evaluate(
            self.policy, environments, episodes, distribution=self.distribution, deterministic=self.deterministic,
            seed=seed,
        )  # fmt: skip
        return Result(found.mean, int(found.lengths.sum()))


Play = Callable[[Members, Ints, int, int], list[Result]]


@contextlib.contextmanager
def players(game: Game, environments: Environments, factory: Callable[[], Environments], jobs: int) -> Iterator[Play]:
    """A function of members, which of them, episodes and seed to their `Result` in this order.

    With more than one job, new processes play in environments of ``factory``.
    """
    if jobs == 1:
        yield lambda members, which, episodes, seed: _all(game, environments, members, which, episodes, seed)
        return
    # Not forked: this process may have threads, whose locks nobody would open in a copy of it.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (game, factory)) as pool:

        def play(members: Members, which: Ints, episodes: int, seed: int) -> list[Result]:
            shares = np.array_split(which, max(1, min(len(which), SHARES * jobs)))
            tasks = [pool.submit(_play, members, share, episodes, seed) for share in shares]
            return [result for task in tasks for result in task.result()]

        try:
            yield play
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _all(
    game: Game, environments: Environments, members: Members, which: Ints, episodes: int, seed: int
) -> list[Result]:
    return [game.play(environments, members.theta(int(member)), episodes, seed) for member in which]


# ------------------------------------------------------------------------------------------- in a process that plays

_here: list[tuple[Game, Environments]] = []


def _begin(game: Game, factory: Callable[[], Environments]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that learns
    threads.set_num_threads(1)
    _here.append((game, factory()))


def _play(members: Members, which: Ints, episodes: int, seed: int) -> list[Result]:
    return _all(*_here[0], members, which, episodes, seed)
