"""The LSTM on the CPU: a tile of sequences goes through all steps, products included, in one call of a kernel.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.lstm`, the definition.  The
pointwise parts alone, `forward_step` and `backward_step`, are for a cell that has an LSTM beside it.

A step multiplies sources, rows of [x, 1, h], with w_x, b and w_h at once; `ltc_np.kernels.cpu.gates` has what kernels
take.  Beside h there is c (T + 1, B, N), or of one step where nothing is kept; states (B, 2*N) are h and c.
"""

import numpy as np

from . import gates as sweeps
from .arguments import cut
from .gates import Gates, clear, clear_d_x, copy, write_d_x, write_sources
from .jit import helper, kernel
from .neuron_major import longest_of
from .products import add_outer, multiply, packed
from .simd import load_part, prefetch, sigmoid, store_part, tanh, vector_size


@helper
def _unit(z_i, z_f, z_g, z_o, c):
    """The gates, the new c and the new h."""
    y_i, y_f, y_g, y_o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    cell = y_f * c + y_i * y_g
    return y_i, y_f, y_g, y_o, cell, y_o * tanh(cell)


@helper
def _d_unit(gates, at, k, N, c, new_c, d_hidden, d_c, d_z, to):
    """Adjoint of `_unit`: the adjoints of its arguments, the gates' into d_z; gates and d_z of a row begin there."""
    n, one = N - k, gates.dtype.type(1)
    y_i, y_f = load_part(gates, at + k, n), load_part(gates, at + N + k, n)
    y_g, y_o = load_part(gates, at + 2 * N + k, n), load_part(gates, at + 3 * N + k, n)
    u = tanh(new_c)
    d_cell = d_c + d_hidden * y_o * (one - u * u)
    store_part(d_z, to + k, d_cell * y_g * y_i * (one - y_i), n)
    store_part(d_z, to + N + k, d_cell * c * y_f * (one - y_f), n)
    store_part(d_z, to + 2 * N + k, d_cell * y_i * (one - y_g * y_g), n)
    store_part(d_z, to + 3 * N + k, d_hidden * u * y_o * (one - y_o), n)
    return d_cell * y_f


@kernel
def forward_step(t, first, last, gates, recurrent, b, c, h):
    """gates (T, B, 4*N), recurrent (B, 4*N), b (4*N), c, h (T + 1, B, N)."""
    _, B, N = c.shape
    W, block = vector_size(gates), B * N
    for row in range(first, last):
        for k in range(0, N, W):
            n, at, i = N - k, t * block + row * N + k, 4 * row * N + k
            past = 4 * t * block
            f, g, o = i + N, i + 2 * N, i + 3 * N
            z_i = load_part(gates, past + i, n) + load_part(recurrent, i, n) + load_part(b, k, n)
            z_f = load_part(gates, past + f, n) + load_part(recurrent, f, n) + load_part(b, k + N, n)
            z_g = load_part(gates, past + g, n) + load_part(recurrent, g, n) + load_part(b, k + 2 * N, n)
            z_o = load_part(gates, past + o, n) + load_part(recurrent, o, n) + load_part(b, k + 3 * N, n)
            y_i, y_f, y_g, y_o, cell, hidden = _unit(z_i, z_f, z_g, z_o, load_part(c, at, n))
            store_part(gates, past + i, y_i, n)
            store_part(gates, past + f, y_f, n)
            store_part(gates, past + g, y_g, n)
            store_part(gates, past + o, y_o, n)
            store_part(c, at + block, cell, n)
            store_part(h, at + block, hidden, n)


@kernel
def backward_step(t, first, last, gates, c, d_y, d_h, d_c, d_z):
    """gates, d_z (T, B, 4*N), c (T + 1, B, N), d_y (>= T, B, N), d_h, d_c (B, N)."""
    _, B, N = c.shape
    W = vector_size(gates)
    for row in range(first, last):
        for k in range(0, N, W):
            n, state = N - k, row * N + k
            at, i = t * B * N + state, 4 * (t * B + row) * N
            d_hidden = load_part(d_h, state, n) + load_part(d_y, at, n)
            before, after = load_part(c, at, n), load_part(c, at + B * N, n)
            d_before = _d_unit(gates, i, k, N, before, after, d_hidden, load_part(d_c, state, n), d_z, i)
            store_part(d_c, state, d_before, n)


@helper
def begin_tile(sizes, lengths, h0, b0, count, c, y):
    """What `take_units` begins with for sequences b0, ...; y is 0 where they have ended."""
    _, T, _, N = sizes
    for b in range(b0, b0 + count):
        copy(h0, (2 * b + 1) * N, c, b * N, N)
        clear(y, (b * T + lengths[b]) * N, (T - lengths[b]) * N)


@helper
def take_units(sizes, lengths, x, t, b0, count, h0, w, z, source, gates, c, y):
    """Step t of sequences b0, ...; ``z`` is to work in.  `d_take_units` is its adjoint."""
    B, T, I, N = sizes
    W, K, length, keep = vector_size(x), I + 1 + N, w.shape[0] * w.shape[2], gates.size > 0
    at = (b0 * T + t * count) * K if keep else b0 * K
    write_sources(sizes, lengths, x, t, b0, count, h0, y, source, at)
    multiply(z, length, count, source, at, K, K, w, 0, w.shape[0])
    for b in range(b0, b0 + count):
        if t >= lengths[b]:
            continue
        now, after = (t * B + b) * N if keep else b * N, ((t + 1) * B + b) * N if keep else b * N
        for k in range(0, N, W):
            n, i = N - k, (b - b0) * length + k
            y_i, y_f, y_g, y_o, cell, hidden = _unit(
                load_part(z, i, n), load_part(z, i + N, n), load_part(z, i + 2 * N, n),
                load_part(z, i + 3 * N, n), load_part(c, now + k, n),
            )  # fmt: skip
            if keep:
                i = 4 * now + k
                store_part(gates, i, y_i, n)
                store_part(gates, i + N, y_f, n)
                store_part(gates, i + 2 * N, y_g, n)
                store_part(gates, i + 3 * N, y_o, n)
            store_part(c, after + k, cell, n)
            store_part(y, (b * T + t) * N + k, hidden, n)


@helper
def add_d_outputs(sizes, lengths, t, b0, count, d_y, d_h, d_state, row):
    """Adds to rows of d_state, of what follows step t, its outputs' d_y (B, T, -); those of last states begin as d_h.

    Of sequences that have ended they become 0.
    """
    B, T, _, N = sizes
    W, O = vector_size(d_y), d_y.size // (B * T)
    for q in range(count):
        b, to = b0 + q, q * row
        if t >= lengths[b]:
            clear(d_state, to, N)
            continue
        if t + 1 == lengths[b]:
            copy(d_h, 2 * b * N, d_state, to, N)
        for k in range(0, O, W):
            prefetch(d_y, (b * T + t - 1) * O + k)
            d = load_part(d_state, to + k, O - k) + load_part(d_y, (b * T + t) * O + k, O - k)
            store_part(d_state, to + k, d, O - k)


@helper
def d_take_units(sizes, lengths, t, b0, count, gates, c, d_hidden, row, d_c, d_z, to):
    """Adjoint of `take_units` but for the product: d_c, and rows of d_z from ``d_z[to]`` on, 0 of ended sequences.

    ``d_hidden``: adjoint of y, rows of so many numbers.
    """
    B, _, _, N = sizes
    W = vector_size(d_z)
    Z = (4 * N + W - 1) // W * W
    for q in range(count):
        b = b0 + q
        if t >= lengths[b]:
            clear(d_z, to + q * Z, Z)
            continue
        now = (t * B + b) * N
        for k in range(0, N, W):
            n, i = N - k, q * N + k
            prefetch(c, now - B * N + k)
            for gate in range(4):
                prefetch(gates, 4 * (now - B * N) + gate * N + k)
            before, after = load_part(c, now + k, n), load_part(c, now + B * N + k, n)
            d, d_after = load_part(d_hidden, q * row + k, n), load_part(d_c, i, n)
            store_part(d_c, i, _d_unit(gates, 4 * now, k, N, before, after, d, d_after, d_z, to + q * Z), n)


@helper
def end_tile(sizes, lengths, h0, b0, count, gates, c, y, h_last):
    """The states of sequences b0, ... after their last steps."""
    B, T, _, N = sizes
    for b in range(b0, b0 + count):
        if lengths[b] > 0:
            copy(y, (b * T + lengths[b] - 1) * N, h_last, 2 * b * N, N)
        else:
            copy(h0, 2 * b * N, h_last, 2 * b * N, N)
        copy(c, (lengths[b] * B + b) * N if gates.size > 0 else b * N, h_last, (2 * b + 1) * N, N)


@helper
def d_end_tile(sizes, lengths, d_h, b0, count, d_state, row, d_c, d_h0):
    """The adjoints of initial states: of sequences with steps rows of d_state and d_c, of others those of last ones."""
    _, _, _, N = sizes
    for q in range(count):
        b = b0 + q
        if lengths[b] > 0:
            copy(d_state, q * row, d_h0, 2 * b * N, N)
        else:
            copy(d_h, 2 * b * N, d_h0, 2 * b * N, N)
        copy(d_c, q * N, d_h0, (2 * b + 1) * N, N)


@kernel
def _forward(sizes, lengths, x, h0, weights, width, work, kept, results, first, last, worker):
    """Tiles first..last-1; ``weights``: one matrix, the rows of w_x, b and w_h."""
    (source, gates, c), (y, h_last), (w,) = kept, results, weights
    for tile in range(first, last):
        b0 = tile * width
        count = min(width, sizes[0] - b0)
        begin_tile(sizes, lengths, h0, b0, count, c, y)
        for t in range(longest_of(lengths, b0, count)):
            take_units(sizes, lengths, x, t, b0, count, h0, w, work[worker], source, gates, c, y)
        end_tile(sizes, lengths, h0, b0, count, gates, c, y, h_last)


@kernel
def _backward(sizes, lengths, kept, adjoints, turned, width, slots, work, gradients, first, last, worker):
    """Adjoint of `_forward`: tiles r, r + R, ... into gradient row r, (I + 1 + N, 4*N), for r = first..last-1."""
    (source, gates, c), (d_y, d_h), (w_h, w_x), (rows, d_x, d_h0) = kept, adjoints, turned, gradients
    (B, T, I, N), W = sizes, vector_size(d_y)
    K, Z, length = I + 1 + N, (4 * N + W - 1) // W * W, w_h.shape[0] * W
    d_z, rest = cut(work[worker], slots * width * Z)
    d_state, rest = cut(rest, width * length)
    d_c, d_inputs = cut(rest, width * N)
    for r in range(first, last):
        for tile in range(r, (B + width - 1) // width, rows.shape[0]):
            b0 = tile * width
            count = min(width, B - b0)
            slot, longest = slots, longest_of(lengths, b0, count)
            for b in range(b0, b0 + count):
                copy(d_h, (2 * b + 1) * N, d_c, (b - b0) * N, N)
                clear_d_x(sizes, d_x, b, longest)
            for t in range(longest - 1, -1, -1):
                slot -= 1
                add_d_outputs(sizes, lengths, t, b0, count, d_y, d_h, d_state, length)
                at = slot * count * Z
                d_take_units(sizes, lengths, t, b0, count, gates, c, d_state, length, d_c, d_z, at)
                multiply(d_state, length, count, d_z, at, Z, 4 * N, w_h, 0, w_h.shape[0])
                write_d_x(sizes, d_z, at, Z, count, w_x, d_inputs, d_x, b0, t)
                if slot == 0 or t == 0:
                    terms = (slots - slot) * count
                    add_outer(rows[r], K, Z, source, (b0 * T + t * count) * K, K, terms, d_z, at, Z)
                    slot = slots
            d_end_tile(sizes, lengths, d_h, b0, count, d_state, length, d_c, d_h0)


# ------------------------------------------------------------------------------------------ called from Python


class Matrices(Gates):
    """Effective parameters: see `ltc_np.kernels.numpy.lstm.Matrices`."""

    gates, cells = 4, 1

    def __init__(self, w_x, w_h, b):
        super().__init__(w_x, w_h)
        self.weights = (packed(np.concatenate([w_x, b[None], w_h])),)
        self.sums = ((self.I + 1 + self.N, 4 * self.N),)


def forward(matrices, x, lengths, h0, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.lstm.forward`."""
    return sweeps.forward(_forward, matrices, x, lengths, h0, keep, workspace)


def backward(matrices, saved, d_y, d_h, g, want_x, workspace):
    """Adjoint of `forward`; see `ltc_np.kernels.numpy.lstm.backward`."""
    d_x, d_h0, (total,) = sweeps.backward(_backward, matrices, saved, d_y, d_h, want_x, workspace)
    g["w_x"] += total[: matrices.I]
    g["b"] += total[matrices.I]
    g["w_h"] += total[matrices.I + 1 :]
    return d_x, d_h0
