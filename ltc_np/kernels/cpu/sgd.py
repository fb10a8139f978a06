"""Gradient descent's change of the parameters in one pass; the same bits as with NumPy."""

from .jit import helper, kernel
from .updates import FIRST, subtract


@helper
def in_precision_of(array, rate, momentum, nesterov):
    """A step's numbers, see NumPy's, in the working precision."""
    real = array.dtype.type
    return real(rate), real(momentum), real(nesterov)


@helper
def moved(k, grad, b, numbers):
    """What is to be subtracted from parameter k, whose momentum changes; numbers are those of `in_precision_of`."""
    rate, momentum, nesterov = numbers
    direction = grad[k]
    if momentum != 0:
        b[k] = b[k] * momentum + grad[k]
        direction = b[k]
    if nesterov != 0:
        direction = b[k] * momentum + grad[k]
    return direction * rate


@kernel
def change(grad, b, delta, rate, momentum, nesterov):
    """Momentum b, and what is to be subtracted, delta: all (P,); then a step's numbers, see NumPy's."""
    numbers = in_precision_of(delta, rate, momentum, nesterov)
    for k in range(grad.size):
        delta[k] = moved(k, grad, b, numbers)


@kernel
def step(gradient, b, theta, before, decay, now):
    """See `ltc_np.kernels.cpu.updates`."""
    share = theta.dtype.type(now[1])
    numbers = in_precision_of(theta, now[FIRST], now[FIRST + 1], now[FIRST + 2])
    for k in range(theta.size):
        subtract(k, moved(k, gradient, b, numbers), theta, before, decay, share)
