"""One matrix at every step, and an activation.  Arrays are flat; a row is a step of a sequence."""

import math
from typing import NamedTuple

import numpy as np

from ...base import checks
from ...base.activations import LECUN_SCALE, LECUN_SLOPE, NORMAL_PEAK
from ..codes import GELU, LECUN_TANH, LINEAR, RELU, SIGMOID, SILU, TANH
from . import sums
from .device import cuda, helper, kernel, launch_over

u = np.uint64
ROOT_HALF = math.sqrt(0.5)
KNOWN = RELU, SILU, TANH, GELU, LECUN_TANH, SIGMOID, LINEAR  # the activations that have a branch below


@helper
def _sigmoid(z):
    one = type(z)(1)
    return one / (one + math.exp(-z))


@helper
def _normal_cdf(z):
    real = type(z)
    return real(0.5) * math.erfc(-z * real(ROOT_HALF))


@helper
def activate(f, z):
    """`ltc_np.base.activations` by number."""
    real = type(z)
    if f == RELU:
        return z if z > real(0) else real(0)
    if f == TANH:
        return math.tanh(z)
    if f == SIGMOID:
        return _sigmoid(z)
    if f == SILU:
        return z * _sigmoid(z)
    if f == GELU:
        return z * _normal_cdf(z)
    if f == LECUN_TANH:
        return real(LECUN_SCALE) * math.tanh(real(LECUN_SLOPE) * z)
    return z


@helper
def d_activate(f, z, y):
    """Its derivative, given y = f(z)."""
    real = type(z)
    one = real(1)
    if f == RELU:
        return one if z > real(0) else real(0)
    if f == TANH:
        return one - y * y
    if f == SIGMOID:
        return y * (one - y)
    if f == SILU:
        s = _sigmoid(z)
        return s + y * (one - s)
    if f == GELU:
        return _normal_cdf(z) + z * (math.exp(real(-0.5) * z * z) * real(NORMAL_PEAK))
    if f == LECUN_TANH:
        s = y / real(LECUN_SCALE)
        return real(LECUN_SCALE * LECUN_SLOPE) * (one - s * s)
    return one


@kernel
def affine(x, weight, bias, n_in, n_out, activation, z, y):
    """y = activation(z), z = x @ weight + bias: (rows, n_in) to (rows, n_out)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size):
        row, o = k // n_out, k % n_out
        total = x.dtype.type(0)
        for i in range(n_in):
            total += x[row * n_in + u(i)] * weight[u(i) * n_out + o]
        total += bias[o]
        z[k] = total
        y[k] = activate(activation, total)


@kernel
def d_activation(d_y, z, y, activation, d_z):
    """d_z of d_y."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(d_z.size):
        d_z[k] = d_y[k] * d_activate(activation, z[k], y[k])


@kernel
def d_inputs(d_z, weight, n_in, n_out, d_x):
    """d_x = d_z @ weight.T"""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(d_x.size):
        row, i = k // n_in, k % n_in
        total = d_z.dtype.type(0)
        for o in range(n_out):
            total += d_z[row * n_out + u(o)] * weight[i * n_out + u(o)]
        d_x[k] = total


class Saved(NamedTuple):
    """What `backward` needs of a `forward`: x (rows, n_in), z and y (rows, n_out)."""

    x: object
    z: object
    y: object


def forward(x, weight, bias, activation, memory):
    """y = activation(x @ weight + bias) and `Saved`; the activation is its number in `ltc_np.kernels.codes`."""
    checks.must_know(__name__, "activation", activation, KNOWN)
    n_out = bias.size
    n_in = weight.size // n_out
    z, y = (memory.array(name, x.size // n_in * n_out, x.dtype) for name in ("z", "dense"))
    launch_over(
        y.size, affine, x=x, weight=weight, bias=bias, n_in=u(n_in), n_out=u(n_out), activation=activation, z=z, y=y
    )  # fmt: skip
    return y, Saved(x, z, y)


def backward(saved, weight, d_y, activation, want_x, d_weight, d_bias, memory):
    """Adjoint of `forward`: d_x or None; d_weight and d_bias, float64, are added to."""
    checks.must_know(__name__, "activation", activation, KNOWN)
    (x, z, y), n_out, d_z = saved, d_bias.size, d_y
    n_in = weight.size // n_out
    rows = x.size // n_in
    if activation != LINEAR:
        d_z = memory.array("d_z", rows * n_out, x.dtype)
        launch_over(d_z.size, d_activation, d_y=d_y, z=z, y=y, activation=activation, d_z=d_z)
    sums.add_products(x, d_z, n_in, n_out, rows, d_weight, memory)
    sums.add_columns(d_z, None, n_out, rows, d_bias, memory)
    if not want_x:
        return None
    d_x = memory.array("d_inputs", rows * n_in, x.dtype)
    launch_over(d_x.size, d_inputs, d_z=d_z, weight=weight, n_in=u(n_in), n_out=u(n_out), d_x=d_x)
    return d_x
