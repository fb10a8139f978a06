"""The pointwise part of a step of the GRU; `ltc_np.kernels.numpy.gru` defines it."""

from .jit import kernel
from .simd import load_part, sigmoid, store_part, tanh, vector_size


@kernel
def forward_step(t, first, last, gates, recurrent, b, b_hn, u, h):
    """gates (T, B, 3*N), recurrent (B, 3*N), b (3*N), b_hn (N), u (T, B, N), h (T + 1, B, N)."""
    _, B, N = h.shape
    W, block, past = vector_size(h), B * N, 3 * t * B * N
    for row in range(first, last):
        for k in range(0, N, W):
            count, at, i = N - k, t * block + row * N + k, 3 * row * N + k
            r, z, n = past + i, past + i + N, past + i + 2 * N
            z_r = load_part(gates, r, count) + load_part(recurrent, i, count) + load_part(b, k, count)
            z_z = load_part(gates, z, count) + load_part(recurrent, i + N, count) + load_part(b, k + N, count)
            y_r, y_z = sigmoid(z_r), sigmoid(z_z)
            y_u = load_part(recurrent, i + 2 * N, count) + load_part(b_hn, k, count)
            y_n = tanh(load_part(gates, n, count) + load_part(b, k + 2 * N, count) + y_r * y_u)
            store_part(gates, r, y_r, count)
            store_part(gates, z, y_z, count)
            store_part(gates, n, y_n, count)
            store_part(u, at, y_u, count)
            store_part(h, at + block, y_n + y_z * (load_part(h, at, count) - y_n), count)


@kernel
def backward_step(t, first, last, gates, u, h, d_y, d_product, d_h, d_z, d_recurrent):
    """gates, d_z, d_recurrent (T, B, 3*N), u, d_y (T, B, N), h (T + 1, B, N), d_product, d_h (B, N)."""
    _, B, N = h.shape
    W, block, one = vector_size(h), B * N, h.dtype.type(1)
    for row in range(first, last):
        for k in range(0, N, W):
            count, state = N - k, row * N + k
            at, r = t * block + state, 3 * (t * block + row * N) + k
            z, n = r + N, r + 2 * N
            y_r, y_z, y_n = load_part(gates, r, count), load_part(gates, z, count), load_part(gates, n, count)
            d_new = load_part(d_h, state, count) + load_part(d_product, state, count) + load_part(d_y, at, count)
            d_n = d_new * (one - y_z) * (one - y_n * y_n)
            d_update = d_new * (load_part(h, at, count) - y_n) * y_z * (one - y_z)
            d_reset = d_n * load_part(u, at, count) * y_r * (one - y_r)
            store_part(d_h, state, d_new * y_z, count)
            store_part(d_z, r, d_reset, count)
            store_part(d_z, z, d_update, count)
            store_part(d_z, n, d_n, count)
            store_part(d_recurrent, r, d_reset, count)
            store_part(d_recurrent, z, d_update, count)
            store_part(d_recurrent, n, d_n * y_r, count)
