"""Losses of a user's own: ltc_np.losses.own."""

import numpy as np
import pytest
from support.losses import problem, user

from ltc_np import LSTM, Dense, Model
from ltc_np.losses import check_target, get


def test_own_loss():
    y, target = problem("mse")
    total, weight_sum, d_y = get(user)(y.astype(np.float32), target)
    assert total == pytest.approx(user(y, target)[0], rel=1e-6)  # float32 input
    assert weight_sum == 1.0 and d_y.dtype == np.float32
    for given_ in ({"weight": np.ones((3, 4))}, {"class_weight": np.ones(5)}):
        with pytest.raises(ValueError, match=f"`{next(iter(given_))}` must be None with a loss of your own"):
            get(user)(y, target, **given_)


def test_own_loss_gets_back_what_it_gave():
    """The caller scales d_y in place; an array that the function keeps must not change with it."""
    kept = np.ones((2, 3))
    d_y = get(lambda y, target: (np.float32(1), kept))(np.zeros((2, 3)), np.zeros((2, 3)))[2]
    d_y *= 5
    assert kept.sum() == 6


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (3.0, TypeError, "a tuple .value, d_y., got float 3.0"),
        ((1.0, 2.0, 3.0), TypeError, "a tuple .value, d_y., got a tuple of 3"),
        ((np.ones(2), np.ones((2, 3))), TypeError, r"one real number as value, got float64 of shape \(2,\)"),
        (("one", np.ones((2, 3))), TypeError, "one real number as value, got str 'one'"),
        ((None, np.ones((2, 3))), TypeError, "one real number as value, got NoneType None"),
        ((1j, np.ones((2, 3))), TypeError, "one real number as value, got complex 1j"),
        ((1.0, np.ones(3)), ValueError, r"a real d_y of shape \(2, 3\), got float64 of shape \(3,\)"),
        ((1.0, 1j * np.ones((2, 3))), ValueError, r"a real d_y of shape \(2, 3\), got complex128"),
    ],
)
def test_own_loss_must_return_value_and_derivative(result, error, message):
    def mine(y, target):
        return result

    with pytest.raises(error, match="mine must return .*" + message):
        get(mine)(np.zeros((2, 3)), np.zeros((2, 3)))


def test_own_loss_gets_any_numeric_target():
    assert check_target(user, (2, 3, 1), np.arange(14).reshape(2, 7), np.float32).dtype == np.intp
    assert check_target(user, (2, 3, 1), np.ones((2, 7)), np.float32).dtype == np.float32
    assert check_target(user, (2, 3, 1), np.ones((2, 7), bool), np.float32).dtype == bool
    valid = np.zeros((2, 3), bool)
    assert check_target(user, (2, 3, 1), np.ones((2, 7)), np.float32, valid).all()  # not one target per step


def test_the_order_of_arguments_is_read_from_their_names():
    """`(y_true, y_pred)`, the habit of Keras, gets the target first; y_pred are the outputs."""
    y, target = problem("mse")

    def keras_like(y_true, y_pred):
        return user(y_pred, y_true)

    np.testing.assert_equal(get(keras_like)(y, target), get(user)(y, target))


@pytest.mark.parametrize("bad", [lambda y: 0.0, lambda: 0.0, lambda y, target, weight: 0.0])
def test_a_function_that_does_not_take_two_arguments_is_refused_at_once(bad):
    with pytest.raises(
        TypeError, match=r"`loss` must be a function \(y, target\) or \(y_true, y_pred\), got <lambda>: "
    ):
        get(bad)


def weighted(y, target, class_weight=None):
    """Cross-entropy by its definition, with probabilities of the labels (B,)."""
    p = np.exp(y - y.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    w = np.ones(len(y)) if class_weight is None else class_weight[target]
    d_y = p.copy()
    d_y[np.arange(len(y)), target] -= 1
    value = -(w * np.log(p[np.arange(len(y)), target])).sum() / w.sum()
    return value, w[:, None] * d_y / w.sum()


@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 2: 0.5}, "balanced"])
def test_own_loss_is_given_the_weights_of_classes(class_weight, rng):
    """A training by one's own weighted cross-entropy is that by the library's, up to rounding."""
    x, y = rng.normal(size=(24, 5, 2)), np.repeat(np.arange(3), (4, 8, 12))
    found = []
    for loss in (weighted, "cross_entropy"):
        model = Model(LSTM(3), Dense(3), input_dim=2, seed=0, dtype="float64", return_sequences=False)
        history = model.fit(x, y, loss=loss, class_weight=class_weight, epochs=3, batch_size=24, seed=0, verbose=False)
        found.append([model.theta, history["loss"], model.evaluate(x, y, loss=loss, class_weight=class_weight)["loss"]])
    for own, known in zip(*found, strict=True):
        np.testing.assert_allclose(own, known, rtol=1e-9)


def test_the_weights_of_classes_are_the_functions_own():
    """It may write to them, and may not count them on if there are none."""
    seen = []

    def loss(y, target, class_weight=None):
        seen.append(None if class_weight is None else class_weight.copy())
        if class_weight is not None:
            class_weight[:] = -1
        return 1.0, y

    weight = np.array([1.0, 2.0])
    get(loss)(np.zeros((2, 2)), np.zeros(2, int), class_weight=weight)
    get(loss)(np.zeros((2, 2)), np.zeros(2, int))
    assert seen[0].tolist() == weight.tolist() == [1.0, 2.0] and seen[1] is None
