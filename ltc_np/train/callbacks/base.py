"""What all callbacks have in common."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from ...base import checks
from ...base.from_arguments import FromArguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Logs, Measured, State
    from ...optim.base import Optimizer
    from ..model_base import ModelBase


class Callback(FromArguments):
    """Base: override what you need.

    A plain function ``f(epoch, logs)`` serves as a callback too: it is called as `on_epoch_done`.

    A callback that remembers something from epoch to epoch defines `state` and `load_state`, so that a training which
    is resumed from a file goes on as if it had never stopped.

    Attributes
    ----------
    model, optimizer
        Those of the training; set before it begins, as are the others.
    measured : dict of str to ("min", "max" or None)
        The names that logs will hold, and which value of each is better; None where nobody has said.
    initial_epoch : int
        More than 0 if the training is resumed.
    first_rank : bool
        Whether this is the only process, or rank 0 of several.
    first_rank_only : bool
        What a class says of itself: where `fit` trains on several ranks (``comm``), it is called on rank 0 only, since
        it writes or shows something.  All others are called on every rank, with the same logs.
    """

    model: ModelBase = None  # type: ignore[assignment]  # until a training begins
    optimizer: Optimizer = None  # type: ignore[assignment]
    measured: Measured = MappingProxyType({})
    initial_epoch: int = 0
    first_rank: bool = True
    first_rank_only: bool = False

    def on_train_begin(self) -> None:
        """Before the first batch."""

    def on_batch_end(self, step: int, logs: Logs) -> None:
        """After the optimiser step of a batch, or of a chunk with ``tbptt``; logs: ``loss``.

        ``step`` counts all of them from 0 through the whole training, also those without a step because nothing in
        them weighs anything; with ``tbptt`` every batch counts for as many as its padded length has.
        """

    def on_epoch_end(self, epoch: int, logs: Logs) -> bool | None:
        """After epoch ``epoch`` (from 0); logs: ``loss``, metrics, ``val_*``.  Return True to stop training."""

    def on_epoch_done(self, epoch: int, logs: Logs) -> bool | None:
        """After `on_epoch_end` of all callbacks; return True to stop training here too.

        The place to save the model, since ``model.trained`` has the states of all callbacks after this epoch now.
        """

    def on_train_end(self) -> None:
        """After the last epoch, also when training stopped early, by an error too; not if the callback's own
        `on_train_begin` raised."""

    def state(self) -> State:
        """What `load_state` needs to go on as if training had never stopped; {} if that is nothing.

        Returns
        -------
        dict of str to plain data
            None, bools, numbers, text, arrays, and lists, tuples and dicts of these.  A file gives tuples for lists.
        """
        return {}

    def checkpoint_state(self) -> State:
        """As `state`, for the checkpoints of ``fit(checkpoint=...)``, which may hold what is too large for the file of
        a model.  Here: the same."""
        return self.state()

    def load_state(self, state: State) -> None:
        """Go on from a `state`; called after `on_train_begin` when training is resumed.

        Parameters
        ----------
        state : dict
            Of the callback of the same class that stood at the same place among those of this class.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `load_state`, since it defines `state`")


class FunctionCallback(Callback):
    """``function(epoch, logs)`` as a callback."""

    function: Callable[[int, Logs], Any]

    def __init__(self, function: Callable[[int, Logs], Any]) -> None:
        self.function = function

    def on_epoch_done(self, epoch: int, logs: Logs) -> Any:
        return self.function(epoch, logs)


if TYPE_CHECKING:
    Callbacks: TypeAlias = (
        Callback | Callable[[int, Logs], Any] | Iterable[Callback | Callable[[int, Logs], Any]] | None
    )


def as_callbacks(values: Callbacks) -> list[Callback]:
    """A list of `Callback` objects from what a user gave as ``callbacks``."""
    if values is None:
        return []
    if isinstance(values, Callback) or callable(values) or not isinstance(values, Iterable):
        values = [values]
    return [_as_callback(value) for value in values]


def _as_callback(value: object) -> Callback:
    """A `Callback` from a callback or a function ``f(epoch, logs)``."""
    if isinstance(value, Callback):
        return value
    if callable(value) and not isinstance(value, type):
        with contextlib.suppress(ValueError):  # of a builtin that does not tell its arguments
            try:
                inspect.signature(value).bind(0, {})
            except TypeError as error:
                raise TypeError(f"`callbacks` must be functions (epoch, logs), got {value!r}: {error}") from None
        return FunctionCallback(value)
    hint = "; call the class" if isinstance(value, type) and issubclass(value, Callback) else ""
    raise TypeError(f"`callbacks` must be Callback objects or functions (epoch, logs), got {checks.brief(value)}{hint}")


def states(callbacks: Iterable[Callback], *, checkpoint: bool = False) -> tuple[tuple[str, State], ...]:
    """(class, state) of the callbacks whose class defines `Callback.state`, for `Trained` or for a ``checkpoint``."""
    found = []
    for callback in callbacks:
        if type(callback).state is Callback.state:
            continue
        state = callback.checkpoint_state() if checkpoint else callback.state()
        if not isinstance(state, dict):
            who = type(callback).__name__
            raise TypeError(f"`state` of {who} must return a dict, got {checks.brief(state)}")
        found.append((type(callback).__name__, state))
    return tuple(found)


def load_states(callbacks: Iterable[Callback], saved: Iterable[tuple[str, State]]) -> None:
    """Give callbacks the states that `states` found: those of a class in their order."""
    waiting: dict[str, list[State]] = {}
    for name, state in saved:
        waiting.setdefault(name, []).append(state)
    for callback in callbacks:
        own = waiting.get(type(callback).__name__)
        state = own.pop(0) if own else {}
        if state:
            with taken_over(f"the callback {type(callback).__name__}"):
                callback.load_state(state)


@contextlib.contextmanager
def taken_over(who: str) -> Iterator[None]:
    """A context in which ``who`` takes a state that was saved: what goes wrong is no damage of the file."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        told = checks.one_line(error)
        raise ValueError(f"`load_state` of {who} does not take what was saved: {told}") from error
