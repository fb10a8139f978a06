"""A stack of layers that lives on the device: parameters, layers, gradient.

The host's ``theta`` is the authority: `Stack.load` takes it, and whoever changes the copy writes it back before others
look.  `Stack.forward` and `backward` are of arrays on the device, `run` and `run_back` of the host's.
"""

import threading
from dataclasses import dataclass

import numpy as np

from ...cells import LTC
from ...kernels.cuda import optim
from ...kernels.cuda.dense import DeviceDense, add, blank
from ...kernels.cuda.device import download, empty, launch_over, overwrite, upload
from ...kernels.cuda.ltc import DeviceLTC
from ...kernels.cuda.memory import fill, forget, memory_of
from ...kernels.cuda.moves import batch_first, time_first
from ...kernels.cuda.plan import choose
from ...layers import Dense

u = np.uint64
# These classes, not what is derived from them.
LAYERS = {LTC: DeviceLTC, Dense: DeviceDense}


def missing(layers):
    """The first of some layers that the device does not know, or None."""
    return next((layer for layer in layers if type(layer) not in LAYERS), None)


@dataclass(frozen=True)
class Saved:
    """What `Stack.backward` needs of one `Stack.forward`: of the layers, lengths (B,) on the device, sizes."""

    stack: "Stack"
    layers: list
    steps: object
    T: int
    B: int
    ragged: bool


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
        self.d_values, self.frozen = empty(P, np.float64), upload(np.zeros(P, np.int8))
        self.none = upload(np.zeros(0))
        self.lock = threading.Lock()  # a tape may be used by another thread than the stack's own
        fixed = upload(model.fixed)
        p, g = ({k: a[where] for k, (where, _) in layout.slices.items()} for a in (self.values, self.d_values))
        buffers = {k: fixed[where] for k, (where, _) in model.buffer_layout.slices.items()}

        def of_layer(arrays, k):
            n = len(model.layers)
            return arrays if n == 1 else {m.split(".", 1)[1]: a for m, a in arrays.items() if m.startswith(f"{k}.")}

        self.layers = [
            LAYERS[type(layer)](layer, *(of_layer(a, k) for a in (p, buffers, g)))
            for k, layer in enumerate(model.layers)
        ]

    def load(self):
        """Take theta from the model."""
        overwrite(self.theta, self.model.theta)

    def freeze(self):
        """Take from the model what of theta is frozen: `differentiate` makes its gradient 0."""
        frozen = self.model.trainable
        overwrite(self.frozen, np.zeros(self.P, np.int8) if frozen is None else (~frozen).view(np.int8))

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
        return x, states, Saved(self, saved, steps, T, B, ragged)

    def backward(self, saved, d_y, d_h, want_x, want_dt, memory):
        """Adjoint of `forward`: d_x and d_dt; d_h, of each layer, becomes the adjoint of h0.

        The gradient with respect to effective values goes to ``d_values``; `differentiate` makes that of theta.
        """
        launch_over(self.P, fill, self.d_values, np.float64(0))
        d_dt, T, B = None, saved.T, saved.B
        for k in range(len(self.layers) - 1, -1, -1):
            own = memory.child(k)
            d_y, d = self.layers[k].backward(saved.layers[k], d_y, d_h[k], T, B, want_x or k > 0, want_dt, own)
            if d is not None and d_dt is not None:
                launch_over(d.size, add, d_dt, d)
            d_dt = d if d_dt is None else d_dt
            if saved.ragged and d_y is not None:
                launch_over(d_y.size, blank, d_y, saved.steps, u(B), u(d_y.size // (T * B)))
        if saved.ragged and d_dt is not None:
            launch_over(d_dt.size, blank, d_dt, saved.steps, u(B), u(1))
        return d_y, d_dt

    def run(self, x, dt, lengths, valid, h0, keep, workspace):
        """`Engine.forward` of host arrays, with its meaning."""
        (B, T, I), memory = x.shape, memory_of(workspace)

        def call(keep, memory):
            given = put_steps("x", x, memory), put_steps("dt", dt, memory), put("steps", lengths, memory)
            y, states, saved = self.forward(
                *given, self.put_states("h", h0, memory), T, B, valid is not None, keep, memory
            )
            return outputs(y, B, T, memory), self.states(states, B), saved

        def both(keep, memory):
            y, state, saved = call(keep, memory)
            if keep is not None:
                forget(workspace, memory)
                # Only the public `forward`, whose workspace keeps nothing, is followed by a `backward` to the inputs.
                wants = not workspace.keeps, self.model.takes_dt and not workspace.keeps
                self._run_back(saved, y, state, *wants, memory)

        return call(choose(both, keep, B, T, (I, valid is not None), memory), memory)

    def run_back(self, saved, d_y, d_h, want_x, want_dt, workspace):
        """`Engine.backward` of host arrays, with its meaning; nothing is frozen."""
        memory = memory_of(workspace)

        def call(keep, memory):
            return self._run_back(saved, d_y, d_h, want_x, want_dt, memory)

        if not workspace.keeps:  # since `forward` others may have taken memory
            choose(call, None, saved.B, saved.T, (), memory)
        return call(None, memory)

    def _run_back(self, saved, d_y, d_h, want_x, want_dt, memory):
        T, B = saved.T, saved.B
        d_h = self.put_states("d_h", d_h, memory)
        with self.lock:
            d_x, d_dt = self.backward(saved, put_steps("d_y", d_y, memory), d_h, want_x, want_dt, memory)
            self.differentiate(self.none, self.none)
            gradient = download(self.gradient)
        d_x = outputs(d_x, B, T, memory) if want_x else None
        d_dt = outputs(d_dt, B, T, memory).reshape(B, T) if d_dt is not None else None
        return gradient, d_x, self.states(d_h, B), d_dt

    def differentiate(self, l1, l2):
        """``gradient`` of ``d_values`` and of the penalties."""
        launch_over(
            self.P, optim.d_effective, self.d_values, self.values, self.positivity, l1, l2, self.frozen, self.gradient
        )  # fmt: skip

    def zero_states(self, B, memory):
        """An adjoint of the last states that is 0."""
        widths = [where.stop - where.start for where in self.model.stack.states]
        return [memory.zeros(f"d_h {k}", B * width, self.dtype) for k, width in enumerate(widths)]

    def put_states(self, name, h, memory):
        """A host array of states, (B, K), on the device: one array for each layer."""
        return [put(f"{name} {k}", h[:, where], memory) for k, where in enumerate(self.model.stack.states)]

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
