"""Line: a linear function of the last inputs, or of summaries of all inputs so far, whose weights are not trained.

With what is read at step t in z_t::

    y_t = z_t weight + bias          z_t = (x_t, x_t-1, ... x_t-k+1), or the summaries of x_1 ... x_t

docs/maths/around.md#line has the summaries and the gradients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Entry, Layout
from ..base.types import Array, ArrayLike, Arrays, Backend, Float, Ints, Keep, LineReads
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features


class Prepared(NamedTuple):
    """The buffers: (p, O) and (O,)."""

    weight: np.ndarray
    bias: np.ndarray


class Summed(NamedTuple):
    """What is known of B sequences after each of T steps, with u = (x, differences of x), (B, T, 2 I).

    Attributes
    ----------
    z : (B, T, 11 I) array
        First input, means of u and |u|, least and largest u, and u.
    new : (B, 1) bool
        Which sequences begin here.
    counts : (B, T, 1) array
        Steps so far.
    """

    z: np.ndarray
    new: np.ndarray
    counts: np.ndarray


class Saved(NamedTuple):
    """What the adjoint needs: (B,) lengths, the state (B, K) before the sequences, and of summaries `Summed`."""

    lengths: np.ndarray
    h0: np.ndarray
    summed: Summed | None


class Line(Layer):
    """``z @ weight + bias`` at every step, with z the last inputs, or summaries of all inputs so far.

    Parameters
    ----------
    outputs : int >= 1
        Features per step going out.
    reads : int >= 1 or "summaries"
        How many inputs it reads: the present one first, then those before it.  Or eleven summaries of each feature: the
        first input; the means so far of its values and differences, and of their absolute values; the least and the
        largest of both; and the present ones.
    weight, bias : number or array, (p, outputs) and (outputs,)
        Those at the beginning; p is ``reads`` times the features, or 11 times.
    before : number or (features,) array
        What stands for the inputs before the first step; 0 for summaries, which read none.
    input_dim : int >= 1, optional
        Features per step coming in; left out, those of the layer before.

    Notes
    -----
    Weight and bias are buffers: saved with the model, not trained.  There are no parameters and no time: all steps
    weigh the same.  State: the inputs before the present one, the latest first; or ``count``, of steps, and what the
    summaries need.  A `Residual` puts it beside a network, and ``Recipe(shortcut="ridge")`` fits both.  Cost: p
    products for each output, and for summaries 20 operations for each feature.

    Examples
    --------
    >>> from ltc_np import Line, Model
    >>> model = Model(Line(1, reads=2, weight=[[1.0], [-1.0]], input_dim=1))
    >>> model([[5.0], [7.0], [4.0]]).ravel().tolist()
    [5.0, 2.0, -3.0]
    """

    outputs: int
    reads: LineReads
    weight: float | Array
    bias: float | Array
    before: float | Array

    causal = True
    lowering = "line.lower"

    def __init__(
        self,
        outputs: int,
        reads: LineReads = 1,
        *,
        weight: ArrayLike = 0.0,
        bias: ArrayLike = 0.0,
        before: ArrayLike = 0.0,
        input_dim: int | None = None,
    ) -> None:
        self.outputs, self.input_dim = checks.integer("outputs", outputs), input_features(input_dim)
        self.reads = checks.one_of("reads", reads, ("summaries",)) if isinstance(reads, str) else _count(reads)
        self.weight, self.bias = as_numbers("weight", weight), as_numbers("bias", bias)
        self.before = as_numbers("before", before)
        if isinstance(self.reads, str) and np.any(self.before):
            raise ValueError(f"`before` must be 0 for summaries, which read no input before the first, got {before!r}")
        if self.input_dim is None:
            return self._defer()
        self.input_size, self.output_size = I, O = self.input_dim, self.outputs
        if isinstance(self.reads, str):
            sizes = {"count": 1, "previous": I, "first": I, "means": 4 * I, "least": 2 * I, "largest": 2 * I}
        else:
            sizes, self.reach = {"past": (self.reads - 1) * I}, self.reads - 1
            self.smooth, self.contracting = True, self.reads > 1
            self.dt0_identity = self.hull = self.reads == 1  # of a state that is empty
        self.state_size, at = 0, {}
        for name, size in sizes.items():
            at[name] = slice(self.state_size, self.state_size + size)
            self.state_size += size
        self.state_slices = {name: where for name, where in at.items() if sizes[name]}
        rows = 11 * I if isinstance(self.reads, str) else self.reads * I
        for name, shape in (("weight", (rows, O)), ("bias", (O,)), ("before", (I,))):
            values = getattr(self, name)
            if np.ndim(values) and np.shape(values) != shape:
                raise ValueError(f"`{name}` must be a number or {shape}, got shape {np.shape(values)}")
        self.buffers = Layout(
            (
                Entry("weight", (rows, O), self.weight, trainable=False),
                Entry("bias", (O,), self.bias, trainable=False),
            )
        )
        self._freeze()

    def initial_state(self, B: int, dtype: Float) -> Array:
        state = np.zeros((B, self.state_size), dtype)
        if not isinstance(self.reads, str):
            state.reshape(B, self.reads - 1, self.input_size)[:] = self.before
        return state

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        return Prepared(buffers["weight"], buffers["bias"])

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        if isinstance(self.reads, str):
            summed = summarise(x, h0, self.state_slices)
            y = summed.z @ prepared.weight
            h = self._after(summed, x, lengths, h0)
        else:
            summed = None
            y, h = self._filter(prepared.weight, x, lengths, h0)
        y += prepared.bias
        return y, h, Saved(lengths, h0, summed) if keep else None

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
        if saved.summed is None:
            d_x, d_h0 = self._d_filter(prepared.weight, saved.lengths, d_y, d_h)
        else:
            d_x, d_h0 = self._d_summarise(saved, d_y @ prepared.weight.T, d_h)
        return d_x if want_x else None, d_h0, None

    # ---------------------------------------------------------------------------------------- the last inputs

    def _filter(self, weight: Array, x: Array, lengths: Ints, h0: Array) -> tuple[Array, Array]:
        """Products with the last inputs, and those that the next step will read."""
        (B, T, I), k = x.shape, int(self.reads)
        seen = np.concatenate([h0.reshape(B, k - 1, I)[:, ::-1], x], axis=1)
        taps = weight.reshape(k, I, -1)
        if k > T:  # few steps, as of a stream: all that each reads at once
            reads = np.stack([seen[:, t : t + k][:, ::-1].reshape(B, k * I) for t in range(T)], axis=1)
            y = reads @ weight
        else:
            y = seen[:, k - 1 :] @ taps[0]
            for lag in range(1, k):
                y += seen[:, k - 1 - lag : k - 1 - lag + T] @ taps[lag]
        rows = lengths[:, None] + np.arange(k - 2, -1, -1)
        return y, seen[np.arange(B)[:, None], rows].reshape(B, -1)

    def _d_filter(self, weight: Array, lengths: Ints, d_y: Array, d_h: Array) -> tuple[Array, Array]:
        (B, T, _), k, I = d_y.shape, int(self.reads), self.input_size
        d_seen, taps = np.zeros((B, k - 1 + T, I), d_y.dtype), weight.reshape(k, I, -1)
        for lag in range(k):
            d_seen[:, k - 1 - lag : k - 1 - lag + T] += d_y @ taps[lag].T
        rows = lengths[:, None] + np.arange(k - 2, -1, -1)
        d_seen[np.arange(B)[:, None], rows] += d_h.reshape(B, k - 1, I)
        return np.ascontiguousarray(d_seen[:, k - 1 :]), d_seen[:, : k - 1][:, ::-1].reshape(B, -1)

    # ---------------------------------------------------------------------------------------------- summaries

    def _after(self, summed: Summed, x: Array, lengths: Ints, h0: Array) -> Array:
        """The state (B, K) after the last step of each sequence."""
        last, some, I = np.arange(len(x)), lengths > 0, self.input_size
        ends = np.maximum(lengths - 1, 0)
        h = np.concatenate([summed.counts[last, ends], x[last, ends], summed.z[last, ends, : 9 * I]], axis=1)
        return np.where(some[:, None], h, h0).astype(h0.dtype)

    def _d_summarise(self, saved: Saved, d_z: Array, d_h: Array) -> tuple[Array, Array]:
        assert saved.summed is not None
        (z, new, counts), at, I = saved.summed, self.state_slices, self.input_size
        (B, T, _), h0 = z.shape, saved.h0
        d_h0 = np.zeros_like(d_h)
        some = (saved.lengths > 0)[:, None]
        ends = np.arange(B), np.maximum(saved.lengths - 1, 0)
        d_z[(*ends, slice(None, 9 * I))] += some * d_h[:, 1 + I :]
        d_x = np.zeros((B, T, I), d_z.dtype)
        d_x[ends] += some * d_h[:, at["previous"]]
        d_first = d_z[:, :, :I].sum(1)
        d_x[:, 0] += new * d_first
        d_h0[:, at["first"]] = ~new * d_first
        # Means (n m0 + w_1 + ... + w_t) / (n + t) of w = (u, |u|).
        n, m0, d_means = h0[:, at["count"], None], h0[:, None, at["means"]], d_z[:, :, I : 5 * I] / counts
        d_h0[:, at["means"]] = n[:, 0] * d_means.sum(1)
        d_h0[:, at["count"]] = some * d_h[:, at["count"]] + (d_means * (m0 - z[:, :, I : 5 * I])).sum((1, 2))[:, None]
        d_w, u = d_means[:, ::-1].cumsum(1)[:, ::-1], z[:, :, 9 * I :]
        d_u = d_z[:, :, 9 * I :] + d_w[:, :, : 2 * I] + np.sign(u) * d_w[:, :, 2 * I :]
        for name, start in (("least", 5 * I), ("largest", 7 * I)):
            best, d_best = z[:, :, start : start + 2 * I], d_z[:, :, start : start + 2 * I]
            before = np.concatenate([np.where(new, np.nan, h0[:, at[name]])[:, None], best[:, :-1]], axis=1)
            # At which step it was reached: 0 is before the first one.
            place = np.maximum.accumulate(np.where(best != before, np.arange(1, T + 1)[:, None], 0), axis=1)
            d_reached = np.zeros((B, T + 1, 2 * I), d_z.dtype)
            np.add.at(d_reached, (np.arange(B)[:, None, None], place, np.arange(2 * I)), d_best)
            d_h0[:, at[name]] = d_reached[:, 0]
            d_u += d_reached[:, 1:]
        d_differences = d_u[:, :, I:]
        d_differences[:, 0] *= ~new
        d_x += d_u[:, :, :I] + d_differences
        d_x[:, :-1] -= d_differences[:, 1:]
        d_h0[:, at["previous"]] = -d_differences[:, 0]
        return d_x, np.where(some, d_h0, d_h)


def summarise(x: Array, h0: Array, at: dict[str, slice] | Any) -> Summed:
    """`Summed` of x (B, T, I), after states h0 (B, K), whose parts are ``at`` these columns."""
    T, count = x.shape[1], h0[:, at["count"]]
    new = count < 0.5
    before = np.where(new, x[:, 0], h0[:, at["previous"]])
    u = np.concatenate([x, x - np.concatenate([before[:, None], x[:, :-1]], axis=1)], axis=2)
    counts = count[:, :, None] + np.arange(1, T + 1, dtype=x.dtype)[:, None]
    w = np.concatenate([u, np.abs(u)], axis=2)
    sums = w.cumsum(1, dtype=np.float64) + (count * h0[:, at["means"]])[:, None]
    extremes = [
        pick.accumulate(np.concatenate([np.where(new, u[:, 0], h0[:, at[name]])[:, None], u], axis=1), axis=1)[:, 1:]
        for name, pick in (("least", np.minimum), ("largest", np.maximum))
    ]
    first = np.broadcast_to(np.where(new, x[:, 0], h0[:, at["first"]])[:, None], x.shape)
    z = np.concatenate([first, (sums / counts).astype(x.dtype), *extremes, u], axis=2)
    return Summed(z, new, counts)


def _count(reads: int) -> int:
    try:
        return checks.integer("reads", reads)
    except (TypeError, ValueError):
        raise ValueError(f'`reads` must be an int >= 1 or "summaries", got {reads!r}') from None


def as_numbers(name: str, values: ArrayLike) -> float | Array:
    """A number or an array of finite numbers, as an argument of the layer."""
    if checks.plain(name, values, "a number or an array").ndim == 0:
        return checks.number(name, values, low=-np.inf)
    array = checks.real(name, values, np.dtype(np.float64), "a number or an array")
    checks.finite(name, array)
    return array
