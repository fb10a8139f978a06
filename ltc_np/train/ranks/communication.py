"""The processes ("ranks") that train one model together: what they tell each other, and how they end together.

Every rank has the whole model and makes the same steps; only the sequences are shared out.  Whatever decides how the
training goes on (a gradient, a loss, a metric, a request to stop) is found by all ranks together, so that all of them
always take the same way.  Everything that ranks say to each other is in this file.  `Alone` is a training with one
process.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ...base import checks, threads
from ...base.from_arguments import Immutable
from ...base.types import A, Array, Communicator
from ...network.engine import Trainer
from ...network.network import Network
from ...optim.base import Optimizer
from ..loop.interrupt import BY_SIGINT, BY_SIGTERM, StopRequest

NEEDED = ("Get_rank", "Get_size", "Dup", "Free", "Allreduce", "bcast", "gather", "allgather", "Ibarrier", "Abort")
GRACE = 3.0  # seconds in which an error that all ranks have is expected on each of them
SAME_DATA = ("x", "y", "dt", "lengths", "sample_weight")  # arguments that are data
FLAGS = 6  # numbers that are summed with the gradient: loss, weight, doubts, two kinds of signals, more chunks


class LocalResult(NamedTuple):
    """What this rank has found for its part of a batch; the gradient is in the trainer.

    Attributes
    ----------
    value, weight : float
        The loss, and its weight in the mean over all ranks.  The weight is 0 if nothing counts; then there is no
        gradient.
    finite : bool
        Whether loss and gradient are surely finite.
    outputs, state : array or None
    """

    value: float = 0.0
    weight: float = 0.0
    finite: bool = True
    outputs: Array | None = None
    state: Array | None = None


class GlobalResult(NamedTuple):
    """What all ranks have found for a batch; its gradient is now in every trainer.  ``more``: another chunk of it
    follows."""

    value: float
    weight: float
    finite: bool
    more: bool


class Alone:
    """A training with one process.  It has the methods of `Ranks`, which here have nobody to ask.

    Attributes
    ----------
    rank, size : int
        Which of how many.
    shares : bool
        Whether every rank was given sequences of its own, instead of the same ones.
    """

    rank: int = 0
    size: int = 1
    shares: bool = False

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which shows and writes."""
        return self.rank == 0

    def allgather(self, value: A) -> list[A]:
        """The value of every rank, on every rank."""
        return [value]

    def gather_others(self, value: A) -> list[A]:
        """The values of the other ranks on rank 0, nothing elsewhere."""
        return []

    def run_on_first(self, function: Callable[[], A]) -> A:
        """What ``function()`` gives on rank 0, or the error that it raises there; nobody else calls it."""
        return function()

    def counts(self, own: Array) -> Array:
        """How often something occurs in all data, from how often it occurs in the data of this rank."""
        return np.sum(self.allgather(own), axis=0) if self.shares else own

    def rng(self, key: tuple[int, ...]) -> np.random.Generator:
        """Random numbers for the order of sequences.  Ranks that have sequences of their own draw different ones."""
        if self.shares and not self.first:
            return np.random.default_rng(np.random.SeedSequence(key, spawn_key=(self.rank,)))
        return np.random.default_rng(key)

    def average(self, trainer: Trainer, own: LocalResult, more: bool) -> GlobalResult:
        """The mean of all ranks' losses and gradients by their weights; the trainer has that gradient now."""
        return GlobalResult(own.value, own.weight, own.finite, more)

    def shared(self, interrupt: StopRequest) -> StopRequest:
        """Something whose ``stop_reason`` is the same on every rank, and says like that of `Interrupt` what has ended
        the training."""
        return interrupt

    def epoch_done(self, model: Network, stopped: str) -> str:
        """Who wants to stop after this epoch, "" if nobody does.  It also checks that all ranks still have the same
        parameters."""
        return stopped

    def first_not_finite(self, value: float) -> float:
        """The value of the first rank on which it is not finite, else this rank's own."""
        return value

    def broadcast_start(self, model: Network, optimizer: Optimizer) -> None:
        """Take what rank 0 has: parameters, moments, how far the model is trained."""

    def check_same(self, words: dict[str, str], as_written: Callable[[str], str]) -> None:
        """An error on every rank if an argument, by name and as text, is not the same on all; it has the name that
        ``as_written`` gives."""

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """The time of a training: an error on one rank ends all."""
        yield


ALONE: Alone = Alone()


class Ranks(Alone):
    """The ranks of a communicator, as mpi4py has them.

    Calls that say or ask something must be made by all ranks, in the same order.
    """

    comm: Communicator
    errors: Communicator
    interrupt: StopRequest
    stop_reason: str

    def __init__(self, comm: Communicator, shares: bool) -> None:
        self.rank, self.size, self.shares = comm.Get_rank(), comm.Get_size(), shares
        # Communicators of our own, so that nothing mixes with what the caller sends; one of them is for errors only.
        self.comm, self.errors = comm.Dup(), comm.Dup()
        self.stop_reason = ""

    def allgather(self, value: A) -> list[A]:
        return self.comm.allgather(value)

    def gather_others(self, value: A) -> list[A]:
        found = self.comm.gather(value, 0)
        return [] if found is None else found[1:]  # only rank 0 gets any

    def run_on_first(self, function: Callable[[], A]) -> A:
        answer: tuple[A | None, Exception | None] | None = None
        if self.first:
            try:
                answer = function(), None
            except Exception as error:
                answer = None, _sendable(error)
        value, raised = self.comm.bcast(answer, 0)
        if raised is not None:
            raise raised
        return value

    def average(self, trainer: Trainer, own: LocalResult, more: bool) -> GlobalResult:
        # One message: weight times gradient, weight times loss, the weight, and flags of which all ranks must know.
        # Sums are float64, whatever the model's dtype.
        P = trainer.size
        mine, total = np.zeros(P + FLAGS), np.empty(P + FLAGS)
        if own.weight:
            np.multiply(trainer.flat(), own.weight, out=mine[:P], dtype=np.float64)
            mine[P : P + 2] = own.value * own.weight, own.weight
        asked = self.interrupt.stop_reason
        mine[P + 2 :] = not own.finite, asked == BY_SIGINT, asked == BY_SIGTERM, more
        self.comm.Allreduce(mine, total)
        value, weight, doubts, interrupted, terminated, chunks = total[P:].tolist()
        self.stop_reason = BY_SIGTERM if terminated else BY_SIGINT if interrupted else ""
        if weight > 0:
            total[:P] /= weight
            value /= weight
            trainer.replace(total[:P])
        return GlobalResult(value, weight, doubts == 0, chunks > 0)

    def shared(self, interrupt: StopRequest) -> StopRequest:
        self.interrupt = interrupt
        return self

    def epoch_done(self, model: Network, stopped: str) -> str:
        own = zlib.crc32(model.theta.tobytes()), stopped, self.interrupt.stop_reason
        prints, names, requests = zip(*self.allgather(own), strict=True)
        for rank, found in enumerate(prints):
            if found != prints[0]:
                raise RuntimeError(
                    f"the parameters of rank {rank} are not those of rank 0 any more: has a callback changed the model "
                    "or the optimiser on one rank only, or are the processors of different kinds?"
                )
        self.stop_reason = next((asked for asked in requests if asked), "")
        return next((name for name in names if name), "")

    def first_not_finite(self, value: float) -> float:
        return next((each for each in self.allgather(value) if not np.isfinite(each)), value)

    def broadcast_start(self, model: Network, optimizer: Optimizer) -> None:
        own = model.theta, model.buffer_vector, optimizer.state(), model.trained, model.best
        theta, buffers, state, trained, best = self.comm.bcast(own if self.first else None, 0)
        if not self.first:
            model.theta[:], model.buffer_vector[:] = theta, buffers
            model.trained, model.best = trained, best
            optimizer.load_state(state)

    def check_same(self, words: dict[str, str], as_written: Callable[[str], str]) -> None:
        first, *others = self.allgather(words)
        for rank, own in enumerate(others, 1):
            names = [name for name in first if own.get(name) != first[name]]
            if not names:
                continue
            name, count = names[0], len(names) - 1
            more = f" ({checks.counted(count, 'more difference')})" if count else ""
            hint = "; with comm=ShardedData(comm) each gives its own sequences" if name in SAME_DATA else ""
            raise ValueError(
                f"`{as_written(name)}` must be the same on every rank, got {first[name]} on rank 0 and {own.get(name)} "
                f"on rank {rank}{more}{hint}"
            )

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        try:
            with threads.at_most(self._cores()):
                yield
        except BaseException:
            if not self._all_failed():
                import traceback  # only errors need it

                print(f"ltc_np: rank {self.rank} of {self.size} ends the training of all:", file=sys.stderr)
                traceback.print_exc()
                sys.stderr.flush()
                self.comm.Abort(1)
            self._free()
            raise
        self._free()

    def _all_failed(self) -> bool:
        """Whether every rank comes here within `GRACE` seconds: then each raises its error, as a training with one
        process does."""
        request, until = self.errors.Ibarrier(), time.monotonic() + GRACE
        while not request.Test():
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True

    def _free(self) -> None:
        self.comm.Free()
        self.errors.Free()

    def _cores(self) -> int:
        """How many threads this rank takes, by the cores that it may use and those that others may use too."""
        return threads.part_of_cores(self.allgather(threads.cores()), self.rank)


def _sendable(error: Exception) -> Exception:
    """An error that can be sent to other processes: the error itself, if it can be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


class ShardedData(Immutable):
    """The ranks of a communicator, where each gives `fit` sequences of its own, also for validation.

    With ``fit(comm=comm)`` all ranks give the same sequences, with ``fit(comm=ShardedData(comm))`` each gives a shard,
    of which it may have more or fewer than others.

    Parameters
    ----------
    comm : communicator of mpi4py
    """

    comm: Communicator

    def __init__(self, comm: Communicator) -> None:
        self.comm = check_communicator(comm)


def of_communicator(comm: Communicator | ShardedData | None) -> Alone:
    """The `Ranks` of a communicator; `ALONE` for None and for a communicator of one rank."""
    if comm is None:
        return ALONE
    shares = isinstance(comm, ShardedData)
    comm = comm.comm if isinstance(comm, ShardedData) else check_communicator(comm)
    return Ranks(comm, shares) if comm.Get_size() > 1 else ALONE


def check_communicator(comm: Communicator) -> Communicator:
    """``comm`` if it has what `Ranks` need."""
    if isinstance(comm, type):  # a class has all methods too
        raise TypeError(
            f"`comm` must be a communicator, such as MPI.COMM_WORLD, got the class {comm.__name__}: give an object"
        )
    missing = [name for name in NEEDED if not callable(getattr(comm, name, None))]
    if missing:
        raise TypeError(
            "`comm` must be a communicator of mpi4py, such as MPI.COMM_WORLD, or have its methods, got "
            f"{checks.brief(comm)} without {', '.join(missing)}"
        )
    if not comm:
        raise ValueError(
            "`comm` must be a communicator that this process belongs to, got MPI.COMM_NULL: call this only on the "
            "processes that belong to it"
        )
    return comm
