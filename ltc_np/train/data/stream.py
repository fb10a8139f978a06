"""Batches that a user gives, from an iterator, an iterable, or a function of the epoch."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ... import losses
from ...base import checks
from ...base.types import BatchSource, LibraryLoss, Missing, Targets
from ...network.elapsed import range_of
from ...network.engine import Batch
from ...network.network import Network
from ...network.trained import Times, together
from ..ranks.communication import ALONE, Alone
from ..ranks.division import Place
from .arguments import arguments_of
from .batches import Batches, prepare_part
from .sources import Drawn

END = object()
NO_DATA = Batch(None, None, None, None)  # what is known of batches that have not come yet


class Items:
    """What a user gives for the batches of an epoch, one after another.

    Attributes
    ----------
    taken : int
        How many have come so far in this epoch.
    """

    def __init__(self, items: Iterator[Any], taken: int) -> None:
        self.items: Iterator[Any] = items
        self.taken: int = taken

    def take(self) -> Any:
        """The next one, `END` if there is none."""
        item = next(self.items, END)
        self.taken += item is not END
        return item


class Stream:
    """Batches that a user gives, one after another.

    Parameters
    ----------
    model : Model
    given : iterator, iterable, or function of the epoch that returns one of these
    batches : int or None
        How many an epoch has; None: as many as ``given`` has by its len.
    loss, missing
        As for `prepare_data`.
    check_first : callable or None
        It is called with the `Batches` of the first batch, before anything is done with it.
    ranks : Alone
        Each rank gives its part of every batch; a rank that has nothing left waits for the others.

    Attributes
    ----------
    times : Times or None
        As of `ArraySource`, of the batches that have come so far.
    """

    model: Network
    given: BatchSource
    batches: int
    loss: LibraryLoss
    missing: Missing
    check_first: Callable[[Batches], None] | None
    ranks: Alone
    times: Times | None

    def __init__(
        self,
        model: Network,
        given: BatchSource,
        batches: int | None,
        loss: LibraryLoss,
        missing: Missing,
        check_first: Callable[[Batches], None] | None,
        ranks: Alone = ALONE,
    ) -> None:
        self.model, self.given, self.loss, self.missing = model, given, loss, missing
        self.check_first, self.ranks, self.times = check_first, ranks, None
        if batches is None:
            if not hasattr(given, "__len__"):
                raise ValueError(
                    "`steps_per_epoch` must be given for batches of which the number is not known, got None: "
                    "batch_size=Batching(steps_per_epoch=100)"
                )
            batches = len(given)
        self.batches = max(ranks.allgather(checks.integer("steps_per_epoch", batches)))
        if callable(given):
            _check_takes_epoch(given)

    whole: None = None  # as of `ArraySource`

    @property
    def goes_on(self) -> bool:
        """Whether every epoch goes on with the iterator of the one before."""
        return hasattr(self.given, "__next__")

    def sizes(self) -> dict[str, Any]:
        """As of `ArraySource`."""
        return {"steps_per_epoch": self.batches}

    def chunks(self, size: int | None) -> int:
        """As of `ArraySource`; batches of a user's own are never cut."""
        return 1

    def epoch(self, epoch: int, rng: np.random.Generator, first: int = 0) -> Iterator[Drawn]:
        """As of `ArraySource`; the order is the user's.  An iterator stands at batch ``first`` already."""
        items = self._begin(epoch, first)
        for batch in range(first, self.batches):
            where = f"`x`, batch {batch} of epoch {epoch}"
            item = items.take()
            data, count, own = (None, 0, None) if item is END else self._read(item, where)
            counts, times = zip(*self.ranks.allgather((count, own)), strict=True)
            self.times = together([self.times, *times])
            if not any(counts):
                self._refuse_nothing(item is END, items.taken, where, epoch)
            if data is not None or self.ranks.size > 1:
                place = Place(sum(counts[: self.ranks.rank]), sum(counts))
                yield Drawn(batch, data, slice(0, count), place)

    def _begin(self, epoch: int, first: int) -> Items:
        """The batches of an epoch, from batch ``first`` on."""
        given = self.given(epoch) if callable(self.given) else self.given
        if not hasattr(given, "__iter__"):
            raise TypeError(f"`x` must return the batches of an epoch, got {checks.describe(given)} for epoch {epoch}")
        if self.goes_on:
            return Items(iter(given), first)
        items = Items(iter(given), 0)
        for _ in range(first):  # they have been trained on already
            items.take()
        return items

    def _read(self, item: Any, where: str) -> tuple[Batches | None, int, Times | None]:
        """`Batches` made from one item of the user, None if nothing of it counts, how many sequences it has, and their
        elapsed times."""
        try:
            given = arguments_of("a batch", item)
            if self.ranks.size > 1 and given.is_empty():  # which is an error only if nobody has more
                return None, given.count, None
            data = prepare_part(self.model, given, self.loss, self.missing)
            if self.check_first is not None:
                self.check_first(data)
                self.check_first = None
        except losses.NoWeightError:
            return None, given.count, None
        except (ValueError, TypeError) as error:
            raise type(error)(f"{where}: {error}") from None
        return data, data.count, range_of(given.dt, given.lengths)

    def _refuse_nothing(self, ended: bool, taken: int, where: str, epoch: int) -> None:
        """An error on every rank, since none has a sequence: all have come to the end, or somebody's batch is empty."""
        all_ended, most = zip(*self.ranks.allgather((ended, taken)), strict=True)
        if not all(all_ended):
            raise ValueError(f"{where}: some rank must have a sequence, got none on all")
        once = "; an iterator can be gone through once: give a function of the epoch that makes one"
        rule = f"`x` must give `steps_per_epoch` = {self.batches} batches an epoch"
        raise ValueError(f"{rule}, got {max(most)} in epoch {epoch}{once if self.goes_on else ''}")

    def first_that_counts(self, count: int, size: int | None) -> None:
        """None: the last batch."""
        return None


def _check_takes_epoch(function: Callable[[int], Any]) -> None:
    """Refuse a function that cannot be called with an epoch alone."""
    with contextlib.suppress(ValueError):  # of a builtin that does not tell its arguments
        try:
            inspect.signature(function).bind(0)
        except TypeError as error:
            got = f"{checks.brief(function)}: {error}"
            raise TypeError(f"`x` must be a function of the epoch, lambda epoch: ..., got {got}") from None


def is_stream(x: Targets | BatchSource) -> bool:
    """Whether ``x`` gives batches, and is no data itself."""
    data = isinstance(x, (list, tuple, str, dict)) or hasattr(x, "__array__") or hasattr(x, "__cuda_array_interface__")
    return not data and (callable(x) or hasattr(x, "__iter__"))
