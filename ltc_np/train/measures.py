"""The metrics of a training or an evaluation: read, looked at beforehand, shown batches, asked for their values."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, metrics
from ..base import checks
from ..base.types import Array, LibraryLoss, Measured, Numbers
from ..metrics.own import OwnMetric
from ..network.network import Network
from ..network.outputs import check_logits
from .data.batches import Batches
from .ranks.communication import ALONE, Alone

if TYPE_CHECKING:
    from ..metrics.base import Metric, Metrics

CHECKED = 1 << 18  # numbers that `check_measures` makes up at once


def read_metrics(given: Metrics, model: Network, loss: LibraryLoss) -> dict[str, Metric]:
    """Metrics by name, of what a user gave for ``metrics``; the loss is from `losses.get`."""
    if given is None or isinstance(given, str) or callable(given) or isinstance(given, metrics.Metric):
        given = () if given is None else (given,)
    if not isinstance(given, (list, tuple)):
        raise TypeError(
            f"`metrics` must be a sequence of names, functions and Metric objects, got {checks.brief(given)}"
        )
    # Copies: a callback may evaluate with the same object in the middle of an epoch.
    found = [copy.copy(metrics.get(metric, "metrics")) for metric in given]
    measures = {metric.name: metric for metric in found}
    for name in measures:
        if name == "loss" or name.startswith("val_"):
            raise ValueError(f"`metrics` must not be named loss or val_*, got {name!r}")
    if len(measures) < len(found):
        raise ValueError(f"`metrics` must have different names, got {[metric.name for metric in found]}")
    for metric in found:
        if metric.takes_logits:
            check_logits(model, f"the metric {metric.name}")
            if losses.takes_weight(loss) and not losses.has_classes(loss):  # outputs near 0 and 1, all above 0
                raise ValueError(
                    f"`loss` must be one of classes for the metric {metric.name}, which decides by logits, got "
                    f"{losses.name_of(loss)}: give 'cross_entropy' or, for targets of 0 and 1, 'binary_cross_entropy', "
                    "to `evaluate` too"
                )
        if isinstance(metric, OwnMetric):
            metric.loss = loss
        if losses.is_joint(loss) and not metric.takes_any_targets:
            raise ValueError(
                f"`metrics` must be functions for the loss {losses.name_of(loss)}, whose outputs are parameters of a "
                f"density and no predictions, got {metric.name}: take one of (y, target) that reads "
                "`ltc_np.losses.Mixture.of(y, outputs).mean()`"
            )
        metric.reset()
    return measures


def names_of_logs(measures: dict[str, Metric], validates: bool) -> Measured:
    """The names of what a training measures, and which value of each is better; see `Callback.measured`."""
    found: dict[str, Any] = {"loss": "min"} | {name: metric.mode for name, metric in measures.items()}
    return found | {f"val_{name}": mode for name, mode in found.items()} if validates else found


def check_measures(measures: dict[str, Metric], model: Network, data: Batches, whole: bool = True) -> None:
    """Refuse metrics that do not fit the targets of `Batches`, before a training changes anything.

    The library's are shown all targets, with outputs of 0; so are functions of a user's own, which are not called: what
    these make of targets only they know.  ``whole``: there are no other data, which might have what a metric needs.
    Copies of the metrics are used, since in a training that is resumed they have seen batches already.
    """
    kinds: tuple[type[Metric], ...] = OwnMetric, *metrics.METRICS.values()
    known = {name: copy.copy(metric) for name, metric in measures.items() if isinstance(metric, kinds)}
    for metric in known.values():
        metric.reset()
    _, target, _, mask = data.whole
    if not known or (mask is not None and not mask.any()):
        return
    shape = (data.steps // data.stride, model.output_size) if model.return_sequences else (model.output_size,)
    size = max(1, CHECKED // int(np.prod(shape)))
    for first in range(0, data.count, size):
        rows = slice(first, first + size)
        outputs = np.broadcast_to(model.dtype.type(0), (len(target[rows]), *shape))
        show(known, outputs, target[rows], None if mask is None else mask[rows])
    for metric in known.values():
        if whole and not isinstance(metric, OwnMetric):
            metric.result()


def show(measures: dict[str, Metric], outputs: Array, target: Numbers, mask: Numbers | None) -> None:
    """Show a batch to every metric; it may keep the outputs, which else lie in a workspace."""
    outputs = outputs.copy()
    for metric in measures.values():
        metric.update(outputs, target, mask)


def results(measures: dict[str, Metric], ranks: Alone = ALONE) -> dict[str, float]:
    """The values of metrics after what all ranks have shown them; the metrics then begin anew."""
    others = ranks.gather_others([metric.state() for metric in measures.values()]) if ranks.size > 1 else []

    def merged() -> dict[str, float]:
        for states in others:
            for metric, of_another in zip(measures.values(), states, strict=True):
                metric.merge(of_another)
        return {name: metric.result() for name, metric in measures.items()}

    values = ranks.run_on_first(merged)
    for metric in measures.values():
        metric.reset()
    return values


def check_mergeable(measures: dict[str, Metric]) -> None:
    """Refuse metrics that cannot be merged, such as a user's own without `_merge`."""
    for metric in measures.values():
        if not metric.mergeable:
            raise ValueError(
                f"`metrics` must define `_merge` with `comm`, since every rank sees only a part of the "
                f"data, got {type(metric).__name__}: give a function of (y, target), or evaluate afterwards"
            )
