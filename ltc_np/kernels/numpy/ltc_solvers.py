"""Solvers of cm v' = P(v) - Q(v) v over one unfold of length h: the definition in NumPy.

A solver is a number of *stages*.  Each takes P and Q, the sums over leak and synapses, at one potential and makes of
them the next: that at which the next stage takes its own, and after the last stage the one at the unfold's end.
The forward and its adjoint stand here for one stage; the loops over unfolds and the sums over synapses are those of
`ltc_np.kernels.numpy.ltc`.  docs/maths/ltc_solvers.md derives every line.

* ``semi_implicit``: P and Q at the old v, v implicit, v+ = v + h (P - Q v) / (cm + h Q).  The "fused" step of the
  paper's code, ncps and the tutorial.
* ``euler`` and those with a tableau: explicit rules.  Euler's and the classical one of Runge and Kutta, ``rk4``, are
  the "explicit" and "RK4" solvers of the paper's code.
* ``exponential``: the exponential midpoint rule.  With P and Q frozen the equation is linear and is solved exactly;
  they are frozen at the middle of the unfold, which the same step of half the length reaches.

Source: Hasani et al., AAAI 2021, and its code; Hochbruck & Ostermann, "Exponential integrators", Acta Numerica 2010.
"""

import numpy as np

from ...base import checks
from ..codes import EULER, EXPONENTIAL, EXPONENTIAL_PART, LARGEST_DECAY, SEMI_IMPLICIT, TABLEAUS

EXPLICIT = {solver.number: solver for solver in TABLEAUS.values()}
KNOWN = (SEMI_IMPLICIT, EULER, EXPONENTIAL, *EXPLICIT)


def advance(solver, stage, h, cm, P, Q, base, v, total):
    """One stage of a solver.

    Parameters
    ----------
    solver : int
        Its number in `ltc_np.kernels.codes`.
    stage : int
    h (B, 1), cm (N,)
        Length of the unfold, capacities.
    P, Q, v : (B, N)
        The sums, and the potential at which they were taken.
    base : (B, N)
        The potential before the unfold.
    total : (B, N) or None
        What the stage before returned, for solvers with a tableau; None in the first.

    Returns
    -------
    new (B, N), total
    """
    if solver == SEMI_IMPLICIT:
        return v + (P - Q * v) * (h / (cm + h * Q)), None
    if solver == EULER:
        return v + (P - Q * v) * (h / cm), None
    if solver in EXPLICIT:
        reach, weight = EXPLICIT[solver].reach[stage], EXPLICIT[solver].weight[stage]
        slope = (P - Q * v) * (h / cm)
        total = (base if stage == 0 else total) + weight * slope
        return (base + reach * slope if reach else total), total
    checks.must_know(__name__, "solver", solver, KNOWN)
    _, _, rate, _ = _relax(EXPONENTIAL_PART[stage] * h, cm, Q)
    return base + (P - Q * base) * rate, None


def d_advance(solver, stage, h, cm, P, Q, base, v, new, d_new, d_base, d_end):
    """Adjoint of `advance`.

    Parameters
    ----------
    d_new : (B, N)
        Adjoint of ``new``.
    d_base, d_end : (B, N) or None
        What the call for the stage behind returned; None in the last.  ``d_end`` is the adjoint of the unfold's end.

    Returns
    -------
    d_P, d_Q, d_cm, d_h, d_v, d_base, d_end
        ``d_v`` without what comes through P and Q; in the first stage, where v is base, it holds ``d_base``.  ``d_cm``
        and ``d_h`` are of every element, (B, N).
    """
    if solver == SEMI_IMPLICIT:
        stiff = h * Q > cm
        q = d_new / (cm + h * Q)
        d_P = h * q
        d_Q = -d_P * new
        d_cm = q * (v - new)
        flow = np.divide(cm * (new - v), h, out=P - Q * new, where=stiff)
        d_v = np.where(stiff, q * cm, d_new - d_P * Q)
        return d_P, d_Q, d_cm, q * flow, d_v, None, None
    if solver == EULER:
        q = d_new / cm
        d_P = h * q
        d_Q = -d_P * v
        d_cm = q * (v - new)
        return d_P, d_Q, d_cm, q * (P - Q * v), d_new - d_P * Q, None, None
    if solver in EXPLICIT:
        reach, weight = EXPLICIT[solver].reach[stage], EXPLICIT[solver].weight[stage]
        if reach:
            d_base = d_base + d_new
            q = (weight * d_end + reach * d_new) / cm
        else:
            d_end = d_base = d_new
            q = weight * d_new / cm
        d_P = h * q
        d_Q = -d_P * v
        d_cm = d_new / cm * (base - new)
        d_v = -d_P * Q
        return d_P, d_Q, d_cm, q * (P - Q * v), d_v if stage else d_base + d_v, d_base, d_end
    checks.must_know(__name__, "solver", solver, KNOWN)
    part = EXPONENTIAL_PART[stage]
    r, rise, rate, ratio = _relax(part * h, cm, Q)
    decay, stiff = np.exp(-r), r > 1
    q = d_new / cm
    d_P = d_new * rate
    excess = np.divide(ratio - 1, Q, out=part * h / (2 * cm) + 0 * Q, where=1 + r > 1)
    d_Q = -d_P * new + d_new * (new - base) * (decay * excess)
    d_cm = q * (base - new) * (decay * ratio)
    flow = np.divide((new - base) * Q * decay, rise, out=P - Q * new, where=stiff)
    d_base = (0 if stage else d_base) + np.where(stiff, d_new * decay, d_new - d_P * Q)
    return d_P, d_Q, d_cm, part * q * flow, 0 if stage else d_base, d_base, None


def _relax(h, cm, Q):
    """r = h Q / cm, 1 - e**-r, (1 - e**-r) / Q and r / (1 - e**-r): the way to the resting potential P / Q in time h.

    Where 1 + r is 1 the last two are their limits h / cm and 1, also for Q = 0.
    """
    limit = h / cm
    with np.errstate(over="ignore"):
        r = np.minimum(limit * Q, Q.dtype.type(LARGEST_DECAY))
    rise, some = -np.expm1(-r), 1 + r > 1
    rate, ratio = np.broadcast_to(limit, r.shape).copy(), np.ones_like(r)
    return r, rise, np.divide(rise, Q, out=rate, where=some), np.divide(r, rise, out=ratio, where=some)
