"""A training that loses again what it has learned goes back, and on with smaller steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ...base import checks
from ...base.types import Array, Logs, Rate, State
from ...optim.schedules import Schedule
from .base import Callback

LEARNED = 0.15  # of the first loss: less than this is not much to lose, and may be the noise of a few batches
LOST = 0.8  # of what was learned; a wide CfC that lost 60 % of it in some epochs has found its way back by itself


class CollapseGuard(Callback):
    """Go back to the best weights when the training loss has lost what it had gained, and on with smaller steps.

    A training with a learning rate that is too large may collapse in silence: the loss falls, rises within a few epochs
    to that of a constant answer, and stays there; all numbers are finite.  This callback then gives the model the
    weights of before the epoch with the smallest training loss, and the optimiser the moments of then, multiplies the
    learning rate by ``factor``, and warns, once in a training.  A training that does not collapse is not changed.

    Parameters
    ----------
    patience : int >= 1
        So many epochs in a row must have lost four fifths of what the best one had gained since the first one, if that
        is at least 15 % of the loss of the first one; or must have twice the loss of the first one.
    factor : float in (0, 1)
        A schedule goes on where it is, with all rates multiplied.

    Attributes
    ----------
    restored : int
        How often it has gone back.

    Notes
    -----
    It keeps two copies of parameters, buffers and moments.  Checkpoints of ``fit(checkpoint=...)`` hold them, so that a
    training which is resumed has the same bits; in the files of `Checkpoint` and of ``Model.save`` they are left out,
    and who goes on from there goes back no further.
    """

    patience: int
    factor: float
    first: float | None
    best: float | None
    best_epoch: int | None
    waited: int
    restored: int
    first_lr: Rate
    good: Snapshot
    start: Snapshot

    def __init__(self, patience: int = 3, *, factor: float = 0.5) -> None:
        self.patience = checks.integer("patience", patience)
        self.factor = checks.number("factor", factor, high=1, low_open=True, high_open=True)

    def on_train_begin(self) -> None:
        self.first = self.best = self.best_epoch = None
        self.waited = self.restored = 0
        self.first_lr = self.optimizer.lr
        # The loss of an epoch is that of the weights with which it began: at its end they may have collapsed already.
        self.good = self.start = self._now()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        loss = float(logs["loss"])
        self.first = loss if self.first is None else self.first
        if self.best is None or loss < self.best:
            self.best, self.best_epoch, self.good, self.waited = loss, epoch, self.start, 0
        else:
            self.waited = self.waited + 1 if self._has_lost(loss) else 0
        if self.waited >= self.patience:
            self._go_back(epoch, loss)
        self.start = self._now()

    def _has_lost(self, loss: float) -> bool:
        """Whether an epoch with this loss is far above the best one."""
        first: Any = self.first
        best: Any = self.best
        gained = first - best
        if gained > LEARNED * abs(first):
            return loss - best > LOST * gained
        return loss > first + abs(first)

    def _now(self) -> Snapshot:
        model = self.model
        return Snapshot(model.theta.copy(), model.buffer_vector.copy(), self.optimizer.state())

    def _go_back(self, epoch: int, loss: float) -> None:
        model, optimizer, steps, epochs = self.model, self.optimizer, self.optimizer.t, self.optimizer.epoch
        model.theta[:], model.buffer_vector[:] = self.good.theta, self.good.buffers
        before = self.good.optimizer
        if optimizer.moment_names and len(before) == 1:  # of before the first step
            optimizer.reset()
        else:
            optimizer.load_state(before | {"t": steps})  # schedules go on
        optimizer.epoch = epochs
        self.restored, self.waited = self.restored + 1, 0
        rate = optimizer.lr
        optimizer.lr = self._slower(self.first_lr) if callable(rate) else rate * self.factor
        if self.restored == 1 and self.first_rank:
            checks.warn(
                f"ltc_np: the training has collapsed: its loss was {self.best:.4g} in epoch {self.best_epoch}, and is "
                f"{loss:.4g} in epoch {epoch}; it goes on from the weights of then with {self.factor:g} times the "
                "learning rate: a smaller one from the beginning saves these epochs"
            )

    def _slower(self, rate: Any) -> Scaled:
        return Scaled(rate, self.factor**self.restored)

    def state(self) -> State:
        first, now = (None if callable(rate) else rate for rate in (self.first_lr, self.optimizer.lr))
        names = "first", "best", "best_epoch", "waited", "restored"
        return {name: getattr(self, name) for name in names} | {"first_lr": first, "lr": now}

    def checkpoint_state(self) -> State:
        return self.state() | {"good": self.good._asdict(), "start": self.start._asdict()}

    def load_state(self, state: State) -> None:
        for name in ("first", "best"):
            value = state[name]
            setattr(self, name, None if value is None else checks.number(f"state[{name!r}]", value, -math.inf))
        best = state["best_epoch"]
        self.best_epoch = None if best is None else checks.integer("state['best_epoch']", best, 0)
        self.waited, self.restored = (
            checks.integer(f"state[{name!r}]", state[name], 0) for name in ("waited", "restored")
        )
        for name in ("good", "start"):
            if name in state:
                setattr(self, name, Snapshot(**state[name]))
        rate = self.optimizer.lr
        if not callable(rate):
            first, now = state["first_lr"], state["lr"]
            if rate == first and now is not None:  # else it has been set by hand, or is the one reached
                self.optimizer.lr = now
        elif isinstance(rate, Scaled):  # the same optimiser
            self.first_lr = rate.schedule
        elif self.restored:
            self.optimizer.lr = self._slower(rate)


class Snapshot(NamedTuple):
    """Parameters, buffers, and the state of the optimiser."""

    theta: Array
    buffers: Array
    optimizer: State


class Scaled(Schedule):
    """Another schedule, all of whose rates are multiplied by a factor."""

    schedule: Callable[[int], float]
    factor: float

    def __init__(self, schedule: Callable[[int], float], factor: float) -> None:
        super().__init__(schedule=schedule, factor=factor)
        vars(self)["per"] = getattr(schedule, "per", "step")

    def __call__(self, done: int) -> float:
        return self.factor * self.schedule(done)
