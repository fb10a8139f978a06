"""A quantity that is watched during training, and its best value."""

from __future__ import annotations

import math

from ..base import checks
from ..base.types import Logs, Measured, Mode, MonitorMode, State

MODES = ("auto", "min", "max")


class Monitor:
    """A quantity of the logs and its best value so far.

    Parameters
    ----------
    name : str
        One of ``measured``.
    mode : "auto", "min" or "max"
        Whether smaller or larger is better; "auto" is what the metric says.
    measured : dict
        See `Callback`.
    min_delta : float >= 0
        An improvement by no more than this does not count.
    argument : str
        By which argument a user has named it, for errors.
    """

    name: str
    mode: Mode
    min_delta: float
    best: float | None

    def __init__(
        self, name: str, mode: MonitorMode, measured: Measured, min_delta: float = 0.0, argument: str = "monitor"
    ) -> None:
        if not isinstance(name, str) or name not in measured:
            hint = "" if "val_loss" in measured else " (val_* need `validation`)"
            raise ValueError(f"`{argument}` must be one of {', '.join(measured)}, got {checks.brief(name)}{hint}")
        if mode == "auto":
            mode = measured[name]  # type: ignore[assignment]
            if mode is None:
                raise ValueError(
                    f'the mode must be "min" or "max" to monitor {name!r}, since that metric does not say which is '
                    'better (attribute `mode`), got "auto"'
                )
        self.name, self.min_delta, self.best = name, min_delta, None
        self.mode = checks.one_of("mode", mode, MODES[1:])  # type: ignore[arg-type]

    def improves(self, logs: Logs) -> bool | None:
        """Whether the logs of an epoch have a better value, which is kept; None if it was not measured.

        A value that is not finite is never better.
        """
        if self.name not in logs:
            return None
        value = float(logs[self.name])
        if not math.isfinite(value):
            return False
        if self.best is not None:
            gain = self.best - value if self.mode == "min" else value - self.best
            if not gain > self.min_delta:
                return False
        self.best = value
        return True

    def state(self) -> State:
        """Plain data, for `load_state`."""
        return {"monitor": self.name, "mode": self.mode, "best": self.best}

    def load_state(self, state: State) -> None:
        """Take the best value of a `state`; that of another quantity is refused."""
        if (state.get("monitor"), state.get("mode")) != (self.name, self.mode):
            raise ValueError(
                f"`monitor` must be as before the training was resumed, {state.get('mode')} of "
                f"{state.get('monitor')!r}, got {self.mode} of {self.name!r}"
            )
        best = state.get("best")
        self.best = None if best is None else checks.number("state['best']", best, -math.inf)


def of_best_weights(name: str | None, mode: MonitorMode, measured: Measured) -> Monitor | None:
    """The `Monitor` of the best weights, None if there is nothing to monitor."""
    if name is None:
        name = "val_loss"
        if name not in measured:
            return None
    return Monitor(name, mode, measured, argument="keep_best")
