"""How often outputs come: layers that give one for every ``stride`` steps, and what becomes of times and lengths.

An output belongs to the last of its steps, and its elapsed time is the sum of theirs, so that the layers behind see as
much time as there was.  In the state of such a layer ``phase`` counts the steps since its last output, and ``elapsed``
is the sum of their times; the stack keeps both, and the adjoint of the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from ..base import checks
from ..base.arrays import are_all, filled
from ..base.types import Array, Bools, Ints
from ..base.workspace import Fresh
from ..cells import Layer
from ..cells.base import Traced

MANY = 16  # times that are summed


class Pace(NamedTuple):
    """Steps of some sequences: of the longest, of each (B,), and which there are (B, T), None where all are full."""

    T: int
    lengths: Ints
    valid: Bools | None

    def part(self, rows: slice) -> Pace:
        """Of some of the sequences, by a slice."""
        return Pace(self.T, self.lengths[rows], None if self.valid is None else self.valid[rows])


class Thinning(NamedTuple):
    """The outputs of a layer with a stride, in one call.

    Attributes
    ----------
    stride : int
    T : int
        Steps of the longest sequence.
    pace : Pace
        Of the outputs.
    groups : list of (int, rows)
        Steps since the last output, before the first step, and which of the sequences have so many; 0 for those without
        a step.
    last : (B,) int array
        The same after the last step, of each sequence.
    """

    stride: int
    T: int
    pace: Pace
    groups: list[tuple[int, Any]]
    last: Ints

    def times(self, dt: Array, elapsed: Array) -> tuple[Array, Array]:
        """Elapsed times (B, T') of the outputs, and (B,) since the last one, for those of steps and (B,) before."""
        (T, lengths, valid), B, s = self.pace, len(dt), self.stride
        # The sums below, quicker, where no zeros have to stand in front of the times or behind them.
        if T and valid is None and len(self.groups) == 1 and (self.groups[0][0] == 0 or self.T == 1):
            total = dt.astype(np.float64) if self.T == 1 else _added(dt[:, : T * s].reshape(B, T, s))
            total[:, 0] += elapsed
            return total.astype(dt.dtype), self.after(dt, elapsed)
        sums = np.zeros((B, T + 1), dt.dtype)
        for phase, rows in self.groups:
            n = (phase + self.T) // s + 1  # with the one to come
            each = np.zeros((len(dt[rows]), n * s))
            each[:, phase : phase + self.T] = dt[rows]
            total = _added(each.reshape(-1, n, s))
            total[:, 0] += elapsed[rows]
            sums[rows, :n] = total
        after = sums[np.arange(B), lengths]
        sums[np.arange(T + 1) >= lengths[:, None]] = 0
        return np.ascontiguousarray(sums[:, :T]), after

    def after(self, dt: Array, elapsed: Array) -> Array:
        """The second of `times`, alone."""
        if self.pace.valid is not None or len(self.groups) > 1:
            return self.times(dt, elapsed)[1]
        T, ((phase, _),) = self.pace.T, self.groups
        rest = dt[:, max(0, T * self.stride - phase) :]
        if T and not rest.size:
            return np.zeros(len(dt), dt.dtype)
        each, at = np.zeros((len(dt), self.stride)), 0 if T else phase
        each[:, at : at + rest.shape[1]] = rest
        total = _added(each)
        if not T:
            total += elapsed
        return total.astype(dt.dtype)

    def d_times(self, d_times: Array | None, d_after: Array, want_dt: bool) -> tuple[Array | None, Array]:
        """Adjoint of `times`: d_dt (B, T) and d_elapsed (B,); None stands for zeros, as which d_dt comes only where it
        is not wanted.  In padding the numbers of d_dt have no meaning."""
        if d_times is None and not want_dt and not d_after.any():
            return None, np.zeros_like(d_after)
        (T, lengths, _), B = self.pace, len(d_after)
        d_sums, d_both = np.zeros((B, T + 1), d_after.dtype), np.empty((B, 1 + self.T), d_after.dtype)
        if d_times is not None:
            d_sums[:, :T] = d_times
        d_sums[np.arange(B), lengths] = d_after
        for phase, rows in self.groups:
            starts = self._starts(phase)
            d_both[rows] = np.repeat(d_sums[rows, : len(starts)], np.diff(starts, append=1 + self.T), axis=1)
        return np.ascontiguousarray(d_both[:, 1:]), d_both[:, 0]

    def _starts(self, phase: int) -> Ints:
        """The place of the first time of each output, the one to come included; place 0 has the time in the state."""
        starts = np.arange(1, self.T + 1 + phase, self.stride) - phase
        starts[0] = 0
        return starts


def _added(each: Array) -> Array:
    """Sums over the last axis, in float64; those of few terms are added one after the other, since NumPy's own take ten
    times as long."""
    if each.shape[-1] > MANY:
        return each.astype(np.float64, "C").sum(-1)
    total = each[..., 0].astype(np.float64)
    for k in range(1, each.shape[-1]):
        total += each[..., k]
    return total


def thinning(layer: Layer, h0: Array, lengths: Ints, T: int) -> Thinning:
    """`Thinning` of sequences of these lengths, padded to T steps, from a state h0 (B, K) of the layer."""
    s, since = layer.stride, h0[:, layer.state_slices["phase"]].ravel()
    # Sequences that are all alike are one group, which is found quicker than below.
    if are_all(lengths, T) and are_all(since, since[0]):
        phase = round(float(since[0])) % s
        n, last = divmod(phase + T, s)
        counts, last = filled(len(h0), n, np.int64), filled(len(h0), last, np.int64)
        return Thinning(s, T, Pace(n, counts, None), [(phase, slice(None))], last)
    phases = np.rint(since).astype(np.int64) % s
    counts, last = np.divmod(phases + lengths, s)
    phases[lengths == 0] = 0  # one that has ended keeps its state, and has no say in how many outputs there are
    most = int((phases.max() + T) // s)
    pace = Pace(most, counts, None if (counts == most).all() else checks.before_end(counts, most))
    groups: list[tuple[int, Any]] = [(int(phases[0]), slice(None))]
    if (phases != phases[0]).any():
        groups = [(p, np.flatnonzero(phases == p)) for p in np.unique(phases).tolist()]
    return Thinning(s, T, pace, groups, last)


def thinned(layer: Layer, thin: Thinning, h0: Array, h: Array, dt: Array, want_times: bool) -> Array | None:
    """Times (B, T') of the outputs of a layer after a call, if they are wanted; ``h`` (B, K) gets phase and elapsed
    time."""
    elapsed = layer.state_slices["elapsed"]
    since = h0[:, elapsed].ravel()
    times, after = thin.times(dt, since) if want_times else (None, thin.after(dt, since))
    h[:, layer.state_slices["phase"]], h[:, elapsed] = thin.last[:, None], after[:, None]
    return times


def trace(layer: Layer, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> tuple[Traced, Thinning, Array]:
    """`Layer.trace` of a layer with a stride, its outputs, and their elapsed times.

    States are of each step; outputs, and what `Layer.observe` sees, of each output.
    """
    (B, T, _), s, phase = x.shape, layer.stride, layer.state_slices["phase"]
    thin, forward = thinning(layer, h0, lengths, T), cast("Any", layer).forward
    y, _, _ = forward(prepared, x, dt, lengths, h0, None, Fresh(), thin=thin)
    times, _ = thin.times(dt, h0[:, layer.state_slices["elapsed"]].ravel())
    if thin.pace.valid is not None:
        y[~thin.pace.valid] = 0
    states = np.zeros((B, T + 1, layer.state_size), x.dtype)
    states[:, 0] = state = h0
    for t in range(T):
        now, alive = slice(t, t + 1), (lengths > t).astype(np.int64)
        one, step = thinning(layer, state, alive, 1), np.ascontiguousarray(x[:, now])
        _, h, _ = forward(prepared, step, dt[:, now], alive, state, None, Fresh(), thin=one)
        thinned(layer, one, state, h, dt[:, now], want_times=False)
        states[lengths > t, t + 1] = h[lengths > t]
        state = h
    b, t = np.nonzero((np.rint(states[:, :T, phase][..., 0]) == s - 1) & (np.arange(T) < lengths[:, None]))
    arrays = {}
    for name, seen in layer.observe(prepared, x[b, t], dt[b, t], states[b, t]).items():
        arrays[name] = np.zeros((B, thin.pace.T, *seen.shape[1:]), seen.dtype)
        arrays[name][np.arange(thin.pace.T) < thin.pace.lengths[:, None]] = seen
    return Traced(y, states[:, 1:], arrays), thin, times


def refuse_strides(owner: Layer, layers: Sequence[Layer]) -> None:
    """An error if one of the layers, of which ``owner`` makes an output for every input, has a stride."""
    for layer in layers:
        if layer.stride > 1:
            name = type(owner).__name__
            raise ValueError(f"layers of `{name}` must give an output at every step, got {layer!r}: put it in front")
