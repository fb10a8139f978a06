"""What an oscillator does in some time, in vectors of oscillators, and the adjoint: `ltc_np.kernels.numpy.linoss`."""

from ..numpy.linoss import BALANCED_TERMS, NEAR, TERMS, balanced_series, series
from .jit import inlined
from .simd import cos, exp, expm1, fma, fnma, load, neg, sin, splat_like, where_greater

SINGLE, DOUBLE = TERMS[4], TERMS[8]
BALANCED_SINGLE, BALANCED_DOUBLE = BALANCED_TERMS[4], BALANCED_TERMS[8]
SECOND, THIRD, FOURTH = (tuple(series(offset, DOUBLE)) for offset in (2, 3, 4))
BALANCED = tuple(balanced_series(BALANCED_DOUBLE))


@inlined
def _once(number, single, coefficients, twice, square):
    now = last = splat_like(number(0), twice)
    for k in range((SINGLE if single else DOUBLE) - 1, -1, -1):
        now, last = fnma(twice, now, fnma(square, last, splat_like(number(coefficients[k]), twice))), now
    return now


@inlined
def _twice(number, single, coefficients, twice, square):
    now = last = total = before = splat_like(number(0), twice)
    for k in range((SINGLE if single else DOUBLE) - 1, -1, -1):
        now, last = fnma(twice, now, fnma(square, last, splat_like(number(coefficients[k]), twice))), now
        total, before = fnma(twice, total, fnma(square, before, now)), total
    return total


@inlined
def flow(number, single, own, M, k, h):
    """m, l, g and psi of the oscillators k..., after the time h."""
    zero, half, one = number(0), number(0.5), number(1)
    A, G, turn, slow = load(own, k), load(own, M + k), load(own, 3 * M + k), load(own, 4 * M + k)
    fast, real = load(own, 5 * M + k), load(own, 6 * M + k)
    decayed, angle = expm1(neg(slow * h)), turn * h
    left, parted = decayed + one, expm1(neg(angle + angle))
    g = left * where_greater(real, zero, neg(parted) * half, sin(angle)) / turn
    even, odd = left * where_greater(real, zero, fma(parted, half, one), cos(angle)), G * half * g
    far = where_greater(real, zero, (neg(decayed) / slow - g) / fast, (one - even - odd) / A)
    near = h * h * _once(number, single, SECOND, G * h, A * h * h)
    psi = where_greater(fast * h, number(NEAR), far, near)
    grown, left = even - odd, even + odd
    m = where_greater(half * half, grown * grown, grown - one, neg(fma(G, g, A * psi)))
    return m, where_greater(half * half, left * left, left - one, neg(A * psi)), g, psi


@inlined
def d_flow(number, single, own, M, k, h, g, psi, d_m, d_l, d_g, d_psi):
    """Adjoint of `flow`: d_A, d_G."""
    zero, half, one = number(0), number(0.5), number(1)
    A, G, turn, slow = load(own, k), load(own, M + k), load(own, 3 * M + k), load(own, 4 * M + k)
    fast, real, alpha = load(own, 5 * M + k), load(own, 6 * M + k), G * half
    decayed, angle = expm1(neg(slow * h)), turn * h
    left, parted = decayed + one, expm1(neg(angle + angle))
    square = where_greater(real, zero, neg(turn * turn), turn * turn)
    even = left * where_greater(real, zero, fma(parted, half, one), cos(angle))
    kappa, grown = fnma(h, even, g) / (square + square), h * g * half
    slower, faster = one - h * slow + slow / turn, one - h * fast - fast / turn
    slope = left * fma(parted + one, faster, slower) / (number(4) * turn * turn)
    slope = where_greater(real, zero, slope, fnma(alpha, kappa, grown))
    balanced, q = splat_like(zero, h), square * h * h
    for j in range((BALANCED_SINGLE if single else BALANCED_DOUBLE) - 1, -1, -1):
        balanced = fnma(q, balanced, splat_like(number(BALANCED[j]), h))
    kappa = where_greater(one, angle, exp(neg(alpha * h)) * h * h * h * balanced, kappa)
    slope = where_greater(one, angle, fnma(alpha, kappa, grown), slope)
    step = slow * h
    moment = h * h * _once(number, single, SECOND, step + step, step * step)
    moment = where_greater(step, number(NEAR), fnma(left, one + step, one) / (slow * slow), moment)
    apart = fnma(fast + fast, kappa, moment - slope) / (fast * fast)
    mu = where_greater(real, zero, apart, (fnma(alpha, kappa, psi) - grown) / A)
    twice, product, cube = G * h, A * h * h, h * h * h
    far, near = fast * h, number(NEAR)
    kappa = where_greater(far, near, kappa, cube * _twice(number, single, THIRD, twice, product))
    mu = where_greater(far, near, mu, cube * h * _twice(number, single, FOURTH, twice, product))
    slope = where_greater(far, near, slope, fnma(alpha, kappa, grown))
    pull = A * kappa
    d_A = fma(slope, d_m, fma(fma(G, kappa, slope), d_l, fma(kappa, d_g, mu * d_psi)))
    d_G = fma(fnma(G, slope, g - pull), d_m, fnma(pull, d_l, fma(slope, d_g, kappa * d_psi)))
    return neg(d_A), neg(d_G)
