"""The pointwise parts of a step of the CT-GRU; `ltc_np.kernels.numpy.ctgru` defines them."""

from .jit import helper, kernel
from .simd import exp, fma, lane_sum, load_part, store_part, tanh, vector_size, where_greater, zeros


@helper
def _scale_weights(a, at, offsets, weights, to, N):
    """weights[to + k * N + n] from a[at + n], n < N; offsets (M)."""
    W, M, one = vector_size(a), offsets.size, a.dtype.type(1)
    for n in range(0, N, W):
        count = N - n
        twice = load_part(a, at + n, count)
        twice = twice + twice
        top = offsets[0] * (twice - offsets[0])
        for k in range(1, M):
            z = offsets[k] * (twice - offsets[k])
            top = where_greater(z, top, z, top)
        total = zeros(a)
        for k in range(M):
            e = exp(offsets[k] * (twice - offsets[k]) - top)
            total = total + e
            store_part(weights, to + k * N + n, e, count)
        share = one / total
        for k in range(M):
            i = to + k * N + n
            store_part(weights, i, load_part(weights, i, count) * share, count)


@kernel
def retrieve(t, first, last, gates, recurrent, b, offsets, v, weights, c):
    """gates (T, B, 3*N), recurrent (B, 2*N), b (3*N), offsets (M), v (T + 1, B, M*N), weights (B, M*N), c (T, B, N)."""
    _, B, N = c.shape
    W, M = vector_size(c), offsets.size
    for row in range(first, last):
        at, to = t * B + row, row * M * N
        for n in range(0, 2 * N, W):
            count, i = 2 * N - n, 3 * at * N + n
            a = load_part(gates, i, count) + load_part(recurrent, 2 * row * N + n, count) + load_part(b, n, count)
            store_part(gates, i, a, count)
        _scale_weights(gates, 3 * at * N, offsets, weights, to, N)
        for n in range(0, N, W):
            count, total = N - n, zeros(c)
            for k in range(M):
                i = k * N + n
                total = fma(load_part(weights, to + i, count), load_part(v, at * M * N + i, count), total)
            store_part(c, at * N + n, total, count)


@kernel
def d_retrieve(t, first, last, gates, offsets, v, weights, c, d_c, d_v, d_z):
    """gates, d_z (T, B, 3*N), offsets (M), v (T + 1, B, M*N), weights, d_v (B, M*N), c (T, B, N), d_c (B, N)."""
    _, B, N = c.shape
    W, M = vector_size(c), offsets.size
    for row in range(first, last):
        at, to = t * B + row, row * M * N
        _scale_weights(gates, 3 * at * N, offsets, weights, to, N)
        for n in range(0, N, W):
            count = N - n
            d, total, lever = load_part(d_c, row * N + n, count), zeros(c), zeros(c)
            for k in range(M):
                i = to + k * N + n
                r = load_part(weights, i, count)
                lifted = r * offsets[k]
                total = fma(lifted, load_part(v, at * M * N + k * N + n, count), total)
                lever = lever + lifted
                store_part(d_v, i, fma(d, r, load_part(d_v, i, count)), count)
            d_a = d * (total - lever * load_part(c, at * N + n, count))
            store_part(d_z, 3 * at * N + n, d_a + d_a, count)


@kernel
def store(t, first, last, gates, product, b, offsets, factors, v, weights, m, h):
    """gates (T, B, 3*N), product (B, N), b (3*N), offsets (M), factors (T + 1, B, M), v (T + 1, B, M*N),
    weights (B, M*N), m (T + 1, B, N), h (T, B, N).
    """
    _, B, N = h.shape
    W, M = vector_size(h), offsets.size
    for row in range(first, last):
        at, to = t * B + row, row * M * N
        _scale_weights(gates, (3 * at + 1) * N, offsets, weights, to, N)
        for n in range(0, N, W):
            count, i = N - n, (3 * at + 2) * N + n
            q = load_part(gates, i, count) + load_part(product, row * N + n, count) + load_part(b, 2 * N + n, count)
            q = tanh(q)
            store_part(gates, i, q, count)
            total, left = zeros(h), zeros(h)
            for k in range(M):
                i = k * N + n
                trace = load_part(v, at * M * N + i, count)
                trace = fma(load_part(weights, to + i, count), q - trace, trace)
                total = total + trace
                trace = trace * factors[t + 1, row, k]
                left = left + trace
                store_part(v, (at + B) * M * N + i, trace, count)
            store_part(h, at * N + n, total, count)
            store_part(m, (at + B) * N + n, left, count)


@kernel
def d_store(t, first, last, gates, offsets, factors, v, weights, d_y, after, d_m, d_v, d_z, d_factors):
    """gates, d_z (T, B, 3*N), offsets (M), factors (T + 1, B, M), v (T + 1, B, M*N),
    weights, d_v (B, M*N), d_y (T, B, N), d_m (B, N), d_factors as factors or (0, 0, 0).
    """
    _, B, N = d_y.shape
    W, M, one = vector_size(d_y), offsets.size, d_y.dtype.type(1)
    for row in range(first, last):
        at, to = t * B + row, row * M * N
        _scale_weights(gates, (3 * at + 1) * N, offsets, weights, to, N)
        if d_factors.size > 0:
            for k in range(M):
                d_factors[t + 1, row, k] = one - one
        for n in range(0, N, W):
            count, i = N - n, (3 * at + 2) * N + n
            q, d_left, d_h = load_part(gates, i, count), load_part(d_m, row * N + n, count), zeros(d_y)
            if after:
                d_left = d_left + load_part(d_y, at * N + n, count)
            else:
                d_h = load_part(d_y, at * N + n, count)
            d_q, d_s, lifted, lever = zeros(d_y), zeros(d_y), zeros(d_y), zeros(d_y)
            for k in range(M):
                j = k * N + n
                s, trace = load_part(weights, to + j, count), load_part(v, at * M * N + j, count)
                d_faded, change = load_part(d_v, to + j, count) + d_left, q - trace
                if d_factors.size > 0:
                    d_factors[t + 1, row, k] += lane_sum(d_faded * fma(s, change, trace))
                d_new = fma(d_faded, factors[t + 1, row, k], d_h)
                part = s * d_new
                store_part(d_v, to + j, d_new - part, count)
                d_q = d_q + part
                part = part * change
                d_s = d_s + part
                lifted = fma(part, offsets[k], lifted)
                lever = fma(s, offsets[k], lever)
            d_a = lifted - lever * d_s
            store_part(d_z, i - N, d_a + d_a, count)
            store_part(d_z, i, d_q * (one - q * q), count)
