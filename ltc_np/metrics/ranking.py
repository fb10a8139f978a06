"""Metrics of how well logits put the elements of a class before the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from ..base.types import Array, Bools, Mode, Numbers, State
from .base import Metric, columns, joined
from .classification import check_as_before, truth


class RankingMetric(Metric):
    """A metric of the order of all elements: it keeps them all.

    ``_score(score, positive, weight)``, arrays (n,), gives the value of one class, or None where it has none.  One
    output, or two with integer targets: the result is the value of class 1.  More: the mean over the classes, each
    against the rest (macro), or over the outputs when targets have y's shape.
    """

    takes_outputs = True
    needs: str = ""  # what there must be of some class

    _kept: list[Any]
    _shape: tuple[int, int]

    if TYPE_CHECKING:

        def _score(self, score: Array, positive: Bools, weight: Array) -> SupportsFloat | None: ...

    def reset(self) -> None:
        super().reset()
        self._kept = []

    def _add(self, y: Numbers, target: Numbers, weight: Array) -> None:
        target, classes = truth(self.name, y, target)
        # Copies: they were picked by a mask.  Weights of outputs in one batch may be those of steps in another.
        self._merge_kept([(y, target, np.broadcast_to(columns(weight), y.shape))], (y.shape[1], classes))

    def _merge(self, state: State) -> None:
        self._merge_kept(state["_kept"], tuple(state["_shape"]))

    def _merge_kept(self, kept: Any, shape: tuple[int, int]) -> None:
        if self._kept:
            check_as_before((self._shape[0], self._shape[1] > 1), (shape[0], shape[1] > 1))
        self._shape = shape
        self._kept += kept

    def state(self) -> State:
        return super().state() | {"_kept": joined(self._kept)}

    def _value(self) -> SupportsFloat:
        y, target, weight = map(np.concatenate, zip(*self._kept, strict=True))
        y, classes = y.astype(np.float64), self._shape[1]
        if classes > 1:
            y = log_odds(y)
            target = target == np.arange(classes)
            if classes == 2:
                y, target = y[:, 1:], target[:, 1:]
        if np.isnan(y).any():
            return np.nan
        weight = weight[:, : y.shape[1]]  # all columns are one where targets are classes
        there = [(k, weight[:, k] > 0) for k in range(y.shape[1])]
        found = [self._score(y[rows, k], target[rows, k], weight[rows, k]) for k, rows in there if rows.any()]
        values: list[Any] = [value for value in found if value is not None]
        if not values:
            raise ValueError(f"`{self.name}` must see {self.needs} before result, got none")
        return np.mean(values)


def log_odds(y: Array) -> Array:
    """log(p / (1 - p)) of the softmax p of logits (n, O), O >= 2: it orders as p does, but never rounds to a tie.

    With y_o - log(sum of exp(y) over the other outputs), summed from both sides, so that nothing cancels; in the order
    of their sizes, so that equal p come of equal numbers in whatever outputs these stand.
    """
    order = np.argsort(y, axis=1, kind="stable")
    y = np.take_along_axis(y, order, axis=1)
    before = np.logaddexp.accumulate(y, axis=1)
    after = np.logaddexp.accumulate(y[:, ::-1], axis=1)[:, ::-1]
    others = np.empty_like(y)
    others[:, 0], others[:, -1] = after[:, 1], before[:, -2]
    others[:, 1:-1] = np.logaddexp(before[:, :-2], after[:, 2:])
    larger = np.concatenate([np.ones((len(y), 1), bool), y[:, 1:] > y[:, :-1]], axis=1)
    first = np.maximum.accumulate(np.where(larger, np.arange(y.shape[1]), 0), axis=1)  # of outputs that are equal
    odds = np.empty_like(y)
    np.put_along_axis(odds, order, y - np.take_along_axis(others, first, axis=1), axis=1)
    return odds


def _steps(score: Array, positive: Bools, weight: Array) -> list[Array]:
    """Sums of positive and of negative weights, (m,) each, for each of the m different scores, from the top."""
    order = np.argsort(-score, kind="stable")
    score, positive, weight = score[order], positive[order], weight[order]
    starts = np.flatnonzero(np.concatenate([[True], score[1:] != score[:-1]]))
    return [np.add.reduceat(np.where(side, weight, 0.0), starts) for side in (positive, ~positive)]


class ROCAUC(RankingMetric):
    """Area under the receiver operating characteristic.

    It is the share of pairs of a positive and a negative element in which the positive one has the larger score s;

        sum w_i w_j ([s_i > s_j] + [s_i == s_j] / 2) / sum w_i w_j        over positive i, negative j

    - One output: s is the logit.
    - Several outputs and integer targets: of two outputs, s is the difference of the logits.  Of more, the result is
      the mean over the classes, each against the rest (macro), where s orders as the probability of the class does.
    - Targets of y's shape: the mean over the outputs.

    Targets are those of `Accuracy`.  A class without a positive or without a negative element has no area and is left
    out of the mean; if none is left, that is a ValueError.  The area is exact over all batches: outputs, targets and
    weights of all elements are kept, and sorted for the result.

    Examples
    --------
    >>> metric = ROCAUC()
    >>> metric.update(np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([0, 0, 1, 1]))
    >>> metric.result()
    0.75
    """

    name = "roc_auc"
    foreign_names = "auc auroc roc_auc_score"
    mode: Mode | None = "max"
    needs = "a positive and a negative target of some class"

    def _score(self, score: Array, positive: Bools, weight: Array) -> SupportsFloat | None:
        hits, alarms = _steps(score, positive, weight)
        above = np.cumsum(hits) - hits
        pairs = hits.sum() * alarms.sum()
        return (alarms * (above + hits / 2)).sum() / pairs if pairs > 0 else None


class AveragePrecision(RankingMetric):
    """Precision at every threshold, averaged by the recall that is gained there, thresholds falling:

        sum_k (recall_k - recall_{k-1}) precision_k

    with one threshold for each different score, and nothing between them, as in scikit-learn.  Scores, targets, means
    and memory are those of `ROCAUC`.  A class without a positive element is left out; if none is left, that is a
    ValueError.

    Examples
    --------
    >>> metric = AveragePrecision()
    >>> metric.update(np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([0, 0, 1, 1]))
    >>> round(metric.result(), 6)
    0.833333
    """

    name = "average_precision"
    foreign_names = "average_precision_score pr_auc"
    mode: Mode | None = "max"
    needs = "a positive target of some class"

    def _score(self, score: Array, positive: Bools, weight: Array) -> SupportsFloat | None:
        hits, alarms = _steps(score, positive, weight)
        found = np.cumsum(hits)
        precision = found / (found + np.cumsum(alarms))
        return (hits * precision).sum() / found[-1] if found[-1] > 0 else None
