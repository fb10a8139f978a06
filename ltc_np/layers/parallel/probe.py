"""After how many steps two runs from different states agree, measured at some places of the data."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...base.types import Array, Ints, Keep
from ...base.workspace import Workspace
from .agree import apart_by, near, smallest
from .task import Task

FIRST = 32  # steps that bring the states apart, and before the first look
WINDOWS = 8  # in the data: two runs of each fill a vector, and a step takes hardly longer than with one


def memory(task: Task, tolerance: float, most: int, workspace: Workspace) -> int | None:
    """Steps, at most ``most``, after which two runs agree at every place; None if they do not, or surely will not.

    One run begins at the place and from the initial state, the other `FIRST` steps before it: they meet the same inputs
    in states as different as those of the data are.
    """
    windows = ProbeWindows.of(task, FIRST + most)
    if windows is None:
        return None
    start = task.h0[windows.rows]
    states = np.concatenate([start, windows.run(task, start, 0, FIRST, None, workspace)[1]])
    done, apart, steps = 0, math.inf, FIRST
    while done < most:
        steps = min(steps, most - done)
        states = windows.run(task, states, FIRST + done, steps, None, workspace)[1].copy()
        done += steps
        one, other = np.split(states, 2)
        if _agree(one, other, tolerance):
            return done
        before, apart = apart, float(np.abs(one - other).max())
        size = float(np.abs(states).max()) * max(tolerance, float(np.finfo(task.x.dtype).eps))
        if steps_left(before, apart, size, steps) > 2 * (most - done):
            return None
        steps = max(FIRST, done // 4)
    return None


def fading(task: Task, keep: Keep, steps: int, most: int, left: float, workspace: Workspace) -> int | None:
    """How many steps backwards it takes until at most the share ``left`` of an adjoint remains, at every place.

    The answer is at least ``steps``; it is None if more than ``most`` are needed.

    States may agree although something is left of their difference that is small beside them.  An adjoint adds up what
    many outputs say, and there it may be large.
    """
    for _ in range(2):
        windows = ProbeWindows.of(task, FIRST + steps) if steps <= most else None
        if windows is None:
            return None
        state = windows.run(task, task.h0[windows.rows], 0, FIRST, None, workspace)[1].copy()
        y, _, tape = windows.run(task, state, FIRST, steps, keep, workspace)
        d_h = np.random.default_rng(0).normal(size=state.shape).astype(state.dtype)
        nothing = task.layer.layout.arrays(np.zeros(task.layer.layout.size))
        d_start = task.layer.backward(
            task.prepared, tape, np.zeros_like(y), d_h, nothing, False, False, workspace.child("adjoint")
        )[1]
        ratio = float((np.abs(d_start).max(1) / np.abs(d_h).max(1)).max(initial=0))
        if ratio <= left:
            return steps
        if not ratio < 1:
            return None
        steps = 1 + int(1.1 * steps * math.log(left) / math.log(ratio))
    return None


class ProbeWindows(NamedTuple):
    """`WINDOWS` places of the data, spread over sequences and time: rows, and first steps."""

    rows: Ints
    first: Ints

    @classmethod
    def of(cls, task: Task, steps: int) -> ProbeWindows | None:
        """With so many steps behind each; None if no sequence is that long."""
        rows = np.flatnonzero(task.lengths >= steps)
        if rows.size == 0:
            return None
        rows = rows[np.linspace(0, rows.size - 1, WINDOWS).astype(int)]
        return cls(rows, ((task.lengths[rows] - steps) * np.linspace(0, 1, WINDOWS)).astype(int))

    def run(
        self, task: Task, states: Array, after: int, steps: int, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        """Run so many steps, beginning ``after`` steps behind each place, from one state or several for each place."""
        where, repeats = self.first[:, None] + np.arange(after, after + steps), len(states) // len(self.rows)
        x, dt = (np.concatenate([array[self.rows[:, None], where]] * repeats) for array in (task.x, task.dt))
        lengths = np.full(len(states), steps, np.int64)
        return Task(task.layer, task.prepared, x, dt, lengths, states).forward(keep, workspace)


def steps_left(before: float, apart: float, size: float, steps: int) -> float:
    """How many more it takes until states that came nearer by before / apart in some steps are ``size`` apart."""
    if not before < math.inf or not apart > size:
        return 0.0
    return math.log(apart / size) * steps / math.log(before / apart) if before > apart else math.inf


def _agree(one: Array, other: Array, tolerance: float) -> bool:
    """Whether states at the places agree, to ``tolerance`` relative to the largest number of the same component."""
    agree = near(one, other, tolerance)
    if tolerance > 0:
        sizes = np.fmax(np.abs(one), np.abs(other))
        size = np.max(sizes, axis=0, where=np.isfinite(sizes), initial=smallest(one.dtype))
        agree |= apart_by(one, other) <= tolerance * size
    return bool(agree.all())
