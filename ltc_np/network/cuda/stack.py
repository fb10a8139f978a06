"""A network that lives on the device: its parameters, and its layers one after another."""

import threading
from typing import NamedTuple

import numpy as np

from ...base.layout import part
from ...kernels.cuda import sums
from ...kernels.cuda.device import download, launch_over
from ...kernels.cuda.memory import fill
from ...kernels.cuda.moves import put
from ...kernels.cuda.sequences import DeviceSequences
from .layers import LAYERS
from .parameters import DeviceParameters


class Saved(NamedTuple):
    """What `DeviceStack.backward` needs of one `DeviceStack.forward`."""

    stack: object
    sequences: DeviceSequences
    layers: list


class DeviceStack:
    """The layers of a network; all of them in `ltc_np.network.cuda.layers.LAYERS`."""

    def __init__(self, network):
        self.network, self.dtype, self.states = network, network.dtype, network.layer_stack.states
        self.parameters = own = DeviceParameters(network)
        self.layers = [
            LAYERS[type(layer)](layer, *(part(arrays, prefix) for arrays in (own.p, own.buffers, own.g)))
            for layer, prefix in zip(network.layers, network.layer_stack.prefixes, strict=True)
        ]
        self.lock = threading.Lock()  # a tape may be used by another thread than the stack's own

    def prepare(self):
        """Effective values and what layers make of them; to be called when theta has changed."""
        self.parameters.prepare()
        for layer in self.layers:
            layer.pack()

    def forward(self, sequences, h0, keep, memory):
        """All layers; h0 is one (B, K) for each.

        Returns y (T, B, O), 0 behind a sequence's end, the last states of the layers, `Saved`.
        """
        given, states, saved = sequences, [], []
        for k, layer in enumerate(self.layers):
            y, h, of_layer = layer.forward(given, h0[k], keep, memory.child(k))
            sequences.blank(y)
            given = given._replace(x=y)
            states.append(h)
            saved.append(of_layer)
        return given.x, states, Saved(self, sequences, saved)

    def backward(self, saved, d_y, d_h, want_x, want_dt, memory):
        """Adjoint of `forward`: d_x and d_dt; d_h, of each layer, becomes the adjoint of h0.

        The gradient with respect to effective values goes to ``parameters.d_values``.
        """
        own, sequences, d_dt = self.parameters, saved.sequences, None
        launch_over(own.size, fill, own.d_values, np.float64(0))
        for k in range(len(self.layers) - 1, -1, -1):
            d_y, d = self.layers[k].backward(saved.layers[k], d_y, d_h[k], want_x or k > 0, want_dt, memory.child(k))
            if d is not None and d_dt is not None:
                launch_over(d.size, sums.add, d_dt, d)
            d_dt = d if d_dt is None else d_dt
            if d_y is not None:
                sequences.blank(d_y)
        if d_dt is not None:
            sequences.blank(d_dt)
        return d_y, d_dt

    def zero_states(self, B, memory):
        """An adjoint of the last states that is 0."""
        widths = [where.stop - where.start for where in self.states]
        return [memory.zeros(f"d_h {k}", B * width, self.dtype) for k, width in enumerate(widths)]

    def put_states(self, name, h, memory):
        """A host array of states, (B, K), on the device: one array for each layer."""
        return [put(f"{name} {k}", h[:, where], memory) for k, where in enumerate(self.states)]

    def take_states(self, states, B):
        """Inverse of `put_states`."""
        return np.concatenate([download(h).reshape(B, -1) for h in states], axis=1)
