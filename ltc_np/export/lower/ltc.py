"""The LTC.  `ltc_np.cells.ltc` has the equations, `ltc_np.kernels.numpy.ltc_solvers` the rules of an unfold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...kernels.codes import EULER, EXPONENTIAL_PART, RK4, RK4_REACH, RK4_WEIGHT, SEMI_IMPLICIT, SENSORY, SYNAPSE
from ..program import apply, expression
from .mapping import mapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ...base.types import Arrays
    from ...cells import LTC
    from ...wirings.synapses import Synapses
    from ..program import Builder, Expr, Vector


def _currents(
    b: Builder,
    lists: Synapses,
    names: Sequence[str],
    p: Arrays,
    gain: np.ndarray | None,
    source: Expr,
    P: Expr,
    Q: Expr,
) -> tuple[Vector, Vector]:
    """P and Q with what the synapses add."""
    w, mu, sigma, erev = (p[name] for name in names)
    w = w if gain is None else w * gain
    return b.synapses(lists, source, P, Q, mu=mu, sigma=sigma, first_weight=w * erev, second_weight=w)


def lower(layer: LTC, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """All unfolds of one elapsed time."""
    x = mapped(layer.input_mapping, "input", p, x)
    leak = expression(p["gleak"] * p["vleak"]), expression(p["gleak"] + layer.epsilon)
    P_sensory, Q_sensory = _currents(b, layer.sensory, SENSORY, p, buffers.get("sensory_gain"), x, *leak)
    cm, stages = expression(p["cm"]), layer.method.stages
    h = b.store(dt / layer.ode_unfolds, "h")
    base = state if stages == 1 else b.variable(state.size, "base")
    total = b.variable(state.size, "total") if layer.method.number == RK4 else None
    with b.repeat(layer.ode_unfolds):
        if stages > 1:
            b.assign(base, state)
        for stage in range(stages):
            P, Q = _currents(b, layer.recurrent, SYNAPSE, p, buffers.get("gain"), state, P_sensory, Q_sensory)
            b.assign(state, _advance(b, layer.method.number, stage, h, cm, P, Q, base, state, total))
    return mapped(layer.output_mapping, "output", p, state[: layer.output_size])


def _advance(
    b: Builder,
    solver: int,
    stage: int,
    h: Expr,
    cm: Expr,
    P: Expr,
    Q: Expr,
    base: Vector,
    v: Vector,
    total: Vector | None,
) -> Expr:
    """The potential after one stage; ``base`` is that before the unfold, ``total`` what rk4 adds up."""
    if solver == SEMI_IMPLICIT:
        return v + (P - Q * v) * (h / (cm + h * Q))
    if solver == EULER:
        return v + (P - Q * v) * (h / cm)
    if total is not None:
        slope = b.store((P - Q * v) * (h / cm), "slope")
        b.assign(total, (base if stage == 0 else total) + RK4_WEIGHT[stage] * slope)
        return total if stage == 3 else base + RK4_REACH[stage] * slope
    reach = EXPONENTIAL_PART[stage] * h / cm
    return base + (P - Q * base) * (reach * apply("relaxed", reach * Q))
