"""The GRU on the CPU: a tile of sequences goes through all steps, products included, in one call of a kernel.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.gru`, the definition.

A step multiplies [x, 1] with w_x and b, and [1, h] with b_hn and w_h, since r acts on a part of the second product
alone; `ltc_np.kernels.cpu.gates` has what kernels take.  Kept of a step are r, z, n and u, what r acts on.  Its
adjoints lie in the order n, r, z, u: those of the first product are the first three, those of the second the last.
"""

from functools import partial

import numpy as np

from . import gates as sweeps
from .arguments import cut
from .gates import Gates, clear, clear_d_x, copy, write_d_x, write_sources
from .jit import kernel
from .neuron_major import longest_of
from .products import add_outer, multiply, packed
from .simd import load_part, prefetch, sigmoid, store_part, tanh, vector_size


@kernel
def _forward(fade, sizes, lengths, x, h0, weights, width, work, kept, results, first, last, worker):
    """Tiles first..last-1; ``fade`` (B, T, N), by which states are multiplied, or empty; ``weights``: of both."""
    (source, gates, _), (y, h_last), (w_x, w_h) = kept, results, weights
    B, T, I, N = sizes
    W, K, length, keep = vector_size(x), I + 1 + N, w_x.shape[0] * w_x.shape[2], gates.size > 0
    z_x, z_h = cut(work[worker], width * length)
    for tile in range(first, last):
        b0 = tile * width
        count = min(width, B - b0)
        for b in range(b0, b0 + count):
            clear(y, (b * T + lengths[b]) * N, (T - lengths[b]) * N)
        for t in range(longest_of(lengths, b0, count)):
            at = (b0 * T + t * count) * K if keep else b0 * K
            write_sources(sizes, lengths, x, t, b0, count, h0, y, source, at)
            for q in range(count if fade.size > 0 else 0):
                if t < lengths[b0 + q]:
                    for k in range(0, N, W):
                        n, i = N - k, at + q * K + I + 1 + k
                        factor = load_part(fade, ((b0 + q) * T + t) * N + k, n)
                        store_part(source, i, load_part(source, i, n) * factor, n)
            multiply(z_x, length, count, source, at, K, I + 1, w_x, 0, w_x.shape[0])
            multiply(z_h, length, count, source, at + I, K, 1 + N, w_h, 0, w_h.shape[0])
            for q in range(count):
                b, now = b0 + q, 4 * (t * B + b0 + q) * N
                if t >= lengths[b]:
                    continue
                for k in range(0, N, W):
                    n, i = N - k, q * length + k
                    r = sigmoid(load_part(z_x, i, n) + load_part(z_h, i, n))
                    z = sigmoid(load_part(z_x, i + N, n) + load_part(z_h, i + N, n))
                    u = load_part(z_h, i + 2 * N, n)
                    new = tanh(load_part(z_x, i + 2 * N, n) + r * u)
                    if keep:
                        store_part(gates, now + k, r, n)
                        store_part(gates, now + N + k, z, n)
                        store_part(gates, now + 2 * N + k, new, n)
                        store_part(gates, now + 3 * N + k, u, n)
                    h = load_part(source, at + q * K + I + 1 + k, n)
                    store_part(y, (b * T + t) * N + k, new + z * (h - new), n)
        for b in range(b0, b0 + count):
            if lengths[b] > 0:
                copy(y, (b * T + lengths[b] - 1) * N, h_last, b * N, N)
            else:
                copy(h0, b * N, h_last, b * N, N)


@kernel
def _backward(
    fade, d_exponent, sizes, lengths, kept, adjoints, turned, width, slots, work, gradients, first, last, worker
):
    """Adjoint of `_forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    ``d_exponent``: like ``fade``, adjoints of its logarithm.  A row has those of w_x and b (I + 1, 3*N), blocks of
    columns in the order n, r, z, and of b_hn and w_h (1 + N, 3*N).
    """
    (source, gates, _), (d_y, d_h), (w_h, w_x), (rows, d_x, d_h0) = kept, adjoints, turned, gradients
    (B, T, I, N), W, one = sizes, vector_size(d_y), d_y.dtype.type(1)
    K, Z, length = I + 1 + N, (4 * N + W - 1) // W * W, w_h.shape[0] * W
    columns = (3 * N + W - 1) // W * W
    d_z, rest = cut(work[worker], slots * width * Z)
    d_state, rest = cut(rest, width * length)
    direct, d_inputs = cut(rest, width * N)  # of a state, what comes through no product
    for row in range(first, last):
        for tile in range(row, (B + width - 1) // width, rows.shape[0]):
            b0 = tile * width
            count = min(width, B - b0)
            slot, longest = slots, longest_of(lengths, b0, count)
            for b in range(b0, b0 + count):
                copy(d_h, b * N, direct, (b - b0) * N, N)
                clear_d_x(sizes, d_x, b, longest)
            clear(d_state, 0, count * length)
            for t in range(longest - 1, -1, -1):
                slot -= 1
                sources = (b0 * T + t * count) * K
                for q in range(count):
                    b, to = b0 + q, (slot * count + q) * Z
                    if t >= lengths[b]:
                        clear(d_z, to, Z)
                        continue
                    now = 4 * (t * B + b) * N
                    for k in range(0, N, W):
                        n, i = N - k, q * N + k
                        prefetch(d_y, (b * T + t - 1) * N + k)
                        for gate in range(4):
                            prefetch(gates, now - 4 * B * N + gate * N + k)
                        r, z = load_part(gates, now + k, n), load_part(gates, now + N + k, n)
                        new, u = load_part(gates, now + 2 * N + k, n), load_part(gates, now + 3 * N + k, n)
                        h = load_part(source, sources + q * K + I + 1 + k, n)
                        d_new = load_part(direct, i, n) + load_part(d_state, q * length + k, n)
                        d_new = d_new + load_part(d_y, (b * T + t) * N + k, n)
                        d_n = d_new * (one - z) * (one - new * new)
                        store_part(direct, i, d_new * z, n)
                        store_part(d_z, to + k, d_n, n)
                        store_part(d_z, to + N + k, d_n * u * r * (one - r), n)
                        store_part(d_z, to + 2 * N + k, d_new * (h - new) * z * (one - z), n)
                        store_part(d_z, to + 3 * N + k, d_n * r, n)
                at = slot * count * Z
                multiply(d_state, length, count, d_z, at + N, Z, 3 * N, w_h, 0, w_h.shape[0])
                for q in range(count if fade.size > 0 else 0):
                    if t < lengths[b0 + q]:
                        for k in range(0, N, W):
                            n, now = N - k, ((b0 + q) * T + t) * N + k
                            d = load_part(direct, q * N + k, n) + load_part(d_state, q * length + k, n)
                            h = load_part(source, sources + q * K + I + 1 + k, n)
                            store_part(d_exponent, now, d * h, n)
                            store_part(direct, q * N + k, d * load_part(fade, now, n), n)
                            store_part(d_state, q * length + k, d - d, n)
                write_d_x(sizes, d_z, at, Z, count, w_x, d_inputs, d_x, b0, t)
                if slot == 0 or t == 0:
                    of_x, of_h = cut(rows[row], (I + 1) * columns)
                    terms = (slots - slot) * count
                    add_outer(of_x, I + 1, columns, source, sources, K, terms, d_z, at, Z)
                    add_outer(of_h, 1 + N, columns, source, sources + I, K, terms, d_z, at + N, Z)
                    slot = slots
            for b in range(b0, b0 + count):
                for k in range(0, N, W):
                    n, q = N - k, b - b0
                    d = load_part(direct, q * N + k, n) + load_part(d_state, q * length + k, n)
                    store_part(d_h0, b * N + k, d, n)


# ------------------------------------------------------------------------------------------ called from Python


class Matrices(Gates):
    """Effective parameters: see `ltc_np.kernels.numpy.gru.Matrices`."""

    gates, cells = 4, 0

    def __init__(self, w_x, w_h, b, b_hn):
        super().__init__(w_x, w_h)
        first = np.concatenate([np.zeros(2 * self.N, b.dtype), b_hn])
        self.weights = packed(np.concatenate([w_x, b[None]])), packed(np.concatenate([first[None], w_h]))
        self.sums = (self.I + 1, 3 * self.N), (1 + self.N, 3 * self.N)

    def transposes(self):
        """Columns of w_x in the order n, r, z."""
        return self.w_h.T, np.roll(self.w_x, self.N, axis=1).T


def forward(matrices, fade, x, lengths, h0, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.gru.forward`."""
    fade = np.empty(0, x.dtype) if fade is None else sweeps.flat(fade)
    y, h_last, saved = sweeps.forward(partial(_forward, fade), matrices, x, lengths, h0, keep, workspace)
    return y, h_last, (fade, saved) if keep else None


def backward(matrices, saved, d_y, d_h, g, want_x, workspace):
    """Adjoint of `forward`; see `ltc_np.kernels.numpy.gru.backward`."""
    fade, saved = saved
    d_exponent = np.zeros(fade.shape, d_y.dtype)
    kernel_ = partial(_backward, fade, d_exponent)
    d_x, d_h0, (of_x, of_h) = sweeps.backward(kernel_, matrices, saved, d_y, d_h, want_x, workspace)
    of_x = np.roll(of_x, -matrices.N, axis=1)
    g["w_x"] += of_x[:-1]
    g["b"] += of_x[-1]
    g["w_h"] += of_h[1:]
    g["b_hn"] += of_h[0, 2 * matrices.N :]
    return d_x, d_h0, d_exponent.reshape(d_y.shape) if fade.size else None
