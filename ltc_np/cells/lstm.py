"""Long short-term memory, matrix products by BLAS.

Four gates decide what enters the memory c, what it forgets and what it shows::

    z = x w_x + h w_h + b                       (four blocks of N columns: input, forget, candidate, output)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    c+ = f c + i g
    h+ = o tanh(c+)

Source: Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997; forget gate: Gers,
Schmidhuber & Cummins, Neural Computation 12, 2000.  docs/maths/lstm.md derives every line.
"""

from typing import NamedTuple

import numpy as np

from .. import kernels
from ..base import blas, checks
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace, arrays
from .base import Layer, cell_sizes
from .gates import (
    Prepared,
    add_product,
    add_sum,
    blocks,
    by_sequence,
    count_parts,
    d_project,
    d_sweep,
    project,
    sweep,
    transposes,
)
from .initial import glorot, orthogonal, with_init

# What the blocks of columns are, in their order.
GATES = ("input_gate", "forget_gate", "candidate", "output_gate")


class Saved(NamedTuple):
    """What the adjoint needs: inputs (T, B, I), gates (T, B, 4*N), h and c (T + 1, B, N), lengths (B,)."""

    inputs: np.ndarray
    gates: np.ndarray
    h: np.ndarray
    c: np.ndarray
    lengths: np.ndarray


class LSTM(Layer):
    """A layer of long short-term memory.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    forget_bias : float
        Initial value of the forget gates' ``b``; 1 lets the memory last from the start (Jozefowicz et al., 2015).
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

    Notes
    -----
    Parameters: ``w_x`` (I, 4N), ``w_h`` (N, 4N), both subject to weight decay, ``b`` (4N,), each in four blocks of
    columns: input, forget, candidate, output, PyTorch's order: ``w_x = weight_ih_l0.T``, ``w_h = weight_hh_l0.T``,
    ``b = bias_ih_l0 + bias_hh_l0``.  Initially w_x is uniform (Glorot), w_h orthogonal, b is 0 but for the forget
    gates.  State: ``h`` (N,), which is the output, and ``c`` (N,).  It has no time.  Cost: 4*B*T*N*(I + N)
    multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LSTM, Dense, Model
    >>> model = Model(LSTM(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    units: int
    forget_bias: float

    smooth = causal = contracting = True
    lowering = "lstm.lower"

    def __init__(
        self, units: int, *, input_dim: int | None = None, forget_bias: float = 1.0, init: Init = None
    ) -> None:
        N, I = cell_sizes(units, input_dim)
        self.forget_bias = checks.number("forget_bias", forget_bias, low=-np.inf)
        self.units, self.input_dim = N, I
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, 2 * N
        self.state_slices = {"h": slice(0, N), "c": slice(N, 2 * N)}
        entries = (
            Entry("w_x", (I, 4 * N), glorot(I, 4 * N), decay=True),
            Entry("w_h", (N, 4 * N), orthogonal, decay=True),
            Entry("b", (4 * N,), np.repeat([0.0, self.forget_bias, 0.0, 0.0], N)),
        )
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        return Prepared(p, transposes(p, "w_x", "w_h"), kernels.load(backend, "lstm"))

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        p, forward_step = prepared.p, prepared.kernels.forward_step
        (B, T, I), N, w_h, b = x.shape, self.output_size, p["w_h"], p["b"]
        scratch = workspace.kept(
            "forward",
            (B, T),
            lambda: arrays(
                x.dtype, inputs=(T, B, I), gates=(T, B, 4 * N), recurrent=(B, 4 * N), h=(T + 1, B, N), c=(T + 1, B, N)
            ),
        )
        inputs, gates, recurrent, h, c = scratch.inputs, scratch.gates, scratch.recurrent, scratch.h, scratch.c
        inputs[:] = x.transpose(1, 0, 2)
        h[0], c[0] = h0[:, :N], h0[:, N:]

        def step(t, first, last):
            np.dot(h[t, first:last], w_h, out=recurrent[first:last])
            forward_step(t, first, last, gates, recurrent, b, c, h)

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            project(inputs, p["w_x"], gates, parts)
            sweep(step, lengths, T, parts, (h, c))
        h_last = np.concatenate([h[T], c[T]], axis=1)
        return by_sequence(h[1:], workspace), h_last, Saved(inputs, gates, h, c, lengths) if keep else None

    def backward(
        self,
        prepared: Prepared,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        inputs, gates, h, c, lengths = saved
        (T, B, _), N = inputs.shape, self.output_size
        transposed, backward_step, w_h = prepared.transposed, prepared.kernels.backward_step, prepared.transposed["w_h"]
        scratch = workspace.kept(
            "backward",
            (B, T),
            lambda: arrays(h.dtype, inputs=inputs.shape, z=gates.shape, hidden=(T, B, N)),
        )
        d_z, d_hidden = scratch.z, scratch.hidden
        d_hidden[:] = d_y.transpose(1, 0, 2)
        d_state, d_c = d_h[:, :N].copy(), d_h[:, N:].copy()

        def d_step(t, first, last):
            backward_step(t, first, last, gates, c, d_hidden, d_state, d_c, d_z)
            np.dot(d_z[t, first:last], w_h, out=d_state[first:last])

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            d_sweep(d_step, lengths, T, parts, (d_state, d_c), (d_z,))
            add_product(g["w_x"], inputs, d_z, parts)
            add_product(g["w_h"], h[:T], d_z, parts)
            add_sum(g["b"], d_z, parts)
            d_x = d_project(d_z, transposed["w_x"], scratch.inputs, parts) if want_x else None
        return d_x, np.concatenate([d_state, d_c], axis=1), None

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``input_gate``, ``forget_gate``, ``candidate`` and ``output_gate`` (n, N): i, f, g and o."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return blocks(saved.gates[0], *GATES)
