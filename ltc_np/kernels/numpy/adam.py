"""Adam's change of the parameters: the definition.  Arrays are (P,)."""

from typing import NamedTuple

import numpy as np


class Numbers(NamedTuple):
    """Of one step; the bias corrections are in `rate` and `epsilon`."""

    rate: float
    take1: float  # 1 - beta1
    keep2: float  # beta2
    take2: float  # 1 - beta2
    epsilon: float


def change(grad, m, v, delta, rate, take1, keep2, take2, epsilon):
    """Moments m and v, and what is to be subtracted, delta; then the `Numbers` of a step."""
    rate, take1, keep2, take2, epsilon = np.array([rate, take1, keep2, take2, epsilon], delta.dtype)
    np.subtract(grad, m, out=delta)
    np.multiply(delta, take1, out=delta)
    np.add(m, delta, out=m)
    np.multiply(v, keep2, out=v)
    np.multiply(grad, grad, out=delta)
    np.multiply(delta, take2, out=delta)
    np.add(v, delta, out=v)
    np.sqrt(v, out=delta)
    np.add(delta, epsilon, out=delta)
    np.divide(m, delta, out=delta)
    np.multiply(delta, rate, out=delta)
