"""The LTC's solvers: one stage, for a vector of neurons or of lanes; both loop orders call it.

`advance` and `d_advance` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc_solvers`, the definition.
h, p and q are vectors, cm a vector or a number; the potentials and their adjoints are flat arrays, of which element k
and the following are meant.
"""

from ..codes import (
    EULER,
    EXPONENTIAL,
    EXPONENTIAL_PART,
    FIRST_TABLEAU,
    LARGEST_DECAY,
    MOST_STAGES,
    REACH,
    SEMI_IMPLICIT,
    TABLEAUS,
    WEIGHT,
)
from .jit import helper
from .simd import exp, expm1, fma, fnma, load_like, neg, store, where_greater

# The solvers that have a branch below; another number would be taken for the last one.
KNOWN = (SEMI_IMPLICIT, EULER, EXPONENTIAL, *(solver.number for solver in TABLEAUS.values()))


@helper
def must_know_solver(solver):
    """Refuse a number that is none of `KNOWN`; kernels ask once a call, where their callers have not."""
    if solver not in KNOWN:
        raise ValueError("`solver` must be a number that ltc_np.kernels.cpu.ltc_solvers knows")


@helper
def _tableau(solver, stage, array):
    """How far a stage goes with its slope, in h, and the slope's weight in the unfold."""
    real, k = array.dtype.type, (solver - FIRST_TABLEAU) * MOST_STAGES + stage
    return real(REACH[k]), real(WEIGHT[k])


@helper
def _part(stage, array):
    """The length of an exponential stage, in h."""
    real = array.dtype.type
    return real(EXPONENTIAL_PART[1]) if stage else real(EXPONENTIAL_PART[0])


@helper
def _relax(h, cm, q, array):
    """h / cm, r = h q / cm, 1 - exp(-r), and whether r is so large that 1 + r is not 1: 1 + r, to compare with 1."""
    one, most = array.dtype.type(1), array.dtype.type(LARGEST_DECAY)
    limit = h / cm
    r = limit * q
    r = where_greater(r, most, most, r)
    return limit, r, neg(expm1(neg(r))), r + one


@helper
def advance(solver, stage, k, h, cm, p, q, base, v, total):
    """The potential that one stage ends with; ``total`` is changed by solvers with a tableau."""
    now = load_like(v, k, q)
    if solver == SEMI_IMPLICIT:
        return fma(fnma(q, now, p), h / fma(h, q, cm), now)
    if solver == EULER:
        return fma(fnma(q, now, p), h / cm, now)
    first = load_like(base, k, q)
    if solver >= FIRST_TABLEAU:
        reach, weight = _tableau(solver, stage, v)
        slope = fnma(q, now, p) * (h / cm)
        sum_ = fma(weight, slope, load_like(total, k, q) if stage else first)
        store(total, k, sum_)
        return fma(reach, slope, first) if reach > 0 else sum_
    limit, _, rise, some = _relax(_part(stage, v) * h, cm, q, v)
    rate = where_greater(some, v.dtype.type(1), rise / q, limit)
    return fma(fnma(q, first, p), rate, first)


@helper
def d_advance(solver, stage, k, h, cm, q, base, v, new, d_v, d_base, d_end):
    """Adjoint of `advance` without that of h: d_p, d_q, and two factors whose product is d_cm.

    ``d_v`` is the adjoint of ``new`` and becomes that of v, its part through the synapses left out.
    """
    d_new, now, end = load_like(d_v, k, q), load_like(v, k, q), load_like(new, k, q)
    if solver == SEMI_IMPLICIT:
        scaled = d_new / fma(h, q, cm)
        dp = h * scaled
        # Twice one number: exact at h = 0, and without cancellation where h*q is large.
        store(d_v, k, where_greater(h * q, cm, scaled * cm, fnma(dp, q, d_new)))
        return dp, neg(dp * end), scaled, now - end
    if solver == EULER:
        scaled = d_new / cm
        dp = h * scaled
        store(d_v, k, fnma(dp, q, d_new))
        return dp, neg(dp * now), scaled, now - end
    first = load_like(base, k, q)
    if solver >= FIRST_TABLEAU:
        reach, weight = _tableau(solver, stage, d_v)
        if reach > 0:
            d_first = load_like(d_base, k, q) + d_new
        else:
            store(d_end, k, d_new)
            d_first = d_new
        store(d_base, k, d_first)
        dp = h * (fma(weight, load_like(d_end, k, q), reach * d_new) / cm)
        store(d_v, k, neg(dp * q) if stage else fnma(dp, q, d_first))
        return dp, neg(dp * now), d_new / cm, first - end
    one = d_v.dtype.type(1)
    limit, r, rise, some = _relax(_part(stage, d_v) * h, cm, q, d_v)
    inverse, ratio = one / q, where_greater(some, one, r / rise, one)
    decay, change, scaled = exp(neg(r)), first - end, d_new / cm
    dp = d_new * where_greater(some, one, rise * inverse, limit)
    excess = where_greater(some, one, (ratio - one) * inverse, limit * d_v.dtype.type(0.5))
    dq = fnma(d_new * change, decay * excess, neg(dp * end))
    direct = where_greater(r, one, d_new * decay, fnma(dp, q, d_new))
    if stage:
        store(d_base, k, direct)
        store(d_v, k, direct - direct)
    else:
        store(d_v, k, load_like(d_base, k, q) + direct)
    return dp, dq, scaled * (decay * ratio), change


@helper
def d_elapsed(solver, stage, k, h, cm, p, q, base, v, new, d_v, d_end):
    """Two factors whose product is the adjoint of h; called before `d_advance`."""
    d_new, now, end = load_like(d_v, k, q), load_like(v, k, q), load_like(new, k, q)
    if solver == SEMI_IMPLICIT:
        # P - Q*new, twice: the second form is exact at h = 0, the first does not cancel where h*q is large.
        return d_new / fma(h, q, cm), where_greater(h * q, cm, cm * (end - now) / h, fnma(q, end, p))
    if solver == EULER:
        return d_new / cm, fnma(q, now, p)
    if solver >= FIRST_TABLEAU:
        reach, weight = _tableau(solver, stage, d_v)
        return fma(weight, load_like(d_end, k, q) if reach > 0 else d_new, reach * d_new) / cm, fnma(q, now, p)
    part = _part(stage, d_v)
    _, r, rise, _ = _relax(part * h, cm, q, d_v)
    change = end - load_like(base, k, q)
    return part * d_new / cm, where_greater(r, d_v.dtype.type(1), change * q * exp(neg(r)) / rise, fnma(q, end, p))
