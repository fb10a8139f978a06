"""After how many steps two runs from different states agree, measured at some places of the data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ...base.types import Array, Bools, Ints
    from ...base.workspace import Workspace
    from ...cells.base import Layer

FIRST = 32  # steps that bring the states apart, and before the first look
PLACES = 4  # in the data, at most
STEPS_OF_A_PLACE = 4096  # of all sequences: where there are fewer, the probe would cost too much


def agree(a: Array, b: Array, tolerance: float) -> Bools:
    """Whether states (..., K) agree: all numbers, or to ``tolerance`` relative to the largest of them.

    With a NaN in the same place in both they do: nothing is won by computing it again.
    """
    if tolerance == 0:
        return ((a == b) | (np.isnan(a) & np.isnan(b))).all(-1)
    size = np.maximum(np.abs(a), np.abs(b)).max(-1)
    return np.abs(a - b).max(-1) <= tolerance * size


def memory(
    layer: Layer,
    prepared: Any,
    x: Array,
    dt: Array,
    lengths: Ints,
    h0: Array,
    tolerance: float,
    most: int,
    workspace: Workspace,
) -> int | None:
    """Steps, at most ``most``, after which two runs agree at every place; None if they do not, or surely will not.

    One run begins at the place and from the initial state, the other `FIRST` steps before it: they meet the same inputs
    in states as different as those of the data are.
    """
    rows = np.flatnonzero(lengths >= FIRST + most)
    if rows.size == 0:
        return None
    count = min(PLACES, max(1, int(lengths[rows].sum()) // STEPS_OF_A_PLACE))
    rows = rows[np.linspace(0, rows.size - 1, count).astype(int)]
    places = ((lengths[rows] - FIRST - most) * np.linspace(0, 1, count)).astype(int)
    start = h0[rows]

    def run(states: Array, steps: int, after: int) -> Array:
        where = rows[:, None], places[:, None] + np.arange(after, after + steps)
        pairs = len(states) // count  # 1 before there are two
        inputs = np.concatenate([x[where]] * pairs), np.concatenate([dt[where]] * pairs)
        full = np.full(len(states), steps, np.int64)
        return layer.forward(prepared, *inputs, full, states, None, workspace)[1].copy()

    states = np.concatenate([start, run(start, FIRST, 0)])
    done, apart, steps = 0, math.inf, FIRST
    while done < most:
        steps = min(steps, most - done)
        states = run(states, steps, FIRST + done)
        done += steps
        one, other = states[:count], states[count:]
        if agree(one, other, tolerance).all():
            return done
        before, apart = apart, float(np.abs(one - other).max())
        size = float(np.abs(states).max()) * max(tolerance, float(np.finfo(x.dtype).eps))
        if _steps_left(before, apart, size, steps) > 2 * (most - done):
            return None
        steps = done
    return None


def _steps_left(before: float, apart: float, size: float, steps: int) -> float:
    """How many more it takes until states that came nearer by before / apart in some steps are ``size`` apart."""
    if not before < math.inf or not apart > size:
        return 0.0
    return math.log(apart / size) * steps / math.log(before / apart) if before > apart else math.inf
