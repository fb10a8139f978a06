"""Checks of numbers and words: the wrong kind is a TypeError, what is out of range a ValueError."""

from fractions import Fraction

import numpy as np
import pytest

from ltc_np.base import checks


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_integers(value):
    assert checks.integer("n", value) == 3 and type(checks.integer("n", value)) is int
    assert checks.integer("n", value, 3, 3) == 3


@pytest.mark.parametrize(
    ("value", "limits", "error", "message"),
    [
        (0, (), ValueError, "`n` must be an int >= 1, got 0"),
        (np.int64(-1), (0,), ValueError, "`n` must be an int >= 0, got"),
        (6, (2, 5), ValueError, "`n` must be an int in 2..5, got 6"),
        (2.0, (), TypeError, "`n` must be an int >= 1, got 2.0"),
        (True, (), TypeError, "`n` must be an int >= 1, got True"),
        (np.bool_(True), (), TypeError, "`n` must be an int >= 1, got"),
        ("2", (2, 5), TypeError, "`n` must be an int in 2..5, got '2'"),
        (None, (), TypeError, "got None"),
        (np.ones((2, 3), int), (), TypeError, r"got an array of shape \(2, 3\)"),
    ],
)
def test_what_is_no_such_integer(value, limits, error, message):
    with pytest.raises(error, match=message):
        checks.integer("n", value, *limits)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2)])
def test_numbers(value):
    found = checks.number("r", value)
    assert found == 0.5 and type(found) is float
    assert checks.number("r", value, 0.5, 0.5) == 0.5


def test_ends_of_a_range():
    assert [checks.number("r", value, 0, 1) for value in (0, 1, 1.0, np.int8(1))] == [0, 1, 1, 1]
    assert checks.number("r", -1e300, low=-np.inf) == -1e300
    for value, open_end in ((0, "low_open"), (0.0, "low_open"), (1, "high_open"), (1.0, "high_open")):
        with pytest.raises(ValueError, match=r"`r` must be a finite number in [(\[]0, 1[)\]], got"):
            checks.number("r", value, 0, 1, **{open_end: True})


@pytest.mark.parametrize(
    ("value", "limits", "error", "message"),
    [
        (-0.1, {}, ValueError, "`r` must be a finite number >= 0, got -0.1"),
        (0, {"low_open": True}, ValueError, "`r` must be a finite number > 0, got 0"),
        (1, {"high": 1, "high_open": True}, ValueError, r"`r` must be a finite number in \[0, 1\), got 1"),
        (0.0, {"high": 1, "low_open": True}, ValueError, r"`r` must be a finite number in \(0, 1\], got 0.0"),
        (2, {"high": 1}, ValueError, r"`r` must be a finite number in \[0, 1\], got 2"),
        (np.nan, {}, ValueError, "`r` must be a finite number >= 0, got nan"),
        (np.inf, {"low": -np.inf}, ValueError, "`r` must be a finite number, got inf"),
        (-np.inf, {"low": -np.inf}, ValueError, "`r` must be a finite number, got -inf"),
        (10**400, {}, ValueError, "`r` must be a finite number >= 0, got 1000"),
        (True, {}, TypeError, "`r` must be a finite number >= 0, got True"),
        (np.bool_(True), {}, TypeError, "`r` must be a finite number >= 0, got"),
        ("1", {}, TypeError, "`r` must be a finite number >= 0, got '1'"),
        (None, {}, TypeError, "got None"),
        (1j, {}, TypeError, "got 1j"),
        (np.ones(1), {}, TypeError, r"got an array of shape \(1,\)"),
        (np.array("1"), {}, TypeError, "got array"),
    ],
)
def test_what_is_no_such_number(value, limits, error, message):
    with pytest.raises(error, match=message):
        checks.number("r", value, **limits)


def test_values_are_shown_in_one_line():
    several = [np.ones((2, 2))] * 2
    assert checks.brief(several) == "[array([[1., 1.], [1., 1.]]), array([[1., 1.], [1., 1.]])]"
    assert checks.describe(several) == "list [array([[1., 1.], [1., 1.]])..."
    words = [f"word{k}" for k in range(20)]
    assert checks.brief(words) == "['word0', 'word1', 'word2', 'word3', 'word4', 'word5'..."
    assert checks.brief("x" * 100) == f"'{'x' * 56}..."  # one that has no end
    assert checks.brief("x" * 58) == repr("x" * 58)
    assert [checks.counted(n, "step") for n in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
    assert checks.brief(None) == "None" and checks.describe("a") == "str 'a'"
    assert checks.brief(several[0]) == "an array of shape (2, 2)" and checks.describe((1, 2)) == "a tuple of 2"


def test_words():
    assert checks.one_of("w", "a", ("a", "b")) == "a"
    assert checks.one_of("w", None, (None, "b")) is None
    for value, error in (
        ("c", ValueError),
        (None, TypeError),
        (3, TypeError),
        (["a"], TypeError),
        (np.ones(2), TypeError),
    ):
        with pytest.raises(error, match="`w` must be one of 'a', 'b', got"):
            checks.one_of("w", value, ("a", "b"))


@pytest.mark.parametrize("T", [1, 255, 256, 257, 65536])
def test_steps_before_the_end(T):
    """One by one; the lengths that are compared are as narrow as T allows."""
    lengths = np.array([0, 1, T // 2, T - 1, T])
    valid = checks.before_end(lengths, T)
    assert valid.shape == (5, T) and valid.dtype == bool
    for row, n in zip(valid, lengths, strict=True):
        assert row[:n].all() and not row[n:].any()
