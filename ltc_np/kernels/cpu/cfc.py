"""The CfC on the CPU: a block of sequences goes through its steps in one call of a kernel, products included.

`ltc_np.kernels.numpy.cfc` defines `steps`, `d_steps` and their pointwise parts, and has the arguments of all.
"""

import numpy as np

from ...base.activations import LECUN_SCALE, LECUN_SLOPE
from ...base.once import once
from ..codes import DECAY, DECAY_OF_STATE, GATE, LECUN_TANH, LINEAR, NO_GATE, RELU, TANH
from .activations import activate as _activation
from .activations import clean_sigmoid, must_know_activation, number
from .gates import FLUSH_ROWS, copy
from .jit import helper, kernel
from .products import add_outer, multiply, packed, whole_vectors
from .simd import (
    exp,
    fma,
    fnma,
    lane_sum,
    load,
    load_part,
    neg,
    sigmoid,
    store,
    store_part,
    tanh,
    vector_size,
    where_greater,
    zeros,
)

RELEASES_GIL = True


@kernel
def activate(activation, u, bias, mask, d_u, keep):
    """u (b, H) becomes f(u + bias) * mask, and d_u its derivative if it is kept."""
    must_know_activation(activation)
    one = u.dtype.type(1)
    H, W = u.shape[1], vector_size(bias)
    masked = mask.size > 0
    for b in range(u.shape[0]):
        row, d_row = u[b], d_u[b]
        for k in range(0, H - W + 1, W):
            y, d = _activation(activation, load(row, k) + load(bias, k), one)
            if masked:
                m = load(mask[b], k)
                y, d = y * m, d * m
            store(row, k, y)
            if keep:
                store(d_row, k, d)
        for k in range(H - H % W, H):
            y, d = _activation(activation, row[k] + bias[k], one)
            if masked:
                y, d = y * mask[b, k], d * mask[b, k]
            row[k] = y
            if keep:
                d_row[k] = d


@helper
def _must_know_form(form, squash):
    """Refuse numbers that have no branch here; ``squash`` has none in the forms of pure mode."""
    if form not in (GATE, NO_GATE, DECAY, DECAY_OF_STATE):
        raise ValueError("`form` must be a number that ltc_np.kernels.cpu.cfc knows")
    if form < DECAY and squash not in (TANH, LECUN_TANH, LINEAR):
        raise ValueError("`squash` must be the number of an activation that ltc_np.kernels.cpu.cfc knows")


@helper
def _abs(f, zero):
    return where_greater(zero, f, neg(f), f)


@helper
def _squash(activation, f, one):
    """g, one of the activations that heads may have."""
    if activation == TANH:
        return tanh(f)
    if activation == LECUN_TANH:
        return number(one, LECUN_SCALE) * tanh(number(one, LECUN_SLOPE) * f)
    return f


@helper
def _d_squash(activation, d_g, g, one):
    """Adjoint of f, also of the backbone's activations whose value says their derivative."""
    if activation == RELU:
        return where_greater(g, one - one, d_g, one - one)
    if activation == TANH:
        return d_g * fnma(g, g, one)
    if activation == LECUN_TANH:
        scale = number(one, LECUN_SCALE)  # which g is where tanh is 1, so that the slope is 0 there
        return d_g * number(one, LECUN_SLOPE / LECUN_SCALE) * ((scale - g) * (scale + g))
    return d_g


@helper
def _gate(form, squash, f1, f2, time_a, time_b, d):
    """g1, g2, s and the new state."""
    g1, g2 = _squash(squash, f1, d), _squash(squash, f2, d)
    s = clean_sigmoid(fma(time_a, d, time_b), d)
    return g1, g2, s, fma(s, g2 - g1 if form == GATE else g2, g1)


@helper
def _d_gate(form, squash, G, g1, g2, time_a, s, d, one):
    """Adjoints of f1, f2, time_a, time_b and d."""
    if form == GATE:
        d_1, d_s = fnma(G, s, G), G * (g2 - g1)
    else:
        d_1, d_s = G, G * g2
    d_1, d_2 = _d_squash(squash, d_1, g1, one), _d_squash(squash, G * s, g2, one)
    d_z = d_s * fnma(s, s, s)
    return d_1, d_2, d_z * d, d_z, d_z * time_a


@helper
def _decay(form, f, tau, a, h, d, zero):
    """The new state."""
    if form == DECAY:
        return fnma(a, exp(neg(d * (tau + _abs(f, zero)))) * f, a)
    return fma(h - a, exp(neg(d * (tau + sigmoid(f)))) * sigmoid(neg(f)), a)


@helper
def _d_decay(form, G, f, tau, a, h, d, one):
    """Adjoints of f1, tau, a, h as far as it is not in f1, and d."""
    zero = one - one
    if form == DECAY:
        rate, d_rate, factor, base = _abs(f, zero), where_greater(zero, f, -one, one) + zero * f, f, neg(a)
    else:
        rate, factor, base = sigmoid(f), sigmoid(neg(f)), h - a
        d_rate = rate * factor
    e = exp(neg(d * (tau + rate)))
    d_new = G * base * e
    d_e = d_new * factor
    d_factor = d_new if form == DECAY else neg(d_new) * d_rate
    shared = G * e * factor
    return d_factor - d_e * d * d_rate, neg(d_e) * d, G - shared, shared, neg(d_e) * (tau + rate)


@helper
def _blend(form, squash, heads, length, q, bias, tau, a, time, lengths, t, x, z, z_next, y):
    """The new state in z_next and y, the next input in z_next, and in q what the adjoint needs.

    Heads are without bias, in rows of so many numbers.
    """
    _must_know_form(form, squash)
    zero = q.dtype.type(0)
    I, W = x.shape[2], vector_size(bias)
    N = z.shape[1] - I
    for b in range(q.shape[0]):
        f, row, h, new, d = heads[b * length :], q[b], z[b, I:], z_next[b, I:], time[b, t]
        if form >= DECAY:
            for k in range(0, N - W + 1, W):
                f1 = load(f, k) + load(bias, k)
                store(row, k, f1)
                store(new, k, _decay(form, f1, load(tau, k), load(a, k), load(h, k), d, zero))
            for k in range(N - N % W, N):
                row[k] = f[k] + bias[k]
                new[k] = _decay(form, row[k], tau[k], a[k], h[k], d, zero)
        else:
            for k in range(0, N - W + 1, W):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                time_a = load(f, ka) + load(bias, ka)
                g1, g2, s, v = _gate(
                    form, squash, load(f, k) + load(bias, k), load(f, k2) + load(bias, k2), time_a,
                    load(f, kb) + load(bias, kb), d,
                )  # fmt: skip
                store(row, k, g1)
                store(row, k2, g2)
                store(row, ka, time_a)
                store(row, kb, s)
                store(new, k, v)
            for k in range(N - N % W, N):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                row[ka] = f[ka] + bias[ka]
                row[k], row[k2], row[kb], new[k] = _gate(
                    form, squash, f[k] + bias[k], f[k2] + bias[k2], row[ka], f[kb] + bias[kb], d
                )
        if t >= lengths[b]:
            for k in range(N):
                new[k] = h[k]
        if y.size > 0:
            for k in range(N):
                y[b, t, k] = new[k]
        if t + 1 < x.shape[1]:
            for k in range(I):
                z_next[b, k] = x[b, t + 1, k]


@helper
def _d_blend(form, squash, q, tau, a, time, lengths, t, z, d_y, d_h, d_next, direct, d_q, d_dt):
    """Adjoint of `_blend`."""
    _must_know_form(form, squash)
    one = q.dtype.type(1)
    N, W = d_h.shape[1], vector_size(tau)
    I, joined = z.shape[1] - N, form < DECAY and d_q.shape[1] == 3 * N
    for b in range(q.shape[0]):
        row, out, h, d = q[b], d_q[b], z[b, I:], time[b, t]
        if t >= lengths[b]:
            for k in range(out.size):
                out[k] = one - one
            for k in range(N):
                direct[b, k] = one - one
            if d_dt.size > 0:
                d_dt[b, t] = one - one
            continue
        # Of the state after the step; its own row, so that the loops below need not ask.
        G = d_next[b]
        for k in range(N):
            G[k] = d_y[b, t, k] + (d_h[b, k] if t + 1 == lengths[b] else G[k] + direct[b, k])
        sums, total = zeros(tau), one - one
        if form >= DECAY:
            own = direct[b]
            for k in range(0, N - W + 1, W):
                d_f, d_tau, d_a, d_own, d_d = _d_decay(
                    form, load(G, k), load(row, k), load(tau, k), load(a, k), load(h, k), d, one
                )
                store(out, k, d_f)
                store(out, N + k, d_tau)
                store(out, 2 * N + k, d_a)
                if form == DECAY_OF_STATE:
                    store(own, k, d_own)
                sums = sums + d_d
            for k in range(N - N % W, N):
                d_f, d_tau, d_a, d_own, d_d = _d_decay(form, G[k], row[k], tau[k], a[k], h[k], d, one)
                out[k], out[N + k], out[2 * N + k] = d_f, d_tau, d_a
                if form == DECAY_OF_STATE:
                    own[k] = d_own
                total += d_d
        else:
            for k in range(0, N - W + 1, W):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                d_1, d_2, d_a, d_b, d_d = _d_gate(
                    form, squash, load(G, k), load(row, k), load(row, k2), load(row, ka), load(row, kb), d, one
                )
                store(out, k, d_1)
                store(out, k2, d_2)
                if joined:
                    store(out, ka, d_b)
                else:
                    store(out, ka, d_a)
                    store(out, kb, d_b)
                sums = sums + d_d
            for k in range(N - N % W, N):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                out[k], out[k2], d_a, d_b, d_d = _d_gate(form, squash, G[k], row[k], row[k2], row[ka], row[kb], d, one)
                if joined:
                    out[ka] = d_b
                else:
                    out[ka], out[kb] = d_a, d_b
                total += d_d
        if d_dt.size > 0:
            d_dt[b, t] = total + lane_sum(sums)


@kernel
def _steps(numbers, first, last, sizes, inputs, weights, tau, a, z, flat_z, u, d_u, q, y, work):
    """Steps first..last-1 of b sequences, for `steps`.

    numbers: form, squash, activation, and whether d_u is kept;  sizes: H, layers, rows of q
    inputs: x (b, T, I), time (b, T), lengths (b,), masks (layers, T, b, H) or empty
    weights: those of all products, `packed`, and biases, flat;  z (states, b, I + N), also flat
    u, d_u: flat (layers, rows, b, H);  work: the result of one product
    """
    (form, squash, activation, keep), (H, layers, rows) = numbers, sizes
    (x, time, lengths, masks), (matrices, biases) = inputs, weights
    must_know_activation(activation)
    _must_know_form(form, squash)
    one, W, b, states, m = x.dtype.type(1), vector_size(x), x.shape[0], z.shape[0], q.shape[2]
    K, T, wide = z.shape[2], time.shape[1], (H + W - 1) // W
    for t in range(first, last):
        now, row = t % states, t % rows
        for k in range(layers):
            at, to = now * b * K, (k * rows + row) * b * H
            if k == 0:
                multiply(work, wide * W, b, flat_z, at, K, K, matrices, 0, wide)
            else:
                begin = wide * W * (K + (k - 1) * H)
                multiply(work, wide * W, b, u, to - rows * b * H, H, H, matrices, begin, wide)
            for r in range(b):
                for j in range(0, H, W):
                    n, i = H - j, to + r * H + j
                    v, d = _activation(
                        activation, load_part(work, r * wide * W + j, n) + load_part(biases, k * H + j, n), one
                    )
                    if masks.size > 0:
                        mask = load_part(masks, ((k * T + t) * b + r) * H + j, n)
                        v, d = v * mask, d * mask
                    store_part(u, i, v, n)
                    if keep:
                        store_part(d_u, i, d, n)
        heads = (m + W - 1) // W
        if layers == 0:
            multiply(work, heads * W, b, flat_z, now * b * K, K, K, matrices, 0, heads)
        else:
            begin, at = wide * W * (K + (layers - 1) * H), ((layers - 1) * rows + row) * b * H
            multiply(work, heads * W, b, u, at, H, H, matrices, begin, heads)
        after, bias = (t + 1) % states, biases[layers * H :]
        _blend(form, squash, work, heads * W, q[row], bias, tau, a, time, lengths, t, x, z[now], z[after], y)


@helper
def _add_products(source, at, n, d, to, length, ones, terms, weights, biases):
    """weights, n rows, += source^T d and biases += ones^T d, both float64, for source (terms, n), d (terms, length).

    Both begin there, and columns of weights and biases have padding; d may have more than weights.
    """
    columns = weights.size // n
    for first in range(0, terms, FLUSH_ROWS):
        some = min(FLUSH_ROWS, terms - first)
        add_outer(weights, n, columns, source, at + first * n, n, some, d, to + first * length, length)
        add_outer(biases, 1, biases.size, ones, 0, 1, some, d, to + first * length, length)


@kernel
def _d_steps(numbers, first, last, sizes, inputs, turned, tau, a, features, q, adjoints, d, flat, d_dt, sums, work):
    """Adjoint of `_steps`; ``turned``: the transposes of all products, `packed`, flat.

    inputs: z, time, lengths, d_y (b, T, N), d_h (b, N);  features: z, u, d_u, flat
    adjoints: d_next, direct (b, N), d_q (chunk, b, m or 3*m);  d: flat (layers, chunk, b, H), flat: d_q
    sums: gradients of weights and of biases, those of each product with padded columns, and ones, all flat
    """
    (form, squash, activation), (H, layers, rows) = numbers, sizes
    (z, time, lengths, d_y, d_h), (d_next, direct, d_q), (flat_z, u, d_u) = inputs, adjoints, features
    weights, biases, ones = sums
    must_know_activation(activation)
    one, W, chunk, b, N, K = q.dtype.type(1), vector_size(d), d_q.shape[0], d_q.shape[1], d_h.shape[1], z.shape[2]
    wide, states, length = (H + W - 1) // W, (N + W - 1) // W, d_q.shape[2]
    m = min(length, q.shape[2])
    begin = (states * H + wide * (layers - 1) * H) * W if layers > 0 else 0
    # So many steps' products are added at once, while what they read is still near.
    group = max(1, FLUSH_ROWS // b)
    for t in range(last - 1, first - 1, -1):
        row, at = t % rows, t - first
        _d_blend(form, squash, q[row], tau, a, time, lengths, t, z[t], d_y, d_h, d_next, direct, d_q[at], d_dt)
        for k in range(layers - 1, -1, -1):
            to, of = (k * chunk + at) * b * H, (k * rows + row) * b * H
            if k == layers - 1:
                multiply(work, wide * W, b, flat, at * b * length, length, m, turned, begin, wide)
            else:
                place = (states * H + wide * k * H) * W
                multiply(work, wide * W, b, d, to + chunk * b * H, H, H, turned, place, wide)
            for r in range(b):
                for j in range(0, H, W):
                    n, i = H - j, r * H + j
                    v = load_part(work, r * wide * W + j, n)
                    if d_u.size > 0:
                        v = v * load_part(d_u, of + i, n)
                    else:
                        v = _d_squash(activation, v, load_part(u, of + i, n), one)
                    store_part(d, to + i, v, n)
        if layers == 0:
            multiply(work, states * W, b, flat, at * b * length, length, m, turned, 0, states)
        else:
            multiply(work, states * W, b, d, at * b * H, H, H, turned, 0, states)
        for r in range(b):
            copy(work, r * states * W, d_next, r * N, N)
        if at % group == 0:
            w, c, terms = 0, 0, min(group, last - t) * b
            for k in range(layers + 1):
                n = K if k == 0 else H
                source = flat_z if k == 0 else u
                of = t * b * K if k == 0 else ((k - 1) * rows + row) * b * H
                if k == layers:
                    _add_products(source, of, n, flat, at * b * length, length, ones, terms, weights[w:], biases[c:])
                else:
                    own, all_of = weights[w : w + n * wide * W], biases[c : c + wide * W]
                    _add_products(source, of, n, d, (k * chunk + at) * b * H, H, ones, terms, own, all_of)
                    w, c = w + own.size, c + all_of.size


# ------------------------------------------------------------------------------------------ called from Python


class Packed:
    """Weights and biases of all products, flat; made when they are asked for."""

    def __init__(self, products):
        self._products = products

    @once
    def weights(self):
        flat = [packed(product.weight).reshape(-1) for product in self._products]
        return np.concatenate(flat), np.concatenate([product.bias for product in self._products])

    def columns(self, n, dtype):
        """Of gradients of n columns."""
        return whole_vectors(n, dtype)


def _sizes(features):
    """H, layers, rows of q."""
    layers, rows, _, H = features.u.shape
    return H, layers, rows


def _work(prepared, b, dtype):
    return np.empty(b * whole_vectors(max(*prepared.widths, prepared.N), dtype), dtype)


def steps(prepared, z, features, chunk, block, y, keep):
    """Some steps of a block; see `ltc_np.kernels.numpy.cfc.steps`."""
    x, time, lengths, masks = block
    b, T, _ = x.shape
    u, d_u, q = features.u, features.d_u, features.q
    layers, _, _, H = u.shape
    mask = np.ones((layers if masks else 0, T, b, H), x.dtype)
    for k, own in masks.items():
        mask[k] = own
    numbers = prepared.form, prepared.squash, prepared.activation, keep and d_u.size > 0
    _steps(
        numbers, chunk.start, chunk.stop, _sizes(features), (x, time, lengths, mask.reshape(-1)),
        prepared.packed.weights, prepared.tau, prepared.a, z, z.reshape(-1), u.reshape(-1), d_u.reshape(-1), q, y,
        _work(prepared, b, x.dtype),
    )  # fmt: skip


def turned(products):
    """Transposes of the products as `d_steps` takes them."""
    return np.concatenate([packed(product.transposed).reshape(-1) for product in products])


def d_steps(prepared, turned, adjoints, z, features, chunk, block, d_y, d_h, d_dt):
    """Adjoint of `steps`; see `ltc_np.kernels.numpy.cfc.d_steps`."""
    d_q = adjoints.products[-1]
    _d_steps(
        (prepared.form, prepared.squash, prepared.activation), chunk.start, chunk.stop, _sizes(features),
        (z, block.time, block.lengths, d_y, d_h), turned, prepared.tau, prepared.a,
        (z.reshape(-1), features.u.reshape(-1), features.d_u.reshape(-1)), features.q,
        (adjoints.d_next, adjoints.direct, d_q), adjoints.inner.reshape(-1), d_q.reshape(-1), d_dt,
        (*adjoints.sums, adjoints.ones), _work(prepared, len(d_h), d_y.dtype),
    )  # fmt: skip
