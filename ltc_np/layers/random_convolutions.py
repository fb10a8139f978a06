"""RandomConvolutions: how often convolutions of the sequence so far were above thresholds, times weights.

Source: Dempster, Schmidt and Webb, "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time Series
Classification", KDD 2021 (arXiv 2012.08791).  Here a convolution reads no later input.  The equations:
docs/maths/around.md#randomconvolutions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Entry, Layout
from ..base.types import Array, ArrayLike, Arrays, Backend, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features
from .line import as_numbers

TAPS = 9
KERNELS = np.array([[2.0 if k in places else -1.0 for k in range(TAPS)] for places in combinations(range(TAPS), 3)])
N = len(KERNELS)  # 84
MOST_CHANNELS = 9  # that one convolution reads
GOLDEN = (1 + 5**0.5) / 2
STEPS = 4096  # at a time: their convolutions stay in the cache
RESOLUTION = 1e-5  # of the range of values, or of inputs: what is nearer is the same number, but for rounding


class Group(NamedTuple):
    """All kernels with one distance between the inputs that they read.

    Attributes
    ----------
    dilation : int
        That distance, in steps.
    features : list of slice
        One for each threshold that the kernels have.
    rises : list of slice
        The same of what the kernels' values rise in a step; empty where these are no features.
    mix : (8 I, 84) array
        Weights of the inputs 1, 2, ... 8 dilations ago, from which the present one is subtracted.
    """

    dilation: int
    features: list[slice]
    rises: list[slice]
    mix: np.ndarray


class Prepared(NamedTuple):
    """The buffers: (F, O), (O,) and (F,)."""

    weight: np.ndarray
    bias: np.ndarray
    thresholds: np.ndarray


class Saved(NamedTuple):
    """What the adjoint needs: lengths (B,), steps so far (B, T, 1), and outputs without the bias (B, T, O)."""

    lengths: np.ndarray
    counts: np.ndarray
    means: np.ndarray


class RandomConvolutions(Layer):
    """``z @ weight + bias`` at every step, with z the shares of the steps so far where convolutions exceed thresholds.

    A convolution adds nine inputs at equal distances, of which the last is the present one: three times 2 and six times
    -1, which makes 84 kernels.  The distances are from 1 step to an eighth of ``length``.  Of several features a kernel
    reads the sum of a few, which are drawn.  Before the first step inputs are 0.

    Parameters
    ----------
    outputs : int >= 1
        Features per step going out.
    features : int >= 84
        How many numbers z has, rounded down to a multiple of 84.
    length : int >= 1
        Steps of the longest sequence that the distances are made for.
    differences : bool
        Half of the features are shares of the steps in which a convolution rises by more than a threshold, which is a
        convolution of the inputs' differences; then ``features`` is at least 168, rounded down to a multiple of that.
    seed : int, 0 <= seed < 2**32
        Of what is drawn.
    weight, bias, thresholds : number or array, (F, outputs), (outputs,) and (F,)
        Those at the beginning; F is ``features``, rounded down.
    input_dim : int >= 1, optional
        Features per step coming in; left out, those of the layer before.

    Notes
    -----
    Weight, bias and thresholds are buffers: saved with the model, not trained; ``Recipe(shortcut="convolutions")`` fits
    them.  There are no parameters and no time: all steps weigh the same.  State: ``count``, of steps; ``sum``, of what
    they have added to the answer; and ``past``, the inputs before the present one, the latest first, fewer than
    ``length``.  An answer jumps where a convolution crosses its threshold and is constant elsewhere, so its derivative
    by the inputs is 0: a layer before learns nothing from it.  There is no export.  Cost of a step: at most 8 F
    products for each feature coming in, and F for each output.

    Examples
    --------
    >>> from ltc_np import Model, RandomConvolutions
    >>> model = Model(RandomConvolutions(1, 84, weight=1.0, input_dim=1))
    >>> model([[1.0], [1.0]]).ravel().tolist()  # 28 of the 84 kernels have a 2 at the first of their inputs
    [28.0, 38.5]
    """

    outputs: int
    features: int
    length: int
    differences: bool
    seed: int
    weight: float | Array
    bias: float | Array
    thresholds: float | Array
    groups: tuple[Group, ...]
    reach: int

    causal = True

    def __init__(
        self,
        outputs: int,
        features: int = 1008,
        *,
        length: int = 100,
        differences: bool = False,
        seed: int = 0,
        weight: ArrayLike = 0.0,
        bias: ArrayLike = 0.0,
        thresholds: ArrayLike = 0.0,
        input_dim: int | None = None,
    ) -> None:
        self.outputs, self.differences = checks.integer("outputs", outputs), checks.boolean("differences", differences)
        kinds = 1 + self.differences
        self.features = checks.integer("features", features, N * kinds)
        self.length, self.seed = checks.integer("length", length), checks.integer("seed", seed, 0, 2**32 - 1)
        self.weight, self.bias = as_numbers("weight", weight), as_numbers("bias", bias)
        self.thresholds, self.input_dim = as_numbers("thresholds", thresholds), input_features(input_dim)
        if self.input_dim is None:
            return self._defer()
        self.input_size, self.output_size = I, O = self.input_dim, self.outputs
        self.groups = tuple(_groups(self.features // (N * kinds), self.length, self.seed, I, self.differences))
        self.reach = (TAPS - 1) * max(group.dilation for group in self.groups) + self.differences
        self.state_size = 1 + O + self.reach * I
        self.state_slices = {"count": slice(0, 1), "sum": slice(1, 1 + O), "past": slice(1 + O, self.state_size)}
        F = self.features // (N * kinds) * N * kinds
        shapes = {"weight": (F, O), "bias": (O,), "thresholds": (F,)}
        for name, shape in shapes.items():
            if np.ndim(getattr(self, name)) and np.shape(getattr(self, name)) != shape:
                raise ValueError(f"`{name}` must be a number or {shape}, got shape {np.shape(getattr(self, name))}")
        entries = (Entry(name, shape, getattr(self, name), trainable=False) for name, shape in shapes.items())
        self.buffers = Layout(tuple(entries))
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        return Prepared(buffers["weight"], buffers["bias"], buffers["thresholds"])

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        (B, T, I), at = x.shape, self.state_slices
        seen = np.concatenate([h0[:, at["past"]].reshape(B, self.reach, I)[:, ::-1], x], axis=1)
        added = np.zeros((B, T, self.output_size), x.dtype)
        for rows, steps, features, values in self._convolutions(seen):
            for part in features:
                added[rows, steps] += (values > prepared.thresholds[part]).astype(x.dtype) @ prepared.weight[part]
        sums = h0[:, None, at["sum"]] + added.cumsum(1, dtype=np.float64)
        counts = h0[:, at["count"], None] + np.arange(1, T + 1, dtype=x.dtype)[:, None]
        means = (sums / counts).astype(x.dtype)
        every, ends = np.arange(B), np.maximum(lengths - 1, 0)
        past = seen[every[:, None], _last(lengths, self.reach)].reshape(B, -1)
        h = np.concatenate([counts[every, ends], sums[every, ends], past], axis=1)
        h = np.where((lengths > 0)[:, None], h, h0).astype(h0.dtype)
        return means + prepared.bias, h, Saved(lengths, counts, means) if keep else None

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
        """Inputs matter for the state alone, which holds the last ones: the outputs are constant, but for jumps."""
        (B, T, _), at, d_h0 = d_y.shape, self.state_slices, d_h.copy()
        d_seen = np.zeros((B, self.reach + T, self.input_size), d_y.dtype)
        last = np.arange(B)[:, None], _last(saved.lengths, self.reach)
        d_seen[last] = d_h[:, at["past"]].reshape(B, self.reach, -1)
        d_h0[:, at["past"]] = d_seen[:, : self.reach][:, ::-1].reshape(B, -1)
        d_means = d_y / saved.counts
        d_h0[:, at["sum"]] += d_means.sum(1)
        d_h0[:, at["count"]] -= (d_means * saved.means).sum((1, 2))[:, None]
        return np.ascontiguousarray(d_seen[:, self.reach :]) if want_x else None, d_h0, None

    def find_thresholds(self, x: Array, lengths: Ints) -> Array:
        """Thresholds (F,) for sequences x (B, T, I), one of which has a step: values of convolutions, or almost.

        Each kernel takes them from one sequence, which is drawn.  The share of values below threshold i is the fraction
        of i times the golden ratio.  A threshold lies between this value and the next greater one, or above it where
        all are equal, as in a sequence of one step: otherwise rounding would say which of equal values exceed it.
        """
        rng, found = np.random.default_rng([self.seed, 1]), np.empty(self.buffers.slices["thresholds"][1])
        shares, some = np.arange(1, 1 + len(found)) * GOLDEN % 1, np.flatnonzero(lengths)
        for group in self.groups:
            for kernel, b in enumerate(some[rng.integers(len(some), size=N)]):
                own = np.pad(x[b, : lengths[b]], ((self.reach, 0), (0, 0)))[None]
                margin = RESOLUTION * np.abs(own).max()
                for features, values in _values(own, group, lengths[b], group.mix[:, kernel, None]):
                    ordered = np.sort(values[0, :, 0])
                    for part in features:
                        found[part.start + kernel] = _between(ordered, shares[part.start + kernel], margin)
        return found

    def shares(self, x: Array, lengths: Ints, thresholds: Array) -> Array:
        """z (B, F) of sequences x (B, T, I) at their last steps."""
        B, T, _ = x.shape
        found = np.zeros((B, len(thresholds)))
        share = (checks.before_end(lengths, T) / np.maximum(lengths, 1)[:, None])[:, None].astype(x.dtype)
        for rows, steps, features, values in self._convolutions(np.pad(x, ((0, 0), (self.reach, 0), (0, 0)))):
            for part in features:
                above = (values > thresholds[part]).astype(x.dtype)
                found[rows, part] += (share[rows, :, steps] @ above)[:, 0]
        return found

    def _convolutions(self, seen: Array) -> Iterator[tuple[slice, slice, list[slice], Array]]:
        """Values (b, t, 84), and their features, for b sequences and t steps at a time, of inputs (B, reach + T, I)."""
        B, T = len(seen), seen.shape[1] - self.reach
        size = max(1, STEPS // T)
        for first in range(0, B, size):
            rows = slice(first, first + size)
            for start in range(0, T, STEPS):
                steps = slice(start, min(T, start + STEPS))
                part = seen[rows, start : self.reach + steps.stop]
                for group in self.groups:
                    for features, values in _values(part, group, steps.stop - start, group.mix.astype(seen.dtype)):
                        yield rows, steps, features, values


def _groups(thresholds: int, length: int, seed: int, channels: int, differences: bool) -> Iterator[Group]:
    """As many dilations as a kernel has thresholds, of equal ratios but for rounding; equal ones are one group."""
    rng, first = np.random.RandomState(seed), 0  # whose numbers are the same in every version of NumPy
    farthest = max(1.0, (length - 1) / (TAPS - 1))
    # Not 7 where rounding says 7.999...: files know dilations by these arguments alone.
    rounded = (2 ** np.linspace(0, np.log2(farthest), thresholds) + 1e-9).astype(int)
    for dilation, count in zip(*(found.tolist() for found in np.unique(rounded, return_counts=True)), strict=True):
        chosen = np.zeros((channels, N))
        for kernel in range(N):
            size = int(2 ** rng.uniform(0, np.log2(min(channels, MOST_CHANNELS) + 1)))
            chosen[rng.permutation(channels)[:size], kernel] = 1
        features, rises = (
            [slice(N * k, N * (k + 1)) for k in range(begin, begin + count)] for begin in (first, thresholds + first)
        )
        # KERNELS begin with the present input, which `_lags` leaves out.
        yield Group(dilation, features, rises if differences else [], (KERNELS.T[1:, None] * chosen).reshape(-1, N))
        first += count


def _values(seen: Array, group: Group, T: int, mix: Array) -> Iterator[tuple[list[slice], Array]]:
    """Convolutions (b, T, kernels) at the last T steps, and what they rise in a step, with the features of both."""
    if not group.rises:
        yield group.features, _lags(seen, group.dilation, T) @ mix
        return
    values = _lags(seen, group.dilation, T + 1) @ mix
    yield group.features, values[:, 1:]
    yield group.rises, np.diff(values, axis=1)


def _lags(seen: Array, dilation: int, T: int) -> Array:
    """Inputs 1, 2, ... 8 dilations before each of the last T, minus that one: (b, T, 8 I).

    The weights of a kernel add up to 0, so that it needs no more; and where all inputs are equal, it is exactly 0.
    """
    starts = [seen.shape[1] - T - k * dilation for k in range(TAPS)]
    now, *before = (seen[:, start : start + T] for start in starts)
    return np.concatenate([each - now for each in before], axis=2)


def _last(lengths: Ints, reach: int) -> Ints:
    """Places of the last inputs in those (reach + T) that a sequence has seen, the latest first: (B, reach)."""
    return lengths[:, None] + np.arange(reach - 1, -1, -1)


def _between(values: Array, share: float, margin: float) -> float:
    """Between the value that has this share of the sorted ones before it and the next greater one.

    Of the greatest one it is the next smaller one, and if all are equal, it is above them by ``margin``.  Not in the
    middle: that of 0 and 2 is 1, a value of other sequences.
    """
    value, spread = values[int(share * len(values))], values[-1] - values[0]
    if spread <= margin:
        return float(values[-1] + margin)
    apart = RESOLUTION * spread
    other = int(np.searchsorted(values, value + apart, "right"))
    if other == len(values):
        other = max(0, int(np.searchsorted(values, value - apart)) - 1)
    return float(value + (2 - GOLDEN) * (values[other] - value))
