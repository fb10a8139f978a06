"""Whether arrays are finite: compiled, and in NumPy."""

import math

import numpy as np
import pytest
from support.backends import NO_KERNELS

from ltc_np.kernels.numpy import sums

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

from ltc_np.kernels.cpu import sums as compiled


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 64, 83, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("surely_finite", [sums.surely_finite, compiled.surely_finite], ids=["numpy", "cpu"])
def test_every_place_is_looked_at(size, dtype, surely_finite):
    """Places in groups of vectors, in a vector behind them, and in a part of one."""
    x = np.random.default_rng(0).normal(size=size).astype(dtype)
    assert surely_finite(x) and surely_finite(x.reshape(1, -1, 1))
    large = np.finfo(dtype).max ** 0.5
    for k in range(size):
        for value in (math.inf, -math.inf, math.nan, 2 * large):  # whose square overflows
            other = x.copy()
            other[k] = value
            assert not surely_finite(other)
            other = np.repeat(other, 2)
            other[1::2] = 0
            assert not surely_finite(other[::2])
            assert surely_finite(other[1::2])


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16])
def test_arrays_that_no_kernel_is_compiled_for(dtype):
    assert compiled.surely_finite(np.ones((2, 3), dtype))
