"""Adam's change of the parameters in one pass; the same bits as with NumPy."""

import math

from .jit import helper, kernel
from .updates import FIRST, subtract


@helper
def in_precision_of(array, rate, take1, keep2, take2, epsilon):
    """A step's numbers, see NumPy's, in the working precision."""
    real = array.dtype.type
    return real(rate), real(take1), real(keep2), real(take2), real(epsilon)


@helper
def moved(k, grad, m, v, numbers):
    """What is to be subtracted from parameter k, whose moments change; numbers are those of `in_precision_of`."""
    rate, take1, keep2, take2, epsilon = numbers
    m[k] += (grad[k] - m[k]) * take1
    v[k] = v[k] * keep2 + grad[k] * grad[k] * take2
    return m[k] / (math.sqrt(v[k]) + epsilon) * rate


@kernel
def change(grad, m, v, delta, rate, take1, keep2, take2, epsilon):
    """Moments m and v, and what is to be subtracted, delta: all (P,); then a step's numbers, see NumPy's."""
    numbers = in_precision_of(delta, rate, take1, keep2, take2, epsilon)
    for k in range(grad.size):
        delta[k] = moved(k, grad, m, v, numbers)


@kernel
def step(gradient, m, v, theta, before, decay, now):
    """See `ltc_np.kernels.cpu.updates`."""
    share = theta.dtype.type(now[1])
    numbers = in_precision_of(theta, now[FIRST], now[FIRST + 1], now[FIRST + 2], now[FIRST + 3], now[FIRST + 4])
    for k in range(theta.size):
        subtract(k, moved(k, gradient, m, v, numbers), theta, before, decay, share)
