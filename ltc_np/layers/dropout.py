"""Dropout: training drops some features of what goes through, anew at every step.

Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014; in the
inverted form, in which what is kept is scaled in training, so that nothing is left to do afterwards.
docs/maths/around.md#dropout has the gradients.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Arrays, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.dropping import dropout_mask


class Saved(NamedTuple):
    """What the adjoint needs: the factors of the numbers (B, T, n), or None where nothing is dropped."""

    mask: np.ndarray | None


class Dropout(Layer):
    """In training: every number is 0 with probability ``rate``, else divided by 1 - rate.  Otherwise the identity.

    Parameters
    ----------
    rate : float in [0, 1)
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.

    Notes
    -----
    It has no parameters, no state and no time.  `fit` drops, and so do `Model.forward` and `Model.loss_and_grad` with
    ``dropout_seed``, always the same for the same seed; calls, `step`, `predict` and `evaluate` do not.  Cost: one
    random number for each number.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Dropout, Model
    >>> model = Model(LTC(AutoNCP(16, 4)), Dropout(0.5), Dense(2), input_dim=3, seed=0)
    >>> x = np.ones((5, 7, 3))
    >>> np.array_equal(model(x), model.forward(x)[0]), np.array_equal(model(x), model.forward(x, dropout_seed=1)[0])
    (True, False)
    """

    rate: float

    former_names = MappingProxyType({"n": "input_dim"})
    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = bitwise_batch = True
    lowering = "around.dropout"

    def __init__(self, rate: float, *, input_dim: int | None = None) -> None:
        self.rate, self.input_dim = checks.number("rate", rate, high=1, high_open=True), input_features(input_dim)
        self.drops = self.rate > 0
        if self.input_dim is None:
            return self._defer()
        self.input_size = self.output_size = self.input_dim
        self._freeze()

    def forward(
        self,
        prepared: Arrays,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array, Saved | None]:
        y = workspace.array("y", x.size, x.dtype).reshape(x.shape)  # not x itself, which may be the caller's
        if rng is None:
            y[:] = x
            return y, h0, Saved(None) if keep else None
        B, T, F = x.shape
        mask = dropout_mask(rng, self.rate, (T, B, F), x.dtype).transpose(1, 0, 2)
        return np.multiply(x, mask, out=y), h0, Saved(mask) if keep else None

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
        d_x = workspace.array("d_x", d_y.size, d_y.dtype).reshape(d_y.shape)
        if saved.mask is None:
            d_x[:] = d_y
        else:
            np.multiply(d_y, saved.mask, out=d_x)
        return d_x, d_h, None
