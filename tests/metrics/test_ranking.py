"""Metrics of ranking by hand: ltc_np.metrics.ranking."""

import numpy as np
import pytest

from ltc_np.metrics import ROCAUC, AveragePrecision, get
from ltc_np.metrics.ranking import log_odds


def test_by_hand():
    logits, target = np.array([[3.0], [2.0], [2.0], [1.0]]), np.array([1, 0, 1, 0])
    metric = ROCAUC()
    metric.update(logits, target)
    assert metric.result() == (1 + 1 + 0.5 + 1) / 4
    metric = AveragePrecision()
    metric.update(logits, target)
    assert metric.result() == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3, rel=1e-15)


def test_a_perfect_and_a_wrong_order():
    target = np.array([0, 1, 1, 0, 0])
    for sign, area in ((1, 1.0), (-1, 0.0), (0, 0.5)):
        metric = ROCAUC()
        metric.update(sign * (2.0 * target[:, None] - 1), target)
        assert metric.result() == area
    metric = AveragePrecision()
    metric.update(np.zeros((5, 1)), target)
    assert metric.result() == pytest.approx(2 / 5, rel=1e-15)  # no order: the share of positives


def test_two_outputs_are_one_logit():
    """Their difference; also where probabilities would be rounded to 1."""
    rng = np.random.default_rng(0)
    logit, target = rng.normal(0, 100, (50, 1)), rng.integers(0, 2, 50)
    for name in ("roc_auc", "average_precision"):
        one, two = get(name), get(name)
        one.update(logit, target)
        two.update(np.concatenate([np.full_like(logit, 3.0), logit + 3.0], axis=1), target)
        assert two.result() == pytest.approx(one.result(), rel=1e-13)


def test_a_class_without_elements_is_left_out():
    rng = np.random.default_rng(1)
    y, target = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    for name in ("roc_auc", "average_precision"):
        metric = get(name)
        metric.update(y, target)
        alone = []
        for k in range(3):
            one = get(name)
            p = np.exp(y[:, [k]]) / np.exp(y).sum(axis=1, keepdims=True)
            one.update(p, target == k)
            alone.append(one.result())
        assert metric.result() == pytest.approx(np.mean(alone), rel=1e-13)


def test_one_class_alone():
    for name, value in (("roc_auc", None), ("average_precision", 1.0)):
        metric = get(name)
        metric.update(np.array([[1.0], [2.0]]), np.array([1, 1]))
        if value is None:
            with pytest.raises(ValueError, match="`roc_auc` must see a positive and a negative target of some class"):
                metric.result()
        else:
            assert metric.result() == value
    metric = AveragePrecision()
    metric.update(np.array([[1.0], [2.0]]), np.array([0, 0]))
    with pytest.raises(ValueError, match="`average_precision` must see a positive target of some class before result"):
        metric.result()


def test_log_odds():
    rng = np.random.default_rng(0)
    for O in (2, 3, 6):
        y = rng.normal(0, 3, (20, O))
        p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(log_odds(y), np.log(p / (1 - p)), rtol=1e-9, atol=1e-12)  # 1 - p loses digits
    # p of the first is 1 - 2e-44: no number of float64 is between it and 1
    np.testing.assert_allclose(log_odds(np.array([[100.0, 0.0, 0.0]]))[0, 0], 100 - np.log(2), rtol=1e-15)


@pytest.mark.parametrize("O", [3, 5, 8])
def test_equal_probabilities_have_equal_odds(O):
    """The same logits in other outputs: no sum of the others is rounded otherwise, nor among equals."""
    rng = np.random.default_rng(O)
    for y in (rng.normal(size=(200, O)), rng.integers(0, 3, (200, O)).astype(float)):
        places = np.argsort(rng.random(y.shape), axis=1)
        odds, moved = log_odds(y), log_odds(np.take_along_axis(y, places, axis=1))
        assert (np.take_along_axis(odds, places, axis=1) == moved).all()
        assert ((odds[:, :, None] == odds[:, None]) >= (y[:, :, None] == y[:, None])).all()
    y, metric = np.array([[0.0, 1, 2, 3, 4], [0, 4, 2, 3, 1]]), ROCAUC()
    metric.update(y, np.array([0, 1]))
    assert metric.result() == 0.75  # a tie of the first output, and the second decides


def test_scores_of_float32_and_integers():
    metric = ROCAUC()
    metric.update(np.array([[0], [250], [3]], np.uint8), np.array([0, 1, 0]))  # a sign would wrap around
    assert metric.result() == 1.0


@pytest.mark.parametrize("kind", [ROCAUC, AveragePrecision])
def test_weights_of_outputs_and_of_steps_in_turn(kind):
    """In one batch single targets are missing, in the next one all outputs of a step weigh alike."""
    rng = np.random.default_rng(5)
    y, target = rng.normal(size=(12, 2)), rng.integers(0, 2, (12, 2))
    weight = np.ones((12, 2))
    weight[1, 0] = weight[3, 1] = 0
    whole, batches = kind(), kind()
    whole.update(y, target, weight)
    for rows in (slice(0, 6), slice(6, 12)):
        batches.update(y[rows], target[rows], weight[rows])
    assert batches.result() == pytest.approx(whole.result(), rel=1e-14)
