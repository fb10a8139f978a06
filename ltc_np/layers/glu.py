"""GLU: half of the features, each times a gate that another one of the other half opens.

Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", ICML 2017 (arXiv 1612.08083).
docs/maths/blocks.md#gelu-and-glu has the gradients.
"""

from typing import NamedTuple

import numpy as np

from ..base.activations import sigmoid
from ..base.types import Array, Arrays, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..cells.base import input_features


class Saved(NamedTuple):
    """What the adjoint needs: the gates and the outputs, (B, T, O) each."""

    s: np.ndarray
    y: np.ndarray


class GLU(Layer):
    """``a * sigmoid(b)``, a the first half of the features and b the second.

    Parameters
    ----------
    input_dim : even int >= 2, optional
        Features per step coming in, twice as many as go out; left out, those of the layer before.

    Notes
    -----
    It has no parameters, no state and no time: ``Dense(2 * n), GLU()`` is the gated unit with its product.  Cost: one
    exponential for each output.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GLU, Model
    >>> Model(GLU(input_dim=4), seed=0)(np.array([[2.0, 3.0, 0.0, 100.0]])).tolist()
    [[1.0, 3.0]]
    """

    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = bitwise_batch = True
    lowering = "around.glu"

    def __init__(self, *, input_dim: int | None = None) -> None:
        self.input_dim = input_features(input_dim)
        if self.input_dim is None:
            return self._defer()
        if self.input_dim % 2:
            raise ValueError(
                "`input_dim` must be even, since one half of the features is multiplied by gates made of the other, "
                f"got {self.input_dim}: to keep n features put Dense(2 * n) before it"
            )
        self.input_size, self.output_size = self.input_dim, self.input_dim // 2
        self._freeze()

    def forward(
        self, prepared: Arrays, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        O = self.output_size
        s = sigmoid(x[:, :, O:])
        y = workspace.array("y", s.size, s.dtype).reshape(s.shape)
        return np.multiply(x[:, :, :O], s, out=y), h0, Saved(s, y) if keep else None

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
        if not want_x:
            return None, d_h, None
        (s, y), O = saved, self.output_size
        d_x = workspace.array("d_x", 2 * d_y.size, d_y.dtype).reshape(*d_y.shape[:2], 2 * O)
        d_a, d_b = d_x[:, :, :O], d_x[:, :, O:]
        np.multiply(d_y, s, out=d_a)
        np.subtract(1, s, out=d_b)
        d_b *= y
        d_b *= d_y
        return d_x, d_h, None

    def observe(self, prepared: Arrays, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``gate`` (n, O): the sigmoids."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return {"gate": saved.s[:, 0]}
