"""What a learner has done, in little memory however long it runs."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base.types import Numbers

MOST_ROWS, MOST_EVENTS = 2048, 1000
COLUMNS = "step", "error", "deployed_error", "distance"


class Mark(NamedTuple):
    """All that a `Log` holds, its rows by their number."""

    rows: array[float]
    size: int
    stride: int
    steps: int
    error: float
    deployed: float
    events: list[tuple[int, str]]


class Log:
    """Errors of answers that were given before their targets were known (*prequential*), and what a guard has done.

    Attributes
    ----------
    rows : (n, 4) float64 array
        Each is of ``stride`` observations: the number of the last of them, the mean squared errors of the answers and
        of what the deployed weights would have answered, and the distance of the weights from the deployed ones.  Of
        more than 2,048 rows two become one.
    steps : int
        Observations with a target so far.
    events : list of (int, str)
        After which observation, and what: "deployed weights answer", "limited" and the like; the last 1,000.
    """

    events: list[tuple[int, str]]
    stride: int
    steps: int

    def __init__(self) -> None:
        self._rows = array("d")  # one after another: to write one into NumPy's takes longer
        self.events = []
        self.stride, self.steps = 1, 0
        self._error = self._deployed = 0.0  # sums since the last row

    @property
    def rows(self) -> Numbers:
        return np.array(self._rows).reshape(-1, len(COLUMNS))

    def add(self, error: float, deployed: float, distance: float) -> None:
        """One observation."""
        self.steps += 1
        self._error += error
        self._deployed += deployed
        if self.steps % self.stride:
            return
        self._rows.extend((self.steps, self._error / self.stride, self._deployed / self.stride, distance))
        self._error = self._deployed = 0.0
        if len(self._rows) == MOST_ROWS * len(COLUMNS):
            rows = self.rows
            first, second = rows[::2], rows[1::2]
            self.stride *= 2
            second[:, 1:3] = (first[:, 1:3] + second[:, 1:3]) / 2
            self._rows = array("d", second.tobytes())

    def mark(self) -> Mark:
        """Where it is now, for `back`."""
        return Mark(self._rows, len(self._rows), self.stride, self.steps, self._error, self._deployed, self.events)

    def back(self, mark: Mark) -> None:
        """Forget what came since."""
        self._rows, size, self.stride, self.steps, self._error, self._deployed, self.events = mark
        del self._rows[size:]

    def say(self, event: str) -> None:
        """Something has happened with the observation that was added last."""
        self.events = [*self.events, (self.steps, event)][-MOST_EVENTS:]

    def state(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "rows": self.rows.tolist(), "events": [list(event) for event in self.events], "stride": self.stride,
            "steps": self.steps, "sums": [self._error, self._deployed],
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state`."""
        self._rows = array("d", np.array(state["rows"], float).reshape(-1, len(COLUMNS)).tobytes())
        self.events = [(int(step), str(event)) for step, event in state["events"]]
        self.stride, self.steps = int(state["stride"]), int(state["steps"])
        self._error, self._deployed = map(float, state["sums"])

    def plot(self, ax: Any = None) -> Any:
        """Draw both errors over the observations, a line wherever other weights begin to answer; returns the axes.

        matplotlib is needed (extra ``plot``).
        """
        from ..plot.styling import BLUE, GREY, VERMILION, drawing, legend_above

        steps, error, deployed, _ = self.rows.T
        with drawing(ax) as ax:
            ax.plot(steps, deployed, color=VERMILION, linestyle=(0, (4, 1.5)), label="deployed weights")
            ax.plot(steps, error, color=BLUE, label="answers")
            for step, event in self.events:
                if event.endswith("answer"):
                    ax.axvline(step, color=GREY, linewidth=0.6)
            if self.rows[:, 1:3].size and self.rows[:, 1:3].min() > 0:
                ax.set_yscale("log")
            ax.set(xlabel="observation", ylabel="squared error")
            legend_above(ax)
        return ax
