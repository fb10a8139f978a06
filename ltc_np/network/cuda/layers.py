"""The layers that the device knows.

A device layer is made of a layer and its part of the parameters, dicts of device arrays by name: effective values
``p``, ``buffers``, and ``g``, float64 gradients, which are 0 before `backward`.

* ``pack()`` makes of the values what the kernels read; to be called when they have changed;
* ``forward(sequences, h0, keep, memory)`` returns outputs (T, B, O), last states (B, K), and what `backward` needs;
* ``backward(saved, d_y, d_h, want_x, want_dt, memory)`` returns d_x and d_dt or None; d_h becomes the adjoint of h0.
"""

from typing import NamedTuple

from ...cells import LTC
from ...kernels.codes import ACTIVATIONS, NEURON, SENSORY, SYNAPSE
from ...kernels.cuda import dense, features, ltc
from ...kernels.cuda.ltc_circuit import DeviceCircuit
from ...layers import Dense


class _LTCSaved(NamedTuple):
    """Inputs (T, B, I) and motor outputs (T, B, O), before their mappings, and what `ltc.run_backward` needs."""

    x: object
    motor: object
    ltc: ltc.Saved


class DeviceLTC:
    """`ltc_np.LTC`"""

    def __init__(self, layer, p, buffers, g):
        none = p["cm"][:0]
        gains = buffers.get("gain", none), buffers.get("sensory_gain", none)
        self.circuit = DeviceCircuit(layer.recurrent, layer.sensory, p, gains, layer.epsilon)
        self.g = {name: g[name] for name in NEURON + SYNAPSE + SENSORY}
        self.input = _Mapping(layer.input_mapping, "input", p, g)
        self.output = _Mapping(layer.output_mapping, "output", p, g)
        self.rule, self.n_out = layer.rule, layer.output_size

    def pack(self):
        self.circuit.pack()

    def forward(self, sequences, h0, keep, memory):
        mapped = sequences._replace(x=self.input.forward(sequences.x, memory))
        motor, h, saved = ltc.run_forward(self.circuit, mapped, h0, self.rule, self.n_out, keep, memory)
        return self.output.forward(motor, memory), h, _LTCSaved(sequences.x, motor, saved)

    def backward(self, saved, d_y, d_h, want_x, want_dt, memory):
        d_motor = self.output.backward(saved.motor, d_y, True, memory)
        need_x = want_x or self.input.kind is not None
        d_x, d_dt, totals = ltc.run_backward(self.circuit, saved.ltc, d_motor, d_h, self.rule, need_x, want_dt, memory)
        self.circuit.unpack(totals, self.g)
        return self.input.backward(saved.x, d_x, want_x, memory), d_dt


class _Mapping:
    """An LTC's input or output mapping: x, x * w or x * w + b."""

    def __init__(self, kind, side, p, g):
        self.kind, self.side = kind, side
        if kind is not None:
            self.w, self.d_w = p[f"{side}_w"], g[f"{side}_w"]
            self.b, self.d_b = (p[f"{side}_b"], g[f"{side}_b"]) if kind == "affine" else (self.w[:0], None)

    def forward(self, x, memory):
        return x if self.kind is None else features.forward(x, self.w, self.b, self.side, memory)

    def backward(self, x, d_y, want_x, memory):
        if self.kind is None:
            return d_y
        return features.backward(x, self.w, d_y, want_x, self.d_w, self.d_b, self.side, memory)


class DeviceDense:
    """`ltc_np.Dense`"""

    def __init__(self, layer, p, buffers, g):
        self.p, self.g, self.activation = p, g, ACTIVATIONS.index(layer.activation)

    def pack(self):
        """Nothing: values are used as they are."""

    def forward(self, sequences, h0, keep, memory):
        y, saved = dense.forward(sequences.x, self.p["weight"], self.p["bias"], self.activation, memory)
        return y, h0, saved

    def backward(self, saved, d_y, d_h, want_x, want_dt, memory):
        d_x = dense.backward(
            saved, self.p["weight"], d_y, self.activation, want_x, self.g["weight"], self.g["bias"], memory
        )
        return d_x, None


# These classes, not what is derived from them.
LAYERS = {LTC: DeviceLTC, Dense: DeviceDense}


def unknown(layers):
    """The first of some layers that the device does not know, or None."""
    return next((layer for layer in layers if type(layer) not in LAYERS), None)
