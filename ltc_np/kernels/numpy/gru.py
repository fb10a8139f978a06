"""The GRU: the definition.  `ltc_np.cells.gru` has the equations, docs/maths/gru.md derives every line."""

from typing import NamedTuple

import numpy as np

from ...base import blas
from ...base import workspace as spaces
from ...base.activations import sigmoid
from .. import gates as sweeps


class Matrices:
    """Effective parameters: w_x (I, 3*N), w_h (N, 3*N), b (3*N,), b_hn (N,), and the transposes of both matrices."""

    def __init__(self, w_x, w_h, b, b_hn):
        self.w_x, self.w_h, self.b, self.b_hn = w_x, w_h, b, b_hn
        self.w_x_turned, self.w_h_turned = np.ascontiguousarray(w_x.T), np.ascontiguousarray(w_h.T)


class _Saved(NamedTuple):
    """What the adjoint needs: inputs (T, B, I), gates (T, B, 3*N), u (T, B, N), h (T or T + 1, B, N) as each step reads
    it, lengths (B,), fade (B, T, N) or None."""

    inputs: np.ndarray
    gates: np.ndarray
    u: np.ndarray
    h: np.ndarray
    lengths: np.ndarray
    fade: np.ndarray | None


def forward(matrices, fade, x, lengths, h0, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    matrices : Matrices
    fade : (B, T, N) array or None
        What the state is multiplied by before each step.
    x (B, T, I), lengths (B,), h0 (B, N)
    keep : None, "full" or "low"

    Returns
    -------
    y (B, T, N), h_last (B, N), saved
    """
    (B, T, I), N, w_h, b, b_hn = x.shape, len(matrices.w_h), matrices.w_h, matrices.b, matrices.b_hn
    scratch = workspace.kept(
        "forward",
        (B, T),
        lambda: spaces.arrays(
            x.dtype, inputs=(T, B, I), gates=(T, B, 3 * N), recurrent=(B, 3 * N), u=(T, B, N), h=(T + 1, B, N)
        ),
    )
    inputs, gates, recurrent, u, h = scratch.inputs, scratch.gates, scratch.recurrent, scratch.u, scratch.h
    inputs[:] = x.transpose(1, 0, 2)
    h[0] = h0
    read = h if fade is None else workspace.array("read", T * B * N, x.dtype).reshape(T, B, N)

    def step(t, first, last):
        if fade is not None:
            read[t, first:last] = h[t, first:last] * fade[first:last, t]
        np.dot(read[t, first:last], w_h, out=recurrent[first:last])
        _forward_step(t, first, last, gates, recurrent, b, b_hn, u, read, h)

    parts = sweeps.count_parts(B, w_h.size)
    with blas.one_thread():
        sweeps.project(inputs, matrices.w_x, gates, parts)
        sweeps.sweep(step, lengths, T, parts, (h,))
    saved = _Saved(inputs, gates, u, read, lengths, fade) if keep else None
    return sweeps.by_sequence(h[1:], workspace), h[T].copy(), saved


def backward(matrices, saved, d_y, d_h, g, want_x, workspace):
    """Adjoint of `forward`: d_x (B, T, I) or None, d_h0 (B, N), and of log(fade) (B, T, N) or None; gradients are added
    to ``g``."""
    inputs, gates, u, h, lengths, fade = saved
    (T, B, _), N, w_h = inputs.shape, len(matrices.w_h), matrices.w_h_turned
    scratch = workspace.kept(
        "backward",
        (B, T),
        lambda: spaces.arrays(
            h.dtype, inputs=inputs.shape, z=gates.shape, recurrent=gates.shape, hidden=(T, B, N), product=(B, N)
        ),
    )
    d_z, d_recurrent, d_hidden, d_product = scratch.z, scratch.recurrent, scratch.hidden, scratch.product
    d_hidden[:] = d_y.transpose(1, 0, 2)
    d_exponent = None if fade is None else np.zeros(fade.shape, h.dtype)
    by_time = () if fade is None else (d_exponent.transpose(1, 0, 2),)
    d_state, d_product[:] = d_h.copy(), 0

    def d_step(t, first, last):
        _backward_step(t, first, last, gates, u, h, d_hidden, d_product, d_state, d_z, d_recurrent)
        np.dot(d_recurrent[t, first:last], w_h, out=d_product[first:last])
        if fade is not None:
            rows = slice(first, last)
            d_read = d_state[rows] + d_product[rows]
            d_exponent[rows, t] = d_read * h[t, rows]
            d_state[rows], d_product[rows] = d_read * fade[rows, t], 0

    parts = sweeps.count_parts(B, w_h.size)
    with blas.one_thread():
        sweeps.d_sweep(d_step, lengths, T, parts, (d_state, d_product), (d_z, d_recurrent, *by_time))
        sweeps.add_product(g["w_x"], inputs, d_z, parts)
        sweeps.add_product(g["w_h"], h[:T], d_recurrent, parts)
        sweeps.add_sum(g["b"], d_z, parts)
        sweeps.add_sum(g["b_hn"], d_recurrent[:, :, 2 * N :], parts)
        d_x = sweeps.d_project(d_z, matrices.w_x_turned, scratch.inputs, parts) if want_x else None
    return d_x, d_state + d_product, d_exponent


def _forward_step(t, first, last, gates, recurrent, b, b_hn, u, read, h):
    """Step t of the sequences first..last-1, but for the products.

    Parameters
    ----------
    gates : (T, B, 3*N) array
        In: x w_x; out: r, z and n.
    recurrent : (B, 3*N) array
        h w_h.
    b : (3*N,) array
    b_hn : (N,) array
    u : (T, B, N) array
        What r acts on is written to row t, for the adjoint.
    read : (T, B, N) array, or h
        Row t is the state that the step reads.
    h : (T + 1, B, N) array
        That after the step is written to row t + 1.
    """
    N, rows = h.shape[2], slice(first, last)
    z, product = gates[t, rows], recurrent[rows]
    z += b
    z[:, : 2 * N] = sigmoid(z[:, : 2 * N] + product[:, : 2 * N])
    u[t, rows] = product[:, 2 * N :] + b_hn
    z[:, 2 * N :] = np.tanh(z[:, 2 * N :] + z[:, :N] * u[t, rows])
    _, z, n = np.split(z, 3, axis=1)
    h[t + 1, rows] = n + z * (read[t, rows] - n)


def _backward_step(t, first, last, gates, u, h, d_y, d_product, d_h, d_z, d_recurrent):
    """Adjoint of `_forward_step`: writes row t of d_z and of d_recurrent, the adjoints of x w_x and of h w_h.

    ``d_y`` (T, B, N), row t of it, ``d_product`` and ``d_h`` (B, N) add up to the adjoint of h after the step; ``d_h``
    becomes the part of that of h before it that does not come through h w_h.
    """
    rows = slice(first, last)
    r, z, n = np.split(gates[t, rows], 3, axis=1)
    d_new = d_h[rows] + d_product[rows] + d_y[t, rows]
    d_n = d_new * (1 - z) * (1 - n * n)
    d_update = d_new * (h[t, rows] - n) * z * (1 - z)
    d_h[rows] = d_new * z
    d_reset = d_n * u[t, rows] * r * (1 - r)
    np.concatenate((d_reset, d_update, d_n), axis=1, out=d_z[t, rows])
    np.concatenate((d_reset, d_update, d_n * r), axis=1, out=d_recurrent[t, rows])
