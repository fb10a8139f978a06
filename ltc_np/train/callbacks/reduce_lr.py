"""A learning rate that falls when nothing improves any more."""

from __future__ import annotations

from typing import Any

from ...base import checks
from ...base.types import Logs, MonitorMode, State
from ..monitor import MODES, Monitor
from .base import Callback


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` when ``monitor`` has not improved for ``patience`` epochs.

    Parameters
    ----------
    patience : int >= 0
        Epochs in which it was measured; 0 and 1 mean the same.  Counting begins anew after every reduction.
    factor : float in (0, 1)
    monitor, min_delta, mode
        As for `EarlyStopping`.
    cooldown : int >= 0
        Epochs after a reduction that are not counted.
    min_lr : float >= 0
        The learning rate falls no lower.

    Notes
    -----
    It sets ``optimizer.lr``, which must be a number: a schedule decides by itself.  When training is resumed with an
    optimiser that has the learning rate of the beginning, the callback gives it the one that was reached.
    """

    patience: int
    factor: float
    monitor: str
    min_delta: float
    cooldown: int
    min_lr: float
    mode: MonitorMode
    watched: Monitor
    waited: int
    cooling: int
    first_lr: Any

    def __init__(
        self,
        patience: int = 10,
        *,
        factor: float = 0.1,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: MonitorMode = "auto",
    ) -> None:
        self.patience, self.cooldown = checks.integer("patience", patience, 0), checks.integer("cooldown", cooldown, 0)
        self.factor = checks.number("factor", factor, high=1, low_open=True, high_open=True)
        self.monitor, self.min_delta = checks.text("monitor", monitor), checks.number("min_delta", min_delta)
        self.min_lr, self.mode = checks.number("min_lr", min_lr), checks.one_of("mode", mode, MODES)

    def on_train_begin(self) -> None:
        self.watched = Monitor(self.monitor, self.mode, self.measured, self.min_delta)
        self.waited = self.cooling = 0
        self.first_lr = self.optimizer.lr
        if callable(self.first_lr):
            raise ValueError(
                "`optimizer` must have a number as its learning rate for ReduceLROnPlateau, got the schedule "
                f"{self.first_lr!r}"
            )

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        improves = self.watched.improves(logs)
        if improves is None:
            return
        self.waited = 0 if improves or self.cooling else self.waited + 1
        self.cooling = max(self.cooling - 1, 0)
        if self.waited and self.waited >= self.patience:
            self.waited, self.cooling = 0, self.cooldown
            before: Any = self.optimizer.lr
            lr = max(before * self.factor, self.min_lr)
            if 0 < lr < before:
                self.optimizer.lr = lr

    def state(self) -> State:
        counted = {"waited": self.waited, "cooling": self.cooling}
        return self.watched.state() | counted | {"first_lr": self.first_lr, "lr": self.optimizer.lr}

    def load_state(self, state: State) -> None:
        self.watched.load_state(state)
        self.waited, self.cooling = (
            checks.integer(f"state[{name!r}]", state.get(name), 0) for name in ("waited", "cooling")
        )
        first, lr = (
            checks.number(f"state[{name!r}]", state.get(name), low_open=True) for name in ("first_lr", "lr")
        )  # fmt: skip
        if self.optimizer.lr == first:  # else it has been set to something else by hand, or is the one reached
            self.optimizer.lr = lr
        self.first_lr = first
