"""The elastance keeps its digits: a symmetric one is a difference of sigmoids that are almost equal.

It is also sinh(shift) / (cosh(a) + cosh(shift)), in which nothing cancels.  That and its derivatives, in the longest
floating-point numbers of this machine, are what both backends are compared with.
"""

import numpy as np
import pytest

from ltc_np.kernels.codes import ASYMMETRIC, CONSTANT, SYMMETRIC
from ltc_np.kernels.numpy import elastance as definition


def exact(a, shift):
    """The symmetric elastance and its derivatives by a and by shift."""
    a, shift = a.astype(np.longdouble), shift.astype(np.longdouble)
    total = np.cosh(a) + np.cosh(shift)
    epsilon = np.sinh(shift) / total
    return epsilon, -epsilon * np.sinh(a) / total, (1 + np.cosh(a) * np.cosh(shift)) / total**2


def of_numpy(a, shift):
    one = np.ones_like(a)
    return definition.elastance_of(SYMMETRIC, a, shift), *definition.d_elastance_of(SYMMETRIC, a, shift, one)


def of_kernels(a, shift):
    from support.simd_probe import symmetric_elastance

    found = np.empty((3, a.size), a.dtype)
    symmetric_elastance(a, shift, found.reshape(-1))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("of", [of_numpy, pytest.param(of_kernels, marks=pytest.mark.numba)])
@pytest.mark.parametrize("shift", [1e-6, 1e-3, 0.1, 1, 5, 30])
def test_a_symmetric_elastance_and_its_derivatives_keep_their_digits(shift, of, dtype):
    a = np.concatenate([np.linspace(-25, 25, 4000), [-1e-3, 1e-3, -1e-6, 1e-6] * 24]).astype(dtype)
    shift = np.full_like(a, shift)
    epsilon, by_a, by_shift = exact(a, shift)
    found = of(a, shift)
    # Half a unit of rounding for each of a few operations, and in an argument of 55 at most, of which exp makes 55.
    eps = 32 * np.finfo(dtype).eps
    assert np.max(np.abs(found[0] / epsilon - 1)) < eps
    # The derivative by a is 0 at 0, where it is the difference of equal sigmoids; that by shift is almost 0 where both
    # are 1.  A relative change of the elastance is what they are right to.
    assert np.max(np.abs(found[1] - by_a) / epsilon) < eps
    assert np.max(np.abs(found[2] - by_shift) / (epsilon + by_shift)) < eps


def test_without_a_shift_the_elastance_is_a_sigmoid_or_1():
    a = np.linspace(-3, 3, 7)
    s, one = 1 / (1 + np.exp(-a)), np.ones(7)
    assert np.allclose(definition.elastance_of(ASYMMETRIC, a, None), s, rtol=1e-15)
    assert np.array_equal(definition.elastance_of(CONSTANT, a, None), one)
    d_a, d_shift = definition.d_elastance_of(ASYMMETRIC, a, None, 2 * one)
    assert np.allclose(d_a, 2 * s * (1 - s), rtol=1e-14)
    assert not d_shift.any()
    assert not np.any(definition.d_elastance_of(CONSTANT, a, None, one))
