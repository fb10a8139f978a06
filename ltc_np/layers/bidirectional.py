"""Bidirectional: one layer reads each sequence from its beginning, another one of the same kind from its end.

A sequence of n steps with the elapsed times dt[t] before x[t] is, read backwards::

    x' = x[n-1], x[n-2], ..., x[0]
    dt' = dt[0], dt[n-1], dt[n-2], ..., dt[1]

since between x[t+1] and x[t] lies dt[t+1].  Before its first sample the reversed sweep has the lead-in dt[0], mirrored:
with 0 a liquid cell would never read x[n-1].

Source: Schuster & Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing 45, 1997.
docs/maths/around.md#bidirectional derives the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Layout, part
from ..base.types import Array, Arrays, Backend, Float, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..cells.base import Traced, combine
from ..cells.dropping import own_rng
from ..wirings import Wiring
from . import parallel
from .pace import refuse_strides

DIRECTIONS = ("forward_", "backward_")


class Both(NamedTuple):
    """One thing for each direction."""

    ahead: Any
    back: Any


class Mirror(NamedTuple):
    """Where each step of the reversed sequences comes from, flat in (B, T): of x, and of dt."""

    x: np.ndarray
    dt: np.ndarray


class Saved(NamedTuple):
    """What the adjoint needs: how sequences are reversed, and what the layer saved in both directions."""

    mirror: Mirror
    layer: Both


class Bidirectional(Layer):
    """A layer that reads forwards and one of the same kind that reads backwards.

    Parameters
    ----------
    layer : Layer
        A causal layer, such as `LTC`, `CfC`, `LSTM` or `MixedMemory`; both directions are copies of it.
    merge : "concat" or "sum"
        Outputs of a step: both side by side, first those of the forward direction; or their sum.

    Notes
    -----
    Parameters: the layer's twice, as ``forward_*`` and ``backward_*``, drawn independently.  State: that of the forward
    direction, then that of the backward one, named likewise.  Of a state that is given, the backward half is where the
    reversed sweep begins, at the sequence's end; of the one that comes back, it is what that sweep has become after
    x[0].  Sequences are reversed within their ``lengths``; padding stays behind.  Elapsed times are those between the
    samples in the order in which they are read; peers that reverse ``dt`` as they do x have them off by one.

    The output of a step depends on the whole sequence, so `Model.step` and ``fit(tbptt=...)`` refuse it, and a sequence
    cut in two is not the whole.  The last output (``return_sequences=False``) holds the backward direction after its
    first sample only; what it has made of all of them is in the state.  Cost: twice the layer's.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Bidirectional, Dense, Model
    >>> model = Model(Bidirectional(LTC(AutoNCP(16, 4))), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    layer: Layer
    merge: Literal["concat", "sum"]

    def __init__(self, layer: Layer, merge: Literal["concat", "sum"] = "concat") -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"`layer` must be a layer such as LTC(...), got {type(layer).__name__}")
        if not (layer.open or layer.causal):
            raise ValueError(f"`layer` must be one whose outputs depend on no later input, got {layer!r}")
        checks.one_of("merge", merge, ("concat", "sum"))
        self.layer, self.merge = layer, merge
        if layer.open:
            return self._defer()
        refuse_strides(self, [layer])
        K = layer.state_size
        self.input_size, self.state_size = layer.input_size, 2 * K
        self.output_size = layer.output_size * (2 if merge == "concat" else 1)
        self.state_slices = {
            prefix + name: slice(start + where.start, start + where.stop)
            for prefix, start in zip(DIRECTIONS, (0, K), strict=True)
            for name, where in layer.state_slices.items()
        }
        self.layout, self.buffers = (
            Layout(tuple(entry for prefix in DIRECTIONS for entry in layout.prefixed(prefix)))
            for layout in (layer.layout, layer.buffers)
        )
        # Both directions together forget nothing: each may be cut by itself.
        vars(self).update(combine([layer], causal=False, contracting=False), cuts_inside=parallel.wants(layer))
        self._freeze()

    def with_input(self, features: int) -> Bidirectional:
        return Bidirectional(self.layer.with_input(features), self.merge) if self.open else self

    @property
    def wiring(self) -> Wiring:
        return self.layer.wiring  # type: ignore[attr-defined]

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Both:
        return Both(*(self.layer.prepare(part(p, prefix), part(buffers, prefix), backend) for prefix in DIRECTIONS))

    def readers(self) -> tuple[tuple[str, Layer], ...]:
        return tuple((prefix, self.layer) for prefix in DIRECTIONS)

    def check(self, prepared: Both, dt: Array) -> None:
        for own in prepared:
            self.layer.check(own, dt)

    def forward(
        self,
        prepared: Both,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        cut: Callable[..., Any] | None = None,
        **options: Any,
    ) -> tuple[Array, Array, Saved | None]:
        (B, T, _), K, O = x.shape, self.layer.state_size, self.layer.output_size
        own, turned = Both(*map(workspace.child, DIRECTIONS)), mirrored(lengths, T)
        run = self.layer.forward if cut is None else partial(cut, self.layer)
        x_back, dt_back = reverse(x, turned.x, "x", workspace), reverse(dt, turned.dt, "dt", workspace)
        start = Both(np.ascontiguousarray(h0[:, :K]), np.ascontiguousarray(h0[:, K:]))
        drawn = Both(*({name: own_rng(rng) for name, rng in options.items()} for _ in DIRECTIONS))
        ahead, h_ahead, saved_ahead = run(prepared.ahead, x, dt, lengths, start.ahead, keep, own.ahead, **drawn.ahead)
        back, h_back, saved_back = run(
            prepared.back, x_back, dt_back, lengths, start.back, keep, own.back, **drawn.back
        )
        back = reverse(back, turned.x, "back", workspace)
        y = workspace.array("y", B * T * self.output_size, x.dtype).reshape(B, T, self.output_size)
        if self.merge == "sum":
            np.add(ahead, back, out=y)
        else:
            y[:, :, :O], y[:, :, O:] = ahead, back
        saved = Saved(turned, Both(saved_ahead, saved_back)) if keep else None
        return y, np.concatenate([h_ahead, h_back], axis=1), saved

    def backward(
        self,
        prepared: Both,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        K, O, turned = self.layer.state_size, self.layer.output_size, saved.mirror
        own = Both(*map(workspace.child, DIRECTIONS))
        run = Both(*(parallel.adjoint(self.layer, each) for each in saved.layer))
        g_own = Both(*(part(g, prefix) for prefix in DIRECTIONS))
        d_ahead = d_back = d_y
        if self.merge == "concat":
            d_ahead, d_back = np.ascontiguousarray(d_y[:, :, :O]), np.ascontiguousarray(d_y[:, :, O:])
        d_back = reverse(d_back, turned.x, "d_back", workspace)
        d_last = Both(np.ascontiguousarray(d_h[:, :K]), np.ascontiguousarray(d_h[:, K:]))
        d_x, d_h0, d_dt = run.ahead(
            prepared.ahead, saved.layer.ahead, d_ahead, d_last.ahead, g_own.ahead, want_x, want_dt, own.ahead
        )
        d_x_back, d_h0_back, d_dt_back = run.back(
            prepared.back, saved.layer.back, d_back, d_last.back, g_own.back, want_x, want_dt, own.back
        )
        if want_x:  # swapping places is its own adjoint
            d_x = d_x + reverse(d_x_back, turned.x, "d_x", workspace)
        if d_dt is not None:
            d_dt = d_dt + reverse(d_dt_back, turned.dt, "d_dt", workspace)
        return d_x if want_x else None, np.concatenate([d_h0, d_h0_back], axis=1), d_dt

    def trace(self, prepared: Both, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """Both directions, ``forward_`` and ``backward_`` before the names; all of a step is where its x[t] is."""
        K, turned = self.layer.state_size, mirrored(lengths, x.shape[1])
        x_back, dt_back = (reverse(a, source, "", Fresh()) for a, source in ((x, turned.x), (dt, turned.dt)))
        start = Both(np.ascontiguousarray(h0[:, :K]), np.ascontiguousarray(h0[:, K:]))
        ahead = self.layer.trace(prepared.ahead, x, dt, lengths, start.ahead)
        back = self.layer.trace(prepared.back, x_back, dt_back, lengths, start.back)
        back_y, back_states = (_turned(turned.x, part) for part in (back.y, back.states))
        arrays = ahead.prefixed(DIRECTIONS[0])
        arrays |= {name: _turned(turned.x, array) for name, array in back.prefixed(DIRECTIONS[1]).items()}
        y = ahead.y + back_y if self.merge == "sum" else np.concatenate([ahead.y, back_y], axis=2)
        return Traced(y, np.concatenate([ahead.states, back_states], axis=2), arrays)

    def new_buffers(self, buffers: Arrays, saved: Saved) -> Arrays:
        return {
            prefix + name: values
            for prefix, own in zip(DIRECTIONS, saved.layer, strict=True)
            for name, values in self.layer.new_buffers(part(buffers, prefix), own).items()
        }

    def initial_state(self, B: int, dtype: Float) -> Array:
        return np.concatenate([self.layer.initial_state(B, dtype)] * 2, axis=1)


def mirrored(lengths: Ints, T: int) -> Mirror:
    """The `Mirror` of sequences of these ``lengths`` in T steps.

    Both of its parts only swap places, so that reversing twice changes nothing.
    """
    t, n = np.arange(T), lengths[:, None]
    rows = T * np.arange(lengths.size)[:, None]
    mirror = np.where(t < n, n - 1 - t, t)
    mirror_dt = np.where((t > 0) & (t < n), n - t, t)
    return Mirror((rows + mirror).reshape(-1), (rows + mirror_dt).reshape(-1))


def reverse(values: Array, source: Ints, name: str, workspace: Workspace) -> Array:
    """(B, T) or (B, T, F) with each step taken from ``source``."""
    out = workspace.array(f"reversed {name}", values.size, values.dtype).reshape(source.size, -1)
    return np.take(values.reshape(source.size, -1), source, axis=0, out=out, mode="clip").reshape(values.shape)


def _turned(source: Ints, values: Numbers) -> Numbers:
    """(B, T, ...) with each step taken from ``source``, of any type; of a trace."""
    return np.take(values.reshape(source.size, *values.shape[2:]), source, axis=0).reshape(values.shape)
