"""Metrics of classes: shares of right decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from ..base import checks
from ..base.types import Array, Mode, Numbers, State
from ..losses.probabilities import logistic, probabilities
from .base import MeanMetric, Metric, columns


def truth(name: str, y: Numbers, target: Numbers) -> tuple[Numbers, int]:
    """Targets as (n, 1) classes, or as (n, O) bools where every output decides by itself.

    Parameters
    ----------
    name : str
        What errors call the metric.
    y : (n, O) array
        Logits.
    target : (n,) or (n, O) array
        As `Accuracy` says.

    Returns
    -------
    target : (n, 1) or (n, O) array
    classes : int
        How many there are; 1 for bools.
    """
    classes, top = 1, 1
    rule = "in [0, 1]"
    if target.ndim == 1:
        if target.dtype.kind not in "biu":
            raise TypeError(f"`target` of {name} must be integer classes, got dtype {target.dtype}")
        target, classes = target[:, None], y.shape[1]
        top = max(classes - 1, 1)
        rule = f"classes in 0..{top}"
    outside = ~((target >= 0) & (target <= top))  # also true for NaN
    if outside.any():
        raise ValueError(f"`target` of {name} must be {rule}, got {target[outside].flat[0]}")
    return (target, classes) if classes > 1 else (target > 0.5, 1)


def decide(name: str, y: Numbers, target: Numbers) -> tuple[Numbers, Numbers, int]:
    """Decisions, and targets as `truth` gives them, of the same shape; and the number of classes (1 for bools)."""
    target, classes = truth(name, y, target)
    return y.argmax(axis=1)[:, None] if classes > 1 else y > 0, target, classes


def check_as_before(before: tuple[int, bool], now: tuple[int, bool]) -> None:
    """Refuse a batch that does not go together with those before: (outputs, whether targets are classes of them)."""
    if now[0] != before[0]:
        raise ValueError(f"`y` must have {before[0]} outputs as before, got {now[0]}")
    if now[1] != before[1]:
        kinds = ("a value for every output", "one class for all outputs")
        raise ValueError(f"`target` must be {kinds[before[1]]} as before, got {kinds[now[1]]}: take two metrics")


class Accuracy(MeanMetric):
    """Share of correct decisions, sum_i w_i [decision_i == target_i] / sum_i w_i.

    - Several outputs and integer targets of shape y.shape[:-1]: the decision is the largest logit (the first of equal
      ones).
    - One output, integer or bool targets 0 or 1 of shape y.shape[:-1]: the decision is logit > 0.
    - Targets of y's shape, values in [0, 1]: every output decides by itself, logit > 0 against target > 0.5.

    Examples
    --------
    >>> metric = Accuracy()
    >>> metric.update(np.array([[0.1, 0.9], [0.8, 0.3], [0.4, 0.6]]), np.array([1, 0, 0]))
    >>> round(metric.result(), 6)
    0.666667
    """

    name = "accuracy"
    foreign_names = "acc accuracy_score categorical_accuracy sparse_categorical_accuracy binary_accuracy"
    mode: Mode | None = "max"
    takes_logits = True

    def _elements(self, y: Numbers, target: Numbers) -> Numbers:
        decision, target, _ = decide(self.name, y, target)
        return decision == target


class CountMetric(Metric):
    """A metric that needs of every class, or of every output, how often it was right and wrong.

    ``_score(hits, false_alarms, misses, rejections)``, arrays with an entry each, is its value.
    """

    takes_outputs = takes_logits = True

    _counts: Any

    if TYPE_CHECKING:

        def _score(self, hits: Array, false_alarms: Array, misses: Array, rejections: Array) -> SupportsFloat: ...

    def reset(self) -> None:
        super().reset()
        self._counts = None

    def _add(self, y: Numbers, target: Numbers, weight: Array) -> None:
        decision, target, classes = decide(self.name, y, target)
        if classes > 1:  # one column per class
            decision, target = (k == np.arange(classes) for k in (decision, target))
        cases = decision & target, decision & ~target, ~decision & target, ~decision & ~target
        self._merge_counts(np.stack([np.sum(columns(weight) * case, axis=0) for case in cases]), classes > 1)

    def _merge(self, state: State) -> None:
        self._merge_counts(state["_counts"], state["_by_class"])

    def _merge_counts(self, counts: Array, by_class: bool) -> None:
        if self._counts is None:
            self._by_class = by_class
            self._counts = np.zeros_like(counts)
        check_as_before((self._counts.shape[1], self._by_class), (counts.shape[1], by_class))
        self._counts += counts

    def _value(self) -> SupportsFloat:
        return self._score(*self._counts)


class F1(CountMetric):
    """F1 score, 2 TP / (2 TP + FP + FN) with weighted counts.

    One output: the score of the positive class.  Several: the mean over the classes (macro), or over the
    outputs when targets have y's shape.  Decisions and targets are those of `Accuracy`.

    Zero division: a class that is neither a target nor predicted anywhere has no score and is left out of the
    mean; if none is left, the result is 0.  A class that is a target and never predicted scores 0 and counts.

    Examples
    --------
    >>> metric = F1()
    >>> metric.update(np.array([[2.0], [-1.0], [3.0]]), np.array([1, 1, 1]))
    >>> metric.result()
    0.8
    """

    name = "f1"
    foreign_names = "f1_score f1score f1_macro"
    mode: Mode | None = "max"

    def _score(self, hits: Array, false_alarms: Array, misses: Array, rejections: Array) -> SupportsFloat:
        size = 2 * hits + false_alarms + misses
        there = size > 0
        return np.mean(2 * hits[there] / size[there]) if there.any() else 0.0


class BalancedAccuracy(CountMetric):
    """Mean over the classes of the share of their elements that is decided rightly, with weighted counts.

    The classes are those of integer targets, the two of one output, or the two of every output when targets have y's
    shape: then the result is the mean over the outputs.  Decisions and targets are those of `Accuracy`.  A class that
    is never a target has no share and is left out.

    Examples
    --------
    >>> metric = BalancedAccuracy()
    >>> metric.update(np.array([[-1.0], [-2.0], [-3.0], [1.0], [-1.0]]), np.array([0, 0, 0, 1, 1]))
    >>> metric.result()
    0.75
    """

    name = "balanced_accuracy"
    foreign_names = "balanced_accuracy_score"
    mode: Mode | None = "max"

    def _score(self, hits: Array, false_alarms: Array, misses: Array, rejections: Array) -> SupportsFloat:
        right, wrong = hits, misses
        if not self._by_class:  # each output has two classes
            right, wrong = np.stack([hits, rejections]), np.stack([misses, false_alarms])
        size = right + wrong
        share = np.where(size > 0, right / np.where(size > 0, size, 1.0), np.nan)
        if not self._by_class:
            share = share[:, (size > 0).any(axis=0)]  # an output may have no target at all
            return np.mean(np.nanmean(share, axis=0))
        return np.nanmean(share)


class CalibrationError(Metric):
    """Expected calibration error: how far the probability of a decision is from the share of right decisions.

    Elements are put into bins of equal width by the probability of their decision; the result is the sum over the bins
    of |sum_i w_i (p_i - [decision_i == target_i])| / sum of all w.  It is 0 for a network that is right in 80 % of the
    cases of which it says 80 %.  Decisions and targets are those of `Accuracy`; the probability is that of the class
    that was decided for, so at least 1 / O.

    Parameters
    ----------
    bins : int >= 1

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599,
    equation 3.

    Examples
    --------
    >>> metric = CalibrationError()
    >>> metric.update(np.log([[9.0, 1.0]] * 4), np.array([0, 0, 0, 1]))  # it says 90 %, and 3 of 4 are right
    >>> round(metric.result(), 6)
    0.15
    """

    name = "calibration_error"
    foreign_names = "ece expected_calibration_error"
    mode: Mode | None = "min"
    takes_outputs = takes_logits = True

    bins: int
    _gaps: Any
    _weight: Any

    def __init__(self, bins: int = 15) -> None:
        self.bins = checks.integer("bins", bins)
        super().__init__()

    def reset(self) -> None:
        super().reset()
        self._gaps, self._weight = np.zeros(self.bins), 0.0

    def _add(self, y: Numbers, target: Numbers, weight: Array) -> None:
        decision, target, classes = decide(self.name, y, target)
        y = y.astype(np.float64)
        p = probabilities(y).max(axis=1, keepdims=True) if classes > 1 else logistic(np.abs(y), np.exp(-np.abs(y)))[0]
        weight = np.broadcast_to(columns(weight), p.shape)
        where = np.minimum(np.nan_to_num(p) * self.bins, self.bins - 1).astype(int)
        gaps = np.bincount(where.ravel(), (weight * (p - (decision == target))).ravel(), self.bins)
        self._gaps, self._weight = self._gaps + gaps, self._weight + weight.sum()

    def _value(self) -> float:
        return np.abs(self._gaps).sum() / self._weight

    def _merge(self, state: State) -> None:
        self._gaps, self._weight = self._gaps + state["_gaps"], self._weight + state["_weight"]
