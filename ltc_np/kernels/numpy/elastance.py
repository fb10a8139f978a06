"""The elastance, or inverse capacitance, of the cells with a liquid one: the definition in NumPy.

``"asymmetric"`` sigmoid(a), ``"symmetric"`` sigmoid(a + shift) - sigmoid(a - shift), None 1.  Of the difference, which
would cancel where it is small, the product sigmoid(a + shift) sigmoid(shift - a) (1 - exp(-2 shift)) is computed.
"""

import numpy as np

from ...base import checks
from ...base.activations import sigmoid
from ..codes import ASYMMETRIC, CONSTANT, SYMMETRIC


def named_rates(kind, v, f, z, a, R, U, epsilon, vleak):
    """The sums at v and what they make, by name: R = sigmoid(f), U = tanh(z), v' = epsilon (U vleak - R v)."""
    drive = U * vleak
    with np.errstate(divide="ignore"):
        tau = 1 / (epsilon * R)
    seen = {"sum_f": f, "sum_z": z, "conductance": R, "drive": drive, "tau": tau, "slope": epsilon * (drive - R * v)}
    return seen if kind == CONSTANT else seen | {"sum_a": a, "elastance": epsilon}


def elastance_of(kind, a, shift):
    """Of its argument a; ``kind``: its number in `ltc_np.kernels.codes`."""
    if kind == CONSTANT:
        return np.ones_like(a)
    if kind == ASYMMETRIC:
        return sigmoid(a)
    checks.must_know(__name__, "elastance", kind, (ASYMMETRIC, SYMMETRIC, CONSTANT))
    return sigmoid(a + shift) * sigmoid(shift - a) * -np.expm1(-2 * shift)


def d_elastance_of(kind, a, shift, d_epsilon):
    """Adjoint of `elastance_of`: d_a and d_shift, of every element."""
    none = np.zeros_like(a)
    if kind == CONSTANT:
        return none, none
    if kind == ASYMMETRIC:
        s = sigmoid(a)
        return d_epsilon * s * (1 - s), none
    s, r = sigmoid(a + shift), sigmoid(shift - a)
    epsilon = elastance_of(kind, a, shift)
    d_shift = d_epsilon * (epsilon * ((1 - s) + (1 - r)) + 2 * s * r * np.exp(-2 * shift))
    return d_epsilon * epsilon * (r - s), d_shift
