"""What a builder of programs refuses, and which numbers are known before a program runs."""

import pytest

from ltc_np.export.builder import Builder
from ltc_np.export.program import Apply, Number, Vector, apply

X = Vector("x", 0, 4)


@pytest.mark.parametrize(("read", "is_allowed"), [(0, True), (1, False), (2, True), (3, False), (4, True)])
def test_what_a_target_may_read_of_its_own_variable(read, is_allowed):
    """The same elements, or none of them: elements are set one after the other."""
    b = Builder()
    whole = b.variable(6)
    target, source = whole[2:4], whole[read : read + 2]
    if is_allowed:
        assert b.assign(target, source + X[:2]) == target
    else:
        with pytest.raises(ValueError, match="must not be assigned what reads other elements of it"):
            b.assign(target, source + X[:2])


@pytest.mark.parametrize("value", [X, X[:2]])
def test_a_target_takes_as_many_numbers_as_it_has(value):
    b = Builder()
    with pytest.raises(ValueError, match=f"must be assigned 3 numbers, got {value.size}"):
        b.assign(b.variable(3), value)
    assert b.assign(b.variable(3), X[:1] + 1.0).size == 3  # one number fills it


@pytest.mark.parametrize(("condition", "taken"), [(-1.0, 1), (0.0, 1), (1e-300, 0)])
def test_a_known_condition_chooses(condition, taken):
    both = X[:2], X[2:]
    assert apply("select", condition, *both) is both[taken]


def test_what_changes_nothing_is_left_out():
    assert X + 0.0 is X and 0.0 + X is X and X - 0.0 is X and X * 1.0 is X and 1.0 * X is X and X / 1.0 is X
    assert all(isinstance(each, Apply) for each in (0.0 - X, 1.0 / X, X * 0.0, X - 1.0, X / 2.0))
    assert isinstance(apply("add", 2.0, 3.0), Number)


def test_a_place_is_taken_by_what_is_as_long():
    b = Builder()
    old = b.variable(4)
    assert b.update(old, X * 2.0) == old
    assert b.update(old, X[:1] * 2.0).name != old.name
