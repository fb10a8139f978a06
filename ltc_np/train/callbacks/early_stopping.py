"""Stopping when nothing improves any more."""

from __future__ import annotations

from ...base import checks
from ...base.types import Logs, MonitorMode, State
from ..monitor import MODES, Monitor
from .base import Callback


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not improved for ``patience`` epochs in which it was measured.

    Parameters
    ----------
    patience : int >= 0
        0 and 1 mean the same: the first epoch without an improvement is the last.
    monitor : str
        A name in the logs, such as ``"val_loss"``.
    min_delta : float >= 0
        An improvement by no more than this does not count.
    mode : "auto", "min" or "max"
        Whether smaller or larger is better; "auto" is what the metric says: larger for accuracy, f1 and r2, smaller
        for losses.  A metric of your own that does not say it (`Metric.mode`) needs "min" or "max".
    """

    patience: int
    monitor: str
    min_delta: float
    mode: MonitorMode
    watched: Monitor
    waited: int

    def __init__(
        self, patience: int, monitor: str = "val_loss", min_delta: float = 0.0, mode: MonitorMode = "auto"
    ) -> None:
        self.patience = checks.integer("patience", patience, 0)
        self.monitor, self.min_delta = checks.text("monitor", monitor), checks.number("min_delta", min_delta)
        self.mode = checks.one_of("mode", mode, MODES)

    def on_train_begin(self) -> None:
        self.watched, self.waited = Monitor(self.monitor, self.mode, self.measured, self.min_delta), 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> bool:
        improves = self.watched.improves(logs)
        if improves is None:
            return False  # not an epoch of validation
        self.waited = 0 if improves else self.waited + 1
        return not improves and self.waited >= self.patience

    def state(self) -> State:
        return self.watched.state() | {"waited": self.waited}

    def load_state(self, state: State) -> None:
        self.watched.load_state(state)
        self.waited = checks.integer("state['waited']", state.get("waited"), 0)
