"""Pooling: what a sequence has been so far, its mean, its maximum or its last step.

Every step gives the pool of all steps up to it, and what it needs for the next one is its state::

    m+ = m + r (x - m)          "mean": r = 1 / (number of steps, this one included);  "max": r = 1 where x > m, else 0

docs/maths/blocks.md#pooling derives the gradients.
"""

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Arrays, Float, Ints, Keep, PoolingKind
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features

KINDS = ("mean", "max", "last")


class Saved(NamedTuple):
    """What the adjoint needs: r, (B, T, 1) or (B, T, n), the outputs (B, T, n), and the state before them (B, n)."""

    r: np.ndarray
    y: np.ndarray
    m0: np.ndarray


class Pooling(Layer):
    """The mean or the maximum of each feature over all steps so far, or the last step.

    Parameters
    ----------
    kind : "mean", "max" or "last"
        ``"last"`` is the identity: that the last output is the answer says ``return_sequences=False`` of the model.
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.

    Notes
    -----
    It is causal: the output of a step is the pool of the steps up to it.  So with ``return_sequences=False`` the model
    gives the pool of each whole sequence, by its length, while `Model.step` and sequences in parts go on with the
    state: ``mean`` (n,) and ``count``, of steps; ``max`` (n,), before the first step the least number that calls take;
    nothing for ``"last"``.

    All steps weigh the same in the mean, whatever the time between them: a step that comes at once (dt = 0) is a sample
    like others, and elapsed time belongs to the cells.  Where several steps have the maximum, the first of them has the
    gradient.  Cost: four operations for each number, step by step.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LSTM, Dense, Model, Pooling
    >>> model = Model(LSTM(16), Pooling("mean"), Dense(2), input_dim=3, seed=0, return_sequences=False)
    >>> model(np.zeros((5, 7, 3)), lengths=[7, 3, 2, 7, 1]).shape
    (5, 2)
    >>> Model(Pooling("max", input_dim=1), seed=0)([[1.0], [3.0], [2.0]]).ravel().tolist()
    [1.0, 3.0, 3.0]
    """

    kind: PoolingKind

    causal = bitwise_batch = True
    lowering = "around.pooling"

    def __init__(self, kind: PoolingKind, *, input_dim: int | None = None) -> None:
        self.kind, self.input_dim = checks.one_of("kind", kind, KINDS), input_features(input_dim)
        self.smooth = kind != "max"
        self.dt0_identity = self.hull = kind == "last"  # of a state that is empty
        if self.input_dim is None:
            return self._defer()
        self.input_size = self.output_size = I = self.input_dim
        if kind != "last":
            self.state_slices = {kind: slice(0, I)} | ({"count": slice(I, I + 1)} if kind == "mean" else {})
            self.state_size = I + (kind == "mean")
        self._freeze()

    def forward(
        self, prepared: Arrays, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        B, T, I = x.shape
        y = workspace.array("y", x.size, x.dtype).reshape(x.shape)
        if self.kind == "last":
            y[:] = x
            return y, h0, None
        valid, m0 = checks.before_end(lengths, T), h0[:, :I]
        m = m0.copy()
        if self.kind == "max":
            r = workspace.array("r", x.size if keep else 0, np.dtype(bool)).reshape(B, -1, I)
            for t in range(T):
                above = x[:, t] > m
                above &= valid[:, t, None]
                np.copyto(m, x[:, t], where=above)
                y[:, t] = m
                if keep:
                    r[:, t] = above
            return y, m, Saved(r, y, m0) if keep else None
        # One after another, as a stream counts.
        counts = np.add.accumulate(np.concatenate([h0[:, I:], valid.astype(x.dtype)], axis=1), axis=1)
        r = np.divide(1, counts[:, 1:], out=np.zeros((B, T), x.dtype), where=valid)[:, :, None]
        change = np.empty_like(m)
        for t in range(T):
            np.subtract(x[:, t], m, out=change)
            change *= r[:, t]
            m += change
            y[:, t] = m
        return y, np.concatenate([m, counts[:, -1:]], axis=1), Saved(r, y, m0) if keep else None

    def backward(
        self,
        prepared: Arrays,
        saved: Saved | None,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        (_, T, I) = d_y.shape
        d_x = workspace.array("d_x", d_y.size, d_y.dtype).reshape(d_y.shape)
        if saved is None:
            d_x[:] = d_y
            return d_x, d_h, None
        (r, y, m0), d_m = saved, d_h[:, :I].copy()
        for t in range(T - 1, -1, -1):
            d_m += d_y[:, t]
            np.multiply(d_m, r[:, t], out=d_x[:, t])
            d_m -= d_x[:, t]
        if self.kind == "max":
            return d_x, d_m, None
        # d_x (x - m) r is that of the count, turned around; y - m is r (x - m).
        d_count = d_h[:, I:] - np.einsum("bi,bi->b", d_x[:, 0], y[:, 0] - m0)[:, None]
        d_count -= np.einsum("bti,bti->b", d_x[:, 1:], y[:, 1:] - y[:, :-1])[:, None]
        return d_x, np.concatenate([d_m, d_count], axis=1), None

    def initial_state(self, B: int, dtype: Float) -> Array:
        return np.full((B, self.state_size), -checks.largest(dtype) if self.kind == "max" else 0, dtype)
