"""Arrays that are made in every call."""

import math

import numpy as np
import pytest

from ltc_np.base.arrays import are_all, filled


@pytest.mark.parametrize("shape", [3, (2, 5), (0,)])
@pytest.mark.parametrize(("value", "dtype"), [(7, np.int64), (1, np.dtype(np.float32)), (0.1, np.float64)])
def test_filled_is_numpy_s_full(shape, value, dtype):
    found, want = filled(shape, value, dtype), np.full(shape, value, dtype)
    assert found.dtype == want.dtype and found.flags.carray
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_are_all_compares_every_number(dtype):
    array = np.full(5, 3, dtype)
    assert are_all(array, 3) and are_all(array, array[0]) and not are_all(array, 4)
    assert are_all(array[:0], 3)
    for k in range(5):
        other = array.copy()
        other[k] = 4
        assert not are_all(other, 3) and not are_all(other, 4)


def test_are_all_compares_bits():
    assert are_all(np.full(2, math.nan), math.nan) and not are_all(np.array([0.0, -0.0]), 0.0)
