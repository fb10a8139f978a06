"""The unfolds of v' = P(v) - Q(v) v, v held by neurons.  `ltc_np.kernels.numpy.ltc_solvers` has the rules.

A capacity is a divisor of P and Q here, and an elastance a factor on the length of an unfold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...base import checks
from ...kernels.codes import EXPONENTIAL_PART, TABLEAUS, Solver
from ..builder import Builder
from ..program import Apply, Expr, Number, Vector, apply

KNOWN = ("semi_implicit", "euler", "exponential", *TABLEAUS)


class Rates(NamedTuple):
    """What a stage needs, at the potentials at which it is taken.

    Attributes
    ----------
    P, Q : Expr
    length : Expr
        Of what the neurons go through, in an unfold or in the part of it that was asked for.
    """

    P: Expr
    Q: Expr
    length: Expr


def integrate(b: Builder, solver: str, unfolds: int, h: Expr, v: Vector, rates: Callable[[Expr], Rates]) -> None:
    """All unfolds of a step.

    Parameters
    ----------
    b : Builder
    solver : str
        Its name in `ltc_np.kernels.codes`.
    unfolds : int
    h : Expr
        The length of an unfold, known or in a variable.
    v : Vector
        The potentials.
    rates : callable
        ``rates(length)`` adds the statements that compute `Rates` at v, for an unfold so long.
    """
    checks.must_know(__name__, "solver", solver, KNOWN)
    if solver in TABLEAUS:
        _explicit(b, TABLEAUS[solver], unfolds, h, v, rates)
    elif solver == "euler":
        with b.repeat(unfolds):
            P, Q, length = rates(h)
            b.assign(v, v + _flow(P, Q, v) * length)
    elif solver == "semi_implicit":
        with b.repeat(unfolds):
            P, Q, length = _stored(b, rates(h), {})
            b.assign(v, v + (P - Q * v) * (length / (1 + length * Q)))
    else:
        base = b.variable(v.size, "base")
        variables: dict[str, Vector] = {}
        parts = [b.store(part * h, "h") for part in EXPONENTIAL_PART]
        with b.repeat(unfolds):
            b.assign(base, v)
            for part in parts:
                P, Q, length = _stored(b, rates(part), variables)
                b.assign(v, base + (P - Q * base) * (length * apply("relaxed", length * Q)))


def _explicit(b: Builder, solver: Solver, unfolds: int, h: Expr, v: Vector, rates: Callable[[Expr], Rates]) -> None:
    """A rule of Runge and Kutta, from its tableau."""
    base, slope, total = (b.variable(v.size, name) for name in ("base", "slope", "total"))
    with b.repeat(unfolds):
        b.assign(base, v)
        for stage, (weight, reach) in enumerate(zip(solver.weight, solver.reach, strict=True)):
            P, Q, length = rates(h)
            b.assign(slope, _flow(P, Q, v) * length)
            b.assign(v if reach == 0 else total, (total if stage else base) + weight * slope)
            if reach > 0:
                b.assign(v, base + reach * slope)


def _stored(b: Builder, rates: Rates, variables: dict[str, Vector]) -> Rates:
    """With Q and the length, which will be read twice, in ``variables``, which all stages share."""
    for name in ("Q", "length"):
        value = getattr(rates, name)
        if isinstance(value, Apply):
            if name not in variables:
                variables[name] = b.variable(value.size, name)
            rates = rates._replace(**{name: b.assign(variables[name], value)})
    return rates


def _flow(P: Expr, Q: Expr, v: Expr) -> Expr:
    """P - Q v, where nothing is computed for a Q that is 0."""
    return P if isinstance(Q, Number) and Q.value == 0 else P - Q * v
