"""Windows of series: what a forecaster is trained with, and what is held out to judge it by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base.types import Array, Ints
from .framing import Frame, Prepared, contexts, padded

SHORTEST, MOST, MOST_HELD_OUT = 64, 512, 256


class Windows(NamedTuple):
    """Stretches of series, padded at the end.

    Attributes
    ----------
    x : (B, T, features) array
    y : (B, T, ahead * F) array
        NaN is no target.
    dt : (B, T) array, or None
    lengths : (B,) int array
    """

    x: Array
    y: Array
    dt: Array | None
    lengths: Ints

    def data(self) -> dict[str, Any]:
        """The arguments of `fit` of a model."""
        return self._asdict()


def window_and_hop(frame: Frame, prepared: list[Prepared], horizon: int, window: int | None) -> tuple[int, int]:
    """Length of the windows, and how far one is from the next."""
    lengths = [len(one.values) - frame.lag for one in prepared]
    if window is None:
        window = max(2, min(max(lengths) // 2, max(SHORTEST, 2 * (horizon + frame.lag))))
    return window, 1 + sum(max(0, n - window) for n in lengths) // MOST


def training(frame: Frame, prepared: list[Prepared], length: int, hop: int) -> Windows:
    """Windows of at most ``length`` steps with targets at every step, one every ``hop`` steps back from the end.

    A series that is shorter gives one.
    """
    rows: list[tuple[Prepared, Ints]] = []
    for series in prepared:
        steps = np.arange(frame.lag, len(series.values) - frame.spare)
        for start in range(max(0, len(steps) - length), -1, -hop):
            rows.append((series, steps[start : start + length]))
    y = [frame.targets(series, at).reshape(len(at), -1) for series, at in rows]
    x, dt, lengths = contexts(frame, rows)
    return Windows(x, padded(y, np.nan), dt, lengths)


def cuts(frame: Frame, prepared: list[Prepared], share: float) -> list[int]:
    """Where each series is cut: its length where what is left would be too short to learn from, or to judge by."""
    found = []
    for one in prepared:
        T = len(one.values)
        cut = T - int(share * T)
        found.append(cut if cut > frame.lag + frame.spare + frame.ahead and T - cut >= frame.spare else T)
    return found


def held_out(frame: Frame, prepared: list[Prepared], ends: list[int], length: int) -> Windows | None:
    """Windows that end at steps from each cut on, with targets at their last step alone; None where nothing is cut."""
    rows: list[tuple[Prepared, Ints]] = [
        (one, np.arange(max(frame.lag, t + 1 - length), t + 1))
        for one, end in zip(prepared, ends, strict=True)
        for t in range(end - 1, len(one.values) - frame.spare)
        if end < len(one.values)
    ]
    rows = rows[:: 1 + len(rows) // MOST_HELD_OUT]
    if not rows:
        return None
    x, dt, lengths = contexts(frame, rows)
    y = np.full((*x.shape[:2], frame.ahead * len(frame.first)), np.nan)
    for target, (one, at) in zip(y, rows, strict=True):
        target[len(at) - 1] = frame.targets(one, at[-1:]).ravel()
    return None if np.isnan(y).all() else Windows(x, y, dt, lengths)
