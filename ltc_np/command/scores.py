"""How good answers are, and tables of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import losses, metrics
from ..base.types import Array, Bools, Ints
from ..base.visible import visible
from ..losses import Mixture

if TYPE_CHECKING:
    from .task import Task

Scores = dict[str, float]


OF_CLASSES, OF_LOGITS, OF_NUMBERS = (
    ("accuracy", "balanced_accuracy"),
    ("cross_entropy", "calibration_error"),
    ("rmse", "mae", "r2"),
)
OF_DENSITIES = "log_likelihood"
AT_ONCE = 4096  # densities


def names(task: Task, densities: bool = False) -> list[str]:
    """What is measured; the first one is what tables show."""
    if task.labels is not None:
        return [*OF_CLASSES, *OF_LOGITS]
    if densities:
        return [OF_DENSITIES, *names(task)]
    return [_called(kind, name, task) for kind in OF_NUMBERS for name in task.target]


def _called(kind: str, target: str, task: Task) -> str:
    """The name of a measure of one target: with that of the target, where there are several."""
    return kind if len(task.target) == 1 else f"{kind} of {target}"


def score(task: Task, outputs: Array, y: Array, chosen: Bools, logits: bool = True) -> Scores | None:
    """Measures of (N, O) outputs against (N, O) or (N,) answers, those ``chosen`` and not missing; None without any.

    ``logits`` False: outputs of classes only say which is the largest, so that there is no cross-entropy.
    """
    if task.labels is not None:
        chosen = chosen & ~np.isnan(y)
        if not chosen.any():
            return None
        outputs, classes = outputs[chosen], y[chosen].astype(int)
        of_classes = {name: _metric(name, outputs, classes) for name in OF_CLASSES}
        if logits:
            total, weight, _ = losses.cross_entropy(outputs, classes)
            values = losses.normalise(total, weight), _metric("calibration_error", outputs, classes)
            of_classes |= dict(zip(OF_LOGITS, values, strict=True))
        return of_classes
    found: Scores = {}
    is_density = outputs.shape[1] != task.outputs
    complete = chosen & ~np.isnan(y).any(1)
    if is_density:
        if complete.any():
            found[OF_DENSITIES] = float(np.mean(np.concatenate(_log_likelihoods(task, outputs, y, complete))))
        outputs = np.concatenate([part.mean() for _, part in _densities(task, outputs, np.arange(len(y)))])
    for k, name in enumerate(task.target):
        known = chosen & ~np.isnan(y[:, k])
        if not known.any():
            return None
        guess, truth = outputs[known, k : k + 1], y[known, k : k + 1]
        found |= {_called(kind, name, task): _metric(kind, guess, truth) for kind in OF_NUMBERS}
    return {name: found[name] for name in names(task, is_density) if name in found}


def _densities(task: Task, outputs: Array, rows: Ints) -> Iterator[tuple[Ints, Mixture]]:
    """Some rows at a time, and what is said of them."""
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        yield part, Mixture.of(outputs[part], task.outputs)


def _log_likelihoods(task: Task, outputs: Array, y: Array, chosen: Bools) -> list[Array]:
    parts = _densities(task, outputs, np.flatnonzero(chosen))
    return [mixture.log_likelihood(y[rows]) for rows, mixture in parts]


def _metric(name: str, outputs: Array, y: Array) -> float:
    metric = metrics.get(name)
    metric.update(outputs, y)
    return metric.result()


def table(head: Sequence[str], rows: Mapping[str, Sequence[float | str | None]]) -> list[str]:
    """Lines of rows with names, numbers to the right."""
    cells = [list(map(visible, head))] + [[visible(name), *map(shown, values)] for name, values in rows.items()]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def shown(value: float | str | None) -> str:
    """A number in four digits."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
