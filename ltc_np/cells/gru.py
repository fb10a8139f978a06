"""Gated recurrent unit, matrix products by BLAS.

Two gates decide what of the state enters the candidate, and how much of the state stays::

    r = sigmoid(x w_x + h w_h + b)              (first block of N columns)
    z = sigmoid(x w_x + h w_h + b)              (second)
    n = tanh(x w_x + b + r (h w_h + b_hn))      (third)
    h+ = (1 - z) n + z h

Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078, in PyTorch's form,
where r acts on the product with the state.  docs/maths/gru.md derives every line.
"""

from typing import NamedTuple

import numpy as np

from .. import kernels
from ..base import blas
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


class Saved(NamedTuple):
    """What the adjoint needs: inputs (T, B, I), gates (T, B, 3*N), u (T, B, N), h (T + 1, B, N), lengths (B,)."""

    inputs: np.ndarray
    gates: np.ndarray
    u: np.ndarray
    h: np.ndarray
    lengths: np.ndarray


class GRU(Layer):
    """A layer of gated recurrent units.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

    Notes
    -----
    Parameters: ``w_x`` (I, 3N), ``w_h`` (N, 3N), both subject to weight decay, ``b`` (3N,), each in three blocks of
    columns: reset, update, candidate, PyTorch's order, and ``b_hn`` (N,).  Weights of ``torch.nn.GRU``::

        w_x = weight_ih_l0.T        b = bias_ih_l0 + concatenate([bias_hh_l0[: 2 * N], zeros(N)])
        w_h = weight_hh_l0.T        b_hn = bias_hh_l0[2 * N :]

    Initially w_x is uniform (Glorot), w_h orthogonal, b and b_hn are 0.  State: ``h`` (N,), which is the output.  It
    has no time.  Cost: 3*B*T*N*(I + N) multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GRU, Dense, Model
    >>> model = Model(GRU(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    units: int

    smooth = causal = contracting = True
    lowering = "gru.lower"

    def __init__(self, units: int, *, input_dim: int | None = None, init: Init = None) -> None:
        N, I = cell_sizes(units, input_dim)
        self.units, self.input_dim = N, I
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, N
        self.state_slices = {"h": slice(0, N)}
        entries = (
            Entry("w_x", (I, 3 * N), glorot(I, 3 * N), decay=True),
            Entry("w_h", (N, 3 * N), orthogonal, decay=True),
            Entry("b", (3 * N,)),
            Entry("b_hn", (N,)),
        )
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        return Prepared(p, transposes(p, "w_x", "w_h"), kernels.load(backend, "gru"))

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        p, forward_step = prepared.p, prepared.kernels.forward_step
        (B, T, I), N, w_h, b, b_hn = x.shape, self.output_size, p["w_h"], p["b"], p["b_hn"]
        scratch = workspace.kept(
            "forward",
            (B, T),
            lambda: arrays(
                x.dtype, inputs=(T, B, I), gates=(T, B, 3 * N), recurrent=(B, 3 * N), u=(T, B, N), h=(T + 1, B, N)
            ),
        )
        inputs, gates, recurrent, u, h = scratch.inputs, scratch.gates, scratch.recurrent, scratch.u, scratch.h
        inputs[:] = x.transpose(1, 0, 2)
        h[0] = h0

        def step(t, first, last):
            np.dot(h[t, first:last], w_h, out=recurrent[first:last])
            forward_step(t, first, last, gates, recurrent, b, b_hn, u, h)

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            project(inputs, p["w_x"], gates, parts)
            sweep(step, lengths, T, parts, (h,))
        return by_sequence(h[1:], workspace), h[T].copy(), Saved(inputs, gates, u, h, lengths) if keep else None

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
        inputs, gates, u, h, lengths = saved
        (T, B, _), N = inputs.shape, self.output_size
        transposed, backward_step, w_h = prepared.transposed, prepared.kernels.backward_step, prepared.transposed["w_h"]
        scratch = workspace.kept(
            "backward",
            (B, T),
            lambda: arrays(
                h.dtype, inputs=inputs.shape, z=gates.shape, recurrent=gates.shape, hidden=(T, B, N), product=(B, N)
            ),
        )
        d_z, d_recurrent, d_hidden, d_product = scratch.z, scratch.recurrent, scratch.hidden, scratch.product
        d_hidden[:] = d_y.transpose(1, 0, 2)
        d_state, d_product[:] = d_h.copy(), 0

        def d_step(t, first, last):
            backward_step(t, first, last, gates, u, h, d_hidden, d_product, d_state, d_z, d_recurrent)
            np.dot(d_recurrent[t, first:last], w_h, out=d_product[first:last])

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            d_sweep(d_step, lengths, T, parts, (d_state, d_product), (d_z, d_recurrent))
            add_product(g["w_x"], inputs, d_z, parts)
            add_product(g["w_h"], h[:T], d_recurrent, parts)
            add_sum(g["b"], d_z, parts)
            add_sum(g["b_hn"], d_recurrent[:, :, 2 * N :], parts)
            d_x = d_project(d_z, transposed["w_x"], scratch.inputs, parts) if want_x else None
        return d_x, d_state + d_product, None

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``reset``, ``update`` and ``candidate`` (n, N): r, z and n."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return blocks(saved.gates[0], "reset", "update", "candidate")
