"""What is done feature by feature, or with one matrix, at every step: `Dense` and the LTC's mappings.

Arrays are flat; a row is a step of a sequence.
"""

import math

import numpy as np

from ..codes import ACTIVATIONS, GELU, LECUN_TANH, LINEAR, RELU, SIGMOID, SILU, TANH
from . import sums
from .device import cuda, helper, kernel, launch_over

u = np.uint64


@helper
def _sigmoid(z):
    one = type(z)(1)
    return one / (one + math.exp(-z))


@helper
def _normal_cdf(z):
    real = type(z)
    return real(0.5) * math.erfc(-z * real(0.7071067811865476))


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
        return real(1.7159) * math.tanh(real(0.666) * z)
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
        return _normal_cdf(z) + z * (math.exp(real(-0.5) * z * z) * real(0.3989422804014327))
    if f == LECUN_TANH:
        s = y / real(1.7159)
        return real(1.7159 * 0.666) * (one - s * s)
    return one


@kernel
def affine(x, weight, bias, n_in, n_out, f, z, y):
    """y = f(z), z = x @ weight + bias: (rows, n_in) to (rows, n_out)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size):
        row, o = k // n_out, k % n_out
        total = x.dtype.type(0)
        for i in range(n_in):
            total += x[row * n_in + u(i)] * weight[u(i) * n_out + o]
        total += bias[o]
        z[k] = total
        y[k] = activate(f, total)


@kernel
def d_activation(d_y, z, y, f, d_z):
    """d_z of d_y."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(d_z.size):
        d_z[k] = d_y[k] * d_activate(f, z[k], y[k])


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


@kernel
def map_features(x, w, b, n, y):
    """y = x * w + b, (rows, n) by (n,); b may be empty."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size):
        i = k % n
        y[k] = x[k] * w[i] + b[i] if b.size > 0 else x[k] * w[i]


@kernel
def blank(y, steps, B, n):
    """Zeros in y (T, B, n) where a sequence has ended."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size) and k // (n * B) >= u(steps[k // n % B]):
        y[k] = y.dtype.type(0)


@kernel
def add(total, x):
    """total += x"""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(total.size):
        total[k] += x[k]


class DeviceDense:
    """`ltc_np.layers.Dense` on the device.

    Parameters
    ----------
    layer : Dense
    p, g : dicts of device arrays by name
        Effective values; float64 gradients, which are added to.
    """

    def __init__(self, layer, p, buffers, g):
        self.n_in, self.n_out, self.f = layer.input_size, layer.output_size, ACTIVATIONS.index(layer.activation)
        self.p, self.g = p, g

    def pack(self):
        """Nothing: values are used as they are."""

    def forward(self, x, dt, steps, h0, T, B, keep, memory):
        size = T * B * self.n_out
        z, y = (memory.array(name, size, x.dtype) for name in ("z", "dense"))
        launch_over(size, affine, x, self.p["weight"], self.p["bias"], u(self.n_in), u(self.n_out), self.f, z, y)
        return y, h0, (x, z, y)

    def backward(self, saved, d_y, d_h, T, B, want_x, want_dt, memory):
        x, z, y = saved
        rows, n_in, n_out = T * B, self.n_in, self.n_out
        d_z = d_y
        if self.f != LINEAR:
            d_z = memory.array("d_z", rows * n_out, x.dtype)
            launch_over(d_z.size, d_activation, d_y, z, y, self.f, d_z)
        sums.add_products(x, d_z, n_in, n_out, rows, self.g["weight"], memory)
        sums.add_columns(d_z, None, n_out, rows, self.g["bias"], memory)
        if not want_x:
            return None, None
        d_x = memory.array("d_inputs", rows * n_in, x.dtype)
        launch_over(d_x.size, d_inputs, d_z, self.p["weight"], u(n_in), u(n_out), d_x)
        return d_x, None


class Mapping:
    """x, x * w or x * w + b, feature-wise; the LTC's input or output mapping."""

    def __init__(self, kind, side, n, p, g):
        self.kind, self.n, self.side = kind, n, side
        if kind is not None:
            self.w, self.d_w = p[f"{side}_w"], g[f"{side}_w"]
            self.b, self.d_b = (p[f"{side}_b"], g[f"{side}_b"]) if kind == "affine" else (self.w[:0], None)

    def forward(self, x, memory):
        if self.kind is None:
            return x
        y = memory.array(f"mapped_{self.side}", x.size, x.dtype)
        launch_over(y.size, map_features, x, self.w, self.b, u(self.n), y)
        return y

    def backward(self, x, d_y, want_x, memory):
        if self.kind is None:
            return d_y
        rows = x.size // self.n
        sums.add_columns(d_y, x, self.n, rows, self.d_w, memory)
        if self.d_b is not None:
            sums.add_columns(d_y, None, self.n, rows, self.d_b, memory)
        if not want_x:
            return None
        d_x = memory.array(f"d_mapped_{self.side}", x.size, x.dtype)
        launch_over(d_x.size, map_features, d_y, self.w, self.w[:0], u(self.n), d_x)
        return d_x
