"""A model cut where sensitivities begin and end: what is before a recurrent layer, the layer, what is behind it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..layers import Stack
from ..model import Model
from . import generic
from .generic import AnyTraces, say_cost
from .methods import Method
from .quick import QUICK, Quick
from .traces import Traces


def quick(network: Model) -> Quick | None:
    """What may follow the only layer of a network more quickly than `AnyTraces`."""
    return QUICK.get(type(network.layers[0])) if len(network.layers) == 1 else None


def traces_for(network: Model, method: Method) -> Traces:
    """`Traces` of all layers of a network."""
    way = quick(network)
    found = None if way is None else way.traces(network, method)
    return AnyTraces(network, method) if found is None else found


def look_first(network: Model, method: Method, streams: int, late: int = 0) -> None:
    """Before so many traces are made: refuse or warn of what costs much, and warn of what has no gradient; ``late`` as
    in `say_cost`."""
    way, layer = quick(network), network.layers[0]
    cost = None if way is None else way.cost(network, method)
    say_cost(network, method, streams, generic.cost(network, method) if cost is None else cost, late)
    if cost is not None and (count := unseen(layer, method)):
        checks.warn(
            f"{method!r} gives {count} of the {layer.state_size} neurons of {layer!r} a gradient of exactly 0, since "
            "only the motor neurons are read: take Exact(), SnAp(n) with n above the longest way to these, "
            'EProp(feedback="random"), or a wiring whose outputs are all neurons'
        )


def cut(model: Model, first: int, last: int) -> Model:
    """Layers first..last - 1 of a model as one of their own, with the parameters and buffers that they have now."""
    stack, before = Stack(model.layers[first:last]), model.layers[:first]
    start, first_buffer = sum(layer.layout.size for layer in before), sum(layer.buffers.size for layer in before)
    own = slice(start, start + stack.layout.size)
    buffers = model.buffer_vector[first_buffer : first_buffer + stack.buffers.size].copy()
    backend = kernels.on_host(model.backend)
    found = Model.restored(stack, model.theta[own].copy(), buffers, backend, return_sequences=True)
    found.trainable = None if model.trainable is None else model.trainable[own]
    return found


class Places(NamedTuple):
    """Layers first..last - 1 of a model have sensitivities; none before has parameters, none behind a state."""

    first: int
    last: int


def places(model: Model) -> Places:
    """Where a model is cut."""
    holds = [k for k, layer in enumerate(model.layers) if layer.layout.size or layer.state_size]
    if not any(layer.layout.size for layer in model.layers):
        raise ValueError(f"`model` must have parameters that learn, got {model!r}")
    states = [k for k, layer in enumerate(model.layers) if layer.state_size]
    return Places(holds[0], max([holds[0], *states]) + 1)


def unseen(layer: Any, method: Method) -> int:
    """How many neurons of a wiring, although their outputs are heard, the method gives a gradient of exactly 0."""
    if not layer.reads_wiring:
        return 0
    wiring = layer.wiring
    apart = np.full(wiring.units, np.inf)
    apart[: wiring.output_dim] = 0
    for _ in range(wiring.units):
        np.minimum.at(apart, wiring.pre, apart[wiring.post] + 1)
    return int(((apart > method.reach) & (apart < np.inf)).sum())
