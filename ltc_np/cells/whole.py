"""Whole regular sequences of a state space, not step by step: in pieces side by side, or as a convolution.

**In pieces.** A state space is linear in its state, so what a piece makes of its first state is known before that
state is: in the end it multiplies it by exp(A D + B U), where D is the piece's duration and U the sum of delta u over
its steps (0 without a liquid term). So three passes do: each piece from 0; the first state of each from the last of
the one before; each piece from there. The pieces stand beside each other as if they were channels: in the lanes of
vectors, and in tiles that threads share. The adjoint goes the same way back.

**As a convolution**, of a linear one: `ltc_np.kernels.numpy.ssm_fft`.  docs/maths/s4d.md has the equations of both.
"""

from typing import Any, NamedTuple

import numpy as np

from ..base import blas
from ..base.types import Array, Arrays, Ints, Keep
from ..base.workspace import Fresh
from ..kernels.codes import EXACT, Discretization

# Lanes that are worth filling, and steps of a piece below which a pass too many costs more than it brings.
LANES, SHORTEST = 128, 256


class _Saved(NamedTuple):
    """What `backward` needs: sizes, what the kernels saved of the pieces and of the rest, and the factors (B, M, P, H)
    of the pieces on their first states."""

    shape: tuple[int, int, int]
    pieces: Any
    rest: Any
    factor: Array


class Convolution:
    """A linear state space by the fast Fourier transform.

    Its products, one after another for every channel, are too small for BLAS to share among threads: on a busy machine
    they would wait for each other longer than they compute.
    """

    fft: Any
    space: Any

    def __init__(self, fft: Any, p: Arrays, rule: Discretization) -> None:
        self.fft, self.space = fft, fft.StateSpace(p, rule)

    def takes(self, dt: Array, lengths: Ints) -> bool:
        """Whether it can be used: all steps of all sequences last equally long."""
        return self.fft.regular(dt, lengths) is not None

    def forward(self, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep) -> tuple[Array, Array, Any]:
        with blas.one_thread():
            return self.fft.forward(self.space, x, self.fft.regular(dt, lengths), lengths, h0)

    def backward(self, saved: Any, d_y: Array, d_h: Array, g: Arrays) -> tuple[Array, Array]:
        """Adjoint of `forward`: d_x (B, T, H), d_h0 (B, K); gradients are added to ``g``."""
        with blas.one_thread():
            return self.fft.backward(self.space, saved, d_y, d_h, g)


class Pieces:
    """The state space with P pieces of its H channels beside each other, piece by piece.

    Parameters
    ----------
    ssm : module
        The kernels.
    p : dict
        Effective parameters of one piece.
    rule : Discretization
    """

    ssm: Any
    p: Arrays
    rule: Discretization
    single: Any

    def __init__(self, ssm: Any, p: Arrays, rule: Discretization) -> None:
        self.ssm, self.p, self.rule = ssm, p, rule
        self.single = ssm.StateSpace(p, rule)
        self._several: dict[int, Any] = {}

    def several(self, P: int) -> Any:
        """The kernels' form of the parameters of all pieces."""
        if P not in self._several:
            self._several[P] = self.ssm.StateSpace({name: np.tile(a, P) for name, a in self.p.items()}, self.rule)
        return self._several[P]

    def _count(self, dt: Array) -> int:
        """How many pieces: as many as fill the lanes, if they are long enough."""
        return min(LANES // self.p["d"].size, dt.shape[1] // SHORTEST)

    def takes(self, dt: Array, lengths: Ints) -> bool:
        """Whether it can be used, and brings something: equal steps, full sequences, two pieces or more."""
        return bool((lengths == dt.shape[1]).all() and (dt == dt[0, 0]).all() and self._count(dt) > 1)

    def _factors(self, x: Array, length: float) -> Array:
        """(B, M, P, H) of the inputs (B, S, P, H) of all pieces: what each multiplies its first state with."""
        p, (B, S, P, H) = self.p, x.shape
        delta = (np.exp(p["log_step"]) * length).astype(np.float64)
        rate = (-p["decay"] + 1j * p["frequency"])[:, None] * (S * delta)
        if self.rule.liquid == EXACT:
            pushed = delta * x.sum(1, dtype=np.float64)
            rate = rate + (p["b_re"] + 1j * p["b_im"])[:, None] * pushed[:, None]
        return np.exp(np.broadcast_to(rate, (B, len(p["decay"]), P, H)))

    def forward(self, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep) -> tuple[Array, Array, Any]:
        """As the kernels' forward, where `takes` says so."""
        (B, T, H), M, P = x.shape, len(self.p["decay"]), self._count(dt)
        S = T // P
        several = self.several(P)
        wide = _beside(x, P, S)
        times, ends = np.ascontiguousarray(dt[:, :S]), np.full(B, S)
        factor = self._factors(wide.reshape(B, S, P, H), float(dt[0, 0]))
        nothing = np.zeros((B, 2 * M * P * H), x.dtype)
        _, local, _ = self.ssm.forward(several, wide, times, ends, nothing, None, Fresh())
        added, start = _complex(local, M, P, H), _complex(h0, M, 1, H)[:, :, 0]
        starts = np.empty((B, M, P, H), complex)
        for k in range(P):
            starts[:, :, k] = start
            start = factor[:, :, k] * start + added[:, :, k]
        y, h, saved = self.ssm.forward(several, wide, times, ends, _columns(starts, x.dtype), keep, Fresh())
        out = np.empty_like(x)
        out[:, : P * S] = y.reshape(B, S, P, H).transpose(0, 2, 1, 3).reshape(B, P * S, H)
        last, rest = np.ascontiguousarray(h.reshape(B, 2 * M, P, H)[:, :, -1]).reshape(B, -1), None
        if P * S < T:
            left = np.ascontiguousarray(x[:, P * S :]), np.ascontiguousarray(dt[:, P * S :]), np.full(B, T - P * S)
            out[:, P * S :], last, rest = self.ssm.forward(self.single, *left, last, keep, Fresh())
        return out, last, _Saved((P, S, M), saved, rest, factor) if keep else None

    def backward(self, saved: _Saved, d_y: Array, d_h: Array, g: Arrays) -> tuple[Array, Array]:
        """Adjoint of `forward`: d_x (B, T, H), d_h0 (B, K); gradients are added to ``g``."""
        (P, S, M), (B, _, H) = saved.shape, d_y.shape
        d_x, several = np.empty_like(d_y), self.several(P)
        if saved.rest is not None:
            left = np.ascontiguousarray(d_y[:, P * S :])
            d_x[:, P * S :], d_h, _ = self.ssm.backward(self.single, saved.rest, left, d_h, True, False, g, Fresh())
        wide = _beside(d_y, P, S)
        nothing = np.zeros((B, 2 * M * P * H), d_y.dtype)
        unused = {name: np.zeros((*a.shape[:-1], P * H)) for name, a in g.items()}
        _, local, _ = self.ssm.backward(several, saved.pieces, wide, nothing, False, False, unused, Fresh())
        added, d_end = _complex(local, M, P, H), _complex(d_h, M, 1, H)[:, :, 0]
        d_ends = np.empty((B, M, P, H), complex)
        for k in range(P - 1, -1, -1):
            d_ends[:, :, k] = d_end
            d_end = np.conj(saved.factor[:, :, k]) * d_end + added[:, :, k]
        sums = {name: np.zeros((*a.shape[:-1], P * H)) for name, a in g.items()}
        d_wide, _, _ = self.ssm.backward(
            several, saved.pieces, wide, _columns(d_ends, d_y.dtype), True, False, sums, Fresh()
        )
        for name, a in g.items():
            a += sums[name].reshape(*a.shape[:-1], P, H).sum(-2)
        d_x[:, : P * S] = d_wide.reshape(B, S, P, H).transpose(0, 2, 1, 3).reshape(B, P * S, H)
        return d_x, _columns(d_end[:, :, None], d_y.dtype)


def _beside(a: Array, P: int, S: int) -> Array:
    """The first P * S steps of a (B, T, H) as (B, S, P * H)."""
    B, _, H = a.shape
    return np.ascontiguousarray(a[:, : P * S].reshape(B, P, S, H).transpose(0, 2, 1, 3)).reshape(B, S, P * H)


def _complex(h: Array, M: int, P: int, H: int) -> Array:
    """Columns of a state (B, 2 M P H) as complex (B, M, P, H)."""
    re, im = h.reshape(len(h), 2, M, P, H).transpose(1, 0, 2, 3, 4)
    return re + 1j * im


def _columns(modes: Array, dtype: Any) -> Array:
    """`_complex`, the other way."""
    return np.stack([modes.real, modes.imag], axis=1).reshape(len(modes), -1).astype(dtype)
