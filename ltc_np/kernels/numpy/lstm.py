"""The LSTM: the definition.  `ltc_np.cells.lstm` has the equations, docs/maths/lstm.md derives every line."""

from typing import NamedTuple

import numpy as np

from ...base import blas
from ...base import workspace as spaces
from ...base.activations import sigmoid
from .. import gates as sweeps


class Matrices:
    """Effective parameters: w_x (I, 4*N), w_h (N, 4*N), b (4*N,), and the transposes of both matrices."""

    def __init__(self, w_x, w_h, b):
        self.w_x, self.w_h, self.b = w_x, w_h, b
        self.w_x_turned, self.w_h_turned = np.ascontiguousarray(w_x.T), np.ascontiguousarray(w_h.T)


class _Saved(NamedTuple):
    """What the adjoint needs: inputs (T, B, I), gates (T, B, 4*N), h and c (T + 1, B, N), lengths (B,)."""

    inputs: np.ndarray
    gates: np.ndarray
    h: np.ndarray
    c: np.ndarray
    lengths: np.ndarray


def forward(matrices, x, lengths, h0, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    matrices : Matrices
    x (B, T, I), lengths (B,), h0 (B, 2*N)
    keep : None, "full" or "low"

    Returns
    -------
    y (B, T, N), h_last (B, 2*N), saved
    """
    (B, T, I), N, w_h, b = x.shape, len(matrices.w_h), matrices.w_h, matrices.b
    scratch = workspace.kept(
        "forward",
        (B, T),
        lambda: spaces.arrays(
            x.dtype, inputs=(T, B, I), gates=(T, B, 4 * N), recurrent=(B, 4 * N), h=(T + 1, B, N), c=(T + 1, B, N)
        ),
    )
    inputs, gates, recurrent, h, c = scratch.inputs, scratch.gates, scratch.recurrent, scratch.h, scratch.c
    inputs[:] = x.transpose(1, 0, 2)
    h[0], c[0] = h0[:, :N], h0[:, N:]

    def step(t, first, last):
        np.dot(h[t, first:last], w_h, out=recurrent[first:last])
        forward_step(t, first, last, gates, recurrent, b, c, h)

    parts = sweeps.count_parts(B, w_h.size)
    with blas.one_thread():
        sweeps.project(inputs, matrices.w_x, gates, parts)
        sweeps.sweep(step, lengths, T, parts, (h, c))
    h_last = np.concatenate([h[T], c[T]], axis=1)
    return sweeps.by_sequence(h[1:], workspace), h_last, _Saved(inputs, gates, h, c, lengths) if keep else None


def backward(matrices, saved, d_y, d_h, g, want_x, workspace):
    """Adjoint of `forward`: d_x (B, T, I) or None, and d_h0 (B, 2*N); gradients are added to ``g``."""
    inputs, gates, h, c, lengths = saved
    (T, B, _), N, w_h = inputs.shape, len(matrices.w_h), matrices.w_h_turned
    scratch = workspace.kept(
        "backward", (B, T), lambda: spaces.arrays(h.dtype, inputs=inputs.shape, z=gates.shape, hidden=(T, B, N))
    )
    d_z, d_hidden = scratch.z, scratch.hidden
    d_hidden[:] = d_y.transpose(1, 0, 2)
    d_state, d_c = d_h[:, :N].copy(), d_h[:, N:].copy()

    def d_step(t, first, last):
        backward_step(t, first, last, gates, c, d_hidden, d_state, d_c, d_z)
        np.dot(d_z[t, first:last], w_h, out=d_state[first:last])

    parts = sweeps.count_parts(B, w_h.size)
    with blas.one_thread():
        sweeps.d_sweep(d_step, lengths, T, parts, (d_state, d_c), (d_z,))
        sweeps.add_product(g["w_x"], inputs, d_z, parts)
        sweeps.add_product(g["w_h"], h[:T], d_z, parts)
        sweeps.add_sum(g["b"], d_z, parts)
        d_x = sweeps.d_project(d_z, matrices.w_x_turned, scratch.inputs, parts) if want_x else None
    return d_x, np.concatenate([d_state, d_c], axis=1)


def forward_step(t, first, last, gates, recurrent, b, c, h):
    """Step t of the sequences first..last-1, but for the products.

    Parameters
    ----------
    gates : (T, B, 4*N) array
        In: x w_x; out: the gates.
    recurrent : (B, 4*N) array
        h w_h.
    b : (4*N,) array
    c, h : (T + 1, B, N) arrays
        Those after the step are written to row t + 1.
    """
    N, rows = c.shape[2], slice(first, last)
    z = gates[t, rows]
    z += recurrent[rows]
    z += b
    z[:, : 2 * N], z[:, 3 * N :] = sigmoid(z[:, : 2 * N]), sigmoid(z[:, 3 * N :])
    z[:, 2 * N : 3 * N] = np.tanh(z[:, 2 * N : 3 * N])
    i, f, g, o = np.split(z, 4, axis=1)
    c[t + 1, rows] = f * c[t, rows] + i * g
    h[t + 1, rows] = o * np.tanh(c[t + 1, rows])


def backward_step(t, first, last, gates, c, d_y, d_h, d_c, d_z):
    """Adjoint of `forward_step`: writes row t of d_z.

    ``d_y`` (>= T, B, N), row t of it, and ``d_h`` (B, N) add up to the adjoint of h after the step; ``d_c`` (B, N) is
    that of c after the step and becomes that of c before it.
    """
    rows = slice(first, last)
    i, f, g, o = np.split(gates[t, rows], 4, axis=1)
    u = np.tanh(c[t + 1, rows])
    d_h = d_h[rows] + d_y[t, rows]
    d_o = d_h * u
    d_c_new = d_c[rows] + d_h * o * (1 - u * u)
    d_i, d_f, d_g = d_c_new * g, d_c_new * c[t, rows], d_c_new * i
    d_c[rows] = d_c_new * f
    d_gates = d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g * g), d_o * o * (1 - o)
    np.concatenate(d_gates, axis=1, out=d_z[t, rows])
