"""The last inputs, as layers keep them in their state: what the outputs of a call read, and the state after it.

The state has ``past``, the last inputs, the latest last, and with a stride ``phase`` and ``elapsed``
(`ltc_np.layers.pace`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..base.arrays import are_all
from ..base.types import Array, Ints
from ..cells import Layer
from ..kernels.windows import Seen
from .pace import Thinning


class Recent(NamedTuple):
    """What a call reads.

    Attributes
    ----------
    T : int
        Steps of the longest sequence.
    n : int
        Outputs of the longest.
    lengths : (B,) array
    seen : Seen
        All inputs that are read.  The first output reads from the first one on, each further output from ``stride``
        steps later on.
    thinning : Thinning or None
        With a stride.
    h : (B, K) array
        The state after the last step, without what the stack keeps.
    """

    T: int
    n: int
    lengths: Ints
    seen: Seen
    thinning: Thinning | None
    h: Array


def state_slices(past: int, stride: int) -> dict[str, slice]:
    """The parts of the state of a layer that keeps so many numbers of the past."""
    sizes = {"past": past} | ({"phase": 1, "elapsed": 1} if stride > 1 else {})
    ends = np.cumsum([0, *sizes.values()]).tolist()
    return {name: slice(a, b) for name, (a, b) in zip(sizes, pairwise(ends), strict=True) if b > a}


def look_back(layer: Layer, x: Array, lengths: Ints, h0: Array, thin: Thinning | None) -> Recent:
    """What the outputs of a layer read; its ``reach`` says how many steps back, and ``thin``, with a stride, which
    outputs there are."""
    (B, T, I), more, s = x.shape, layer.reach, layer.stride
    past, h = h0[:, : more * I].reshape(B, more, I), np.zeros(h0.shape, h0.dtype)
    last = h[:, : more * I].reshape(B, more, I)
    if are_all(lengths, T):
        count = min(T, more)
        last[:, more - count :] = x[:, T - count :]
        if count < more:
            last[:, : more - count] = past[:, count:]
    else:
        places = _last(lengths, more) - more
        b, k = np.nonzero(places < 0)
        last[:] = x[np.arange(B)[:, None], np.maximum(places, 0)]
        last[b, k] = past[b, places[b, k] + more]
    if thin is None:
        return Recent(T, T, lengths, Seen(past, x, 0), None, h)
    n = thin.pace.T
    if len(thin.groups) == 1:
        first = s - 1 - thin.groups[0][0]  # the first output falls due where the phase says
        return Recent(T, n, lengths, Seen(past[:, first:], x, max(0, first - more)), thin, h)
    every = np.concatenate([past, x, np.zeros((B, s - 1, I), x.dtype)], axis=1)  # some end behind all steps
    steps = np.empty((B, more + 1 + (n - 1) * s if n else 0, I), x.dtype)
    for phase, rows in thin.groups:
        steps[rows] = every[rows, s - 1 - phase :][:, : steps.shape[1]]
    return Recent(T, n, lengths, Seen.all_of(steps), thin, h)


def d_look_back(
    layer: Layer, recent: Recent, d_seen: tuple[Array, Array] | None, d_h: Array, want_x: bool
) -> tuple[Array | None, Array]:
    """Adjoint of `look_back`: d_x and d_h0.

    ``d_seen`` has the adjoints of the first ``layer.reach`` inputs that outputs read, and of the others, of which the
    last may be missing if d_x is not wanted; None, where there is no output.
    """
    (B, _, I), more, T = recent.seen.x.shape, layer.reach, recent.T
    if recent.thinning is None and d_seen is not None:
        d_past, d_x = d_seen
    else:
        d_past, d_x = np.zeros((B, more, I), d_h.dtype), np.zeros((B, T if want_x else 0, I), d_h.dtype)
        for phase, rows in recent.thinning.groups if recent.thinning and d_seen is not None else ():
            begin = layer.stride - 1 - phase
            for d_part in d_seen or ():
                for d_own, first in ((d_past, 0), (d_x, more)):
                    low, high = max(begin, first), min(begin + d_part.shape[1], first + d_own.shape[1])
                    if low < high:
                        d_own[rows, low - first : high - first] = d_part[rows, low - begin : high - begin]
                begin += d_part.shape[1]
    d_last = d_h[:, : more * I].reshape(B, more, I)
    if d_last.any():
        places = _last(recent.lengths, more)
        for d_own, first in ((d_past, 0), (d_x, more)):
            b, k = np.nonzero((places >= first) & (places < first + d_own.shape[1]))
            d_own[b, places[b, k] - first] += d_last[b, k]
    d_h0 = np.zeros_like(d_h)
    d_h0[:, : more * I] = d_past.reshape(B, -1)
    return np.ascontiguousarray(d_x) if want_x else None, d_h0


def _last(lengths: Ints, more: int) -> Ints:
    """Places, among all inputs that a sequence has seen, of those that the next step will read: (B, more)."""
    return lengths[:, None] + np.arange(more)
