"""Metrics of classes by hand."""

import numpy as np
import pytest

from ltc_np.metrics import F1, Accuracy


def test_f1_by_hand():
    metric = F1()
    logits = np.eye(4)[[0, 0, 1, 1, 0]]
    metric.update(logits, np.array([0, 1, 1, 2, 0]))
    # class 0: TP 2, FP 1, FN 0 -> 4/5;  1: TP 1, FP 1, FN 1 -> 1/2;  2: never predicted -> 0;  3: nowhere
    assert metric.result() == pytest.approx((4 / 5 + 1 / 2 + 0) / 3, rel=1e-15)
    metric.reset()
    metric.update(np.array([[-1.0], [-2.0]]), np.array([0, 0]))
    assert metric.result() == 0.0  # no positive anywhere
    metric.update(np.array([[1.0], [0.0]]), np.array([True, True]))  # logit 0 is a no
    assert metric.result() == pytest.approx(2 / 3, rel=1e-15)


def test_accuracy_by_hand():
    metric = Accuracy()
    metric.update(np.array([[[1.0, 1.0], [0.0, 2.0]]]), np.array([[0, 0]]))  # the first of equal logits
    assert metric.result() == 0.5
    metric = Accuracy()
    metric.update(np.array([[0.0], [0.1], [-1.0]]), np.array([[0.0], [0.9], [1.0]]), np.array([1, 2, 3]))
    assert metric.result() == 0.5
