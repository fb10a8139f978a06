"""The last inputs, as layers keep them in their state: what the outputs of a call read, and the state after it.

The state has ``past``, the last inputs, the latest last, and with a stride ``phase`` and ``elapsed``
(`ltc_np.layers.pace`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..base.types import Array, Ints
from ..base.workspace import Workspace
from ..cells import Layer
from .pace import Thinning, thinning


class Recent(NamedTuple):
    """What a call reads.

    Attributes
    ----------
    T : int
        Steps of the longest sequence.
    n : int
        Outputs of the longest.
    lengths : (B,) array
    steps : (B, -, I) array
        All inputs that are read, those before the first step in front.  The first output reads from the first one on,
        each further output from ``stride`` steps later on.
    thinning : Thinning or None
        With a stride.
    h : (B, K) array
        The state after the last step, without what the stack keeps.
    """

    T: int
    n: int
    lengths: Ints
    steps: Array
    thinning: Thinning | None
    h: Array


def state_slices(past: int, stride: int) -> dict[str, slice]:
    """The parts of the state of a layer that keeps so many numbers of the past."""
    sizes = {"past": past} | ({"phase": 1, "elapsed": 1} if stride > 1 else {})
    ends = np.cumsum([0, *sizes.values()]).tolist()
    return {name: slice(a, b) for name, (a, b) in zip(sizes, pairwise(ends), strict=True) if b > a}


def look_back(layer: Layer, x: Array, lengths: Ints, h0: Array, workspace: Workspace) -> Recent:
    """What the outputs of a layer read; its ``reach`` says how many steps back."""
    (B, T, I), more, s = x.shape, layer.reach, layer.stride
    thin = None if s == 1 else thinning(layer, h0, lengths, T)
    if thin is not None and len(thin.groups) == 1 and (lengths == T).all():
        return _of_one_phase(layer, x, lengths, h0, thin)
    size = more + T + s - 1  # the last outputs of some may fall due behind all steps
    every = workspace.array("every", B * size * I, x.dtype).reshape(B, size, I)
    every[:, :more] = h0[:, : more * I].reshape(B, more, I)
    every[:, more : more + T] = x
    every[:, more + T :] = 0
    h = np.zeros_like(h0)
    h[:, : more * I] = every[np.arange(B)[:, None], _last(lengths, more)].reshape(B, -1)
    if thin is None:
        return Recent(T, T, lengths, every, None, h)
    n = thin.pace.T
    steps = np.empty((B, more + 1 + (n - 1) * s if n else 0, I), x.dtype)
    for phase, rows in thin.groups:  # the first output falls due where the phase says
        steps[rows] = every[rows, s - 1 - phase :][:, : steps.shape[1]]
    return Recent(T, n, lengths, steps, thin, h)


def _of_one_phase(layer: Layer, x: Array, lengths: Ints, h0: Array, thin: Thinning) -> Recent:
    """`look_back` of full sequences whose outputs fall due in the same steps: inputs are copied once."""
    (B, T, I), more, s, n = x.shape, layer.reach, layer.stride, thin.pace.T
    past, h = h0[:, : more * I].reshape(B, more, I), np.zeros_like(h0)
    first, count = s - 1 - thin.groups[0][0], more + 1 + (n - 1) * s if n else 0

    def filled(part: Array, at: int) -> None:
        """The inputs from place ``at`` on, the past in front of the others."""
        before = min(max(more - at, 0), part.shape[1])
        part[:, :before] = past[:, at : at + before]
        part[:, before:] = x[:, at + before - more : at - more + part.shape[1]]

    steps = np.empty((B, count, I), x.dtype)
    filled(steps, first)
    filled(h[:, : more * I].reshape(B, more, I), T)
    return Recent(T, n, lengths, steps, thin, h)


def d_look_back(
    layer: Layer, recent: Recent, d_steps: Array | None, d_h: Array, want_x: bool
) -> tuple[Array | None, Array]:
    """Adjoint of `look_back`: d_x and d_h0.

    ``d_steps`` may have the first steps alone, if d_x is not wanted, or be None, where there is no output.
    """
    (B, _, I), more, T = recent.steps.shape, layer.reach, recent.T
    if recent.thinning is None and d_steps is not None:
        d_every = d_steps
    else:
        d_every = np.zeros((B, more + T + layer.stride - 1, I), d_h.dtype)
        for phase, rows in recent.thinning.groups if recent.thinning and d_steps is not None else ():
            first = layer.stride - 1 - phase
            d_every[rows, first : first + d_steps.shape[1]] = d_steps[rows]
    b, k = np.nonzero(_last(recent.lengths, more) < d_every.shape[1])
    d_every[b, recent.lengths[b] + k] += d_h[:, : more * I].reshape(B, more, I)[b, k]
    d_h0 = np.zeros_like(d_h)
    d_h0[:, : more * I] = d_every[:, :more].reshape(B, -1)
    return np.ascontiguousarray(d_every[:, more : more + T]) if want_x else None, d_h0


def _last(lengths: Ints, more: int) -> Ints:
    """Places, among all inputs that a sequence has seen, of those that the next step will read: (B, more)."""
    return lengths[:, None] + np.arange(more)
