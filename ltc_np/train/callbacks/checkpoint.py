"""Files of a training, from which it can be resumed."""

from __future__ import annotations

import os

from ...base import checks
from ...base.types import Logs, MonitorMode, PathLike, State
from ...io import check_writable, save
from ..monitor import MODES, Monitor
from .base import Callback


class Checkpoint(Callback):
    """Save the model, the optimiser's state and those of callbacks every so many epochs, to resume with the same bits.

    Parameters
    ----------
    path : str or Path
        Overwritten atomically; ``{epoch}`` in it is replaced by the number of epochs done.
    every : int >= 1
    save_best_only : bool
        Save only when ``monitor`` is better than in all epochs looked at before.
    monitor, mode
        For ``save_best_only``, as for `EarlyStopping`.
    """

    path: PathLike
    every: int
    save_best_only: bool
    monitor: str
    mode: MonitorMode
    watched: Monitor | None
    due: bool

    first_rank_only = True

    def __init__(
        self,
        path: PathLike,
        every: int = 1,
        save_best_only: bool = False,
        monitor: str = "val_loss",
        mode: MonitorMode = "auto",
    ) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"`path` must be a str or Path, got {path!r}")
        self.path, self.every = path, checks.integer("every", every)
        if "{" in str(path).replace("{epoch}", ""):
            raise ValueError(f"`path` must have no braces but {{epoch}}, got {path}")
        self.save_best_only = checks.boolean("save_best_only", save_best_only)
        self.monitor, self.mode = checks.text("monitor", monitor), checks.one_of("mode", mode, MODES)

    def on_train_begin(self) -> None:
        check_writable(str(self.path))
        self.watched = Monitor(self.monitor, self.mode, self.measured) if self.save_best_only else None
        self.due = False

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.due = (epoch + 1) % self.every == 0
        if self.due and self.watched is not None:
            self.due = bool(self.watched.improves(logs))

    def on_epoch_done(self, epoch: int, logs: Logs) -> None:
        if self.due:
            save(str(self.path).replace("{epoch}", str(epoch + 1)), self.model, self.optimizer)

    def state(self) -> State:
        return {} if self.watched is None else self.watched.state()

    def load_state(self, state: State) -> None:
        if self.watched is not None:
            self.watched.load_state(state)
