"""Metrics of a user's own: ltc_np.metrics.own."""

from functools import partial

import numpy as np
import pytest

from ltc_np import losses
from ltc_np.metrics import Metric, get


def largest_error(y, target):
    return np.abs(y - target).max()


def test_own_metric_sees_all_valid_elements():
    metric = get(largest_error)
    assert isinstance(metric, Metric) and metric.name == "largest_error"
    assert repr(metric) == "<metric largest_error>"
    y = np.zeros((2, 3, 1))
    target = np.array([[[1.0], [2.0], [np.nan]], [[-4.0], [0.0], [0.0]]])
    weight = np.array([[1, 1, 0], [1, 1, 1]])
    metric.update(y, target, weight)
    y += 100  # a workspace that the caller uses again
    metric.update(np.ones((1, 1, 1)), np.zeros((1, 1, 1)))
    assert metric.result() == 4.0
    metric.reset()
    metric.update(np.ones((1, 1)), np.zeros((1, 1)))
    assert metric.result() == 1.0

    shapes = []
    metric = get(lambda y, target: shapes.append((y.shape, target.shape)) or 1)
    metric.update(np.ones((2, 3, 4)), np.zeros((2, 3), int))
    metric.update(np.ones((1, 2, 4)), np.zeros((1, 2), int))
    assert metric.result() == 1.0 and shapes == [((8, 4), (8,))]


def test_own_metric_is_checked():
    metric = get(largest_error)
    metric.update(np.ones((2, 1)), np.ones((2, 1)), [0.5, 0.5])  # equal ones are none
    metric.update(np.ones((2, 1)), np.ones((2, 1)), [0, 0.5])
    words = "`weight` must be 0 or one number for largest_error, which takes no `sample_weight`, got 0.5 and 1"
    for weight in ([0.5, 1], [1, 1]):
        with pytest.raises(ValueError, match=words):
            metric.update(np.ones((2, 1)), np.ones((2, 1)), weight)
    for value, kind in (("good", "str 'good'"), (np.ones(2), "an array of shape"), (None, "NoneType None")):
        metric = get(lambda y, target, value=value: value)
        metric.update(np.ones((2, 1)), np.ones((2, 1)))
        with pytest.raises(TypeError, match=f"must return a real number, got {kind}"):
            metric.result()
    metric = get(largest_error)
    metric.update(np.ones((3, 2)), np.array([[0, 0], [9, 9], [1, 2]]), [[1, 1], [0, 0], [1, 1]])  # whole steps
    assert metric.result() == 1.0
    with pytest.raises(ValueError, match="`weight` of largest_error must be the same for all outputs of a step"):
        get(largest_error).update(np.ones((2, 2)), np.ones((2, 2)), [[1, 0], [1, 1]])
    for wrong in (lambda y: 0.0, lambda estimator, x, y: 0.0):
        with pytest.raises(TypeError, match=r"`metrics` must be a function \(y, target\) or .*, got <lambda>: "):
            get(wrong, "metrics")


# Functions with the signatures of scikit-learn's, which keep what they are given.


class Given:
    """What a function was called with."""

    def accuracy_score(self, y_true, y_pred, *, normalize=True, sample_weight=None):
        self.y_true, self.y_pred, self.weight = y_true, y_pred, sample_weight
        return np.average(y_true == y_pred, weights=sample_weight)

    def roc_auc_score(self, y_true, y_score, *, average="macro"):
        self.y_true, self.y_pred, self.average = y_true, y_score, average
        return 0.5

    def hinge_loss(self, y_true, pred_decision):
        self.y_true, self.y_pred = y_true, pred_decision
        return 0.0

    def plain(self, y, target):
        self.y_true, self.y_pred = target, y
        return 0.0


def shown(function, y, target, loss=None, weight=None):
    """What a metric of the function makes of a batch."""
    metric = get(function)
    metric.loss = loss
    metric.update(y, target, weight)
    return metric.result()


RNG = np.random.default_rng(0)
LOGITS = {O: RNG.normal(size=(2, 3, O)) for O in (1, 2, 4)}
CLASSES = {O: RNG.integers(0, max(O, 2), (2, 3)) for O in LOGITS}
CROSS, BINARY = losses.get("cross_entropy"), losses.get("binary_cross_entropy")


def test_r2_is_that_of_the_library():
    """The trap: with the arguments swapped it was another number."""

    def r2_score(y_true, y_pred, *, sample_weight=None):
        return 1 - np.sum((y_true - y_pred) ** 2) / np.sum((y_true - y_true.mean()) ** 2)

    y, target = RNG.normal(size=(2, 3, 1)), RNG.normal(size=(2, 3, 1))
    ours = get("r2")
    ours.update(y, target)
    assert shown(r2_score, y, target) == pytest.approx(ours.result(), rel=1e-13)
    assert shown(r2_score, y, target, losses.get("mse")) == pytest.approx(ours.result(), rel=1e-13)


@pytest.mark.parametrize("O", LOGITS)
def test_y_pred_of_classes_are_decisions(O):
    given = Given()
    y, target = LOGITS[O], CLASSES[O]
    ours = get("accuracy")
    ours.update(y, target)
    assert shown(given.accuracy_score, y, target) == pytest.approx(ours.result(), rel=1e-15)
    flat = y.reshape(6, O)
    assert given.y_true.tolist() == target.ravel().tolist()
    assert given.y_pred.tolist() == (flat.argmax(1) if O > 1 else (flat[:, 0] > 0).astype(int)).tolist()
    assert given.y_pred.dtype.kind == given.y_true.dtype.kind == "i" and given.weight is None
    if O == 1:  # as `fit` has them for binary_cross_entropy
        assert shown(given.accuracy_score, y, target[..., None].astype(float), BINARY) == ours.result()
        assert given.y_true.shape == given.y_pred.shape == (6,)


@pytest.mark.parametrize("O", LOGITS)
def test_y_score_of_classes_are_probabilities(O):
    given = Given()
    shown(partial(given.roc_auc_score, average="weighted"), LOGITS[O], CLASSES[O])
    flat = LOGITS[O].reshape(6, O)
    p = np.exp(flat) / np.exp(flat).sum(1, keepdims=True)
    want = {1: 1 / (1 + np.exp(-flat[:, 0])), 2: p[:, -1]}.get(O, p)
    np.testing.assert_allclose(given.y_pred, want, rtol=1e-14)
    assert given.average == "weighted" and given.y_true.tolist() == CLASSES[O].ravel().tolist()


def test_every_output_a_class():
    given, rng = Given(), np.random.default_rng(2)
    y, target = rng.normal(size=(5, 3)), rng.uniform(size=(5, 3))
    shown(given.accuracy_score, y, target, BINARY)
    np.testing.assert_array_equal(given.y_true, target > 0.5)
    np.testing.assert_array_equal(given.y_pred, y > 0)
    shown(given.roc_auc_score, y, target, BINARY)
    np.testing.assert_allclose(given.y_pred, 1 / (1 + np.exp(-y)), rtol=1e-14)


def test_other_names_get_outputs():
    given = Given()
    for O in LOGITS:
        shown(given.hinge_loss, LOGITS[O], CLASSES[O])
        np.testing.assert_array_equal(
            given.y_pred, LOGITS[O].reshape(6, O)[:, 0] if O == 1 else LOGITS[O].reshape(6, O)
        )
        assert given.y_true.tolist() == CLASSES[O].ravel().tolist()
        shown(given.plain, LOGITS[O], CLASSES[O])
        np.testing.assert_array_equal(given.y_pred, LOGITS[O].reshape(6, O))
    shown(given.plain, LOGITS[1], CLASSES[1][..., None].astype(float), BINARY)
    assert given.y_true.dtype == float and given.y_true.shape == (6, 1)  # as it came
    numbers = CLASSES[1][..., None].astype(float)
    for loss in (None, losses.get("mse"), losses.get(lambda y, target: (0.0, y))):
        shown(given.accuracy_score, LOGITS[1], numbers, loss)
        np.testing.assert_array_equal(given.y_pred, LOGITS[1].reshape(6, 1))
    shown(given.accuracy_score, LOGITS[2], CLASSES[2], losses.get(lambda y, target: (0.0, y)))
    assert given.y_pred.shape == (6,)


def test_decisions_are_not_decided_again():
    """The habit of Keras, where y_pred are probabilities: argmax over decisions would be a number without meaning."""

    def share(y_true, y_pred):
        return np.mean(np.argmax(y_pred, axis=-1) == y_true)

    def method(y_true, y_pred):
        return np.mean(y_pred.argmax(-1) == y_true)

    for function in (share, method):
        with pytest.raises(ValueError, match="`y_pred` of a metric must be taken as it is, .*, got argmax"):
            shown(function, LOGITS[4], CLASSES[4])


def test_weights_are_given_to_who_takes_them():
    given, weight = Given(), np.array([[0.5, 0, 2.0], [1.0, 1.0, 0.25]])
    found = shown(given.accuracy_score, LOGITS[4], CLASSES[4], CROSS, weight)
    ours = get("accuracy")
    ours.update(LOGITS[4], CLASSES[4], weight)
    assert found == pytest.approx(ours.result(), rel=1e-15)
    assert given.weight.tolist() == [0.5, 2.0, 1.0, 1.0, 0.25]
    shown(given.accuracy_score, LOGITS[4], CLASSES[4], CROSS, 0.5 * (weight > 0))
    assert given.weight is None and given.y_true.size == 5


def test_a_state_holds_the_weight_that_was_seen():
    """A function without weights takes one number only, also after a training was resumed."""
    first, again = (get(lambda y, target: float(np.abs(y - target).mean())) for _ in range(2))
    first.update(np.ones((2, 1)), np.zeros((2, 1)), np.full(2, 0.5))
    again.load_state(first.state())
    assert again.result() == 1.0
    with pytest.raises(ValueError, match=r"`weight` must be 0 or one number .*, got 0\.5 and 2"):
        again.update(np.ones((2, 1)), np.zeros((2, 1)), np.full(2, 2.0))


def test_names_say_what_is_better():
    given = Given()
    assert get(given.accuracy_score).mode == "max" and get(given.hinge_loss).mode == "min"
    assert get(partial(given.roc_auc_score, average="micro")).name == "roc_auc_score"
    assert get(given.plain).mode is None
