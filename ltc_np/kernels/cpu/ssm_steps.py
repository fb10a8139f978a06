"""One step of a mode of a state space, in vectors of channels: how it is made, and the adjoint.

`ltc_np.kernels.numpy.ssm` says the same of complex numbers.  Here a complex number is two vectors, its real and its
imaginary part, and the factor on a state is kept as what it is more than 1: near 1 the digits by which a mode decays
would be lost.
"""

from ..codes import BILINEAR
from ..numpy.ssm import SERIES_RADIUS
from .jit import inlined
from .simd import cos, expm1, fma, fnma, neg, sin, splat_like, sqrt, where_greater

# Below, |z|**2 may be 0 although z is not, and (exp(z) - 1)/z is 1 but for |z|/2.
SMALLEST = 1e-36
# 1 / (k! (k + 2)), the series of the derivative of (exp(z) - 1)/z: as many terms as float32 needs, more for float64.
SERIES = (1 / 2, 1 / 3, 1 / 8, 1 / 30, 1 / 144, 1 / 840, 1 / 5760, 1 / 45360)
MORE_SERIES = (1 / 403200, 1 / 3991680, 1 / 43545600, 1 / 518918400, 1 / 6706022400)


@inlined
def product(ar, ai, br, bi):
    """a b."""
    return fnma(ai, bi, ar * br), fma(ai, br, ar * bi)


@inlined
def conjugate_product(ar, ai, br, bi):
    """conj(a) b."""
    return fma(ai, bi, ar * br), fnma(ai, br, ar * bi)


@inlined
def _growth(number, zr, zi):
    """E = exp(z) - 1 and phi = E / z."""
    one, half, smallest = number(1), number(0.5), number(SMALLEST)
    s, c = sin(zi * half), cos(zi * half)
    p = expm1(zr)
    sq = s * (p + one)
    er, ei = fnma(sq + sq, s, p), (sq + sq) * c
    size = fma(zr, zr, zi * zi)
    phi_r, phi_i = conjugate_product(zr, zi, er, ei)
    inverse = one / where_greater(size, smallest, size, one)
    phi_r = where_greater(size, smallest, phi_r * inverse, one)
    return er, ei, phi_r, where_greater(size, smallest, phi_i * inverse, number(0))


@inlined
def _slope(number, single, zr, zi, er, ei, phi_r, phi_i):
    """The derivative of phi: (exp(z) - phi) / z, by its power series where that would cancel."""
    one, near, size = number(1), number(SERIES_RADIUS**2), fma(zr, zr, zi * zi)
    inverse = one / where_greater(size, near, size, near)
    far_r, far_i = conjugate_product(zr, zi, (one + er) - phi_r, ei - phi_i)
    # sum c_k z**k of real c_k is b_0 - conj(z) b_1, where b_k = c_k + 2 Re(z) b_{k+1} - |z|**2 b_{k+2}
    twice = zr + zr
    b, last = splat_like(number(0), zr), splat_like(number(0), zr)
    if not single:
        for k in range(len(MORE_SERIES) - 1, -1, -1):
            b, last = fma(twice, b, fnma(size, last, splat_like(number(MORE_SERIES[k]), zr))), b
    for k in range(len(SERIES) - 1, -1, -1):
        b, last = fma(twice, b, fnma(size, last, splat_like(number(SERIES[k]), zr))), b
    return (
        where_greater(size, near, far_r * inverse, fnma(zr, last, b)),
        where_greater(size, near, far_i * inverse, zi * last),
    )


@inlined
def factors(number, kind, highest, delta, wr, wi, br, bi):
    """(E, phi, F) of a step at the rate w; Re z is at most ``highest`` where z = delta w."""
    zr, zi = delta * wr, delta * wi
    if kind == BILINEAR:
        one, half = number(1), number(0.5)
        nr, ni = fnma(zr, half, one), zi * half  # conj(1 - z/2)
        inverse = one / fma(nr, nr, ni * ni)
        phi_r, phi_i = nr * inverse, ni * inverse
        er, ei = product(zr, zi, phi_r, phi_i)
    else:
        er, ei, phi_r, phi_i = _growth(number, where_greater(zr, highest, highest, zr), zi)
    fr, fi = product(phi_r, phi_i, br, bi)
    return er, ei, phi_r, phi_i, delta * fr, delta * fi


@inlined
def d_factors(number, single, kind, highest, delta, wr, wi, br, bi, er, ei, phi_r, phi_i, d_er, d_ei, d_fr, d_fi):
    """Adjoint of `factors`: d_w, d_b, d_delta."""
    zr, zi = delta * wr, delta * wi
    gr, gi = delta * d_fr, delta * d_fi
    d_br, d_bi = conjugate_product(phi_r, phi_i, gr, gi)
    d_phi_r, d_phi_i = conjugate_product(br, bi, gr, gi)
    tr, ti = conjugate_product(phi_r, phi_i, d_fr, d_fi)
    d_delta = fma(br, tr, bi * ti)
    if kind == BILINEAR:
        half = number(0.5)
        sr, si = product(phi_r, phi_i, phi_r, phi_i)
        d_zr, d_zi = conjugate_product(sr, si, fma(d_phi_r, half, d_er), fma(d_phi_i, half, d_ei))
    else:
        limited = where_greater(zr, highest, highest, zr)
        sr, si = _slope(number, single, limited, zi, er, ei, phi_r, phi_i)
        vr, vi = conjugate_product(er, ei, d_er, d_ei)
        d_zr, d_zi = conjugate_product(sr, si, d_phi_r, d_phi_i)
        d_zr, d_zi = d_zr + (vr + d_er), d_zi + (vi + d_ei)
        # Where the bound holds; where delta and it are 0, from now on.
        d_zr = where_greater(highest, zr, d_zr, where_greater(wr, number(0), number(0), d_zr))
    d_delta = d_delta + fma(wr, d_zr, wi * d_zi)
    return delta * d_zr, delta * d_zi, d_br, d_bi, d_delta


@inlined
def elapsed(number, kind, er, ei, phi_r, phi_i, ar, ai, br, bi, d_er, d_ei, d_fr, d_fi):
    """The part d_delta of `d_factors` alone: with q = exp(z), or phi**2, dE/d_delta = A q and dF/d_delta = B q."""
    if kind == BILINEAR:
        qr, qi = product(phi_r, phi_i, phi_r, phi_i)
    else:
        qr, qi = er + number(1), ei
    sr, si = conjugate_product(ar, ai, d_er, d_ei)
    tr, ti = conjugate_product(br, bi, d_fr, d_fi)
    return fma(qr, sr + tr, qi * (si + ti))


@inlined
def shrink(number, bound, er, ei):
    """(by, e) where 1 + e = by (1 + E), by at most 1, so that |1 + e| is at most ``bound``."""
    one = number(1)
    mr = er + one
    size, most = fma(mr, mr, ei * ei), bound * bound
    by = where_greater(size, most, bound / sqrt(where_greater(size, most, size, most)), one)
    return by, where_greater(size, most, fma(by, mr, neg(one)), er), by * ei


@inlined
def d_shrink(number, bound, er, ei, by, dr, di):
    """Adjoint of `shrink`: d_E."""
    one = number(1)
    mr = er + one
    size = fma(mr, mr, ei * ei)
    along = where_greater(one, by, fma(mr, dr, ei * di) / size, number(0))
    return by * fnma(mr, along, dr), by * fnma(ei, along, di)


@inlined
def moved(xr, xi, er, ei, pr, pi):
    """x + E x + p, as two sums of which neither waits long for the state before.

    Of a difference (here and elsewhere) the factor that changes from step to step is the one negated: the negative of
    the other would be kept in registers beside it.
    """
    return fma(er, xr, pr) + fnma(xi, ei, xr), fma(er, xi, pi) + fma(ei, xr, xi)


@inlined
def d_moved(lr, li, er, ei):
    """Adjoint of `moved` with respect to x: l + conj(E) l."""
    return fma(er, lr, lr) + ei * li, fma(er, li, li) - ei * lr
