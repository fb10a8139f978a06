"""The pointwise part of a step of the LSTM; `ltc_np.kernels.numpy.lstm` defines it."""

from .jit import kernel
from .simd import load_part, sigmoid, store_part, tanh, vector_size


@kernel
def forward_step(t, first, last, gates, recurrent, b, c, h):
    """gates (T, B, 4*N), recurrent (B, 4*N), b (4*N), c, h (T + 1, B, N)."""
    _, B, N = c.shape
    W, block, past = vector_size(gates), B * N, 4 * t * B * N
    for row in range(first, last):
        for k in range(0, N, W):
            n, at, i = N - k, t * block + row * N + k, 4 * row * N + k
            f, g, o = i + N, i + 2 * N, i + 3 * N
            z_i = load_part(gates, past + i, n) + load_part(recurrent, i, n) + load_part(b, k, n)
            z_f = load_part(gates, past + f, n) + load_part(recurrent, f, n) + load_part(b, k + N, n)
            z_g = load_part(gates, past + g, n) + load_part(recurrent, g, n) + load_part(b, k + 2 * N, n)
            z_o = load_part(gates, past + o, n) + load_part(recurrent, o, n) + load_part(b, k + 3 * N, n)
            y_i, y_f, y_g, y_o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
            cell = y_f * load_part(c, at, n) + y_i * y_g
            store_part(gates, past + i, y_i, n)
            store_part(gates, past + f, y_f, n)
            store_part(gates, past + g, y_g, n)
            store_part(gates, past + o, y_o, n)
            store_part(c, at + block, cell, n)
            store_part(h, at + block, y_o * tanh(cell), n)


@kernel
def backward_step(t, first, last, gates, c, d_y, d_h, d_c, d_z):
    """gates, d_z (T, B, 4*N), c (T + 1, B, N), d_y (>= T, B, N), d_h, d_c (B, N)."""
    _, B, N = c.shape
    W, block, one = vector_size(gates), B * N, gates.dtype.type(1)
    for row in range(first, last):
        for k in range(0, N, W):
            n, state = N - k, row * N + k
            at, i = t * block + state, 4 * (t * block + row * N) + k
            f, g, o = i + N, i + 2 * N, i + 3 * N
            y_i, y_f = load_part(gates, i, n), load_part(gates, f, n)
            y_g, y_o = load_part(gates, g, n), load_part(gates, o, n)
            u, d_hidden = tanh(load_part(c, at + block, n)), load_part(d_h, state, n) + load_part(d_y, at, n)
            d_cell = load_part(d_c, state, n) + d_hidden * y_o * (one - u * u)
            store_part(d_z, i, d_cell * y_g * y_i * (one - y_i), n)
            store_part(d_z, f, d_cell * load_part(c, at, n) * y_f * (one - y_f), n)
            store_part(d_z, g, d_cell * y_i * (one - y_g * y_g), n)
            store_part(d_z, o, d_hidden * u * y_o * (one - y_o), n)
            store_part(d_c, state, d_cell * y_f, n)
