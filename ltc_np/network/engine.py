"""The contract between a network and what computes for it: the host (`host`) or a card (`cuda`).

A network has one engine and asks nothing else.  Two levels of calls:

* *public* ones take what the user gave, whole: `read` checks it and notes its form, `call` answers, `differentiate`
  gives gradients.  They are those of a `PublicCalls`: that for arrays of the host is the engine itself, and there may
  be another for arrays that lie on a card.
* *inner* ones take checked arrays of the host: `prepare` makes of the parameters what every call needs, `forward` runs
  sequences, `backward` is its adjoint, `loss_and_grad` is both around a loss.  Streams, predictions, evaluation and
  training without a card are made of these.

A `Trainer` makes the steps of a training: `gradient` of a batch, then `update`.  Between the two stands the joint for
training on several machines: whoever sums gradients takes `flat` of every trainer and gives each the sum by `replace`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from ..base.types import Array, Arrays, Bools, Ints, Keep, LibraryLoss, Numbers
from ..base.workspace import Workspace
from ..layers.parallel import ParallelTime
from ..optim.base import Optimizer
from ..optim.clip import Clip
from .penalties import Penalty
from .sequences import Sequences
from .stream import Stream
from .structure import Structure


class Tape(NamedTuple):
    """What `Network.backward` needs of one `Network.forward`; it may be used more than once.

    Attributes
    ----------
    calls : PublicCalls
        Which made it.
    given : CallArguments, or on a card the form of its outputs
    prepared, saved : object
        The engine's own.
    y_shape : tuple
    """

    calls: PublicCalls
    given: Any
    prepared: Any
    saved: Any
    y_shape: tuple[int, ...]


class Gradients(NamedTuple):
    """Result of `Model.backward`.

    Attributes
    ----------
    theta : (P,) array
        d(loss)/d(theta); 0 for frozen parameters.  ``model.views(g.theta)["w"]`` names a part.
    x, h0 : arrays of the shapes of x and h0
    dt : float or array of the shape of dt; None for models without elapsed time
    """

    theta: Array
    x: Array | None
    h0: Array | None
    dt: Array | float | None


class Answer(NamedTuple):
    """Outputs and last state in the caller's form, and a `Tape` if one was asked for."""

    y: Any
    state: Any
    tape: Any


class Adjoints(NamedTuple):
    """Gradients of theta (P,), 0 where frozen, of x (B, T, I), h0 (B, K) and dt (B, T); None where not wanted."""

    theta: Array
    x: Array | None
    h0: Array
    dt: Array | None


class Batch(NamedTuple):
    """Sequences with checked targets, and the weights of outputs in the loss and in metrics; None: all are 1.

    Weights have the shape of the outputs without the last axis, or that of the targets where some of these are missing.
    """

    sequences: Sequences
    target: Numbers
    weight: Array | None
    mask: Numbers | None


class Objective(NamedTuple):
    """What is minimised: a loss of `ltc_np.losses`, its class weights (an array) or None, a `Penalty` or None.

    Gradients are those of ``unit`` times the loss, and of the penalty; values are the loss and the penalty / ``unit``.
    """

    loss: LibraryLoss
    class_weight: Array | None
    penalty: Penalty | None
    unit: float = 1.0


class Dropped(NamedTuple):
    """What layers drop by: a seed, and which rows, ``count`` in all, of which the batch has some from ``first``.

    So parts of a batch that are computed by several processes drop what the whole would.
    """

    seed: tuple[int, ...]
    first: int
    count: int


class Measured(NamedTuple):
    """Loss of a batch (penalties included), sum of its weights, gradient (P,), outputs, last state (B, K).

    Of a `Trainer` ``gradient`` is None (see `Trainer.flat`), outputs and state may be None where they are not wanted,
    and ``finite`` says whether loss and gradient surely are.  ``buffers``, by name, are those that an optimiser step
    with this gradient changes, None where it changes none.
    """

    value: float
    weight: float
    gradient: Array | None
    outputs: Array | None
    state: Array | None
    finite: bool = True
    buffers: Arrays | None = None


class PublicCalls(abc.ABC):
    """The public calls, for arrays that lie in one place: on the host, or on a card.

    Parameters
    ----------
    network : Structure
        Of which it reads layers, parameters and sizes; engines keep what belongs to a thread, never parameters.
    """

    network: Structure

    def __init__(self, network: Structure) -> None:
        self.network = network

    @abc.abstractmethod
    def read(self, x: Any, dt: Any, lengths: Any, h0: Any, return_sequences: bool, own: bool = False) -> Any:
        """The arguments of a public call, checked: what `call` takes.

        ``own``: no array may be one of the caller's, who may change it before the call's tape is used.
        """

    @abc.abstractmethod
    def call(
        self,
        given: Any,
        keep: Keep = None,
        dropout_seed: tuple[int, ...] | None = None,
        parallel_time: ParallelTime | None = None,
    ) -> Answer:
        """`Answer` to what `read` gave; with ``keep`` ("full" or "low", how much) it has a tape."""

    @abc.abstractmethod
    def differentiate(self, tape: Tape, d_y: Any, d_state: Any, want_x: bool = True, want_dt: bool = True) -> Gradients:
        """`Gradients` of what a tape recorded; None for x and dt where they are not wanted.

        The adjoints are the caller's: ``d_y`` of the outputs, ``d_state`` of the last state, or None.
        """


class Engine(PublicCalls):
    """How a network computes; it is the `PublicCalls` for arrays of the host."""

    @abc.abstractmethod
    def calls_for(self, x: Any) -> PublicCalls:
        """The `PublicCalls` for arrays that lie where x does."""

    @abc.abstractmethod
    def prepare(self, workspace: Workspace) -> Any:
        """What all inner calls need of the parameters as they are now."""

    @abc.abstractmethod
    def check(self, prepared: Any, sequences: Sequences) -> None:
        """Let every layer look at the elapsed times that are to come: a ValueError or a warning."""

    @abc.abstractmethod
    def check_outputs(self, y: Array, state: Array, dt: Array) -> None:
        """Refuse outputs and states that have overflown."""

    @abc.abstractmethod
    def stream(self, B: int) -> tuple[Any, Stream]:
        """What `prepare` gave and a `Stream` of B sequences, which this thread keeps for `step`."""

    @abc.abstractmethod
    def take_workspace(self) -> Workspace:
        """This thread's workspace, which is nobody else's until `put_back`."""

    @abc.abstractmethod
    def put_back(self, workspace: Workspace) -> None:
        """Keep it for the thread's next call."""

    @abc.abstractmethod
    def forward(
        self,
        prepared: Any,
        sequences: Sequences,
        keep: Keep,
        workspace: Workspace,
        dropout_seed: tuple[int, ...] | Dropped | None = None,
        parallel_time: ParallelTime | None = None,
    ) -> tuple[Array, Array, Any]:
        """Outputs (B, T, O), 0 in padding, the last states (B, K), and what `backward` needs, None without ``keep``.

        As of a layer; arrays may lie in the workspace.  With a seed, layers that drop in training do.  Sequences are
        cut as ``parallel_time`` says, or the network.
        """

    @abc.abstractmethod
    def backward(
        self,
        prepared: Any,
        saved: Any,
        valid: Bools | None,
        d_y: Array,
        d_h: Array,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> Adjoints:
        """Adjoint of `forward`: `Adjoints`; d_y (B, T, O) is 0 in padding, d_h (B, K) that of the last state."""

    @abc.abstractmethod
    def loss_and_grad(
        self,
        batch: Batch,
        objective: Objective,
        keep: Keep,
        workspace: Workspace,
        dropout_seed: tuple[int, ...] | Dropped | None = None,
        check: bool = False,
        parallel_time: ParallelTime | None = None,
    ) -> Measured:
        """`Measured` of one `Batch`; ``check``: elapsed times and outputs are looked at, as in public calls."""

    @abc.abstractmethod
    def sequences_at_once(self, T: int) -> int:
        """Sequences of T steps that fit well into memory, for `predict`."""

    @abc.abstractmethod
    def trainer(
        self, objective: Objective, optimizer: Optimizer, clip: Clip | None, keep: Keep, workspace: Workspace
    ) -> Trainer:
        """A `Trainer`; ``clip`` is a `Clip` or None; evaluations meanwhile share the workspace."""

    @abc.abstractmethod
    def announced(self, announce: Callable[[], None]) -> AbstractContextManager[Any]:
        """A context in which ``announce()`` is called once if something must be compiled first."""


class BoundGradients(Protocol):
    """Steps with batches that are given by the numbers of their sequences, in arrays that are bound once."""

    def begin(self) -> None:
        """Look at the begin of an epoch what may have changed: threads, frozen parameters, the optimiser's state."""

    def why_one_a_call(self, count: int) -> str:
        """Why a call makes a single step, with so many sequences, as things are now; "" if it makes several."""

    def takes(self, count: int) -> bool:
        """Whether batches of so many sequences can be bound; others go the usual way."""

    def __call__(self, rows: Ints) -> list[tuple[float, float, bool]]:
        """Steps with the first of some batches, of a size that `takes` has bound: as many as take a few milliseconds.

        ``rows`` (K, B) int64 are the numbers of their sequences.  There are value, weight and ``finite`` of each, as in
        `Measured`.  If the last of them is not finite, its step is not made, and its gradient stays in the trainer.
        """


class Trainer(abc.ABC):
    """The steps of one training.

    The host's parameters and the optimiser's moments are the authority: `load` takes them before steps are made, and
    `store` brings back what steps have made of them, so that others may look.
    """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Numbers in the gradient."""

    @abc.abstractmethod
    def load(self) -> None:
        """Take parameters, moments, and what is frozen."""

    @abc.abstractmethod
    def store(self) -> None:
        """Bring parameters and moments back, if they have changed elsewhere since."""

    @abc.abstractmethod
    def gradient(
        self, batch: Batch, dropout_seed: tuple[int, ...] | Dropped | None, want_outputs: bool, want_state: bool
    ) -> Measured:
        """`Measured` of a batch, whose gradient stays here until `update`."""

    def bind(self, whole: Batch) -> tuple[BoundGradients | None, str]:
        """What computes `gradient` of batches of this data in bound arrays; or None, and why there is no such thing."""
        return None, "the engine is not that of the host"

    @abc.abstractmethod
    def flat(self) -> Array:
        """The gradient that `gradient` left, (P,), an array of the host; not to be written to."""

    @abc.abstractmethod
    def replace(self, gradient: Array) -> None:
        """Take this gradient (P,), an array of the host, instead of the one that `gradient` left, if it did."""

    @abc.abstractmethod
    def update(self) -> None:
        """Clip the gradient and make a step of the optimiser with it; buffers change with it."""

    @abc.abstractmethod
    def restore(self) -> None:
        """Give the network the parameters and buffers of before the last `update`."""
