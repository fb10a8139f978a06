"""What `EvolutionStrategy` searches with: who is tried in a generation, and what is made of their returns.

A search is deterministic: it draws by its seed and the number of the generation, so whoever has the returns goes on
with the same bits.  `Members` say how to make the parameters of each one, so that few numbers travel to processes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from ..base.optional import need
from ..base.types import Array, Ints
from ..network.network import Network
from ..optim import Adam


class Members(Protocol):
    """Who is tried in a generation."""

    def theta(self, member: int) -> Array:
        """Parameters (P,) of one of them."""
        ...


class Pairs(NamedTuple):
    """A centre and normal steps from it, forwards by even members and backwards by odd ones.

    Attributes
    ----------
    center : (P,) array
    free : (F,) integers
        Which parameters change.
    sigma : float
    key : (seed, generation)
    """

    center: Array
    free: Ints
    sigma: float
    key: tuple[int, int]

    def direction(self, pair: int) -> Array:
        """Standard normal numbers (F,)."""
        seed, generation = self.key
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(generation, pair))).standard_normal(
            self.free.size
        )

    def theta(self, member: int) -> Array:
        found = self.center.astype(np.float64)
        found[self.free] += (self.sigma if member % 2 == 0 else -self.sigma) * self.direction(member // 2)
        return found


class Rows(NamedTuple):
    """Members that are written down: ``values`` (M, F) of the parameters ``free`` (F,), the others as of ``center``."""

    center: Array
    free: Ints
    values: Array

    def theta(self, member: int) -> Array:
        found = self.center.astype(np.float64)
        found[self.free] = self.values[member]
        return found


def centred_ranks(returns: Array) -> Array:
    """Ranks of n returns, evenly from -1/2 for the worst to 1/2 for the best; equal ones share their mean rank.

    Examples
    --------
    >>> import numpy as np
    >>> centred_ranks(np.array([10.0, -1e9, 3.0])).tolist(), centred_ranks(np.array([7.0, 7.0])).tolist()
    ([0.5, -0.5, 0.0], [0.0, 0.0])
    """
    ordered = np.sort(returns)
    ranks = (np.searchsorted(ordered, returns, "left") + np.searchsorted(ordered, returns, "right") - 1) / 2
    return ranks / (len(returns) - 1) - 0.5


class Gradient:
    """Steps of Adam along an estimate of the gradient of the mean return: sum of rank times direction, by n sigma.

    Parameters
    ----------
    center : Network
        It moves.
    """

    center: Network
    free: Ints
    population: int
    sigma: float
    weight_decay: float
    seed: int
    optimizer: Adam

    def __init__(
        self, center: Network, free: Ints, population: int, sigma: float, lr: float, weight_decay: float, seed: int
    ) -> None:
        self.center, self.free, self.population, self.sigma = center, free, population, sigma
        self.weight_decay, self.seed = weight_decay, seed
        self.optimizer = Adam(lr)

    def ask(self, generation: int) -> Pairs:
        return Pairs(self.center.theta.copy(), self.free, self.sigma, (self.seed, generation))

    def tell(self, members: Pairs, returns: Array) -> str:
        """Move the centre; why the search ends, "" if it goes on."""
        theta, layout = self.center.theta, self.center.layout
        gradient = self.weight_decay * np.where(layout.decay, theta, 0.0)
        gradient[self.free] -= self.ascent(members, returns)
        self.optimizer.step(self.center, gradient.astype(theta.dtype))
        return ""

    def ascent(self, members: Pairs, returns: Array) -> Array:
        """The estimate (F,)."""
        ranks = centred_ranks(returns)
        found = np.zeros(self.free.size)
        for pair, weight in enumerate(ranks[0::2] - ranks[1::2]):
            found += weight * members.direction(pair)
        return found / (self.population * self.sigma)

    def state(self) -> dict[str, Any]:
        return {"center": self.center.theta.copy(), "optimizer": self.optimizer.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.center.theta[:] = state["center"]
        self.optimizer.load_state(state["optimizer"])


class Covariance:
    """The covariance matrix adaptation of the package `cma`; ``diagonal``: of variances only."""

    cma: Any
    center: Network
    free: Ints
    population: int
    sigma: float
    seed: int
    options: dict[str, Any]
    search: Any
    rng: np.random.Generator
    begun: Array
    told: list[Array]

    def __init__(
        self, center: Network, free: Ints, population: int | None, sigma: float, diagonal: bool, seed: int
    ) -> None:
        self.cma = need("cma", "control", '`EvolutionStrategy` with method="cma"')
        self.center, self.free, self.seed = center, free, seed
        # None of its own seeds: it would set NumPy's global one.  Its stop for lack of time would not repeat.
        self.options = {"seed": np.nan, "randn": self._draw, "CMA_diagonal": diagonal, "verbose": -9, "timeout": np.inf}
        if population is not None:
            self.options["popsize"] = population
        self.sigma, self.begun = sigma, center.theta[free].astype(np.float64)
        self._begin()
        self.population = int(self.search.popsize)

    def _begin(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.search = self.cma.CMAEvolutionStrategy(self.begun, self.sigma, self.options)
        self.told = []

    def _draw(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape)

    def ask(self, generation: int) -> Rows:
        self.rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(generation,)))
        return Rows(self.center.theta.copy(), self.free, np.array(self.search.ask()))

    def tell(self, members: Rows, returns: Array) -> str:
        self.search.tell(list(members.values), (-returns).tolist())
        self.told.append(returns)
        self.center.theta[self.free] = self.search.mean
        self.center.project()
        return ", ".join(self.search.stop())

    def state(self) -> dict[str, Any]:
        return {"returns": np.array(self.told).reshape(-1, self.population), "begun": self.begun}

    def restore(self, state: dict[str, Any]) -> None:
        """All generations once more, without their episodes: its objects would have to be pickled else."""
        self.begun = np.array(state["begun"], np.float64)
        self._begin()
        for generation, returns in enumerate(state["returns"]):
            self.tell(self.ask(generation), returns)
