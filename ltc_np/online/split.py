"""A model cut where sensitivities begin and end: what is before a recurrent layer, the layer, what is behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..cells import Layer
from ..layers import Stack
from ..model import Model
from .generic import AnyTraces, say_cost
from .methods import Method
from .traces import Traces

# Of a network of one layer what follows it more quickly than `AnyTraces`, by the layer's class; None where it does not.
FAST: dict[type[Layer], Callable[[Model, Method], Traces | None]] = {}


def traces_for(network: Model, method: Method) -> Traces:
    """`Traces` of all layers of a network."""
    found = quick(network, method)
    return AnyTraces(network, method) if found is None else found


def quick(network: Model, method: Method) -> Traces | None:
    """Those that `FAST` has."""
    layer = network.layers[0]
    return FAST[type(layer)](network, method) if len(network.layers) == 1 and type(layer) in FAST else None


def look_first(network: Model, method: Method, streams: int) -> None:
    """Before so many traces are made: refuse or warn of what costs much, and warn of what has no gradient."""
    layer = network.layers[0]
    if quick(network, method) is None:
        say_cost(network, method, streams)
    elif count := unseen(layer, method):
        checks.warn(
            f"{method!r} gives {count} of the {layer.state_size} neurons of {layer!r} a gradient of exactly 0, since "
            "only the motor neurons are read: take Exact(), SnAp(n) with n above the longest way to these, "
            'EProp(feedback="random"), or a wiring whose outputs are all neurons'
        )


def cut(model: Model, first: int, last: int) -> Model:
    """Layers first..last - 1 of a model as one of their own, with the parameters and buffers that they have now."""
    whole, stack = model.layer_stack, Stack(model.layers[first:last])
    starts = [sum(layer.layout.size for layer in whole.layers[:first]), _buffers(whole, first)]
    theta, buffers = (
        vector[start : start + size].copy()
        for vector, start, size in zip(
            (model.theta, model.buffer_vector), starts, (stack.layout.size, stack.buffers.size), strict=True
        )
    )
    found = Model.restored(stack, theta, buffers, kernels.on_host(model.backend), return_sequences=True)
    if model.trainable is not None:
        found.trainable = model.trainable[starts[0] : starts[0] + theta.size]
    return found


def _buffers(stack: Stack, first: int) -> int:
    """Where the buffers of a layer begin."""
    return sum(layer.buffers.size for layer in stack.layers[:first])


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
