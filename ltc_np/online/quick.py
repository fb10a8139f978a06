"""Which layers are followed more quickly than `generic` does it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..cells import LRC, LTC, S4D, Layer, LiquidS4, LrcSSM
from ..layers import Conv1D
from ..model import Model
from . import synaptic
from .diagonal import DiagonalTraces
from .generic import Cost
from .lrc_ssm import LrcSSMTraces
from .methods import Exact, Immediate, Method
from .state_space import StateSpaceTraces
from .traces import Traces
from .window import WindowTraces


class Quick(NamedTuple):
    """Of a network of one layer: its `Traces`, and what they would cost; both None where it does not fit."""

    traces: Callable[[Model, Method], Traces | None]
    cost: Callable[[Model, Method], Cost | None]


def _diagonal(kind: type[DiagonalTraces]) -> Quick:
    """Of a diagonal cell, exact; a step takes as many multiplications as there are traces, times a few."""

    def traces(network: Model, method: Method) -> DiagonalTraces | None:
        return kind(network.layers[0], network.dtype, network.backend) if isinstance(method, Exact) else None

    def cost(network: Model, method: Method) -> Cost | None:
        if not isinstance(method, Exact):
            return None
        return Cost(*2 * [sum(map(math.prod, kind.shapes(network.layers[0]).values()))])

    return Quick(traces, cost)


def _window_traces(model: Model, method: Method) -> WindowTraces | None:
    """Of what is exact by the last step alone."""
    if not isinstance(method, (Exact, Immediate)):
        return None
    return WindowTraces(model.layers[0], model.dtype, model.backend)


def _window_cost(model: Model, method: Method) -> Cost | None:
    if not isinstance(method, (Exact, Immediate)):
        return None
    return Cost(sum(WindowTraces.sizes(model.layers[0]).values()), 2 * model.layout.size)


_SYNAPTIC = Quick(synaptic.traces_of, synaptic.cost_of)
# By the class of the layer, and not of those derived from it, which may compute something else.
QUICK: dict[type[Layer], Quick] = {
    Conv1D: Quick(_window_traces, _window_cost),
    LTC: _SYNAPTIC,
    LRC: _SYNAPTIC,
    LrcSSM: _diagonal(LrcSSMTraces),
    S4D: _diagonal(StateSpaceTraces),
    LiquidS4: _diagonal(StateSpaceTraces),
}
