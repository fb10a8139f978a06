"""The pointwise part of a step of the LSTM: the definition.  `ltc_np.cells.lstm` has the equations."""

import numpy as np

from ...base.activations import sigmoid


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
