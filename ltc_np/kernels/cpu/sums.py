"""Sums over whole arrays; see `ltc_np.kernels.numpy.sums`, the definition."""

import math

import numpy as np

from ...base import checks
from .jit import kernel
from .simd import fma, lane_sum, load, load_part, vector_size, zeros


@kernel
def _of_squares(x, total):
    """total[0], float64, is the sum of the squares of x, flat, in its own precision."""
    W = vector_size(x)
    whole = x.size // (4 * W) * (4 * W)
    a = b = c = d = zeros(x)
    for k in range(0, whole, 4 * W):
        p, q, r, s = load(x, k), load(x, k + W), load(x, k + 2 * W), load(x, k + 3 * W)
        a, b, c, d = fma(p, p, a), fma(q, q, b), fma(r, r, c), fma(s, s, d)
    for k in range(whole, x.size, W):
        p = load_part(x, k, x.size - k)
        a = fma(p, p, a)
    total[0] = lane_sum(a + b + c + d)


# ------------------------------------------------------------------------------------------ called from Python


KINDS = np.dtype(np.float32), np.dtype(np.float64)


def surely_finite(array):
    """See `ltc_np.kernels.numpy.sums.surely_finite`."""
    if array.dtype not in KINDS:  # a layer that a user has written may give what it likes
        return checks.surely_finite(array)
    total = np.empty(1)
    _of_squares(array.ravel(), total)  # which lies in one piece, where `reshape` may leave gaps
    return math.isfinite(total[0])
