"""LayerNorm: the features of every step brought to mean 0 and variance 1, then scaled and shifted.

Source: Ba, Kiros and Hinton, "Layer Normalization", arXiv 1607.06450, equation 3 with the statistics of one step.
docs/maths/blocks.md#normalisation derives the gradients.
"""

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Entry
from ..base.types import Array, Arrays, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.initial import with_init


class Saved(NamedTuple):
    """What the adjoint needs: the normalised numbers (B*T, n), and 1 / their standard deviation (B*T, 1)."""

    u: np.ndarray
    rate: np.ndarray


class LayerNorm(Layer):
    """``(x - mean) / sqrt(variance + epsilon) * scale + shift``, mean and variance over the features of a step.

    Parameters
    ----------
    epsilon : float > 0
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array.

    Notes
    -----
    Parameters: ``scale`` (I,), 1, and ``shift`` (I,), 0.  It has no state and no time.  Cost: six operations for each
    number.

    Examples
    --------
    A block with the norm before what it computes, and one with the norm behind:

    >>> import numpy as np
    >>> from ltc_np import GLU, LSTM, Dense, LayerNorm, Model, Residual
    >>> before = Residual(LayerNorm(), LSTM(8), Dense(16), GLU())
    >>> model = Model(Dense(8), before, Residual(LSTM(8)), LayerNorm(), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    epsilon: float

    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = bitwise_batch = True
    lowering = "around.layer_norm"

    def __init__(self, *, epsilon: float = 1e-5, input_dim: int | None = None, init: Init = None) -> None:
        self.epsilon = checks.number("epsilon", epsilon, low_open=True)
        self.input_dim = input_features(input_dim)
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        self.input_size = self.output_size = I = self.input_dim
        self.init, self.layout = with_init((Entry("scale", (I,), 1.0), Entry("shift", (I,))), init)
        self._freeze()

    def forward(
        self, prepared: Arrays, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        I, real = self.input_size, x.dtype.type
        x, shape = x.reshape(-1, I), x.shape
        y, u = (workspace.array(name, x.size, x.dtype).reshape(x.shape) for name in ("y", "u"))
        np.subtract(x, x.mean(1, keepdims=True), out=u)
        rate = 1 / np.sqrt(np.einsum("ni,ni->n", u, u)[:, None] / real(I) + real(self.epsilon))
        u *= rate
        np.multiply(u, prepared["scale"], out=y)
        y += prepared["shift"]
        return y.reshape(shape), h0, Saved(u, rate) if keep else None

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
        (u, rate), I = saved, self.input_size
        d_y, shape = d_y.reshape(-1, I), d_y.shape
        product, d_x = (workspace.array(name, u.size, u.dtype).reshape(u.shape) for name in ("product", "d_x"))
        g["shift"] += d_y.sum(0, np.float64)
        g["scale"] += np.multiply(d_y, u, out=product).sum(0, np.float64)
        if not want_x:
            return None, d_h, None
        d_u = np.multiply(d_y, prepared["scale"], out=d_x)
        along = np.einsum("ni,ni->n", d_u, u)[:, None] / u.dtype.type(I)
        d_x -= d_u.mean(1, keepdims=True)
        d_x -= np.multiply(u, along, out=product)
        d_x *= rate
        return d_x.reshape(shape), d_h, None

    def observe(self, prepared: Arrays, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``normalised`` (n, I): before ``scale`` and ``shift``."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return {"normalised": saved.u}
