"""From effective values of parameters back to raw ones, in one pass; see `ltc_np.kernels.numpy.effective`."""

import numpy as np

from .jit import helper, kernel
from .simd import expm1, load_part, neg, store_part, vector_size


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
