"""RMSprop's change of the parameters in one pass; the same bits as with NumPy."""

import math

from .jit import kernel


@kernel
def change(grad, v, b, delta, rate, keep, take, epsilon, momentum):
    """Moments v and b, and what is to be subtracted, delta: all (P,); then a step's numbers, see NumPy's."""
    real = delta.dtype.type
    rate, keep, take, epsilon, momentum = real(rate), real(keep), real(take), real(epsilon), real(momentum)
    for k in range(grad.size):
        v[k] = v[k] * keep + grad[k] * grad[k] * take
        direction = grad[k] / (math.sqrt(v[k]) + epsilon)
        if momentum != 0:
            b[k] = b[k] * momentum + direction
            direction = b[k]
        delta[k] = direction * rate
