"""Gated recurrent unit.

Two gates decide what of the state enters the candidate, and how much of the state stays::

    r = sigmoid(x w_x + h w_h + b)              (first block of N columns)
    z = sigmoid(x w_x + h w_h + b)              (second)
    n = tanh(x w_x + b + r (h w_h + b_hn))      (third)
    h+ = (1 - z) n + z h

Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078, in PyTorch's form,
where r acts on the product with the state.  docs/maths/gru.md#the-gradients derives every line.
"""

from typing import Any

import numpy as np

from .. import kernels
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..kernels.gates import Whole, blocks
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init


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

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Whole:
        gru = kernels.load(backend, "gru")
        return Whole(gru.Matrices(p["w_x"], p["w_h"], p["b"], p["b_hn"]), gru)

    def forward(
        self, prepared: Whole, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        return prepared.kernels.forward(prepared.matrices, x, lengths, h0, keep, workspace)

    def backward(
        self,
        prepared: Whole,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        d_x, d_h0 = prepared.kernels.backward(prepared.matrices, saved, d_y, d_h, g, want_x, workspace)
        return d_x, d_h0, None

    def observe(self, prepared: Whole, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``reset``, ``update`` and ``candidate`` (n, N): r, z and n."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return blocks(saved.gates[0], "reset", "update", "candidate")
