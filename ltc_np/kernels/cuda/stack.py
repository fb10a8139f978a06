"""A stack of layers that lives on the device: parameters, layers, gradient.

The host's ``theta`` is the authority: `Stack.load` takes it, and whoever changes the copy writes it back before others
look.
"""

import numpy as np

from . import optim
from .dense import DeviceDense, add, blank
from .device import download, empty, launch_over, overwrite, upload
from .ltc import DeviceLTC
from .memory import fill
from .moves import batch_first, time_first

u = np.uint64
# These classes, not what is derived from them or called alike.
LAYERS = {("ltc_np.cells.ltc", "LTC"): DeviceLTC, ("ltc_np.layers.dense", "Dense"): DeviceDense}


def _known(layer):
    """The device's form of a layer's class, or None."""
    return LAYERS.get((type(layer).__module__, type(layer).__qualname__))


def missing(model):
    """The first layer of a model that the device does not know, or None."""
    return next((layer for layer in model.layers if _known(layer) is None), None)


class Stack:
    """The layers of a model on the device; all of them in `LAYERS`."""

    def __init__(self, model):
        layout, P, dtype = model.layout, model.layout.size, model.dtype
        self.model, self.P, self.dtype = model, P, dtype
        positivity, bound = np.zeros(P, np.int8), np.zeros(P, dtype)
        for e in layout.entries:
            where, _ = layout.slices[e.name]
            positivity[where] = (None, "softplus", "clip").index(e.positivity)
            bound[where] = e.bound
        self.positivity, self.bound = upload(positivity), upload(bound)
        self.least = dtype.type(np.finfo(dtype).tiny ** 0.5)
        self.theta, self.values, self.gradient = (empty(P, dtype) for _ in range(3))
        self.d_values, self.frozen = empty(P, np.float64), empty(P, np.int8)
        fixed = upload(model._buffers)
        p, g = ({k: a[where] for k, (where, _) in layout.slices.items()} for a in (self.values, self.d_values))
        buffers = {k: fixed[where] for k, (where, _) in model._buffer_layout.slices.items()}

        def of_layer(arrays, k):
            n = len(model.layers)
            return arrays if n == 1 else {m.split(".", 1)[1]: a for m, a in arrays.items() if m.startswith(f"{k}.")}

        self.layers = [
            _known(layer)(layer, *(of_layer(a, k) for a in (p, buffers, g))) for k, layer in enumerate(model.layers)
        ]

    def load(self):
        """Take theta, and what of it is frozen, from the model."""
        model = self.model
        frozen = np.zeros(self.P, np.int8) if model.trainable is None else (~model.trainable).view(np.int8)
        overwrite(self.theta, model.theta)
        overwrite(self.frozen, frozen)

    def prepare(self):
        """Effective values and what layers make of them; to be called when theta has changed."""
        launch_over(self.P, optim.effective, self.theta, self.positivity, self.bound, self.least, self.values)
        for layer in self.layers:
            layer.pack()

    def forward(self, x, dt, steps, h0, T, B, ragged, keep, memory):
        """All layers on device arrays x (T, B, I), dt (T, B), steps (B,), h0: one (B, K) for each layer.

        Returns y (T, B, O), the last states of the layers, what `backward` needs.
        """
        states, saved = [], []
        for k, layer in enumerate(self.layers):
            x, h, kept = layer.forward(x, dt, steps, h0[k], T, B, keep, memory.child(k))
            if ragged:
                launch_over(x.size, blank, x, steps, u(B), u(x.size // (T * B)))
            states.append(h)
            saved.append(kept)
        return x, states, saved

    def backward(self, saved, d_y, d_h, steps, T, B, ragged, want_x, want_dt, memory):
        """Adjoint of `forward`: d_x and d_dt; d_h, of each layer, becomes the adjoint of h0.

        The gradient with respect to effective values goes to ``d_values``; `differentiate` makes that of theta.
        """
        launch_over(self.P, fill, self.d_values, np.float64(0))
        d_dt = None
        for k in range(len(self.layers) - 1, -1, -1):
            own = memory.child(k)
            d_y, d = self.layers[k].backward(saved[k], d_y, d_h[k], T, B, want_x or k > 0, want_dt, own)
            if d is not None and d_dt is not None:
                launch_over(d.size, add, d_dt, d)
            d_dt = d if d_dt is None else d_dt
            if ragged and d_y is not None:
                launch_over(d_y.size, blank, d_y, steps, u(B), u(d_y.size // (T * B)))
        if ragged and d_dt is not None:
            launch_over(d_dt.size, blank, d_dt, steps, u(B), u(1))
        return d_y, d_dt

    def differentiate(self, l1, l2):
        """``gradient`` of ``d_values`` and of the penalties."""
        launch_over(
            self.P, optim.d_effective, self.d_values, self.values, self.positivity, l1, l2, self.frozen, self.gradient
        )  # fmt: skip

    def zero_states(self, B, memory):
        """An adjoint of the last states that is 0."""
        widths = [where.stop - where.start for where in self.model._stack.states]
        return [memory.zeros(f"d_h {k}", B * width, self.dtype) for k, width in enumerate(widths)]

    def put_states(self, h, memory):
        """A host array of states, (B, K), on the device: one array for each layer."""
        return [put(f"h {k}", h[:, where], memory) for k, where in enumerate(self.model._stack.states)]

    def states(self, states, B):
        """Inverse of `put_states`."""
        return np.concatenate([download(h).reshape(B, -1) for h in states], axis=1)


def put(name, values, memory):
    """A host array on the device; the next call with this name overwrites it."""
    array = memory.array(name, values.size, values.dtype)
    overwrite(array, values)
    return array


def put_steps(name, values, memory):
    """The same of (B, T, ...), as (T, B, ...)."""
    B, T = values.shape[:2]
    return time_first(put(name, values, memory), B, T, values[0, 0].size, memory, f"{name} by time")


def outputs(y, B, T, memory):
    """Outputs (T, B, O) on the device as the host's (B, T, O)."""
    return download(batch_first(y, B, T, y.size // (B * T), memory, "y by batch")).reshape(B, T, -1)
