"""RMSprop's change of the parameters: the definition.  Arrays are (P,)."""

from typing import NamedTuple

import numpy as np


class Numbers(NamedTuple):
    """Of one step."""

    rate: float
    keep: float  # alpha
    take: float  # 1 - alpha
    epsilon: float
    momentum: float


def change(grad, v, b, delta, rate, keep, take, epsilon, momentum):
    """Moments v and b, and what is to be subtracted, delta; then the `Numbers` of a step."""
    rate, keep, take, epsilon, momentum = np.array([rate, keep, take, epsilon, momentum], delta.dtype)
    np.multiply(v, keep, out=v)
    np.multiply(grad, grad, out=delta)
    np.multiply(delta, take, out=delta)
    np.add(v, delta, out=v)
    np.sqrt(v, out=delta)
    np.add(delta, epsilon, out=delta)
    np.divide(grad, delta, out=delta)
    if momentum:
        np.multiply(b, momentum, out=b)
        np.add(b, delta, out=b)
        np.multiply(b, rate, out=delta)
    else:
        np.multiply(delta, rate, out=delta)
