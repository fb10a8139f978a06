"""Linear state spaces over whole regular sequences as a convolution, by the fast Fourier transform.

docs/maths/s4d.md derives it.  Everything is computed in float64: the powers of a mode's factor turn by thousands of
radians, of which float32 would keep a few digits.
"""

from typing import NamedTuple

import numpy as np

from ..codes import BILINEAR
from .ssm import StateSpace as StateSpace
from .ssm import d_factors, factors


def regular(dt, lengths):
    """The one length of all steps of all sequences of dt (B, T), or None: of more than one step, and all the same."""
    T = dt.shape[1]
    used = dt[np.arange(T) < lengths[:, None]]
    if T < 2 or used.size == 0 or (used != used[0]).any():
        return None
    return float(used[0])


class _Powers(NamedTuple):
    """Of one channel: E, phi, F (M,); V (M, T), the powers 0..T-1 of 1 + E; the kernel (T,)."""

    E: np.ndarray
    phi: np.ndarray
    F: np.ndarray
    V: np.ndarray
    kernel: np.ndarray


class _Channel(NamedTuple):
    """One channel of a `StateSpace`, in float64, as `factors` takes it."""

    rule: object
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: float
    step: float

    @classmethod
    def of(cls, space, h):
        modes = (values[:, h].astype(complex) for values in (space.a, space.b, space.c))
        return cls(space.rule, *modes, float(space.d[h]), float(space.step[h]))


def _powers(channel, delta, T):
    E, phi, F = factors(channel, delta, channel.a)
    z = delta * channel.a
    logarithm = np.log1p(z / 2) - np.log1p(-z / 2) if channel.rule.kind == BILINEAR else z
    V = np.exp(logarithm[:, None] * np.arange(T))
    return _Powers(E, phi, F, V, 2 * ((channel.c * F) @ V).real)


def _spectrum(values, T):
    """Of values (..., T), followed by as many zeros: a product of two is a convolution that does not come round."""
    return np.fft.rfft(values, 2 * T)


def _turned(u, lengths):
    """u (B, T) backward in time, from each sequence's last step on; 0 behind its first."""
    at = lengths[:, None] - 1 - np.arange(u.shape[1])
    return np.where(at >= 0, np.take_along_axis(u, np.maximum(at, 0), axis=1), 0)


def _grown(q, lengths):
    """(1 + E) to the power of each sequence's length, (B, M)."""
    beyond = q.V[:, -1] * (1 + q.E)
    return np.concatenate([q.V, beyond[:, None]], axis=1)[:, lengths].T


def _before(q, lengths):
    """(1 + E) to the power of each length less 1, (B, M); of length 0 it does not matter."""
    return q.V[:, np.maximum(lengths - 1, 0)].T


def forward(space, x, dt, lengths, h0):
    """Run sequences whose steps all last ``dt``, a number; the rest as of `ltc_np.kernels.numpy.ssm.forward`.

    Returns
    -------
    y (B, T, H), h_last (B, K), saved
    """
    (B, T, H), M = x.shape, len(space.a)
    y, h_last = np.empty_like(x), np.empty_like(h0)
    first, last = h0.reshape(B, 2, M, H), h_last.reshape(B, 2, M, H)
    for h in range(H):
        channel = _Channel.of(space, h)
        q = _powers(channel, channel.step * dt, T)
        u = x[:, :, h].astype(np.float64)
        start = first[:, 0, :, h] + 1j * first[:, 1, :, h]
        out = np.fft.irfft(_spectrum(u, T) * _spectrum(q.kernel, T), 2 * T)[:, :T]
        out += 2 * ((start * (channel.c * (1 + q.E))) @ q.V).real + channel.d * u
        y[:, :, h] = out
        end = _grown(q, lengths) * start + q.F * (_turned(u, lengths) @ q.V.T)
        last[:, 0, :, h], last[:, 1, :, h] = end.real, end.imag
    return y, h_last, (x, dt, lengths, h0)


def backward(space, saved, d_y, d_h, g):
    """Adjoint of `forward`: d_x (B, T, H), d_h0 (B, K); gradients are added to ``g``."""
    x, dt, lengths, h0 = saved
    (B, T, H), M = x.shape, len(space.a)
    d_x, d_h0 = np.empty_like(x), np.empty_like(h0)
    valid = np.arange(T) < lengths[:, None]
    first, d_first, d_last = (a.reshape(B, 2, M, H) for a in (h0, d_h0, d_h))
    for h in range(H):
        channel = _Channel.of(space, h)
        delta = channel.step * dt
        q = _powers(channel, delta, T)
        u, d_out = x[:, :, h].astype(np.float64), np.where(valid, d_y[:, :, h], 0).astype(np.float64)
        start = first[:, 0, :, h] + 1j * first[:, 1, :, h]
        d_end = d_last[:, 0, :, h] + 1j * d_last[:, 1, :, h]
        powers = np.arange(T)
        # of the kernel
        spectrum = _spectrum(d_out, T)
        d_u = np.fft.irfft(spectrum * np.conj(_spectrum(q.kernel, T)), 2 * T)[:, :T] + channel.d * d_out
        d_kernel = np.fft.irfft((spectrum * np.conj(_spectrum(u, T))).sum(0), 2 * T)[:T]
        d_V = 2 * np.outer(np.conj(channel.c * q.F), d_kernel)
        d_weights = 2 * (np.conj(q.V) @ d_kernel)  # of C F
        d_c, d_F = np.conj(q.F) * d_weights, np.conj(channel.c) * d_weights
        # of what the first state gives to the outputs
        growth = 1 + q.E
        seen = d_out @ np.conj(q.V.T)  # (B, M)
        d_start = 2 * np.conj(channel.c * growth) * seen
        d_c = d_c + 2 * (np.conj(start * growth) * seen).sum(0)
        d_growth = 2 * (np.conj(start * channel.c) * seen).sum(0)
        d_V += 2 * np.conj(channel.c * growth)[:, None] * (np.conj(start).T @ d_out)
        # of the last state
        turned = _turned(u, lengths)
        d_start = d_start + np.conj(_grown(q, lengths)) * d_end
        d_F = d_F + (np.conj(turned @ q.V.T) * d_end).sum(0)
        pull = np.conj(q.F) * d_end  # (B, M), of turned @ V.T
        d_V += pull.T @ turned
        d_turned = (pull @ np.conj(q.V)).real
        d_u += np.where(valid, _turned(d_turned, lengths), 0)
        d_power = np.conj(start) * d_end  # of (1 + E)**length
        d_growth = d_growth + (np.conj(_before(q, lengths) * lengths[:, None]) * d_power).sum(0)
        d_growth = d_growth + (np.conj(powers[1:] * q.V[:, :-1]) * d_V[:, 1:]).sum(1)
        d_a, d_b, d_delta = d_factors(channel, delta, channel.a, q.E, q.phi, d_growth, d_F)
        g["decay"][:, h] -= d_a.real
        g["frequency"][:, h] += d_a.imag
        g["b_re"][:, h] += d_b.real
        g["b_im"][:, h] += d_b.imag
        g["c_re"][:, h] += d_c.real
        g["c_im"][:, h] += d_c.imag
        g["log_step"][h] += delta * d_delta.sum()
        g["d"][h] += (u * d_out).sum()
        d_x[:, :, h] = d_u
        d_first[:, 0, :, h], d_first[:, 1, :, h] = d_start.real, d_start.imag
    return d_x, d_h0
