"""Long short-term memory.

Four gates decide what enters the memory c, what it forgets and what it shows::

    z = x w_x + h w_h + b                       (four blocks of N columns: input, forget, candidate, output)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    c+ = f c + i g
    h+ = o tanh(c+)

Source: Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997; forget gate: Gers,
Schmidhuber & Cummins, Neural Computation 12, 2000.  docs/maths/lstm.md#the-gradients derives every line.
"""

from typing import Any

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..kernels.gates import Whole, blocks
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init

# What the blocks of columns are, in their order.
GATES = ("input_gate", "forget_gate", "candidate", "output_gate")


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

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Whole:
        lstm = kernels.load(backend, "lstm")
        return Whole(lstm.Matrices(p["w_x"], p["w_h"], p["b"]), lstm)

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
        """``input_gate``, ``forget_gate``, ``candidate`` and ``output_gate`` (n, N): i, f, g and o."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return blocks(saved.gates[0], *GATES)
