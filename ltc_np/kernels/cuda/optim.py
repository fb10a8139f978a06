"""Raw parameters to effective ones and back, penalties, and the optimisers of `ltc_np.optim`; a thread a parameter.

Arrays are (P,).  positivity: its numbers in `ltc_np.kernels.codes`, clipped at ``bound``; frozen: 1 where a parameter
must stay.
"""

import math

import numpy as np

from ...base import checks
from ..codes import CLIP, FREE, SOFTPLUS
from .device import cuda, helper, kernel

u = np.uint64


def must_know_positivity(number):
    """Refuse a number that the kernels below have no branch for."""
    checks.must_know(__name__, "positivity", number, (FREE, SOFTPLUS, CLIP))


@kernel
def effective(theta, positivity, bound, least, values):
    """`ltc_np.base.layout.Layout.effective`; ``least`` is what a softplus must not fall below."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(theta.size):
        value = theta[k]
        if positivity[k] == SOFTPLUS:
            value = max(max(value, theta.dtype.type(0)) + math.log1p(math.exp(-abs(value))), least)
        if positivity[k] == CLIP:
            value = max(value, bound[k])
        values[k] = value


@kernel
def d_effective(d_values, values, positivity, l1, l2, frozen, gradient):
    """gradient of theta of that of the effective values, float64, and of the penalties l1*|p| + l2*p**2."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(values.size):
        d, value = d_values[k], d_values.dtype.type(values[k])
        if l1.size > 0:
            sign = 1.0 if value > 0.0 else (-1.0 if value < 0.0 else 0.0)
            d += l1[k] * sign + l2[k] * (value + value)
        if positivity[k] == SOFTPLUS:
            d *= -math.expm1(-value)
        gradient[k] = 0.0 if frozen[k] else d


@kernel
def penalties(values, l1, l2, elements):
    """elements: each parameter's penalty, float64."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(values.size):
        value = elements.dtype.type(values[k])
        elements[k] = l1[k] * abs(value) + l2[k] * (value * value)


@helper
def _apply(k, theta, delta, decay_rate, decay, lr_scale, frozen, positivity, bound, before):
    """theta - delta, and less its decay, where it may change; ``before`` keeps what it was."""
    before[k] = theta[k]
    if not frozen[k]:
        if decay.size > 0 and decay[k] > theta.dtype.type(0):
            share = theta[k]
            if positivity[k] == SOFTPLUS:  # `ltc_np.base.layout.shrinkage`
                value = max(share, theta.dtype.type(0)) + math.log1p(math.exp(-abs(share)))
                share = value / -math.expm1(-value) if value > theta.dtype.type(0) else theta.dtype.type(1)
            delta += share * decay[k] * decay_rate
        value = theta[k] - (delta * lr_scale[k] if lr_scale.size > 0 else delta)
        theta[k] = max(value, bound[k]) if positivity[k] == CLIP else value


@kernel
def adam(
    theta, gradient, factor, m, v, rate, take1, keep2, take2, epsilon, decay_rate, decay, lr_scale, frozen, positivity,
    bound, before,
):  # fmt: skip
    """`ltc_np.optim.Adam` and `AdamW`: numbers as in `ltc_np.kernels.numpy.adam`; gradient times factor."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(theta.size):
        g = gradient[k] * factor
        m[k] += (g - m[k]) * take1
        v[k] = v[k] * keep2 + g * g * take2
        delta = m[k] / (math.sqrt(v[k]) + epsilon) * rate
        _apply(k, theta, delta, decay_rate, decay, lr_scale, frozen, positivity, bound, before)


@kernel
def sgd(
    theta, gradient, factor, b, rate, momentum, nesterov, decay_rate, decay, lr_scale, frozen, positivity, bound, before
):  # fmt: skip
    """`ltc_np.optim.SGD`"""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(theta.size):
        g = gradient[k] * factor
        delta = g
        if momentum > theta.dtype.type(0):  # else b stays as it is
            b[k] = b[k] * momentum + g
            delta = b[k] * momentum + g if nesterov > theta.dtype.type(0) else b[k]
        _apply(k, theta, delta * rate, decay_rate, decay, lr_scale, frozen, positivity, bound, before)


@kernel
def rmsprop(
    theta, gradient, factor, v, b, rate, keep, take, epsilon, momentum, decay_rate, decay, lr_scale, frozen, positivity,
    bound, before,
):  # fmt: skip
    """`ltc_np.optim.RMSprop`"""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(theta.size):
        g = gradient[k] * factor
        v[k] = v[k] * keep + g * g * take
        delta = g / (math.sqrt(v[k]) + epsilon)
        if momentum > theta.dtype.type(0):
            b[k] = b[k] * momentum + delta
            delta = b[k]
        _apply(k, theta, delta * rate, decay_rate, decay, lr_scale, frozen, positivity, bound, before)


# By the name that an optimiser has for its kernel.
STEPS = {"adam": adam, "sgd": sgd, "rmsprop": rmsprop}
