"""Gradient descent's change of the parameters in one pass; the same bits as with NumPy."""

from .jit import kernel


@kernel
def change(grad, b, delta, rate, momentum, nesterov):
    """Momentum b, and what is to be subtracted, delta: all (P,); then a step's numbers, see NumPy's."""
    real = delta.dtype.type
    rate, momentum, nesterov = real(rate), real(momentum), real(nesterov)
    for k in range(grad.size):
        direction = grad[k]
        if momentum != 0:
            b[k] = b[k] * momentum + grad[k]
            direction = b[k]
        if nesterov != 0:
            direction = b[k] * momentum + grad[k]
        delta[k] = direction * rate
