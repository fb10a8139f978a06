"""Losses of a user's own: ltc_np.losses.own."""

import numpy as np
import pytest
from support.losses import problem, user

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
