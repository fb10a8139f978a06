"""Metrics of classes by hand."""

import numpy as np
import pytest

from ltc_np.metrics import F1, Accuracy, BalancedAccuracy


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


def test_a_soft_target_of_one_half_is_negative():
    y, target = np.array([[1.0], [-1.0], [1.0], [2.0]]), np.array([[0.5], [0.5], [0.51], [1.0]])
    for metric, expected in ((Accuracy(), 3 / 4), (F1(), 4 / 5), (BalancedAccuracy(), (1 + 1 / 2) / 2)):
        metric.update(y, target)
        assert metric.result() == pytest.approx(expected, rel=1e-15)


def test_balanced_accuracy_by_hand():
    metric = BalancedAccuracy()
    metric.update(np.eye(4)[[0, 0, 1, 1, 0]], np.array([0, 1, 1, 2, 0]))
    assert metric.result() == pytest.approx((1 + 1 / 2 + 0) / 3, rel=1e-15)  # of class 3 there is none
    metric = BalancedAccuracy()
    metric.update(np.array([[1.0], [2.0]]), np.array([1, 1]))
    assert metric.result() == 1.0
    metric = BalancedAccuracy()
    metric.update(np.array([[1.0, 1.0], [-1.0, 1.0]]), np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert metric.result() == (1 + 1 / 2) / 2
