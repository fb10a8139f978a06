"""A model cut where sensitivities begin and end: what is before a recurrent layer, the layer, what is behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.types import Array
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..layers import Stack
from ..model import Model
from ..network.sequences import Sequences
from .generic import AnyTraces
from .methods import Method
from .traces import Traces

# Of a network of one layer what follows it more quickly than `AnyTraces`, by the layer's class; None where it does not.
FAST: dict[type[Layer], Callable[[Model, Method], Traces | None]] = {}


def traces_for(network: Model, method: Method) -> Traces:
    """`Traces` of all layers of a network, which has a state."""
    layer = network.layers[0]
    found = FAST[type(layer)](network, method) if len(network.layers) == 1 and type(layer) in FAST else None
    return AnyTraces(network, method) if found is None else found


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


class Head:
    """Layers without a state behind the recurrent one, over single steps; none is the identity."""

    network: Model | None

    def __init__(self, network: Model | None) -> None:
        self.network, self._workspace = network, Workspace()

    def prepare(self, theta: Array) -> None:
        """Take the raw parameters of the layers."""
        if self.network is not None:
            self.network.theta[:] = theta
            self._prepared = self.network.engine.prepare(Fresh())

    def forward(self, f: Array) -> Array:
        """Outputs (B, O) for features (B, F)."""
        return f if self.network is None else self._run(f)[0]

    def _run(self, f: Array) -> tuple[Array, object]:
        B, network = len(f), self.network
        given = Sequences(f[:, None], np.ones((B, 1), f.dtype), np.ones(B, np.int64), None, np.zeros((B, 0), f.dtype))
        y, _, saved = network.engine.forward(self._prepared, given, "full", Fresh())
        return y[:, 0], saved

    def backward(self, f: Array, d_y: Array) -> tuple[Array, Array]:
        """Adjoint of `forward`: of the parameters (P,), summed over the batch, and of the features."""
        if self.network is None:
            return np.empty(0, f.dtype), d_y
        _, saved = self._run(f)
        d_h = np.zeros((len(f), 0), f.dtype)
        found = self.network.engine.backward(
            self._prepared, saved, None, d_y[:, None].copy(), d_h, True, False, self._workspace
        )
        return found.theta, found.x[:, 0].copy()


def unseen(layer: Layer, method: Method) -> int:
    """How many neurons of a wiring, although their outputs are heard, the method gives a gradient of exactly 0."""
    if not layer.reads_wiring:
        return 0
    wiring = layer.wiring
    apart = np.full(wiring.units, np.inf)
    apart[: wiring.output_dim] = 0
    for _ in range(wiring.units):
        np.minimum.at(apart, wiring.pre, apart[wiring.post] + 1)
    return int(((apart > method.reach) & (apart < np.inf)).sum())


def warn_of_unseen(network: Model, method: Method) -> None:
    """A warning where a method leaves neurons without a gradient."""
    layer = network.layers[0]
    if len(network.layers) == 1 and type(layer) in FAST and (count := unseen(layer, method)):
        checks.warn(
            f"{method!r} gives {count} of the {layer.state_size} neurons of {layer!r} a gradient of exactly 0, since "
            "only the motor neurons are read: take Exact(), SnAp(n) with n above the longest way to these, "
            'EProp(feedback="random"), or a wiring whose outputs are all neurons'
        )
