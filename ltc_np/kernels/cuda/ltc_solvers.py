"""The LTC's solvers: one stage of one neuron, in numbers.

`advance` and `d_advance` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc_solvers`, the definition, and
the forms of those in `ltc_np.kernels.cpu.ltc_solvers`: exact at h = 0, and without cancellation where h*q is large.
"""

import math

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
from .device import helper

# The solvers that have a branch below; another number would be taken for the last one.
KNOWN = (SEMI_IMPLICIT, EULER, EXPONENTIAL, *(solver.number for solver in TABLEAUS.values()))


@helper
def _tableau(solver, stage, like):
    """How far a stage goes with its slope, in h, and the slope's weight in the unfold."""
    real, k = type(like), (solver - FIRST_TABLEAU) * MOST_STAGES + stage
    return real(REACH[k]), real(WEIGHT[k])


@helper
def _part(stage, like):
    """The length of an exponential stage, in h."""
    real = type(like)
    return real(EXPONENTIAL_PART[1]) if stage else real(EXPONENTIAL_PART[0])


@helper
def _relax(h, cm, q):
    """r = h q / cm, 1 - exp(-r), (1 - exp(-r)) / q and r / (1 - exp(-r)); their limits where 1 + r is 1."""
    real = type(q)
    one, most = real(1), real(LARGEST_DECAY)
    limit = h / cm
    r = limit * q
    r = most if r > most else r
    rise = -math.expm1(-r)
    if one + r > one:
        return r, rise, rise / q, r / rise
    return r, rise, limit, one


@helper
def advance(solver, stage, h, cm, p, q, base, v, total):
    """The potential that one stage ends with, and the running sum of solvers with a tableau."""
    if solver == SEMI_IMPLICIT:
        return v + (p - q * v) * (h / (cm + h * q)), total
    if solver == EULER:
        return v + (p - q * v) * (h / cm), total
    if solver >= FIRST_TABLEAU:
        reach, weight = _tableau(solver, stage, v)
        slope = (p - q * v) * (h / cm)
        total = (total if stage else base) + weight * slope
        return base + reach * slope if reach > 0 else total, total
    _, _, rate, _ = _relax(_part(stage, v) * h, cm, q)
    return base + (p - q * base) * rate, total


@helper
def d_advance(solver, stage, h, cm, q, base, v, new, d_new, d_base, d_end):
    """Adjoint of `advance`, without that of h.

    ``d_base`` and ``d_end`` are what the call for the stage behind returned.  Returns d_p, d_q, d_cm, d_v (its part
    through the synapses left out), d_base, d_end.
    """
    real = type(q)
    if solver == SEMI_IMPLICIT:
        scaled = d_new / (cm + h * q)
        d_p = h * scaled
        # Twice one number: exact at h = 0, and without cancellation where h*q is large.
        d_v = scaled * cm if h * q > cm else d_new - d_p * q
        return d_p, -d_p * new, scaled * (v - new), d_v, d_base, d_end
    if solver == EULER:
        scaled = d_new / cm
        d_p = h * scaled
        return d_p, -d_p * v, scaled * (v - new), d_new - d_p * q, d_base, d_end
    if solver >= FIRST_TABLEAU:
        reach, weight = _tableau(solver, stage, v)
        if reach > 0:
            d_base = d_base + d_new
        else:
            d_end = d_new
            d_base = d_new
        d_p = h * ((weight * d_end + reach * d_new) / cm)
        d_v = -d_p * q if stage else d_base - d_p * q
        return d_p, -d_p * v, d_new / cm * (base - new), d_v, d_base, d_end
    one = real(1)
    h = _part(stage, v) * h
    r, _, rate, ratio = _relax(h, cm, q)
    decay = math.exp(-r)
    d_p = d_new * rate
    excess = (ratio - one) / q if one + r > one else h / cm * real(0.5)
    d_q = d_new * (new - base) * (decay * excess) - d_p * new
    d_cm = d_new / cm * (base - new) * (decay * ratio)
    direct = d_new * decay if r > one else d_new - d_p * q
    if stage:
        return d_p, d_q, d_cm, real(0), direct, d_end
    return d_p, d_q, d_cm, d_base + direct, d_base, d_end


@helper
def d_elapsed_scale(solver, stage, h, cm, q, d_new, d_end):
    """The factor of the adjoint of h that needs the adjoint of ``new``; d_end as `d_advance` returns it."""
    if solver == SEMI_IMPLICIT:
        return d_new / (cm + h * q)
    if solver == EULER:
        return d_new / cm
    if solver >= FIRST_TABLEAU:
        reach, weight = _tableau(solver, stage, q)
        return (weight * d_end + reach * d_new) / cm
    return _part(stage, q) * d_new / cm


@helper
def d_elapsed_flow(solver, stage, h, cm, p, q, base, v, new):
    """The other factor, cm dv/dt at the end of the stage."""
    if solver == SEMI_IMPLICIT:
        # P - Q*new, twice: the second form is exact at h = 0, the first does not cancel where h*q is large.
        return cm * (new - v) / h if h * q > cm else p - q * new
    if solver == EULER or solver >= FIRST_TABLEAU:
        return p - q * v
    r, rise, _, _ = _relax(_part(stage, q) * h, cm, q)
    return (new - base) * q * math.exp(-r) / rise if r > type(q)(1) else p - q * new
