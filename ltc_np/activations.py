"""Pointwise activations, each with its derivative directly below it.

``d_f(z, y)`` is f'(z), given y = f(z) where that is cheaper.
"""

import numpy as np


def linear(z):
    return z


def d_linear(z, y):
    return np.ones_like(z)


def relu(z):
    return np.maximum(z, 0)


def d_relu(z, y):
    return (z > 0).astype(z.dtype)  # 0 at the kink


def tanh(z):
    return np.tanh(z)


def d_tanh(z, y):
    return 1 - y * y


def sigmoid(z):
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that is meant
        return 1 / (1 + np.exp(-z))


def d_sigmoid(z, y):
    return y * (1 - y)


def silu(z):
    return z * sigmoid(z)


def d_silu(z, y):
    s = sigmoid(z)
    return s + y * (1 - s)


ACTIVATIONS = {
    None: (linear, d_linear),
    "relu": (relu, d_relu),
    "tanh": (tanh, d_tanh),
    "sigmoid": (sigmoid, d_sigmoid),
    "silu": (silu, d_silu),
}


def get(name):
    """(f, d_f) of an activation by name."""
    if name not in ACTIVATIONS:
        raise ValueError(f"`activation` must be one of {', '.join(map(repr, ACTIVATIONS))}, got {name!r}")
    return ACTIVATIONS[name]
