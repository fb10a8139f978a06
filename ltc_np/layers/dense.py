"""Dense: one matrix product at every step.

docs/maths/blocks.md#dense-and-inputmapping has the gradients.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..base import activations, blas, checks
from ..base.layout import Entry
from ..base.types import Activation, Array, Arrays, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.initial import glorot, with_init


class Saved(NamedTuple):
    """What the adjoint needs: x (B, T, I), and before and after the activation z and y (B, T, O)."""

    x: np.ndarray
    z: np.ndarray
    y: np.ndarray


class Dense(Layer):
    """``activation(x @ weight + bias)``, at every step.

    Parameters
    ----------
    outputs : int >= 1
        Features per step going out.
    activation : None, "relu", "tanh", "sigmoid", "silu", "gelu" or "lecun_tanh"
    input_dim : int >= 1, optional
        Features per step coming in; left out, those of the layer before.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of ``weight`` also
        ``("orthogonal", gain)`` or ``("glorot", gain)``.

    Notes
    -----
    Parameters: ``weight`` (I, O), uniform in +-sqrt(6 / (I + O)) (Glorot & Bengio 2010) and subject
    to weight decay; ``bias`` (O,), 0.  It has no state and no time.  Cost: one matrix product.
    """

    outputs: int
    activation: Activation
    f: Callable[[Array], Array]
    d_f: Callable[[Array, Array], Array]

    former_names = MappingProxyType({"n_in": "input_dim", "n_out": "outputs"})
    dt0_identity = hull = causal = True  # of a state that is empty
    lowering = "dense.lower"

    def __init__(
        self, outputs: int, activation: Activation = None, *, input_dim: int | None = None, init: Init = None
    ) -> None:
        self.outputs, self.input_dim = checks.integer("outputs", outputs), input_features(input_dim)
        self.f, self.d_f = activations.get(activation)
        self.activation = activation
        self.smooth = activation not in activations.KINKED
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size = I, O = self.input_dim, self.outputs
        entries = Entry("weight", (I, O), glorot(I, O), decay=True), Entry("bias", (O,))
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def forward(
        self, prepared: Arrays, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        z = blas.product(x.reshape(-1, self.input_size), prepared["weight"]).reshape(*x.shape[:2], self.output_size)
        z += prepared["bias"]
        y = self.f(z)
        return y, h0, Saved(x, z, y) if keep else None

    def backward(
        self,
        prepared: Arrays,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        x = saved.x
        d_z = d_y if self.activation is None else d_y * self.d_f(saved.z, saved.y)
        flat = d_z.reshape(-1, self.output_size)
        with blas.one_thread():
            g["weight"] += np.dot(x.reshape(-1, self.input_size).T, flat)
        g["bias"] += flat.sum(0, np.float64)
        d_x = blas.product(flat, prepared["weight"].T).reshape(x.shape) if want_x else None
        return d_x, d_h, None

    def observe(self, prepared: Arrays, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``argument`` (n, O) of the activation, where there is one."""
        if self.activation is None:
            return {}
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return {"argument": saved.z[:, 0]}
