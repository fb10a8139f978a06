"""The CT-GRU on the CPU: a tile of sequences goes through all steps, products included, in one call of a kernel.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ctgru`, the definition.

Sources are rows of [m, x, 1, c]: the first part up to 1 is multiplied with w_h, w_x and b for both scales, the part
from x on with w_x, b and w_c for the signal q, once c is known.  `ltc_np.kernels.cpu.gates` has what kernels take; what
is called c there are the traces v here, M*N numbers, and h, the state, is v, too.  Kept of a step are both scales' a,
and q.  Beside, kernels take
    scales: offsets (M,), factors (T + 1, B, M) flat, and whether outputs are what the decay after a step leaves
"""

from functools import partial

import numpy as np

from . import gates as sweeps
from .arguments import cut
from .gates import Gates, clear, clear_d_x, copy, write_d_x
from .jit import helper, kernel
from .neuron_major import longest_of
from .products import add_outer, multiply, packed
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


@helper
def _retrieve(a, at, N, offsets, v, from_, weights, c, to):
    """c[to + n], what is read from the traces v[from_ + k * N + n]; a from a[at] on; weights (M*N) to work in."""
    W = vector_size(c)
    _scale_weights(a, at, offsets, weights, 0, N)
    for n in range(0, N, W):
        count, total = N - n, zeros(c)
        for k in range(offsets.size):
            i = k * N + n
            total = fma(load_part(weights, i, count), load_part(v, from_ + i, count), total)
        store_part(c, to + n, total, count)


@helper
def _d_retrieve(a, at, N, offsets, v, from_, weights, c, to, d_c, of, d_v, back, d_a, d_at):
    """Adjoint of `_retrieve`: adds to d_v[back + k * N + n], writes d_a."""
    W = vector_size(c)
    _scale_weights(a, at, offsets, weights, 0, N)
    for n in range(0, N, W):
        count = N - n
        d, total, lever = load_part(d_c, of + n, count), zeros(c), zeros(c)
        for k in range(offsets.size):
            i = k * N + n
            r = load_part(weights, i, count)
            lifted = r * offsets[k]
            total = fma(lifted, load_part(v, from_ + i, count), total)
            lever = lever + lifted
            store_part(d_v, back + i, fma(d, r, load_part(d_v, back + i, count)), count)
        d_part = d * (total - lever * load_part(c, to + n, count))
        store_part(d_a, d_at + n, d_part + d_part, count)


@helper
def _store(a, at, q, q_at, N, offsets, factors, now, v, before, after, weights, m, m_at, y, y_at, decayed):
    """Traces from v[before] on become those at v[after], faded by factors[now + k].

    y is their sum before they fade, or, where it is ``decayed``, m, their sum then; q becomes its tanh.
    """
    W = vector_size(y)
    _scale_weights(a, at, offsets, weights, 0, N)
    for n in range(0, N, W):
        count = N - n
        signal, total, left = tanh(load_part(q, q_at + n, count)), zeros(y), zeros(y)
        store_part(q, q_at + n, signal, count)
        for k in range(offsets.size):
            i = k * N + n
            trace = load_part(v, before + i, count)
            trace = fma(load_part(weights, i, count), signal - trace, trace)
            total = total + trace
            trace = trace * factors[now + k]
            left = left + trace
            store_part(v, after + i, trace, count)
        store_part(y, y_at + n, left if decayed else total, count)
        store_part(m, m_at + n, left, count)


@helper
def _d_store(
    a, at, N, offsets, factors, now, v, before, weights, d_m, of, d_y, d_at, decayed, d_v, back, d_z, to, d_factors
):  # fmt: skip
    """Adjoint of `_store`: d_v becomes that of the traces before; d_z gets that of a and behind it that of q.

    q lies behind a; ``d_factors`` may be empty.
    """
    W, one = vector_size(d_y), d_y.dtype.type(1)
    _scale_weights(a, at, offsets, weights, 0, N)
    for n in range(0, N, W):
        count = N - n
        q, d_left, d_h = load_part(a, at + N + n, count), load_part(d_m, of + n, count), zeros(d_y)
        if decayed:
            d_left = d_left + load_part(d_y, d_at + n, count)
        else:
            d_h = load_part(d_y, d_at + n, count)
        d_q, d_s, lifted, lever = zeros(d_y), zeros(d_y), zeros(d_y), zeros(d_y)
        for k in range(offsets.size):
            j = k * N + n
            s, trace = load_part(weights, j, count), load_part(v, before + j, count)
            d_faded, change = load_part(d_v, back + j, count) + d_left, q - trace
            if d_factors.size > 0:
                d_factors[now + k] += lane_sum(d_faded * fma(s, change, trace))
            d_new = fma(d_faded, factors[now + k], d_h)
            part = s * d_new
            store_part(d_v, back + j, d_new - part, count)
            d_q = d_q + part
            part = part * change
            d_s = d_s + part
            lifted = fma(part, offsets[k], lifted)
            lever = fma(s, offsets[k], lever)
        d_a = lifted - lever * d_s
        store_part(d_z, to + n, d_a + d_a, count)
        store_part(d_z, to + N + n, d_q * (one - q * q), count)


@helper
def _write_sources(sizes, lengths, x, t, b0, count, m, source, at):
    """Rows [m, x, 1, c] of step t from ``source[at]`` on, without c; those of sequences that have ended are 0."""
    _, T, I, N = sizes
    K = N + I + 1 + N
    for q in range(count):
        b, to = b0 + q, at + q * K
        if t < lengths[b]:
            copy(m, q * N, source, to, N)
            copy(x, (b * T + t) * I, source, to + N, I)
            source[to + N + I] = 1
        else:
            clear(source, to, K)


@kernel
def _forward(scales, sizes, lengths, x, h0, weights, width, work, kept, results, first, last, worker):
    """Tiles first..last-1; ``weights``: of both products."""
    (offsets, factors, decayed), (source, gates, v), (y, h_last), (w_a, w_q) = scales, kept, results, weights
    (B, T, I, N), W, M, keep = sizes, vector_size(x), offsets.size, gates.size > 0
    K, S, length_a, length_q = N + I + 1 + N, M * N, w_a.shape[0] * w_a.shape[2], w_q.shape[0] * w_q.shape[2]
    z_a, rest = cut(work[worker], width * length_a)
    z_q, rest = cut(rest, width * length_q)
    m, shares = cut(rest, width * N)
    for tile in range(first, last):
        b0 = tile * width
        count = min(width, B - b0)
        for b in range(b0, b0 + count):
            copy(h0, b * S, v, b * S, S)
            clear(y, (b * T + lengths[b]) * N, (T - lengths[b]) * N)
            for n in range(0, N, W):
                total = zeros(x)
                for k in range(M):
                    total = total + load_part(h0, b * S + k * N + n, N - n)
                store_part(m, (b - b0) * N + n, total, N - n)
        for t in range(longest_of(lengths, b0, count)):
            at = (b0 * T + t * count) * K if keep else b0 * K
            _write_sources(sizes, lengths, x, t, b0, count, m, source, at)
            multiply(z_a, length_a, count, source, at, K, N + I + 1, w_a, 0, w_a.shape[0])
            for q in range(count):
                b = b0 + q
                if t < lengths[b]:
                    now = (t * B + b) * S if keep else b * S
                    _retrieve(z_a, q * length_a, N, offsets, v, now, shares, source, at + q * K + N + I + 1)
            multiply(z_q, length_q, count, source, at + N, K, I + 1 + N, w_q, 0, w_q.shape[0])
            for q in range(count):
                b = b0 + q
                if t >= lengths[b]:
                    continue
                now, after = ((t * B + b) * S, ((t + 1) * B + b) * S) if keep else (b * S, b * S)
                _store(
                    z_a, q * length_a + N, z_q, q * length_q, N, offsets, factors, ((t + 1) * B + b) * M, v, now,
                    after, shares, m, q * N, y, (b * T + t) * N, decayed,
                )  # fmt: skip
                if keep:
                    copy(z_a, q * length_a, gates, 3 * (t * B + b) * N, 2 * N)
                    copy(z_q, q * length_q, gates, 3 * (t * B + b) * N + 2 * N, N)
        for b in range(b0, b0 + count):
            copy(v, (lengths[b] * B + b) * S if keep else b * S, h_last, b * S, S)


@kernel
def _backward(
    scales, d_factors, sizes, lengths, kept, adjoints, turned, width, slots, work, gradients, first, last, worker
):  # fmt: skip
    """Adjoint of `_forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1; d_factors may be empty.

    A row has those of w_h, w_x and b for both scales (N + I + 1, 2*N), and of w_x, b and w_c for q (I + 1 + N, N).
    """
    (offsets, factors, decayed), (source, gates, v), (d_y, d_h), (w_h, w_c, w_x) = scales, kept, adjoints, turned
    (rows, d_x, d_h0), (B, T, I, N), W, M = gradients, sizes, vector_size(d_y), offsets.size
    K, S, Z = N + I + 1 + N, M * N, (3 * N + W - 1) // W * W
    of_a, of_q = (2 * N + W - 1) // W * W, (N + W - 1) // W * W
    length_m, length_c = w_h.shape[0] * W, w_c.shape[0] * W
    d_z, rest = cut(work[worker], slots * width * Z)
    d_m, rest = cut(rest, width * length_m)
    d_c, rest = cut(rest, width * length_c)
    d_inputs, rest = cut(rest, width * w_x.shape[0] * W)
    d_v, shares = cut(rest, width * S)
    for r in range(first, last):
        for tile in range(r, (B + width - 1) // width, rows.shape[0]):
            b0 = tile * width
            count = min(width, B - b0)
            slot, longest = slots, longest_of(lengths, b0, count)
            for b in range(b0, b0 + count):
                copy(d_h, b * S, d_v, (b - b0) * S, S)
                clear_d_x(sizes, d_x, b, longest)
            clear(d_m, 0, count * length_m)
            for t in range(longest - 1, -1, -1):
                slot -= 1
                sources, at = (b0 * T + t * count) * K, slot * count * Z
                for q in range(count):
                    b, to = b0 + q, at + q * Z
                    if t >= lengths[b]:
                        clear(d_z, to, Z)
                        continue
                    now = t * B + b
                    _d_store(
                        gates, (3 * now + 1) * N, N, offsets, factors, (now + B) * M, v, now * S, shares,
                        d_m, q * length_m, d_y, (b * T + t) * N, decayed, d_v, q * S, d_z, to + N, d_factors,
                    )  # fmt: skip
                multiply(d_c, length_c, count, d_z, at + 2 * N, Z, N, w_c, 0, w_c.shape[0])
                for q in range(count):
                    now = t * B + b0 + q
                    if t < lengths[b0 + q]:
                        _d_retrieve(
                            gates, 3 * now * N, N, offsets, v, now * S, shares, source, sources + q * K + N + I + 1,
                            d_c, q * length_c, d_v, q * S, d_z, at + q * Z,
                        )  # fmt: skip
                multiply(d_m, length_m, count, d_z, at, Z, 2 * N, w_h, 0, w_h.shape[0])
                write_d_x(sizes, d_z, at, Z, count, w_x, d_inputs, d_x, b0, t)
                if slot == 0 or t == 0:
                    first_row, second_row = cut(rows[r], (N + I + 1) * of_a)
                    terms = (slots - slot) * count
                    add_outer(first_row, N + I + 1, of_a, source, sources, K, terms, d_z, at, Z)
                    add_outer(second_row, I + 1 + N, of_q, source, sources + N, K, terms, d_z, at + 2 * N, Z)
                    slot = slots
            for q in range(count):
                for n in range(0, N, W):
                    d = load_part(d_m, q * length_m + n, N - n)
                    for k in range(M):
                        i = k * N + n
                        store_part(d_h0, (b0 + q) * S + i, d + load_part(d_v, q * S + i, N - n), N - n)


# ------------------------------------------------------------------------------------------ called from Python


class Matrices(Gates):
    """Effective parameters: see `ltc_np.kernels.numpy.ctgru.Matrices`."""

    gates, read = 3, 1

    def __init__(self, w_x, w_h, w_c, b, offsets):
        super().__init__(w_x, w_h)
        N = self.N
        self.w_c, self.offsets, self.cells = w_c, offsets, len(offsets)
        of_a, of_q = np.split(np.concatenate([w_x, b[None]]), [2 * N], axis=1)
        self.weights = packed(np.concatenate([w_h, of_a])), packed(np.concatenate([of_q, w_c]))
        self.sums = (N + self.I + 1, 2 * N), (self.I + 1 + N, N)

    def transposes(self):
        """Those of w_h, w_c and w_x."""
        return self.w_h.T, self.w_c.T, self.w_x.T


def forward(matrices, x, factors, lengths, v0, decayed, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.ctgru.forward`."""
    scales = matrices.offsets, factors.reshape(-1), decayed
    y, v_last, saved = sweeps.forward(partial(_forward, scales), matrices, x, lengths, v0, keep, workspace)
    return y, v_last, (scales, saved) if keep else None


def backward(matrices, saved, d_y, d_v, g, want_x, want_factors, workspace):
    """Adjoint of `forward`; see `ltc_np.kernels.numpy.ctgru.backward`."""
    scales, saved = saved
    B, T, _ = d_y.shape
    d_factors = np.zeros((T + 1, B, matrices.cells) if want_factors else (0, 0, 0), d_y.dtype)
    kernel = partial(_backward, scales, d_factors.reshape(-1))
    d_x, d_v0, (of_a, of_q) = sweeps.backward(kernel, matrices, saved, d_y, d_v, want_x, workspace)
    N, I = matrices.N, matrices.I
    g["w_h"] += of_a[:N]
    g["w_x"] += np.concatenate([of_a[N:-1], of_q[:I]], axis=1)
    g["b"] += np.concatenate([of_a[-1], of_q[I]])
    g["w_c"] += of_q[I + 1 :]
    return d_x, d_v0, d_factors
