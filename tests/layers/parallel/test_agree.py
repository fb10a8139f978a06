"""Whether two states, or two adjoints, are the same: each number by its own size."""

import numpy as np
import pytest

from ltc_np.layers.parallel.agree import apart_by, largest, near, rounding, smallest


@pytest.mark.parametrize("tolerance", [0.0, 1e-6])
def test_states_agree(tolerance):
    a = np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 2.0], [0.0, 0.0]])
    b = np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 2.0 + 3e-6], [0.0, -0.0]])
    assert near(a, b, tolerance).tolist() == [[True, True], [True, True], [True, False], [True, True]]
    assert near(a[2], b[2], 2e-6).all()


@pytest.mark.parametrize("tolerance", [0.0, 1e-6])
def test_what_is_not_finite_agrees_with_itself(tolerance):
    bad = np.array([np.nan, np.inf, -np.inf, np.nan, np.inf, np.inf, np.inf])
    other = np.array([np.nan, np.inf, -np.inf, 1.0, 1.0, -np.inf, np.nan])
    for a, b in ((bad, other), (other, bad)):
        assert near(a, b, tolerance).tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_large_hides_nothing_beside_it(dtype):
    """From one end of the range to the other."""
    bound = rounding(np.dtype(dtype))
    sizes = np.array([1e-30, 1e-12, 1, 1e12, 3e38], dtype)
    assert near(sizes, np.nextafter(sizes, 0), bound).all()
    assert not near(sizes, (sizes / np.array(1 + 3 * bound, dtype)), bound).any()
    assert not near(sizes, 0 * sizes, bound).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_that_has_no_digits_left_agrees_with_nothing(dtype):
    """Products stop falling at some units of the smallest number: a factor of 0.99 keeps fifty of them for ever."""
    unit, bound = np.finfo(dtype).smallest_subnormal, rounding(np.dtype(dtype))
    assert near(np.array([50 * unit], dtype), np.zeros(1, dtype), bound).all()
    assert not near(np.array([smallest(np.dtype(dtype))], dtype), np.zeros(1, dtype), bound).any()


def test_how_far_apart():
    a, b = np.array([1.0, -2.0, np.nan, np.inf, np.inf]), np.array([1.5, 2.0, np.nan, np.inf, 0.0])
    assert apart_by(a, b).tolist() == [0.5, 4.0, np.inf, np.inf, np.inf]
    assert largest([apart_by(a, b), np.array([1.0, 1.0, 1.0, np.inf, 2.0])]).tolist() == [1.0, 4.0, 1.0, 0.0, 2.0]
