"""RMSprop's change of the parameters in one pass; the same bits as with NumPy."""

import math

from .jit import helper, kernel
from .updates import FIRST, subtract


@helper
def in_precision_of(array, rate, keep, take, epsilon, momentum):
    """A step's numbers, see NumPy's, in the working precision."""
    real = array.dtype.type
    return real(rate), real(keep), real(take), real(epsilon), real(momentum)


@helper
def moved(k, grad, v, b, numbers):
    """What is to be subtracted from parameter k, whose moments change; numbers are those of `in_precision_of`."""
    rate, keep, take, epsilon, momentum = numbers
    v[k] = v[k] * keep + grad[k] * grad[k] * take
    direction = grad[k] / (math.sqrt(v[k]) + epsilon)
    if momentum != 0:
        b[k] = b[k] * momentum + direction
        direction = b[k]
    return direction * rate


@kernel
def change(grad, v, b, delta, rate, keep, take, epsilon, momentum):
    """Moments v and b, and what is to be subtracted, delta: all (P,); then a step's numbers, see NumPy's."""
    numbers = in_precision_of(delta, rate, keep, take, epsilon, momentum)
    for k in range(grad.size):
        delta[k] = moved(k, grad, v, b, numbers)


@kernel
def step(gradient, v, b, theta, before, decay, now):
    """See `ltc_np.kernels.cpu.updates`."""
    share = theta.dtype.type(now[1])
    numbers = in_precision_of(theta, now[FIRST], now[FIRST + 1], now[FIRST + 2], now[FIRST + 3], now[FIRST + 4])
    for k in range(theta.size):
        subtract(k, moved(k, gradient, v, b, numbers), theta, before, decay, share)
