"""Gated recurrent unit.

Two gates decide what of the state enters the candidate, and how much of the state stays::

    r = sigmoid(x w_x + h w_h + b)              (first block of N columns)
    z = sigmoid(x w_x + h w_h + b)              (second)
    n = tanh(x w_x + b + r (h w_h + b_hn))      (third)
    h+ = (1 - z) n + z h

With ``decay`` the state fades before each step, over the elapsed time dt, by a rate that each unit learns::

    h <- exp(-rate dt) h

Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078, in PyTorch's form,
where r acts on the product with the state; the decay is that of the state in GRU-D, Che et al., "Recurrent Neural
Networks for Multivariate Time Series with Missing Values", Scientific Reports 8, 6085 (2018), equations 10 and 14,
without a bias, so that nothing fades in no time.  docs/maths/gru.md#the-gradients derives every line.
"""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..kernels.gates import blocks
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init

RATES = 1.0, 0.01  # at first, of the first and the last unit


class Prepared(NamedTuple):
    """What a call needs of the parameters: matrices as kernels read them, these, and the rates (N,) or None."""

    matrices: Any
    kernels: ModuleType
    rate: Array | None


class GRU(Layer):
    """A layer of gated recurrent units.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    decay : bool
        Whether the state fades over elapsed time.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

    Notes
    -----
    Parameters: ``w_x`` (I, 3N), ``w_h`` (N, 3N), both subject to weight decay, ``b`` (3N,), each in three blocks of
    columns: reset, update, candidate, PyTorch's order, and ``b_hn`` (N,); with ``decay`` also ``rate`` (N,), never
    below 0 (clipped).  Weights of ``torch.nn.GRU``::

        w_x = weight_ih_l0.T        b = bias_ih_l0 + concatenate([bias_hh_l0[: 2 * N], zeros(N)])
        w_h = weight_hh_l0.T        b_hn = bias_hh_l0[2 * N :]

    Initially w_x is uniform (Glorot), w_h orthogonal, b and b_hn are 0, and rates lie from 1
    to 0.01 at equal distances of their logarithms.  State: ``h`` (N,), which is the output.  Without ``decay`` it has
    no time.  Cost: 3*B*T*N*(I + N) multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GRU, Dense, Model
    >>> model = Model(GRU(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    units: int
    decay: bool

    smooth = causal = contracting = True
    lowering = "gru.lower"

    def __init__(self, units: int, *, input_dim: int | None = None, decay: bool = False, init: Init = None) -> None:
        N, I = cell_sizes(units, input_dim)
        self.units, self.input_dim = N, I
        self.decay = self.takes_dt = checks.boolean("decay", decay)
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, N
        self.state_slices = {"h": slice(0, N)}
        rates: tuple[Entry, ...] = ()
        if self.decay:
            rates = (Entry("rate", (N,), np.geomspace(*RATES, N), positivity="clip"),)
        entries = (
            Entry("w_x", (I, 3 * N), glorot(I, 3 * N), decay=True),
            Entry("w_h", (N, 3 * N), orthogonal, decay=True),
            Entry("b", (3 * N,)),
            Entry("b_hn", (N,)),
            *rates,
        )
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        gru = kernels.load(backend, "gru")
        return Prepared(gru.Matrices(p["w_x"], p["w_h"], p["b"], p["b_hn"]), gru, p.get("rate"))

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        matrices, gru, rate = prepared
        fade = None if rate is None else np.exp(-dt[:, :, None] * rate)
        y, h_last, saved = gru.forward(matrices, fade, x, lengths, h0, keep, workspace)
        return y, h_last, (dt, saved) if keep else None

    def backward(
        self,
        prepared: Prepared,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        (dt, saved), (matrices, gru, rate) = saved, prepared
        d_x, d_h0, d_exponent = gru.backward(matrices, saved, d_y, d_h, g, want_x, workspace)
        if rate is None:
            return d_x, d_h0, None
        g["rate"] -= np.einsum("bt,btn->n", dt, d_exponent, dtype=np.float64)
        return d_x, d_h0, -(d_exponent @ rate) if want_dt else None

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``reset``, ``update`` and ``candidate`` (n, N): r, z and n; with ``decay`` also ``fade`` (n, N)."""
        one = x[:, None], dt[:, None], np.ones(len(x), np.int64), state
        found: Any = self.forward(prepared, *one, "full", Fresh())
        seen = blocks(found[2][1].gates[0], "reset", "update", "candidate")
        return seen if prepared.rate is None else {**seen, "fade": np.exp(-dt[:, None] * prepared.rate)}
