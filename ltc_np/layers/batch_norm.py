"""BatchNorm: every feature brought to mean 0 and variance 1 over a batch and its steps, then scaled and shifted.

Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015 (arXiv 1502.03167), algorithms 1 and 2, with the valid steps
of all sequences of a batch instead of its samples.  docs/maths/blocks.md#normalisation derives the gradients.
"""

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Entry, Layout
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.initial import with_init


class Prepared(NamedTuple):
    """Parameters and buffers, (I,) each."""

    scale: np.ndarray
    shift: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class Statistics(NamedTuple):
    """Of a batch: how many steps count, and mean and variance of them, (I,) float64 each."""

    count: int
    mean: np.ndarray
    variance: np.ndarray


class Saved(NamedTuple):
    """What the adjoint needs: the normalised numbers (B, T, I), 1 / their standard deviation (I,), and in training the
    `Statistics`."""

    u: np.ndarray
    rate: np.ndarray
    of_batch: Statistics | None


class BatchNorm(Layer):
    """``(x - mean) / sqrt(variance + epsilon) * scale + shift``, mean and variance over sequences and their steps.

    Parameters
    ----------
    epsilon : float > 0
    momentum : float in (0, 1]
        What the statistics of a batch weigh in those that are kept, once 1 / momentum batches were seen; before, all
        batches weigh the same.
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array.

    Notes
    -----
    Parameters: ``scale`` (I,), 1, and ``shift`` (I,), 0.  Buffers, saved and not trained: ``mean`` (I,), ``variance``
    (I,) and ``batches`` (1,).  It has no state and no time.

    In training mean and variance are those of the batch: of all steps of all its sequences, by their lengths, so that
    padding counts nothing.  `fit` trains, and so do `Model.forward` and `Model.loss_and_grad` with ``dropout_seed``,
    which change no buffers.  Each optimiser step of `fit` takes the statistics of its batch into the buffers, with
    ``tbptt`` those of its chunk.  Calls, `step`, `predict` and `evaluate` use the buffers, and then a step is an affine
    function of x that depends on nothing else.

    Cost: three operations for each number, in training six.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import BatchNorm, Dense, Model
    >>> model = Model(BatchNorm(), Dense(1), input_dim=2, seed=0)
    >>> x, y = 5 + 3 * np.random.default_rng(0).standard_normal((64, 20, 2)), np.zeros((64, 20, 1))
    >>> history = model.fit(x, y, epochs=5, seed=0, verbose=False)
    >>> model.buffers["0.mean"].round().tolist(), model.buffers["0.batches"].tolist()
    ([5.0, 5.0], [10.0])
    """

    epsilon: float
    momentum: float

    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = bitwise_batch = batch_statistics = True
    lowering = "around.batch_norm"

    def __init__(
        self, *, epsilon: float = 1e-5, momentum: float = 0.1, input_dim: int | None = None, init: Init = None
    ) -> None:
        self.epsilon = checks.number("epsilon", epsilon, low_open=True)
        self.momentum = checks.number("momentum", momentum, high=1, low_open=True)
        self.input_dim = input_features(input_dim)
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        self.input_size = self.output_size = I = self.input_dim
        self.init, self.layout = with_init((Entry("scale", (I,), 1.0), Entry("shift", (I,))), init)
        kept = {"mean": ((I,), 0.0), "variance": ((I,), 1.0), "batches": ((1,), 0.0)}
        self.buffers = Layout(tuple(Entry(name, *which, trainable=False) for name, which in kept.items()))
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        return Prepared(p["scale"], p["shift"], buffers["mean"], buffers["variance"])

    def forward(
        self,
        prepared: Prepared,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array, Saved | None]:
        scale, shift, mean, variance = prepared
        y, u = (workspace.array(name, x.size, x.dtype).reshape(x.shape) for name in ("y", "u"))
        of_batch = None
        if rng is None:
            np.subtract(x, mean, out=u)
        else:  # training; x is 0 in padding, and u shall be
            count = max(int(lengths.sum()), 1)
            mean = x.sum((0, 1), np.float64) / count
            np.subtract(x, mean.astype(x.dtype), out=u)
            u[np.arange(x.shape[1]) >= lengths[:, None]] = 0
            variance = np.multiply(u, u, out=y).sum((0, 1), np.float64) / count
            of_batch = Statistics(int(lengths.sum()), mean, variance)
        rate = (1 / np.sqrt(variance + self.epsilon)).astype(x.dtype)
        u *= rate
        np.multiply(u, scale, out=y)
        y += shift
        return y, h0, Saved(u, rate, of_batch) if keep else None

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
        u, rate, of_batch = saved
        product, d_x = (workspace.array(name, u.size, u.dtype).reshape(u.shape) for name in ("product", "d_x"))
        d_shift, d_scale = (a.sum((0, 1), np.float64) for a in (d_y, np.multiply(d_y, u, out=product)))
        g["shift"] += d_shift
        g["scale"] += d_scale
        if not want_x:
            return None, d_h, None
        d_x[:] = d_y
        if of_batch is not None:
            count = max(of_batch.count, 1)
            d_x -= (d_shift / count).astype(u.dtype)
            d_x -= np.multiply(u, (d_scale / count).astype(u.dtype), out=product)
        d_x *= prepared.scale * rate
        return d_x, d_h, None

    def new_buffers(self, buffers: Arrays, saved: Saved) -> Arrays:
        if saved.of_batch is None or saved.of_batch.count == 0:
            return {}
        count, mean, variance = saved.of_batch
        batches = buffers["batches"] + 1
        share = max(self.momentum, 1 / float(batches[0]))
        unbiased = variance * (count / max(count - 1, 1))
        new = {"mean": mean, "variance": unbiased}
        return {"batches": batches} | {
            name: ((1 - share) * buffers[name] + share * new[name]).astype(buffers[name].dtype) for name in new
        }

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``normalised`` (n, I): before ``scale`` and ``shift``."""
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state, "full", Fresh())
        return {"normalised": saved.u[:, 0]}
