"""What is known of each option of `fit`: how it is read, and whether two trainings may have different values of it.

The rows stand in `fit`, above its signature.  A row that says nothing else stands for an option that has to be the same
on all ranks, and the same when a training is resumed: whoever wants it otherwise gives the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Number, Real
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .. import losses
from ..base import checks
from ..base.from_arguments import known
from ..base.types import LibraryLoss, Loss
from ..metrics.base import Metric
from ..optim.base import Optimizer
from ..optim.clip import Clip
from .data.arguments import DataArguments
from .fingerprint import as_text, fingerprint
from .penalty import L1L2

USED, UNUSED, REFUSED = "used", "unused", "refused"


def as_given(name: str, value: Any) -> Any:
    """What is read later, where the other things are known that it depends on."""
    return value


def plain(value: Any) -> Any:
    """Plain data for a file: numbers and text as they are, and what is known of anything else by its text."""
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (bool, np.bool_, str, type(None))):
        return value
    return float(value) if isinstance(value, Real) else as_text(value)


def as_it_is(name: str, value: Any) -> dict[str, Any]:
    """An integer, or None, that a checkpoint has as an integer: `by_value` would write, and tell, 4.0 for 4.

    Only for options that files of former versions have as integers.  A new one is known `by_value`.
    """
    return {name: value}


def by_value(name: str, value: Any) -> dict[str, Any]:
    """One that is a number, a bool, text, a dict of numbers, or None: the rule for a new option."""
    return {name: plain(value)}


def by_content(name: str, value: Any) -> dict[str, Any]:
    """One that may be an array or a list too."""
    return {name: plain(value) if isinstance(value, (dict, str, type(None))) else fingerprint(value)}


def of_loss(name: str, loss: LibraryLoss) -> dict[str, Any]:
    """A loss, by what it computes."""
    return {name: losses.identity(loss)}


def of_function(name: str, function: Any) -> dict[str, Any]:
    """A function of a user's own, by what it computes."""
    return {name: None if function is None else losses.identity(function)}


def function_in_words(function: Any) -> str:
    """The same for a comparison between ranks."""
    return "None" if function is None else losses.identity(function)


def of_metrics(name: str, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Metrics, by their names."""
    return {name: tuple(metrics)}


def of_optimizer(name: str, optimizer: Optimizer) -> dict[str, Any]:
    """An optimiser, by its arguments; its class is in the file already.

    A learning rate that is a number is left out: it may be set to another one when training is resumed, see `Rates`.
    """
    arguments = dict(known(optimizer) or {})
    for rate in {"lr", "learning_rate"} & arguments.keys():
        arguments[rate] = optimizer.lr if callable(optimizer.lr) else "a number"
    return {f"{name}.{argument}": plain(value) for argument, value in arguments.items()}


def of_clip(name: str, clip: Clip | None) -> dict[str, Any]:
    """How the gradient is clipped; files have a name for each of the two ways."""
    norm, per_array = (None, False) if clip is None else (clip.norm, clip.per_array)
    return {name: None if per_array else norm, "clip_array_norm": norm if per_array else None}


def of_penalty(name: str, penalty: L1L2) -> dict[str, Any]:
    """Penalties, each by itself."""
    return {"l1": plain(penalty.l1), "l2": plain(penalty.l2)}


def of_validation(name: str, held: DataArguments | None) -> dict[str, Any]:
    """Data of validation, array by array."""
    if held is None:
        return {name: None}
    found = {name: "some"}
    for argument, value in held._asdict().items():
        found |= by_content(f"{name}.{argument}", value)
    return found


def read_epochs(name: str, epochs: Any) -> int:
    """The number of epochs, 1 for None.  A range comes here only if it is none of epochs, see `split_objects`."""
    if epochs is None:
        return 1
    if isinstance(epochs, range):
        rule = "must be a number, or a range that begins at 0 or later, takes every epoch and is not empty"
        raise ValueError(f"`{name}` {rule}, got {epochs}")
    return checks.integer(name, epochs)


def loss_in_words(loss: Loss) -> str:
    """A loss for a comparison between ranks."""
    return as_text(loss) if isinstance(loss, str) else losses.identity(losses.get(loss))


def some_or_none(value: object) -> str:
    """Whether there is anything."""
    return "None" if value is None else "some"


class Option(NamedTuple):
    """What is known of an option of `fit`; its default stands in the signature.

    Attributes
    ----------
    read : callable
        ``read(name, value)`` gives the value that `fit` works with, or raises.
    compared : callable
        ``compared(name, value)`` gives the plain data by which a checkpoint knows the value, by name.  It gets what
        ``read`` gave.
    may_differ : str
        Why a training may be resumed with another value; "": it is refused then.
    in_words : callable
        ``in_words(value)``: a text that is the same on ranks that have the same value.  It gets what the user gave,
        since ranks are compared before anything is read.
    unchecked_on_ranks : str
        Why this text is not compared between ranks: each rank may have a value of its own, only that of rank 0 counts,
        or it is compared in another way.  "": it is compared, and must be the same on all.
    batches : "used", "unused" or "refused"
        Where `x` gives batches: whether the option does the same there, decides nothing that could be compared, or must
        be left out.  Only one that is used stands in their checkpoints and is compared when they are resumed.
    """

    read: Callable[[str, Any], Any] = as_given
    compared: Callable[[str, Any], dict[str, Any]] = by_value
    may_differ: str = ""
    in_words: Callable[[Any], str] = as_text
    unchecked_on_ranks: str = ""
    batches: str = USED


class Options(SimpleNamespace):
    """The arguments of one call of `fit` as their rows have read them: ``options.batch_size`` and so on."""


def read(rows: Mapping[str, Option], given: Mapping[str, Any]) -> Options:
    """`Options` of what a user gave, by name; the first that does not fit raises."""
    return Options(**{name: rows[name].read(name, value) for name, value in given.items()})


def chosen(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> set[str]:
    """The names of the options to which a user gave another value than that of the signature."""
    return {name for name, value in given.items() if not _is_default(value, defaults[name])}


def _is_default(value: object, default: object) -> bool:
    """Whether a value is left out, or might as well be: numbers and text may be equal without being the same object."""
    return value is default or (isinstance(value, (Number, np.bool_, str)) and bool(value == default))


def check_combinations(options: Options) -> None:
    """Refuse options that fit each by itself, but not together, where the options alone tell.

    Others are refused where what they depend on is known: by `data.reader` (with the data) and by `ranks.agreement`
    (with several ranks).
    """
    if options.augment is not None and options.tbptt is not None:
        raise ValueError(
            f"`augment` must be None with `tbptt`, whose chunks do not hold whole sequences, got tbptt={options.tbptt}"
        )
    if options.group_by_length and not options.shuffle:
        raise ValueError("`shuffle` must be True with `group_by_length`, which draws the batches anew, got False")
