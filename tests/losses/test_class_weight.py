"""The weights of classes, as users give them: ltc_np.losses.class_weight."""

import numpy as np
import pytest
from support.losses import user

from ltc_np.losses import get, read_class_weight

CROSS, BINARY = get("cross_entropy"), get("binary_cross_entropy")
TARGET = np.array([[0, 0, 2], [1, 0, 0]])


def read(class_weight, loss=CROSS, outputs=3, target=TARGET, mask=None):
    return read_class_weight(loss, class_weight, outputs, np.dtype(np.float32), target, mask)


def test_arrays_and_dicts():
    assert read(None) is None and read(None, get("mse")) is None and read(None, get(user)) is None
    for given in ([1, 2, 0.5], np.array([1, 2, 0.5]), {0: 1, 1: 2, 2: 0.5}, {np.int64(1): 2, 2: np.float32(0.5)}):
        found = read(given)
        assert found.dtype == np.float32 and found.tolist() == [1, 2, 0.5]
    assert read({}).tolist() == [1, 1, 1]
    assert read({True: 3.0}, BINARY, 1).tolist() == [1, 3]
    assert read([2.0, 3.0], BINARY, 5).tolist() == [2, 3]  # of every output


def test_balanced_by_hand():
    np.testing.assert_allclose(read("balanced"), [6 / (3 * 4), 6 / 3, 6 / 3], rtol=1e-7)
    mask = np.array([[1.0, 0, 0.5], [1, 1, 0]])  # 0, 2, 1, 0
    np.testing.assert_allclose(read("balanced", mask=mask), [4 / (3 * 2), 4 / 3, 4 / 3], rtol=1e-7)
    soft = np.array([[[1.0, 0.25]], [[0.0, 0.25]]])
    np.testing.assert_allclose(read("balanced", BINARY, 2, soft), [4 / (2 * 2.5), 4 / (2 * 1.5)], rtol=1e-7)
    single = np.array([[[True, True]], [[True, False]]])
    np.testing.assert_allclose(read("balanced", BINARY, 2, soft, single), [3 / (2 * 1.75), 3 / (2 * 1.25)], rtol=1e-7)


def test_balanced_classes_weigh_the_same():
    rng = np.random.default_rng(0)
    target, mask = rng.choice(4, (20, 5), p=[0.7, 0.1, 0.1, 0.1]), rng.integers(0, 2, (20, 5))
    weights = read("balanced", CROSS, 4, target, mask)
    sums = [(weights[target] * mask)[target == c].sum() for c in range(4)]
    np.testing.assert_allclose(sums, mask.sum() / 4, rtol=1e-6)  # float32


@pytest.mark.parametrize(
    ("given", "loss", "error", "message"),
    [
        ({3: 1.0}, CROSS, ValueError, r"`class_weight` must name classes in 0\.\.2, got 3"),
        ({-1: 1.0}, CROSS, ValueError, r"`class_weight` must name classes in 0\.\.2, got -1"),
        ({"cat": 1.0}, CROSS, TypeError, r"`class_weight` must name classes in 0\.\.2, got 'cat'"),
        ({1.0: 1.0}, CROSS, TypeError, r"`class_weight` must name classes in 0\.\.2, got 1.0"),
        ({1: -2.0}, CROSS, ValueError, r"`class_weight\[1\]` must be a finite number >= 0, got -2.0"),
        ({1: "2"}, CROSS, TypeError, r"`class_weight\[1\]` must be a finite number >= 0, got '2'"),
        ("balance", CROSS, ValueError, "`class_weight` must be one of 'balanced', got 'balance'"),
        ([1.0, 2.0], CROSS, ValueError, "`class_weight` must be 3 real numbers, got list"),
        (3.0, CROSS, ValueError, "`class_weight` must be 3 real numbers, got float 3.0"),
        ({1: 2.0}, get("mse"), ValueError, "`class_weight` must be None for a loss without classes, got {1: 2.0}"),
        (
            "balanced",
            get("huber"),
            ValueError,
            "`class_weight` must be None for a loss without .* got 'balanced'",
        ),
        ({1: 2.0}, get(user), ValueError, r"`class_weight` must be None with a loss of your own \(user\), got one"),
    ],
)
def test_what_is_refused(given, loss, error, message):
    with pytest.raises(error, match=message):
        read(given, loss)


def test_of_a_loss_of_ones_own():
    """One that has a parameter for them; of one output there are two classes."""

    def own(y, target, class_weight=None):
        return user(y, target)

    loss = get(own)
    assert read({1: 3.0}, loss).tolist() == [1, 3, 1]
    assert read({1: 3.0}, loss, 1).tolist() == [1, 3]
    np.testing.assert_allclose(read("balanced", loss), read("balanced"), rtol=1e-7)
    whole = np.ones((2, 3, 1))
    for target, mask in ((TARGET + 1, None), (TARGET - 1, None), (TARGET / 2, None), (TARGET, whole)):
        with pytest.raises(
            ValueError, match=r"`class_weight` must be numbers, .* not classes 0\.\.2, .* got \"balanced\""
        ):
            read("balanced", loss, 3, target, mask)


def test_balanced_needs_every_class():
    with pytest.raises(
        ValueError, match='`class_weight` of "balanced" needs an element of every class, got none of class 1'
    ):
        read("balanced", target=np.array([[0, 2, 2]]))
    with pytest.raises(ValueError, match="got none of class 0: give the weights as a dict"):
        read("balanced", BINARY, 1, np.ones((4, 1)))
