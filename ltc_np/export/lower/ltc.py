"""The LTC.  `ltc_np.cells.ltc` has the equations."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.types import Array, Arrays
from ...cells import LTC
from ...kernels.codes import SENSORY, SYNAPSE
from ...wirings.synapses import Synapses
from ..builder import Builder
from ..program import Expr, Vector, expression
from .mapping import mapped
from .solvers import Rates, integrate


def _currents(
    b: Builder,
    lists: Synapses,
    names: Sequence[str],
    p: Arrays,
    gain: Array | None,
    source: Expr,
    start: tuple[Expr, Expr],
    targets: tuple[Vector, Vector] | None = None,
) -> tuple[Vector, Vector]:
    """P / cm and Q / cm with what the synapses add."""
    w, mu, sigma, erev = (p[name] for name in names)
    w = (w if gain is None else w * gain) / p["cm"][lists.post]
    return b.synapses(
        lists, source, *start, mu=mu, sigma=sigma, first_weight=w * erev, second_weight=w, targets=targets
    )


def lower(layer: LTC, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The synapses of the inputs once, then all unfolds."""
    x = mapped(layer.input_mapping, "input", p, x)
    leak = expression(p["gleak"] * p["vleak"] / p["cm"]), expression((p["gleak"] + layer.epsilon) / p["cm"])
    sensory = _currents(b, layer.sensory, SENSORY, p, buffers.get("sensory_gain"), x, leak)
    targets = b.variable(state.size, "p"), b.variable(state.size, "q")

    def rates(h: Expr) -> Rates:
        return Rates(*_currents(b, layer.recurrent, SYNAPSE, p, buffers.get("gain"), state, sensory, targets), h)

    h = b.store(dt / layer.ode_unfolds, "h")
    integrate(b, layer.method.name, layer.ode_unfolds, h, state, rates)
    return mapped(layer.output_mapping, "output", p, state[: layer.output_size])
