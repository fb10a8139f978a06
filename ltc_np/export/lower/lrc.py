"""The LRC.  `ltc_np.cells.lrc` has the equations."""

from __future__ import annotations

import numpy as np

from ...base.types import Array, Arrays
from ...cells import LRC
from ...wirings.synapses import Synapses
from ..builder import Builder
from ..program import Expr, Vector, apply, expression
from .elastance import elastance_of
from .mapping import mapped
from .solvers import Rates, integrate


def _drives(
    b: Builder,
    lists: Synapses,
    kind: str,
    p: Arrays,
    buffers: Arrays,
    source: Expr,
    start: tuple[Expr, Expr],
    targets: tuple[Vector, Vector] | None = None,
) -> tuple[Vector, Vector]:
    """f and z with what the synapses add."""
    w, h, mu, sigma = (p[kind + name] for name in ("w", "h", "mu", "sigma"))
    gain = buffers.get(f"{kind}gain", 1.0)
    return b.synapses(
        lists, source, *start, mu=mu, sigma=sigma, first_weight=w * gain, second_weight=h * gain, targets=targets
    )


def _matrix(lists: Synapses, weights: Array) -> Array:
    """(post, pre) of weights of synapses."""
    matrix = np.zeros((lists.n_post, lists.n_pre))
    np.add.at(matrix, (lists.post, lists.pre), weights)
    return matrix


def lower(layer: LRC, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The synapses of the inputs once, then all unfolds."""
    x = b.store(mapped(layer.input_mapping, "input", p, x))
    gleak, vleak, N = expression(p["gleak"]), expression(p["vleak"]), state.size
    sensory = _drives(b, layer.sensory, "sensory_", p, buffers, x, (gleak, gleak))
    f, z = b.variable(N, "f"), b.variable(N, "z")
    elastance, start, a = layer.elastance, expression(p.get("elastance_b", 0.0)), b.variable(N, "a")
    if "sensory_elastance_w" in p:
        start = b.linear(_matrix(layer.sensory, p["sensory_elastance_w"]), x, p["elastance_b"], name="a")

    def rates(h: Expr) -> Rates:
        _drives(b, layer.recurrent, "", p, buffers, state, sensory, (f, z))
        if elastance is not None:
            if "elastance_w" in p:
                of_states: Expr = b.linear(_matrix(layer.recurrent, p["elastance_w"]), state, target=a)
            else:
                of_states = state * p["elastance_v"]
            h = h * elastance_of(elastance, p, b.assign(a, of_states + start))
        return Rates(vleak * apply("tanh", z), apply("sigmoid", f), h)

    h = b.store(dt / layer.ode_unfolds, "h")
    integrate(b, layer.method.name, layer.ode_unfolds, h, state, rates)
    return mapped(layer.output_mapping, "output", p, state[: layer.output_size])
