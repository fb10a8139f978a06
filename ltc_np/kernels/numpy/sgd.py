"""Gradient descent's change of the parameters: the definition.  Arrays are (P,)."""

from typing import NamedTuple

import numpy as np


class Numbers(NamedTuple):
    """Of one step; nesterov is 0 or 1."""

    rate: float
    momentum: float
    nesterov: float


def change(grad, b, delta, rate, momentum, nesterov):
    """Momentum b, and what is to be subtracted, delta; then the `Numbers` of a step."""
    rate, momentum, nesterov = np.array([rate, momentum, nesterov], delta.dtype)
    direction = grad
    if momentum:
        np.multiply(b, momentum, out=b)
        np.add(b, grad, out=b)
        direction = b
    if nesterov:
        np.multiply(b, momentum, out=delta)
        np.add(delta, grad, out=delta)
        direction = delta
    np.multiply(direction, rate, out=delta)
