"""Small kernels through which the tests reach the functions of `ltc_np.kernels.cpu.simd`."""

from ltc_np.kernels.codes import SYMMETRIC
from ltc_np.kernels.cpu import simd
from ltc_np.kernels.cpu.elastance import d_elastance_of, elastance_of, gap
from ltc_np.kernels.cpu.jit import kernel
from ltc_np.kernels.cpu.simd import add_sums, fma, fnma, lane_sum, load, splat, store

FUNCTIONS = ("exp2", "sigmoid2", "sigmoid", "exp", "tanh", "softplus", "expm1", "sin", "cos")


@kernel
def vectors(x, y):
    """y: x.size results of each of FUNCTIONS; x is a multiple of 64 bytes."""
    w = x.size
    for i in range(0, w, 64 // x.itemsize):
        v = load(x, i)
        store(y, i, simd.exp2(v))
        store(y, w + i, simd.sigmoid2(v))
        store(y, 2 * w + i, simd.sigmoid(v))
        store(y, 3 * w + i, simd.exp(v))
        store(y, 4 * w + i, simd.tanh(v))
        store(y, 5 * w + i, simd.softplus(v))
        store(y, 6 * w + i, simd.expm1(v))
        store(y, 7 * w + i, simd.sin(v))
        store(y, 8 * w + i, simd.cos(v))


@kernel
def scalars(x, y):
    """The same, number by number."""
    w = x.size
    for i in range(w):
        y[i] = simd.exp2(x[i])
        y[w + i] = simd.sigmoid2(x[i])
        y[2 * w + i] = simd.sigmoid(x[i])
        y[3 * w + i] = simd.exp(x[i])
        y[4 * w + i] = simd.tanh(x[i])
        y[5 * w + i] = simd.softplus(x[i])
        y[6 * w + i] = simd.expm1(x[i])
        y[7 * w + i] = simd.sin(x[i])
        y[8 * w + i] = simd.cos(x[i])


@kernel
def arithmetic(a, b, c, out):
    """out: a+b, a-b, a*b, a/b, a+c, c/a, a*b+c, c-a*b."""
    w, va, vb = a.size, load(a, 0), load(b, 0)
    store(out, 0, va + vb)
    store(out, w, va - vb)
    store(out, 2 * w, va * vb)
    store(out, 3 * w, va / vb)
    store(out, 4 * w, va + c)
    store(out, 5 * w, c / va)
    store(out, 6 * w, fma(va, vb, c))
    store(out, 7 * w, fnma(va, vb, splat(c)))


@kernel
def sums(a, b, row):
    """row[2:6] += sums of a, b, a*a, a*b; returns the sum of a."""
    va, vb = load(a, 0), load(b, 0)
    add_sums(row, 2, va, vb, va * va, va * vb)
    return lane_sum(va)


@kernel
def symmetric_elastance(a, shift, found):
    """found (3, size): the elastance and its derivatives by a and by shift; size is a multiple of 64 bytes."""
    one = a.dtype.type(1)
    for i in range(0, a.size, 64 // a.itemsize):
        delta = load(shift, i)
        factor = gap(delta)
        epsilon, s, r = elastance_of(SYMMETRIC, load(a, i), delta, factor, one)
        d_a, d_shift = d_elastance_of(epsilon, s, r, factor, one, splat(one))
        store(found, i, epsilon)
        store(found, a.size + i, d_a)
        store(found, 2 * a.size + i, d_shift)
