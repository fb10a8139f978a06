"""The LTC's solvers: one stage, for a vector of neurons or of lanes; both loop orders call it.

`advance` and `d_advance` have the meaning of their namesakes in `ltc_np.cells.ltc_solvers`, the definition.  h, p and q
are vectors, cm a vector or a number; the potentials and their adjoints are flat arrays, of which element k and the
following are meant.
"""

from .jit import helper
from .simd import exp, expm1, fma, fnma, load_like, neg, store, where_greater

SEMI_IMPLICIT, EULER, RK4, EXPONENTIAL = range(4)
CODES = {"semi_implicit": SEMI_IMPLICIT, "euler": EULER, "rk4": RK4, "exponential": EXPONENTIAL}


@helper
def _rk4(stage, array):
    """How far a stage goes with its slope, in h, and the slope's weight in the step."""
    real = array.dtype.type
    if stage == 0:
        return real(1 / 2), real(1 / 6)
    if stage == 1:
        return real(1 / 2), real(1 / 3)
    if stage == 2:
        return real(1), real(1 / 3)
    return real(0), real(1 / 6)


@helper
def _part(stage, array):
    """The length of an exponential stage, in h."""
    return array.dtype.type(1) if stage else array.dtype.type(0.5)


@helper
def _relax(h, cm, q, array):
    """h / cm, r = h q / cm, 1 - exp(-r), and whether r is so large that 1 + r is not 1: 1 + r, to compare with 1."""
    one, most = array.dtype.type(1), array.dtype.type(1024)  # exp(-r) is 0 beyond
    limit = h / cm
    r = limit * q
    r = where_greater(r, most, most, r)
    return limit, r, neg(expm1(neg(r))), r + one


@helper
def advance(solver, stage, k, h, cm, p, q, base, v, total):
    """The potential that one stage ends with; ``total`` is changed by rk4."""
    now = load_like(v, k, q)
    if solver == SEMI_IMPLICIT:
        return fma(fnma(q, now, p), h / fma(h, q, cm), now)
    if solver == EULER:
        return fma(fnma(q, now, p), h / cm, now)
    first = load_like(base, k, q)
    if solver == RK4:
        reach, weight = _rk4(stage, v)
        slope = fnma(q, now, p) * (h / cm)
        sum_ = fma(weight, slope, load_like(total, k, q) if stage else first)
        store(total, k, sum_)
        return fma(reach, slope, first) if stage < 3 else sum_
    limit, _, rise, some = _relax(_part(stage, v) * h, cm, q, v)
    rate = where_greater(some, v.dtype.type(1), rise / q, limit)
    return fma(fnma(q, first, p), rate, first)


@helper
def d_advance(solver, stage, k, h, cm, q, base, v, new, g, g_base, g_end):
    """Adjoint of `advance` without that of h: d_p, d_q, and two factors whose product is d_cm.

    ``g`` is the adjoint of ``new`` and becomes that of v, its part through the synapses left out.
    """
    gi, now, end = load_like(g, k, q), load_like(v, k, q), load_like(new, k, q)
    if solver == SEMI_IMPLICIT:
        scaled = gi / fma(h, q, cm)
        dp = h * scaled
        # Twice one number: exact at h = 0, and without cancellation where h*q is large.
        store(g, k, where_greater(h * q, cm, scaled * cm, fnma(dp, q, gi)))
        return dp, neg(dp * end), scaled, now - end
    if solver == EULER:
        scaled = gi / cm
        dp = h * scaled
        store(g, k, fnma(dp, q, gi))
        return dp, neg(dp * now), scaled, now - end
    first = load_like(base, k, q)
    if solver == RK4:
        reach, weight = _rk4(stage, g)
        if stage == 3:
            store(g_end, k, gi)
            d_first = gi
        else:
            d_first = load_like(g_base, k, q) + gi
        store(g_base, k, d_first)
        dp = h * (fma(weight, load_like(g_end, k, q), reach * gi) / cm)
        store(g, k, neg(dp * q) if stage else fnma(dp, q, d_first))
        return dp, neg(dp * now), gi / cm, first - end
    one = g.dtype.type(1)
    limit, r, rise, some = _relax(_part(stage, g) * h, cm, q, g)
    inverse, ratio = one / q, where_greater(some, one, r / rise, one)
    decay, change, scaled = exp(neg(r)), first - end, gi / cm
    dp = gi * where_greater(some, one, rise * inverse, limit)
    excess = where_greater(some, one, (ratio - one) * inverse, limit * g.dtype.type(0.5))
    dq = fnma(gi * change, decay * excess, neg(dp * end))
    direct = where_greater(r, one, gi * decay, fnma(dp, q, gi))
    if stage:
        store(g_base, k, direct)
        store(g, k, direct - direct)
    else:
        store(g, k, load_like(g_base, k, q) + direct)
    return dp, dq, scaled * (decay * ratio), change


@helper
def d_elapsed(solver, stage, k, h, cm, p, q, base, v, new, g, g_end):
    """Two factors whose product is the adjoint of h; called before `d_advance`."""
    gi, now, end = load_like(g, k, q), load_like(v, k, q), load_like(new, k, q)
    if solver == SEMI_IMPLICIT:
        # P - Q*new, twice: the second form is exact at h = 0, the first does not cancel where h*q is large.
        return gi / fma(h, q, cm), where_greater(h * q, cm, cm * (end - now) / h, fnma(q, end, p))
    if solver == EULER:
        return gi / cm, fnma(q, now, p)
    if solver == RK4:
        reach, weight = _rk4(stage, g)
        return fma(weight, gi if stage == 3 else load_like(g_end, k, q), reach * gi) / cm, fnma(q, now, p)
    part = _part(stage, g)
    _, r, rise, _ = _relax(part * h, cm, q, g)
    change = end - load_like(base, k, q)
    return part * gi / cm, where_greater(r, g.dtype.type(1), change * q * exp(neg(r)) / rise, fnma(q, end, p))
