"""GELU: the Gaussian error linear unit, feature by feature.

Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv 1606.08415, the exact function and not its
approximation by tanh.  docs/maths/blocks.md#gelu-and-glu has the gradients.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .. import kernels
from ..base import threads
from ..base.types import Array, Arrays, Backend, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..kernels.codes import ACTIVATIONS

CODE = ACTIVATIONS.index("gelu")
# Steps that one thread takes at a time, and numbers (about 0.2 ms) from which others help.
ROWS, PARALLEL_NUMBERS = 256, 100_000


class Saved(NamedTuple):
    """What the adjoint needs: the derivatives (B, T, n)."""

    slope: np.ndarray


class GELU(Layer):
    """``x * Phi(x)``, Phi the normal distribution function, (1 + erf(x / sqrt(2))) / 2.

    Parameters
    ----------
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.

    Notes
    -----
    It has no parameters, no state and no time.  ``Dense(n, "gelu")`` is a `Dense` with this behind it.  Cost: with
    gradients an exponential, a polynomial and a second number to be stored for each number.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GELU, Model
    >>> Model(GELU(input_dim=3), seed=0, dtype="float64")(np.array([[-1.0, 0.0, 1.0]])).round(3).tolist()
    [[-0.159, 0.0, 0.841]]
    """

    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = bitwise_batch = True
    lowering = "around.gelu"

    def __init__(self, *, input_dim: int | None = None) -> None:
        self.input_dim = input_features(input_dim)
        if self.input_dim is None:
            return self._defer()
        self.input_size = self.output_size = self.input_dim
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> ModuleType:
        return kernels.load(backend, "cfc")  # whose backbone has the same function, with its derivative

    def forward(
        self, prepared: ModuleType, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        I, keeps = self.input_size, keep is not None
        y = workspace.array("y", x.size, x.dtype).reshape(-1, I)
        slope = workspace.array("slope", x.size if keeps else 0, x.dtype).reshape(-1, I)
        y[:] = x.reshape(-1, I)
        bias, mask = np.zeros(I, x.dtype), y[:0]
        blocks = -(-len(y) // ROWS)

        def run(first, last, worker):
            rows = slice(first * ROWS, last * ROWS)
            prepared.activate(CODE, y[rows], bias, mask, slope[rows], keeps)

        threads.run(run, blocks, threads.share(blocks, prepared.RELEASES_GIL and y.size > PARALLEL_NUMBERS))
        return y.reshape(x.shape), h0, Saved(slope.reshape(x.shape)) if keep else None

    def backward(
        self,
        prepared: ModuleType,
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
        d_x = workspace.array("d_x", d_y.size, d_y.dtype).reshape(d_y.shape)
        return np.multiply(d_y, saved.slope, out=d_x), d_h, None
