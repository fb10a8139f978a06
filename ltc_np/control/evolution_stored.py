"""Files of `EvolutionStrategy`: the policy's model file, and beside it the centre and how far the search is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import io
from ..base import checks
from ..base.types import Backend, Communicator, PathLike
from ..model import KINDS
from ..network.network import Network
from .environments import Environments
from .forms import distribution_of, of_distribution, of_history, take_history

if TYPE_CHECKING:
    from .evolution import EvolutionStrategy

E = TypeVar("E", bound="EvolutionStrategy")
KIND = "evolution"


def save(strategy: EvolutionStrategy, path: PathLike) -> None:
    """See `EvolutionStrategy.save`."""
    beside = {
        "kind": KIND,
        "settings": strategy.settings(),
        "distribution": of_distribution(strategy.distribution),
        "search": strategy.search.state(),
        "generation": strategy.generation, "done": strategy.done,
        "best": np.array([strategy.best, *strategy.judged]),
        "history": of_history(strategy.history),
    }  # fmt: skip
    io.save_with(path, strategy.policy, beside)


def load(
    cls: type[E],
    path: PathLike,
    environments: Callable[[], Environments],
    jobs: int,
    comm: Communicator | None,
    backend: Backend,
) -> E:
    """See `EvolutionStrategy.load`."""
    policy, found = io.load_with(path, KINDS, backend)
    if found.get("kind") != KIND:
        raise ValueError(
            f"{path} must be a file of `EvolutionStrategy.save`, got another: "
            "`EvolutionStrategy(ltc_np.load(path), environments)` begins with its model"
        )
    try:
        return _made(cls, policy, found, environments, jobs, comm)
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} has a damaged search: {checks.one_line(error)}") from None


def _made(
    cls: type[E],
    policy: Network,
    found: dict[str, Any],
    environments: Callable[[], Environments],
    jobs: int,
    comm: Communicator | None,
) -> E:
    strategy = cls(
        policy, environments, distribution=distribution_of(found["distribution"]), jobs=jobs, comm=comm,
        **found["settings"],
    )  # fmt: skip
    strategy.search.restore(found["search"])
    strategy.generation = checks.integer("generation", found["generation"], 0)
    strategy.done = checks.integer("done", found["done"], 0)
    strategy.best, generation, value = found["best"].tolist()
    strategy.judged = int(generation), value
    take_history(strategy.history, found["history"])
    return strategy
