"""Which sequences are held out of a training, to stop it by, or to choose the share of a line."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from ..base.types import Array, Ints
from ..shortcut import beside
from .inputs import Inputs
from .targets import Targets

PAIRS, FEWEST = 50, 4  # neighbours that are compared, and steps that they must share


def choose(data: Inputs, wanted: Targets, share: float, rng: Any, *, any_number: bool) -> tuple[Ints, Ints]:
    """The numbers of the sequences that are held out, and of those that are learned from.

    Of ``any_number`` so many are held out that all classes may be there; else what is alone in its class is not held
    out, since nothing else would be learned of that.  Of windows of a series, which overlap, it is the last ones, and
    those that share steps with them are learned from only where few others are left: a network knows by heart what it
    has seen in a neighbour.
    """
    classes = None if wanted.classes is None or wanted.every_step else wanted.values
    rows, n = np.arange(len(wanted.values)), len(wanted.values)
    several = None if classes is None else np.bincount(classes) > 1
    near = overlap(data) if classes is None else 0
    if any_number:
        least = beside.FEWEST if classes is None else wanted.outputs
        share = min(0.5, max(share, min(0.25, max(beside.ENOUGH, near) / n), least / n))
        classes = None if several is None or not several.all() else classes
    elif classes is not None and several is not None and several.any():
        rows = rows[several[classes]]
        share = several.sum() / len(rows) if np.ceil(share * len(rows)) < several.sum() else share
        classes = classes[rows]
    if near:
        first = n - int(np.ceil(share * n))
        return rows[first:], rows[: max(first - near, min(first, -(-n // 2)))]
    held = rows[train_test_split(np.arange(len(rows)), test_size=share, random_state=rng, stratify=classes)[1]]
    return held, np.setdiff1d(np.arange(n), held)


def overlap(data: Inputs) -> int:
    """How many sequences later one still shares steps with this one, if they are windows of series in their order, one
    a few steps after the other; else 0."""
    x, lengths = data.x, data.own_lengths
    pairs = np.unique(np.linspace(0, len(x) - 2, min(PAIRS, len(x) - 1)).astype(int)) if len(x) > 1 else ()
    found = np.array([_later(x[k, : lengths[k]], x[k + 1, : lengths[k + 1]]) for k in pairs])
    if not len(found) or (found > 0).mean() < 0.8:
        return 0
    return int(-(-max(lengths) // np.median(found[found > 0]))) - 1


def _later(first: Array, second: Array) -> int:
    """By how many steps a sequence (n, F) begins after another one, whose last steps it has; 0 if it does not."""
    if not len(second):
        return 0
    starts: list[int] = (np.flatnonzero((first[1:] == second[0]).all(axis=1)) + 1).tolist()
    for start in starts:
        same = min(len(first) - start, len(second))
        own = first[start : start + same]
        if same >= FEWEST and np.array_equal(own, second[:same]) and (own != own[0]).any():
            return start
    return 0
