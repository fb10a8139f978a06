"""A stack of layers that lives on the device: parameters, layers, gradient.

The host's ``theta`` is the authority: `Stack.load` takes it, and whoever changes the copy writes it back before others
look.
"""

import numpy as np

from . import optim
from .dense import DeviceDense, blank
from .device import download, empty, launch_over, overwrite, upload
from .ltc import DeviceLTC
from .memory import Memory, fill
from .moves import batch_first, time_first

u = np.uint64
LAYERS = {"LTC": DeviceLTC, "Dense": DeviceDense}


def missing(model):
    """The first layer of a model that the device does not know, or None."""
    return next((layer for layer in model.layers if type(layer).__name__ not in LAYERS), None)


class Stack:
    """The layers of a model on the device; all of them in `LAYERS`."""

    def __init__(self, model):
        layout, P, dtype = model.layout, model.layout.size, model.dtype
        self.model, self.P, self.dtype, self.memory = model, P, dtype, Memory()
        positivity, bound = np.zeros(P, np.int8), np.zeros(P, dtype)
        for e in layout.entries:
            where, _ = layout.slices[e.name]
            positivity[where] = (None, "softplus", "clip").index(e.positivity)
            bound[where] = e.bound
        self.positivity, self.bound = upload(positivity), upload(bound)
        self.least = dtype.type(np.finfo(dtype).tiny ** 0.5)
        self.theta, self.values, self.gradient = (empty(P, dtype) for _ in range(3))
        self.d_values, self.frozen = empty(P, np.float64), empty(P, np.int8)
        buffers = upload(model._buffers)
        p, g = ({k: a[where] for k, (where, _) in layout.slices.items()} for a in (self.values, self.d_values))
        buffers = {k: buffers[where] for k, (where, _) in model._buffer_layout.slices.items()}

        def of_layer(arrays, k):
            n = len(model.layers)
            return arrays if n == 1 else {m.split(".", 1)[1]: a for m, a in arrays.items() if m.startswith(f"{k}.")}

        self.layers = [
            LAYERS[type(layer).__name__](layer, *(of_layer(a, k) for a in (p, buffers, g)))
            for k, layer in enumerate(model.layers)
        ]

    def put(self, name, values):
        """A host array on the device; the next call with this name overwrites it."""
        array = self.memory.array(name, values.size, values.dtype)
        overwrite(array, values)
        return array

    def put_steps(self, name, values):
        """The same of (B, T, ...), as (T, B, ...)."""
        B, T = values.shape[:2]
        return time_first(self.put(name, values), B, T, values[0, 0].size, self.memory, f"{name} by time")

    def outputs(self, y, B, T):
        """Outputs (T, B, O) as the host's (B, T, O)."""
        return download(batch_first(y, B, T, y.size // (B * T), self.memory, "y by batch")).reshape(B, T, -1)

    def load(self):
        """Take theta, and what of it is frozen, from the model."""
        model = self.model
        overwrite(self.theta, model.theta)
        overwrite(
            self.frozen, np.zeros(self.P, np.int8) if model.trainable is None else (~model.trainable).view(np.int8)
        )

    def prepare(self):
        """Effective values and what layers make of them; to be called when theta has changed."""
        launch_over(self.P, optim.effective, self.theta, self.positivity, self.bound, self.least, self.values)
        for layer in self.layers:
            layer.pack()

    def forward(self, x, dt, steps, h0, T, B, ragged, keep):
        """All layers on device arrays x (T, B, I), dt (T, B), steps (B,), h0: a host array (B, K).

        Returns y (T, B, O), the last states of the layers, what `backward` needs.
        """
        states, saved = [], []
        for k, layer in enumerate(self.layers):
            own = self.memory.child(k)
            start = self.put(f"h0 {k}", h0[:, self.model._states[k]])
            x, h, kept = layer.forward(x, dt, steps, start, T, B, keep, own)
            if ragged:
                launch_over(x.size, blank, x, steps, u(B), u(x.size // (T * B)))
            states.append(h)
            saved.append(kept)
        return x, states, saved

    def backward(self, saved, d_y, steps, T, B, ragged):
        """Adjoint of `forward` of a loss of its outputs; the gradients go to d_values."""
        launch_over(self.P, fill, self.d_values, np.float64(0))
        for k in range(len(self.layers) - 1, -1, -1):
            own = self.memory.child(k)
            where = self.model._states[k]
            d_h = own.zeros("d_h", B * (where.stop - where.start), self.dtype)
            d_y = self.layers[k].backward(saved[k], d_y, d_h, T, B, k > 0, own)
            if ragged and d_y is not None:
                launch_over(d_y.size, blank, d_y, steps, u(B), u(d_y.size // (T * B)))

    def state(self, states, B):
        """Last states of the layers as the host's (B, K)."""
        return np.concatenate([download(h).reshape(B, -1) for h in states], axis=1)
