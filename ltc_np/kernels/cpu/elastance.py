"""The elastance of the cells with a liquid capacitance, on vectors; `ltc_np.kernels.numpy.elastance` defines it."""

from ..codes import ASYMMETRIC, SYMMETRIC
from .activations import clean_sigmoid
from .jit import helper
from .simd import fnma, splat_like


@helper
def elastance_of(kind, a, shift, one):
    """Of its argument a: the elastance, and the sigmoids that it consists of, which `d_elastance_of` takes."""
    if kind == ASYMMETRIC:
        s = clean_sigmoid(a, one)
        return s, s, s - s
    if kind == SYMMETRIC:
        s, r = clean_sigmoid(a + shift, one), clean_sigmoid(a - shift, one)
        return s - r, s, r
    c = splat_like(one, a)
    return c, c, c - c


@helper
def d_elastance_of(s, r, d_epsilon):
    """Adjoint of `elastance_of`: d_a and d_shift.  Where there is no sigmoid, s (1 - s) is 0."""
    d_s, d_r = d_epsilon * fnma(s, s, s), d_epsilon * fnma(r, r, r)
    return d_s - d_r, d_s + d_r
