"""The pointwise parts of a step of a CfC; `ltc_np.kernels.numpy.cfc` defines them and their arguments.

Rows are worked on by vectors, and what is left of them by the same functions on single numbers.
"""

from ...base.activations import LECUN_SCALE, LECUN_SLOPE
from ..codes import DECAY, DECAY_OF_STATE, GATE, LECUN_TANH, LINEAR, NO_GATE, TANH
from .activations import activate as _activation
from .activations import clean_sigmoid, must_know_activation, number
from .jit import helper, kernel
from .simd import exp, fma, fnma, lane_sum, load, neg, sigmoid, store, tanh, vector_size, where_greater, zeros

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
    """Adjoint of f."""
    if activation == TANH:
        return d_g * fnma(g, g, one)
    if activation == LECUN_TANH:
        y = g * number(one, 1 / LECUN_SCALE)
        return d_g * number(one, LECUN_SCALE * LECUN_SLOPE) * fnma(y, y, one)
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


@kernel
def blend(form, squash, q, bias, tau, a, time, lengths, t, x, z, z_next, y):
    """The new state in z_next and y, the next input in z_next, and in q what the adjoint needs."""
    _must_know_form(form, squash)
    zero = q.dtype.type(0)
    I, W = x.shape[2], vector_size(bias)
    N = z.shape[1] - I
    for b in range(q.shape[0]):
        row, h, new, d = q[b], z[b, I:], z_next[b, I:], time[b, t]
        if form >= DECAY:
            for k in range(0, N - W + 1, W):
                f = load(row, k) + load(bias, k)
                store(row, k, f)
                store(new, k, _decay(form, f, load(tau, k), load(a, k), load(h, k), d, zero))
            for k in range(N - N % W, N):
                row[k] += bias[k]
                new[k] = _decay(form, row[k], tau[k], a[k], h[k], d, zero)
        else:
            for k in range(0, N - W + 1, W):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                time_a = load(row, ka) + load(bias, ka)
                g1, g2, s, v = _gate(
                    form, squash, load(row, k) + load(bias, k), load(row, k2) + load(bias, k2), time_a,
                    load(row, kb) + load(bias, kb), d,
                )  # fmt: skip
                store(row, k, g1)
                store(row, k2, g2)
                store(row, ka, time_a)
                store(row, kb, s)
                store(new, k, v)
            for k in range(N - N % W, N):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                row[ka] += bias[ka]
                row[k], row[k2], row[kb], new[k] = _gate(
                    form, squash, row[k] + bias[k], row[k2] + bias[k2], row[ka], row[kb] + bias[kb], d
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


@kernel
def d_blend(form, squash, q, tau, a, time, lengths, t, z, d_y, d_h, d_next, direct, d_q, d_dt):
    """Adjoint of `blend`."""
    _must_know_form(form, squash)
    one = q.dtype.type(1)
    N, W = d_h.shape[1], vector_size(tau)
    I = z.shape[1] - N
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
                store(out, ka, d_a)
                store(out, kb, d_b)
                sums = sums + d_d
            for k in range(N - N % W, N):
                k2, ka, kb = N + k, 2 * N + k, 3 * N + k
                out[k], out[k2], out[ka], out[kb], d_d = _d_gate(
                    form, squash, G[k], row[k], row[k2], row[ka], row[kb], d, one
                )
                total += d_d
        if d_dt.size > 0:
            d_dt[b, t] = total + lane_sum(sums)
