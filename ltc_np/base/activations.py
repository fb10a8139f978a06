"""Pointwise activations, each with its derivative directly below it.

``d_f(z, y)`` is f'(z), given y = f(z) where that is cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import checks
from .types import Activation, Array

# (a + 4) exp(a**2 / 2) Phi(-a) for a >= 0 in powers of (a - 4) / (a + 4), Phi the normal distribution; relative error
# 1.5e-9 (degree 11) and 5.7e-17 (23); tests/golden/make_minimax.py makes them.
NORMAL_TAIL_FLOAT32 = (
    0.7552851300115015, -0.6078966280814716, 0.3871374238615308, -0.18652224877622714, 0.0603963759668829,
    -0.007537102777478371, -0.0034791154755903515, 0.0016204009797938814, 0.00013261985690853038,
    -0.00021372814039350208, -1.2922298790084682e-06, 2.0445801418474137e-05,
)  # fmt: skip
NORMAL_TAIL_FLOAT64 = (
    0.7552851304157515, -0.607896641971893, 0.38713740074222136, -0.18652185795957205, 0.06039657489057504,
    -0.007540188969129303, -0.0034796923600574495, 0.0016308184890072377, 0.0001333442368653487,
    -0.00023109516537351627, -1.907807198405021e-06, 3.514572934939262e-05, 7.149885659646319e-07,
    -5.923260261355416e-06, -6.25685028062715e-07, 1.0276654499646655e-06, 2.656182962101452e-07,
    -1.6304698234956484e-07, -7.944851446249588e-08, 2.0176156810418835e-08, 1.6349570752407253e-08,
    -1.5324202999642417e-09, -1.7403315088253384e-09, 4.638485775532279e-11,
)  # fmt: skip

NORMAL_PEAK = 1 / math.sqrt(2 * math.pi)  # the normal density at 0
# lecun_tanh is LECUN_SCALE * tanh(LECUN_SLOPE * z), with the numbers of ncps.
LECUN_SCALE, LECUN_SLOPE = 1.7159, 0.666


def linear(z: Array) -> Array:
    return z


def d_linear(z: Array, y: Array) -> Array:
    return np.ones_like(y)


def relu(z: Array) -> Array:
    return np.maximum(z, 0)


def d_relu(z: Array, y: Array) -> Array:
    return (y > 0).astype(y.dtype)  # 0 at the kink


def tanh(z: Array) -> Array:
    return np.tanh(z)


def d_tanh(z: Array, y: Array) -> Array:
    return 1 - y * y


def sigmoid(z: Array) -> Array:
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that is meant
        return 1 / (1 + np.exp(-z))


def d_sigmoid(z: Array, y: Array) -> Array:
    return y * (1 - y)


def silu(z: Array) -> Array:
    return z * sigmoid(z)


def d_silu(z: Array, y: Array) -> Array:
    s = sigmoid(z)
    return s + y * (1 - s)


def normal_cdf(z: Array) -> Array:
    """The normal distribution function, (1 + erf(z / sqrt(2))) / 2; error 2.0e-7 (float32), 2.3e-16 (float64)."""
    z = np.asarray(z)
    a = np.abs(z)
    r = 1 / (a + 4)
    t = (a - 4) * r
    p = np.zeros_like(t)
    for c in reversed(NORMAL_TAIL_FLOAT32 if z.dtype == np.float32 else NORMAL_TAIL_FLOAT64):
        p = p * t + z.dtype.type(c)
    with np.errstate(over="ignore", under="ignore"):
        tail = np.exp(-0.5 * a * a) * p * r
    return np.where(z > 0, 1 - tail, tail)


def gelu(z: Array) -> Array:
    return z * normal_cdf(z)


def d_gelu(z: Array, y: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        density = np.exp(-0.5 * z * z) * z.dtype.type(NORMAL_PEAK)
    return normal_cdf(z) + z * density


def lecun_tanh(z: Array) -> Array:
    return LECUN_SCALE * np.tanh(LECUN_SLOPE * z)


def d_lecun_tanh(z: Array, y: Array) -> Array:
    y = y / LECUN_SCALE
    return LECUN_SCALE * LECUN_SLOPE * (1 - y * y)


ACTIVATIONS: dict[Activation, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    None: (linear, d_linear),
    "relu": (relu, d_relu),
    "tanh": (tanh, d_tanh),
    "sigmoid": (sigmoid, d_sigmoid),
    "silu": (silu, d_silu),
    "gelu": (gelu, d_gelu),
    "lecun_tanh": (lecun_tanh, d_lecun_tanh),
}


KINKED = ("relu",)  # those whose derivative jumps
# Of these ``d_f`` reads y alone.
SLOPE_OF_OUTPUT = (None, "relu", "tanh", "sigmoid", "lecun_tanh")


def get(name: Activation) -> tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]:
    """(f, d_f) of an activation by name."""
    return ACTIVATIONS[checks.one_of("activation", name, ACTIVATIONS)]
