"""The pointwise part of a step of the GRU: the definition.  `ltc_np.cells.gru` has the equations."""

import numpy as np

from ...base.activations import sigmoid


def forward_step(t, first, last, gates, recurrent, b, b_hn, u, h):
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
    h[t + 1, rows] = n + z * (h[t, rows] - n)


def backward_step(t, first, last, gates, u, h, d_y, d_product, d_h, d_z, d_recurrent):
    """Adjoint of `forward_step`: writes row t of d_z and of d_recurrent, the adjoints of x w_x and of h w_h.

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
