"""From raw values of parameters to effective ones and back, in one pass; see `ltc_np.kernels.numpy.effective`."""

from typing import NamedTuple

import numpy as np

from ...base.layout import LEAST
from .jit import helper, kernel
from .native import loop_of, run_loop
from .simd import expm1, load_part, neg, store_part, vector_size


class Logaddexp(NamedTuple):
    """The loop of `numpy.logaddexp`, and its arguments for each run of parameters that go through softplus.

    pointers (R, 3), steps (3,): addresses, and bytes between elements, of raw values, a 0, and effective values;
    least: the smallest effective value;  zero (1,): it lives as long as its address does
    """

    code: int
    data: int
    pointers: np.ndarray
    steps: np.ndarray
    least: float
    zero: np.ndarray

    @classmethod
    def make(cls, layout, theta, values):
        """For two vectors (P,) that stay where they are."""
        dtype, zero = theta.dtype, np.zeros(1, theta.dtype)
        first, size = layout.softplus_bounds[:, :1], dtype.itemsize
        pointers = np.array([theta.ctypes.data, zero.ctypes.data, values.ctypes.data])
        steps = np.array([size, 0, size])
        pointers = np.ascontiguousarray(pointers + steps * first, dtype=np.int64)
        return cls(*loop_of(np.logaddexp, dtype), pointers, steps, LEAST[size], zero)


@helper
def to_effective(theta, softplus, clipped, least, logaddexp, values):
    """values (P,) from theta (P,): what `Layout.effective` makes of it, with the same loop of NumPy.

    softplus (R, 2), clipped (C, 2): from and to;  least (C,): bounds;  logaddexp: `Logaddexp`
    """
    code, data, pointers, steps, smallest, _ = logaddexp
    for k in range(theta.size):
        values[k] = theta[k]
    for r in range(softplus.shape[0]):
        first, last = softplus[r, 0], softplus[r, 1]
        run_loop(code, data, pointers[r], last - first, steps)
        for k in range(first, last):
            if values[k] < smallest:
                values[k] = smallest
    at_least(values, clipped, least)


@helper
def at_least(values, clipped, least):
    """Lift values to bounds, where they have some; NaN stays."""
    for r in range(clipped.shape[0]):
        for k in range(clipped[r, 0], clipped[r, 1]):
            if values[k] <= least[r]:
                values[k] = least[r]


@helper
def to_raw(values, d_values, softplus, gradient):
    """gradient (P,) from d_values (P,) float64; softplus (R, 2): where values are one, from and to."""
    gradient[:] = 1
    for r in range(softplus.shape[0]):
        first, last = softplus[r, 0], softplus[r, 1]
        for k in range(first, last, vector_size(values)):
            store_part(gradient, k, neg(expm1(neg(load_part(values, k, last - k)))), last - k)
    for k in range(gradient.size):
        gradient[k] = d_values[k] * gradient[k]


@kernel
def _to_raw(values, d_values, softplus, gradient):
    """`to_raw`."""
    to_raw(values, d_values, softplus, gradient)


def d_effective(layout, values, d_values):
    """See `ltc_np.kernels.numpy.effective`."""
    gradient = np.empty_like(values)
    _to_raw(values, d_values, layout.softplus_bounds, gradient)
    return gradient
