"""Adam's change of the parameters in one pass; the same bits as with NumPy."""

import math

from .jit import kernel


@kernel
def change(grad, m, v, delta, rate, take1, keep2, take2, epsilon):
    """Moments m and v, and what is to be subtracted, delta: all (P,); then a step's numbers, see NumPy's."""
    real = delta.dtype.type
    rate, take1, keep2, take2, epsilon = real(rate), real(take1), real(keep2), real(take2), real(epsilon)
    for k in range(grad.size):
        m[k] += (grad[k] - m[k]) * take1
        v[k] = v[k] * keep2 + grad[k] * grad[k] * take2
        delta[k] = m[k] / (math.sqrt(v[k]) + epsilon) * rate
