"""How often outputs come: layers that give one for every ``stride`` steps, and what becomes of times and lengths.

An output belongs to the last of its steps, and its elapsed time is the sum of theirs, so that the layers behind see as
much time as there was.  In the state of such a layer ``phase`` counts the steps since its last output, and ``elapsed``
is the sum of their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Bools, Ints
from ..cells import Layer


class Pace(NamedTuple):
    """Steps of some sequences: of the longest, of each (B,), and which there are (B, T), None where all are full."""

    T: int
    lengths: Ints
    valid: Bools | None


class Thinning(NamedTuple):
    """The outputs of a layer with a stride, in one call.

    Attributes
    ----------
    pace : Pace
        Of the outputs.
    phase : (B,) int array
        Steps since the last output, before the first step.
    last : (B,) int array
        The same after the last step.
    places : (B, 1 + T) int array
        To which output the time before the first step belongs, and that of each step: ``pace.lengths`` for one that is
        still to come.
    """

    pace: Pace
    phase: Ints
    last: Ints
    places: Ints

    def times(self, dt: Array, elapsed: Array) -> tuple[Array, Array]:
        """Elapsed times (B, T') of the outputs, and (B,) since the last one, for those of steps and (B,) before."""
        (T, lengths, _), B = self.pace, len(dt)
        both = np.concatenate([elapsed[:, None], dt], axis=1)
        # One after the other, as a stream adds them.
        where = np.arange(B)[:, None] * (T + 1) + self.places
        sums = np.bincount(where.ravel(), both.ravel(), B * (T + 1)).reshape(B, T + 1).astype(dt.dtype)
        after = sums[np.arange(B), lengths]
        sums[np.arange(T + 1) >= lengths[:, None]] = 0
        return np.ascontiguousarray(sums[:, :T]), after

    def d_times(self, d_times: Array | None, d_after: Array) -> tuple[Array, Array]:
        """Adjoint of `times`: d_dt (B, T) and d_elapsed (B,); None stands for zeros."""
        (T, lengths, _), B = self.pace, len(d_after)
        d_sums = np.zeros((B, T + 1), d_after.dtype)
        if d_times is not None:
            d_sums[:, :T] = d_times
        d_sums[np.arange(B), lengths] = d_after
        d_both = np.take_along_axis(d_sums, self.places, axis=1)
        return np.ascontiguousarray(d_both[:, 1:]), d_both[:, 0]


def thinning(layer: Layer, h0: Array, lengths: Ints, T: int) -> Thinning:
    """`Thinning` of sequences of these lengths, padded to T steps, from a state h0 (B, K) of the layer."""
    s = layer.stride
    phase = np.rint(h0[:, layer.state_slices["phase"]]).astype(np.int64).ravel() % s
    counts, last = np.divmod(phase + lengths, s)
    most = int((phase.max() + T) // s)
    valid = None if (counts == most).all() else checks.before_end(counts, most)
    places = np.minimum((phase[:, None] + np.arange(-1, T)).clip(0) // s, counts[:, None])
    return Thinning(Pace(most, counts, valid), phase, last, places)


def refuse_strides(owner: Layer, layers: Sequence[Layer]) -> None:
    """An error if one of the layers, of which ``owner`` makes an output for every input, has a stride."""
    for layer in layers:
        if layer.stride > 1:
            name = type(owner).__name__
            raise ValueError(f"layers of `{name}` must give an output at every step, got {layer!r}: put it in front")
