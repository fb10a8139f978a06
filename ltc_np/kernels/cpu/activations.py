"""The activations of `ltc_np.base.activations` for kernels, which know them by number."""

from ...base.activations import LECUN_SCALE, LECUN_SLOPE, NORMAL_PEAK
from ..codes import GELU, LECUN_TANH, LINEAR, RELU, SIGMOID, SILU, TANH
from .jit import helper
from .simd import exp, fma, fnma, neg, normal_cdf, sigmoid, tanh, where_greater


@helper
def number(like, value):
    """A constant in the working precision."""
    return type(like)(value)


@helper
def clean_sigmoid(z, like):
    """`sigmoid`, but 0 up to 2**-64: times a large z or elapsed time its smallest value would not vanish."""
    s = sigmoid(z)
    return where_greater(s, number(like, 2.0**-64), s, like - like)


@helper
def must_know_activation(activation):
    """Refuse a number that has no branch below; kernels ask once a call."""
    if activation not in (RELU, SILU, TANH, GELU, LECUN_TANH, SIGMOID, LINEAR):
        raise ValueError("`activation` must be a number that ltc_np.kernels.cpu.activations knows")


@helper
def activate(activation, z, one):
    """f(z) and its derivative."""
    zero = one - one
    if activation == RELU:
        return where_greater(z, zero, z, zero), where_greater(z, zero, one, z - z)
    if activation == SILU:
        s = clean_sigmoid(z, one)
        y = z * s
        return y, fma(y, one - s, s)
    if activation == TANH:
        y = tanh(z)
        return y, fnma(y, y, one)
    if activation == GELU:
        cdf = normal_cdf(z)
        density = exp(neg(z) * z * number(one, 0.5)) * number(one, NORMAL_PEAK)
        return z * cdf, fma(z, density, cdf)
    if activation == SIGMOID:
        s = clean_sigmoid(z, one)
        return s, fnma(s, s, s)
    if activation == LINEAR:
        return z, where_greater(one, zero, one, z)
    scale, inner = number(one, LECUN_SCALE), number(one, LECUN_SLOPE)
    y = tanh(inner * z)
    return scale * y, scale * inner * fnma(y, y, one)
