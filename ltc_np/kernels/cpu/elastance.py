"""The elastance of the cells with a liquid capacitance, on vectors; `ltc_np.kernels.numpy.elastance` defines it."""

from ..codes import ASYMMETRIC, CONSTANT, SYMMETRIC
from .activations import clean_sigmoid
from .jit import helper
from .simd import expm1, fma, neg, splat_like

KNOWN = (ASYMMETRIC, SYMMETRIC, CONSTANT)  # those that have a branch below


@helper
def must_know_elastance(kind):
    """Refuse a number that is none of `KNOWN`; kernels ask once a call, where their callers have not."""
    if kind not in KNOWN:
        raise ValueError("`elastance` must be a number that ltc_np.kernels.cpu.elastance knows")


@helper
def gap(shift):
    """1 - exp(-2 shift), a factor of a symmetric elastance that is made once for each neuron."""
    return neg(expm1(neg(shift + shift)))


@helper
def elastance_of(kind, a, shift, factor, one):
    """Of its argument a; ``factor`` is the `gap` of ``shift``.

    The elastance, and two sigmoids, or 1 in their place: `d_elastance_of` takes all three.
    """
    c = splat_like(one, a)
    if kind == ASYMMETRIC:
        s = clean_sigmoid(a, one)
        return s, s, c
    if kind == SYMMETRIC:
        s, r = clean_sigmoid(a + shift, one), clean_sigmoid(shift - a, one)
        return s * r * factor, s, r
    return c, c, c


@helper
def d_elastance_of(epsilon, s, r, factor, one, d_epsilon):
    """Adjoint of `elastance_of`: d_a and d_shift, which means nothing where there is no shift."""
    both = s * r * (one - factor)
    return d_epsilon * (epsilon * (r - s)), d_epsilon * fma(epsilon, (one - s) + (one - r), both + both)
