"""What a checkpoint says about a training, besides the model and the optimiser's state: how it is written, compared
with a call, and taken over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import numpy as np

from ... import io
from ...base import checks
from ...base.from_arguments import same
from ...base.types import Rate, Seed, State
from ...io import Found
from ...network.network import Network
from ...network.trained import Trained
from ...optim.base import Optimizer
from ..history import History
from ..options import Options
from ..parts import as_written
from ..ranks.communication import Alone
from .folder import CheckpointFile, CheckpointFolder, name_of, open_folder
from .position import Position

ENDED = ("", "epochs", "callback")


class Rates(NamedTuple):
    """What to know of the optimiser besides its state: the epoch for its schedules, its learning rate now, and the one
    when training began.  A rate is None if it is a schedule, which counts by itself."""

    epoch: int | None
    now: float | None
    first: float | None

    @classmethod
    def of(cls, optimizer: Optimizer, first: Rate | None) -> Rates:
        """Those of an optimiser that had ``first`` as its ``lr`` when training began."""
        now = optimizer.lr
        return cls(optimizer.epoch, None if callable(now) else now, None if callable(first) else first)

    def give(self, optimizer: Optimizer) -> None:
        """Let the optimiser go on.  If its learning rate is not the one of the beginning, it was set by hand, and is
        kept."""
        optimizer.epoch = self.epoch
        if self.now is not None and not callable(optimizer.lr) and optimizer.lr == self.first:
            optimizer.lr = self.now


class Saved(NamedTuple):
    """How far a training is.

    Attributes
    ----------
    same : dict
        What must be the same when it is resumed, as `identity_of` gives it.  Files of former versions do not have all
        of its ``settings``.
    position : Position
        Without its state, which is among ``shares``.
    shares : tuple of dict
        What depends on the part of the data that a process has, one dict for each process: ``metrics``, the states of
        metrics by name, and ``state``, that of the position.
    callbacks : tuple of (str, dict)
        As of `Trained`, but of now.
    best : dict
        `BestKeeper.state`.
    history : History
    rates : Rates
    ended : "", "epochs" or "callback"
        What has ended the training for good; "" if nothing has.
    """

    same: dict[str, Any]
    position: Position
    shares: tuple[State, ...]
    callbacks: tuple[tuple[str, State], ...]
    best: State
    history: History
    rates: Rates
    ended: str

    def plain(self) -> dict[str, Any]:
        """Plain data, for a file."""
        return self._asdict() | {
            "position": self.position._replace(state=None)._asdict(),
            "rates": self.rates._asdict(),
            "history": self.history.state(),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Saved:
        """Inverse of `plain`.

        Raises
        ------
        ValueError, TypeError, KeyError
            Something is not as `plain` makes it.
        """
        position, rates = Position(**plain["position"]), Rates(**plain["rates"])
        for name in ("epoch", "batch", "chunk", "step"):
            checks.integer(name, getattr(position, name), 0)
        for name in ("total", "weights"):
            checks.number(name, getattr(position, name), -math.inf)
        history = History.restored(plain["history"])
        checks.one_of("ended", plain["ended"], ENDED)
        metrics = set(plain["same"]["metrics"])
        if not isinstance(plain["shares"], tuple) or not plain["shares"]:
            raise TypeError(f"its shares are {checks.brief(plain['shares'])}")
        for share in plain["shares"]:
            states = share["metrics"]
            if states.keys() != metrics or not all(isinstance(state, dict) for state in states.values()):
                raise ValueError(f"its states of metrics are {checks.brief(states)}")
            if not isinstance(share["state"], (np.ndarray, type(None))):
                raise TypeError(f"its state of a batch is {checks.brief(share['state'])}")
        for name, state in plain["callbacks"]:
            if not isinstance(name, str) or not isinstance(state, dict):
                raise TypeError(f"its callbacks are {checks.brief(plain['callbacks'])}")
        return cls(**plain | {"position": position, "rates": rates, "history": history})


class Resumed(NamedTuple):
    """A checkpoint from which a training goes on: the file, what it holds, and what it says about the training."""

    content: CheckpointFile
    found: Found
    saved: Saved

    @classmethod
    def read(cls, content: CheckpointFile, model: Network) -> Resumed:
        """Read the content of a checkpoint; ``model`` is not changed."""
        found = io.load_checkpoint(content.path, content.arrays, type(model), model.backend)
        with _blaming_file(content):
            if found.model.trained is None:
                raise ValueError("it does not say what the model was trained with")
            saved = Saved.of_plain(found.training or {})
        if content.path.name != name_of(saved.position.step):  # or this would be the newest for ever
            raise ValueError(
                "`checkpoint` must have its files under the names that the training gave them, got "
                f"{content.path}, which is {name_of(saved.position.step)}: rename it, or remove the copy"
            )
        return cls(content, found, saved)

    def blaming_file(self) -> AbstractContextManager[None]:
        """A context in which states of the file are taken over: if one does not fit, the error is about the file."""
        return _blaming_file(self.content)

    @property
    def trained(self) -> Trained:
        """``model.trained`` as it was when the checkpoint was written."""
        return self.found.model.trained  # type: ignore[return-value]  # `read` has looked

    def check(self, model: Network, optimizer: Optimizer, seed: Seed, now: dict[str, Any]) -> None:
        """Refuse to go on with another network, optimiser, seed or other arguments.

        Parameters
        ----------
        model, optimizer
        seed
            As of `fit`.  None, and one that is drawn from a generator, are that of the checkpoint.
        now : dict
            As ``Saved.same``, of this call.
        """
        told, given = self.saved.same.get("settings", {}), now["settings"]
        now = now | {name: value for name, value in given.items() if name in told}
        del now["settings"]
        before = self.saved.same | told | {"optimizer": self.found.optimizer} | _network(self.found.model)
        now = now | {"optimizer": type(optimizer).__name__} | _network(model)
        if seed is not None and not isinstance(seed, np.random.Generator):
            seed = checks.seed("seed", seed)
            before, now = before | {"seed": self.trained.seed}, now | {"seed": seed}
        names = [name for name in now if not same(before.get(name), now[name])]
        if names:
            told = ", ".join(_told(as_written(name), _shown(before.get(name)), _shown(now[name])) for name in names)
            raise ValueError(
                f"`checkpoint` must hold a training with the same arguments to resume it, got {self.content.path} with "
                f"{told}: give these, or another folder"
            )

    def check_place(self, epochs: int, ranks: int) -> None:
        """Refuse fewer epochs than have begun, and in the middle of an epoch another number of ranks."""
        at, wrote = self.saved.position, len(self.saved.shares)
        begun = at.epoch + at.is_inside
        if epochs < begun:
            raise ValueError(f"`epochs` must be at least {begun}, as many as the checkpoint has begun, got {epochs}")
        if ranks != wrote and at.is_inside:
            raise ValueError(
                f"`checkpoint` must be resumed by as many ranks as wrote {self.content.path}, which are {wrote}, since "
                f"it was written in the middle of an epoch, got {ranks}: start {wrote} until the epoch has ended"
            )

    def give(self, model: Network, optimizer: Optimizer) -> None:
        """Let model and optimiser be as they were when the checkpoint was written."""
        was = self.found.model
        with self.blaming_file():
            optimizer.load_state(self.found.state or {})
            self.saved.rates.give(optimizer)
        model.theta[:], model.buffer_vector[:] = was.theta, was.buffer_vector
        model.trainable, model.best, model.trained = was.trainable, was.best, was.trained


def open_checkpoints(ranks: Alone, model: Network, options: Options) -> tuple[CheckpointFolder | None, Resumed | None]:
    """The folder of checkpoints and the newest one in it, None each where there is none."""
    if options.checkpoint is None:
        return None, None
    folder = ranks.run_on_first(lambda: open_folder(options.checkpoint))
    newest = ranks.run_on_first(folder.newest)
    return folder, None if newest is None else Resumed.read(newest, model)


@contextmanager
def _blaming_file(content: CheckpointFile) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"{content.path}: damaged: {checks.one_line(error)}") from error


def _network(model: Network) -> dict[str, Any]:
    """What makes a network, for comparison."""
    return {
        "layers": model.layers,
        "dtype": model.dtype.name,
        "return_sequences": model.return_sequences,
    }


def _told(name: str, before: str, now: str) -> str:
    return f"{name} {before} (now {now})" if before != now else f"{name} {before} (now with other numbers inside)"


def _shown(value: object) -> str:
    text = ", ".join(map(repr, value)) or "none" if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
