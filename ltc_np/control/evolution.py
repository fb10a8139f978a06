"""Evolution strategies: the class `EvolutionStrategy`, which learns a policy by returns alone; docs/control.md."""

from __future__ import annotations

import copy
import math
import pickle
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from .. import io
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Backend, Communicator, Ints, PathLike
from ..network.network import Network
from ..train.history import History
from ..train.loop.interrupt import Interrupt
from ..train.ranks.agreement import of_model
from ..train.ranks.communication import Alone, of_communicator
from . import stored
from .distributions import Distribution
from .environments import DistributionName, Environments
from .evaluate import chosen
from .players import Game, Play, players
from .searches import Covariance, Gradient, Rows

if TYPE_CHECKING:
    from typing_extensions import Self

Method: TypeAlias = Literal["gradient", "cma", "diagonal"]
SIGMA = {"gradient": 0.02, "cma": 0.3, "diagonal": 0.3}
KIND = "evolution"  # of its files
POPULATION, LR, WEIGHT_DECAY = 64, 0.01, 0.005


class EvolutionStrategy:
    """Learning of a policy by the returns of whole episodes, without any derivative.

    In each generation members of a population, which differ from a centre at random, play with the same seeds, and
    their returns move the centre.  It also plays itself, always with the same seeds, and ``policy`` has the best
    centre so far.

    Parameters
    ----------
    policy : Model
        Observations in, parameters of a distribution of actions out; it learns in place.  What is frozen and all
        buffers stay.
    environments : function without arguments that makes `Environments`
        Each process calls it once, so with ``jobs`` it must be one that can be pickled, such as
        ``functools.partial(Environments.make, "CartPole-v1", 4, observed=[0, 2])``.
    method : "gradient", "cma" or "diagonal"
        "gradient": the estimate of the gradient by pairs of opposite members, their ranks and Adam (OpenAI's).
        "cma": covariance matrix adaptation by the package `cma`, with memory and time that grow with the square of the
        parameters.  "diagonal": the same with variances only.
    population : int, optional
        Members, at least 2.  Default: 64 for "gradient", which must be even; 4 + 3 ln P for the others.
    sigma : float > 0, optional
        Deviation of members from the centre, to begin with.  Default: 0.02 for "gradient", 0.3 for the others.
    lr : float > 0, optional
        Learning rate of Adam, of "gradient" only.  Default: 0.01.
    weight_decay : float >= 0, optional
        Times the parameters that decay (see `AdamW`) is added to the gradient, of "gradient" only.  Default: 0.005.
    episodes, trials : int >= 1
        Episodes of a member, and of the centre.
    distribution : Distribution or name
        What the policy's outputs mean; see `Environments.distribution`.
    deterministic : bool
        The most likely action always, or random ones.
    seed : int >= 0
        Of everything random.
    jobs : int >= 1
        Processes that play.  Results have the same bits for any number of them.
    comm : communicator of mpi4py, optional
        Each rank plays its share, and only returns travel.  All ranks give the same arguments, and have the same
        results.

    Attributes
    ----------
    policy : Model
        The best centre so far.
    center : Model
        Where the search is.
    best : float
        Mean return of the best centre in its trials.
    generation : int
        Generations so far.
    done : int
        Steps of all environments together so far.
    judged : (int, float)
        The generation whose centre has played last, and its mean return.
    history : History
        One value a generation: mean ``return`` of the members, the ``best`` of them, the return of the ``center``,
        ``steps`` done, ``seconds``.

    Raises
    ------
    TypeError, ValueError
        What does not fit.

    Notes
    -----
    The bits of learn, `save`, `load` and learn are those of learn and learn.  A generation costs
    (population * episodes + trials) episodes, and for "gradient" population / 2 times P normal numbers, twice.

    References
    ----------
    Salimans, Ho, Chen, Sidor and Sutskever, "Evolution strategies as a scalable alternative to reinforcement learning",
    arXiv:1703.03864, 2017.  Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772, 2016.

    Examples
    --------
    >>> import functools
    >>> from ltc_np import CfC, Dense, Model
    >>> from ltc_np.control import Environments, EvolutionStrategy
    >>> policy = Model(CfC(8), Dense(2), input_dim=2, seed=0)
    >>> carts = functools.partial(Environments.make, "CartPole-v1", 4, observed=[0, 2])
    >>> search = EvolutionStrategy(policy, carts, sigma=0.1, jobs=2)  # doctest: +SKIP
    >>> history = search.learn(20)  # doctest: +SKIP
    """

    policy: Network
    center: Network
    environments: Environments
    distribution: Distribution
    best: float
    generation: int
    done: int
    judged: tuple[int, float]
    history: History
    method: Method
    sigma: float
    population: int
    lr: float | None
    weight_decay: float | None
    episodes: int
    trials: int
    deterministic: bool
    seed: int
    jobs: int
    comm: Communicator | None
    factory: Callable[[], Environments]
    search: Any

    @with_signature_hints
    def __init__(
        self,
        policy: Network,
        environments: Callable[[], Environments],
        *,
        method: Method = "gradient",
        population: int | None = None,
        sigma: float | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        episodes: int = 1,
        trials: int = 8,
        distribution: Distribution | DistributionName = "auto",
        deterministic: bool = True,
        seed: int = 0,
        jobs: int = 1,
        comm: Communicator | None = None,
    ) -> None:
        self.method = checks.one_of("method", method, tuple(SIGMA))
        self.sigma = checks.number("sigma", SIGMA[method] if sigma is None else sigma, low_open=True)
        self.episodes, self.trials = checks.integer("episodes", episodes), checks.integer("trials", trials)
        self.deterministic = checks.boolean("deterministic", deterministic)
        self.seed, self.jobs, self.comm = checks.integer("seed", seed, 0), checks.integer("jobs", jobs), comm
        self.factory, self.environments = environments, _made(environments, self.jobs)
        distribution = chosen(policy, self.environments, distribution)
        self.policy, self.center, self.distribution = policy, copy.deepcopy(policy), distribution
        free = np.arange(policy.theta.size) if policy.trainable is None else np.flatnonzero(policy.trainable)
        if not free.size:
            raise ValueError("`policy` must have parameters that are not frozen, got none")
        self.search = self._search(free, population, lr, weight_decay)
        self.population = self.search.population
        self.best, self.generation, self.done, self.history = -math.inf, 0, 0, History()
        self.judged = -1, -math.inf

    def _search(self, free: Ints, population: int | None, lr: float | None, weight_decay: float | None) -> Any:
        if population is not None:
            population = checks.integer("population", population, 2)
        self.lr, self.weight_decay = lr, weight_decay
        if self.method == "gradient":
            population = POPULATION if population is None else population
            if population % 2:
                raise ValueError(f'`population` must be even with method="gradient", got {population}')
            self.lr = lr = checks.number("lr", LR if lr is None else lr, low_open=True)
            given = WEIGHT_DECAY if weight_decay is None else weight_decay
            self.weight_decay = decay = checks.number("weight_decay", given)
            return Gradient(self.center, free, population, self.sigma, lr, decay, self.seed)
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if value is not None:
                raise ValueError(f'`{name}` must be None with method="{self.method}", which has none, got {value}')
        return Covariance(self.center, free, population, self.sigma, self.method == "diagonal", self.seed)

    def settings(self) -> dict[str, Any]:
        """The arguments that say what is learnt, besides policy, environments and distribution."""
        names = "method population sigma lr weight_decay episodes trials deterministic seed"
        return {name: getattr(self, name) for name in names.split()}

    # ------------------------------------------------------------------------------------------------- learning

    @with_signature_hints
    def learn(
        self,
        generations: int,
        *,
        callback: Callable[[EvolutionStrategy], object] | None = None,
        progress: bool = False,
    ) -> History:
        """So many generations more.

        Parameters
        ----------
        generations : int >= 1
        callback : function of the `EvolutionStrategy`, optional
            Called after each generation, on every rank; learning ends where it returns False.
        progress : bool
            Write a line to standard error after each generation.

        Returns
        -------
        History
            ``history``, which goes on with every call.  Ctrl-C ends learning after the generation; ``policy`` has the
            best centre at any time.
        """
        end = self.generation + checks.integer("generations", generations)
        if callback is not None:
            checks.function("callback", callback, "the EvolutionStrategy")
        ranks = of_communicator(self.comm)
        game = Game(copy.deepcopy(self.policy), self.distribution, self.deterministic)
        self.history.stopped, began = "", time.monotonic()
        with (
            Interrupt(ends="learning ends after this generation") as own,
            ranks.together(),
            players(game, self.environments, self.factory, self.jobs) as play,
        ):
            interrupt = ranks.shared(own)
            self._check_same(ranks)
            while self.generation < end and not self.history.stopped:
                stopped = self._generation(ranks, play, began)
                began = time.monotonic()
                if progress and ranks.first:
                    print(self._line(end), file=sys.stderr, flush=True)
                if callback is not None and callback(self) is False:
                    stopped = "by the callback"
                stopped = ranks.epoch_done(self.center, stopped)
                self.history.stopped = interrupt.stop_reason or stopped
            self._judge(ranks, play)
        return self.history

    def _check_same(self, ranks: Alone) -> None:
        """Refuse ranks that would learn something else."""
        words = {name: str(value) for name, value in self.settings().items()}
        words |= {"distribution": repr(self.distribution), "generation": str(self.generation)}
        ranks.check_same(words | of_model(self.policy), str)
        ranks.epoch_done(self.center, "")

    def _generation(self, ranks: Alone, play: Play, began: float) -> str:
        """One generation; why the search ends."""
        self._judge(ranks, play)
        members = self.search.ask(self.generation)
        seed = int(np.random.SeedSequence(self.seed, spawn_key=(self.generation,)).generate_state(1)[0] >> 1)
        own = np.arange(ranks.rank, self.population, ranks.size)
        shares = ranks.allgather(play(members, own, self.episodes, seed))
        returns = np.empty(self.population)
        for rank, share in enumerate(shares):
            returns[rank :: ranks.size] = [result.value for result in share]
            self.done += sum(result.steps for result in share)
        stopped = self.search.tell(members, returns)
        seconds = time.monotonic() - began
        self.history.add(
            self.generation,
            {
                "return": float(returns.mean()), "best": float(returns.max()), "center": self.judged[1],
                "steps": self.done, "seconds": seconds,
            },
        )  # fmt: skip
        self.history.seconds += seconds
        self.generation += 1
        return stopped

    def _judge(self, ranks: Alone, play: Play) -> None:
        """Let the centre play, if it is not known how well it does, and keep it if none was better."""
        if self.judged[0] == self.generation:
            return
        where = Rows(self.center.theta, np.zeros(0, np.int64), np.zeros((1, 0)))
        alone = np.zeros(1 if ranks.first else 0, np.int64)
        found = ranks.allgather(play(where, alone, self.trials, self.seed))[0][0]
        self.done += found.steps
        self.judged = self.generation, found.value
        if found.value >= self.best:
            self.best = found.value
            self.policy.theta[:] = self.center.theta

    def _line(self, end: int) -> str:
        last = {name: values[-1] for name, values in self.history.items()}
        return (
            f"generation {self.generation}/{end}  return: {last['return']:.4g}  center: {last['center']:.4g}  "
            f"best center: {self.best:.4g}"
        )

    # ---------------------------------------------------------------------------------------------------- files

    @with_signature_hints
    def save(self, path: PathLike) -> None:
        """Write all of it but the environments to a file, whole or not at all.

        It is the file of the policy, with the rest beside it, so `ltc_np.load` reads the best policy.
        """
        beside = {
            "kind": KIND, "settings": self.settings(), "distribution": stored.distribution_form(self.distribution),
            "search": self.search.state(), "generation": self.generation, "done": self.done,
            "best": np.array([self.best, *self.judged]), "history": stored.history_form(self.history),
        }  # fmt: skip
        io.save_with(path, self.policy, beside)

    @classmethod
    def load(
        cls,
        path: PathLike,
        environments: Callable[[], Environments],
        *,
        jobs: int = 1,
        comm: Communicator | None = None,
        backend: Backend = "auto",
    ) -> Self:
        """Go on from a file that `save` wrote, with environments like those before; bits go on with the same backend.

        Raises
        ------
        OSError, ValueError
            As `ltc_np.load`; for the file of a model alone; for environments that do not fit.
        """
        policy, found = stored.read(path, KIND, cls.__name__, backend)
        try:
            strategy = cls(
                policy, environments, distribution=stored.distribution_of(found["distribution"]), jobs=jobs, comm=comm,
                **found["settings"],
            )  # fmt: skip
            strategy.search.restore(found["search"])
            strategy.generation = checks.integer("generation", found["generation"], 0)
            strategy.done = checks.integer("done", found["done"], 0)
            strategy.best, generation, value = (found["best"][k].item() for k in range(3))
            strategy.judged = int(generation), value
            strategy.history = stored.history_of(found["history"])
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path} has a damaged search: {checks.one_line(error)}") from None
        return strategy

    def __repr__(self) -> str:
        return f"EvolutionStrategy({self.policy!r}, {self.method!r}, {self.generation} generations done)"


def _made(environments: Callable[[], Environments], jobs: int) -> Environments:
    """What the function makes, which other processes must be able to call."""
    if not callable(environments):
        raise TypeError(
            f"`environments` must be a function that makes Environments, got {checks.brief(environments)}: "
            'functools.partial(Environments.make, "CartPole-v1", 4)'
        )
    if jobs > 1:
        try:
            pickle.dumps(environments)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"`environments` must be a function that can be pickled with jobs={jobs}, got "
                f"{checks.brief(environments)} ({checks.one_line(error)}): functools.partial(Environments.make, "
                '"CartPole-v1", 4), or a function of a module'
            ) from None
    found = environments()
    if not isinstance(found, Environments):
        raise TypeError(f"`environments()` must give Environments, got {checks.brief(found)}")
    return found
