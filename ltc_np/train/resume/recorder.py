"""Checkpoints while a training runs: when one is due, and what it is made of."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import io
from ...base import checks
from ...base.types import Numbers, Rate, State
from ..callbacks.base import states
from ..history import History
from ..loop.best_weights import BestKeeper
from ..loop.clock import Clock
from ..loop.run import Run
from .folder import CheckpointFolder
from .saved import Rates, Saved


@dataclass(eq=False)
class Recorder:
    """Writes the checkpoints of a training; it does nothing without a folder.

    Attributes
    ----------
    folder : CheckpointFolder or None
    run : Run
    same : dict
        `Saved.same`.
    best : BestKeeper
    history : History
        Its ``seconds`` are those that earlier calls took.
    clock : Clock
    first_lr : float or schedule
        That of the optimiser when training began.
    last : int
        The step of the last checkpoint, or at which training begins.
    before : float
        Seconds that the calls before this one took.
    warned : bool
        Whether there was a warning that numbers are not finite.
    """

    folder: CheckpointFolder | None
    run: Run
    same: dict[str, Any]
    best: BestKeeper
    history: History
    clock: Clock
    first_lr: Rate | None
    warned: bool = False

    def __post_init__(self) -> None:
        self.last: int = self.run.at.step
        self.before: float = self.history.seconds

    @property
    def seconds(self) -> float:
        """Seconds that the training has taken, together with the calls before this one."""
        return self.before + self.clock.elapsed

    def begin(self) -> None:
        """Refuse a training whose checkpoints could not be written, before there is anything to lose."""
        if self.folder is not None:
            self._content("", (self.run.rank_state(),))
            self.run.ranks.run_on_first(self.folder.remove_old)  # if fewer shall remain, their room may be needed

    def write_if_due(self, asked: object) -> int:
        """Between two steps: write a checkpoint if one is due, or if training was asked to end; steps until the next
        one is due."""
        if self.folder is None:
            return sys.maxsize
        step = self.run.at.step
        if asked or self.folder.is_due(self.last, step):
            self.write()
        return self.folder.until_due(step)

    def write_after_epoch(self) -> None:
        """Between two epochs: write a checkpoint if one is due."""
        if self.folder is not None and self.folder.every is None:
            self.write()
        else:
            self.write_if_due(False)

    def write(self, ended: str = "") -> None:
        """Write a checkpoint now; ``ended`` is that of `Saved`."""
        folder = self.folder
        if folder is None:
            return
        self.run.trainer.store()
        self.last = self.run.at.step
        if self._is_finite():
            own, ranks = self.run.rank_state(), self.run.ranks
            shares = own, *ranks.gather_others(own)
            ranks.run_on_first(lambda: folder.write(self.last, self._content(ended, shares)))
        elif not self.warned:
            self.warned = True
            checks.warn(
                f"ltc_np: no checkpoint is written at step {self.last}, since parameters, buffers or moments of the "
                "optimiser are not finite"
            )

    def _is_finite(self) -> bool:
        """Whether a checkpoint could be read again: all numbers are finite.  If not, the next step will say what is
        wrong."""
        model, optimizer = self.run.model, self.run.options.optimizer
        arrays = (model.theta, model.buffer_vector, *optimizer.moments.values())
        return all(bool(np.isfinite(array).all()) for array in arrays)

    def _content(self, ended: str, shares: tuple[State, ...]) -> dict[str, Numbers]:
        run, optimizer, history = self.run, self.run.options.optimizer, self.history
        history.best_epoch, history.seconds = self.best.epoch, self.seconds
        saved = Saved(
            self.same, run.at, shares, states(run.options.callbacks, checkpoint=True), self.best.state(), history,
            Rates.of(optimizer, self.first_lr), ended,
        )  # fmt: skip
        return io.checkpoint(run.model, optimizer, saved.plain())
