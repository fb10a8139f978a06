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
def unit_of(number, large, zr, zi):
    """What z is multiplied by where its square is needed: 1, or see `LARGE`."""
    square, unit = large
    return where_greater(fma(zr, zr, zi * zi), square, unit, number(1))


@inlined
def _growth(number, large, zr, zi):
    """E = exp(z) - 1 and phi = E / z."""
    one, half, smallest = number(1), number(0.5), number(SMALLEST)
    s, c = sin(zi * half), cos(zi * half)
    p = expm1(zr)
    sq = s * (p + one)
    er, ei = fnma(sq + sq, s, p), (sq + sq) * c
    unit, size = unit_of(number, large, zr, zi), fma(zr, zr, zi * zi)
    zr, zi = zr * unit, zi * unit
    phi_r, phi_i = conjugate_product(zr, zi, er, ei)
    inverse = one / where_greater(size, smallest, fma(zr, zr, zi * zi), one)
    phi_r = where_greater(size, smallest, phi_r * inverse * unit, one)
    return er, ei, phi_r, where_greater(size, smallest, phi_i * inverse * unit, number(0))


@inlined
def _slope(number, single, unit, zr, zi, er, ei, phi_r, phi_i):
    """The derivative of phi, (exp(z) - phi) / z, divided by ``unit`` twice; by a power series where it would cancel."""
    one, near, inverse, size = number(1), number(SERIES_RADIUS**2), number(1) / unit, fma(zr, zr, zi * zi)
    zr, zi = zr * unit, zi * unit
    far_r, far_i = conjugate_product(zr, zi, ((one + er) - phi_r) * inverse, (ei - phi_i) * inverse)
    inverse = one / where_greater(size, near, fma(zr, zr, zi * zi), near)
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
def factors(number, kind, limits, delta, wr, wi, br, bi):
    """(E, phi, F) of a step at the rate w; ``limits`` are the `ltc_np.kernels.cpu.ssm.Limits` of z = delta w."""
    highest, large = limits[0], limits[1:]
    zr, zi = delta * wr, delta * wi
    if kind == BILINEAR:
        one, half, unit = number(1), number(0.5), unit_of(number, large, zr, zi)
        nr, ni = fnma(zr, half, one) * unit, zi * half * unit  # conj(1 - z/2)
        inverse = one / fma(nr, nr, ni * ni)
        phi_r, phi_i = nr * inverse, ni * inverse
        er, ei = product(zr * unit, zi * unit, phi_r, phi_i)
        phi_r, phi_i = phi_r * unit, phi_i * unit
    else:
        er, ei, phi_r, phi_i = _growth(number, large, where_greater(zr, highest, highest, zr), zi)
    fr, fi = product(phi_r, phi_i, br, bi)
    return er, ei, phi_r, phi_i, delta * fr, delta * fi


@inlined
def d_factors(number, single, kind, limits, delta, wr, wi, br, bi, er, ei, phi_r, phi_i, d_er, d_ei, d_fr, d_fi):
    """Adjoint of `factors`: d_w, d_b, d_delta."""
    highest, large = limits[0], limits[1:]
    zr, zi, zero = delta * wr, delta * wi, number(0)
    d_br, d_bi = conjugate_product(phi_r, phi_i, delta * d_fr, delta * d_fi)
    limited = zr if kind == BILINEAR else where_greater(zr, highest, highest, zr)
    unit = unit_of(number, large, limited, zi)
    inverse, length = number(1) / unit, delta * unit
    d_phi_r, d_phi_i = conjugate_product(br, bi, length * d_fr, length * d_fi)  # times unit
    if kind == BILINEAR:
        half = number(0.5)
        sr, si = phi_r * inverse, phi_i * inverse
        sr, si = product(sr, si, sr, si)
        d_zr, d_zi = conjugate_product(sr, si, fma(d_phi_r, half, d_er * unit), fma(d_phi_i, half, d_ei * unit))
        d_delta = elapsed(number, kind, unit, er, ei, phi_r, phi_i, wr, wi, br, bi, d_er, d_ei, d_fr, d_fi)
    else:
        sr, si = _slope(number, single, unit, limited, zi, er, ei, phi_r, phi_i)
        vr, vi = conjugate_product(er, ei, d_er, d_ei)
        d_zr, d_zi = conjugate_product(sr, si, d_phi_r, d_phi_i)  # divided by unit
        d_zr, d_zi = d_zr + (vr + d_er) * inverse, d_zi + (vi + d_ei) * inverse
        # Where the bound holds; where delta and it are 0, from now on.
        free = where_greater(highest, zr, number(1), where_greater(wr, zero, zero, number(1)))
        d_zr = where_greater(free, zero, d_zr, zero)
        rate, most = where_greater(free, zero, wr, zero), where_greater(free, zero, zero, highest)
        d_delta = elapsed(number, kind, unit, er, ei, phi_r, phi_i, rate, wi, br, bi, d_er, d_ei, d_fr, d_fi)
        tr, ti = conjugate_product(br, bi, d_fr, d_fi)
        sr, si = most * unit * sr, most * unit * si
        d_delta = fnma(fma(sr, tr, si * ti), unit, d_delta)
    return length * d_zr, length * d_zi, d_br, d_bi, d_delta


@inlined
def elapsed(number, kind, unit, er, ei, phi_r, phi_i, ar, ai, br, bi, d_er, d_ei, d_fr, d_fi):
    """The part d_delta of `d_factors` alone: with q = exp(z), or phi**2, dE/d_delta = A q and dF/d_delta = B q."""
    sr, si = conjugate_product(ar, ai, d_er, d_ei)
    tr, ti = conjugate_product(br, bi, d_fr, d_fi)
    if kind == BILINEAR:
        inverse = number(1) / unit
        qr, qi = phi_r * inverse, phi_i * inverse
        qr, qi = product(qr, qi, qr, qi)
        return fma(qr * unit, sr + tr, qi * unit * (si + ti)) * unit
    return fma(er + number(1), sr + tr, ei * (si + ti))


@inlined
def shrink(number, bound, large, er, ei):
    """(by, e) where 1 + e = by (1 + E), by at most 1, so that |1 + e| is at most ``bound``."""
    one = number(1)
    mr = er + one
    unit = unit_of(number, large, mr, ei)
    sr, si, least = mr * unit, ei * unit, bound * unit
    size, most = fma(sr, sr, si * si), least * least
    by = where_greater(size, most, least / sqrt(where_greater(size, most, size, most)), one)
    return by, where_greater(size, most, fma(by, mr, neg(one)), er), by * ei


@inlined
def d_shrink(number, large, er, ei, by, dr, di):
    """Adjoint of `shrink`: d_E."""
    one = number(1)
    mr = er + one
    unit = unit_of(number, large, mr, ei)
    mr, ei = mr * unit, ei * unit
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
