"""Metrics of classes: shares of right decisions."""

import numpy as np

from .base import MeanMetric, Metric


def _decide(name, y, target):
    """Decisions and targets, both (n, 1) classes or (n, O) bools, and the number of classes (1 for bools)."""
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
    if classes > 1:
        return y.argmax(axis=1)[:, None], target, classes
    return y > 0, target > 0.5, 1


class Accuracy(MeanMetric):
    """Share of correct decisions, sum_i w_i [decision_i == target_i] / sum_i w_i.

    - Several outputs and integer targets of shape y.shape[:-1]: the decision is the largest logit (the first
    of
      equal ones).
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
    mode = "max"

    def _elements(self, y, target):
        decision, target, _ = _decide(self.name, y, target)
        return decision == target


class F1(Metric):
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
    mode = "max"

    def reset(self):
        super().reset()
        self._counts = None

    def _add(self, y, target, weight):
        decision, target, classes = _decide(self.name, y, target)
        if classes > 1:  # one column per class
            decision, target = (k == np.arange(classes) for k in (decision, target))
        cases = decision & target, decision & ~target, ~decision & target
        counts = np.stack([np.sum(weight[:, None] * case, axis=0) for case in cases])
        if self._counts is None:
            self._counts = np.zeros_like(counts)
        if counts.shape != self._counts.shape:
            before = self._counts.shape[1]
            raise ValueError(f"`y` must have {before} outputs as before, got {counts.shape[1]}")
        self._counts += counts

    def _value(self):
        hits, false_alarms, misses = self._counts
        size = 2 * hits + false_alarms + misses
        seen = size > 0
        return np.mean(2 * hits[seen] / size[seen]) if seen.any() else 0.0
