"""The LTC, posts order: one sequence, a vector of postsynaptic neurons at a time, for all its presynaptic ones.

For dense wirings and few sequences, where lanes would stand empty.  Sums run over the presynaptic neurons in the
order of `ltc_lanes`, so the forward has the same bits.

Arguments as in `ltc_lanes`, except that posts are padded to M, a whole number of vectors:
    network = neuron (3, M) [cm, g + epsilon, g*l], recurrent (6, N, M), sensory (6, I, M): the constants of
        `ltc_lanes` at [k, pre, post], 0 for padding (1 for its cm)
    states: per sequence (T*U + 1, M) or (2, M);  totals: per sequence (T*U, M) or empty
A tile is one sequence.
"""

import numpy as np

from .jit import helper, kernel
from .simd import fma, fnma, lane_sum, load, sigmoid2, splat, store, where_greater, zeros

# Steps whose parameter sums are added in the working precision before they go to the float64 row.
FLUSH_STEPS = 8


@helper
def _currents(constants, i, M, source, p, q):
    """p + sum of w*erev*s and q + sum of w*s over all presynaptic neurons, for the vector of posts at i."""
    n_pre = constants.shape[1]
    flat = constants.reshape(-1)
    plane = n_pre * M
    for j in range(n_pre):
        k = j * M + i
        y = sigmoid2(fma(load(flat, k), splat(source[j]), load(flat, plane + k)))
        q = fma(load(flat, 2 * plane + k), y, q)
        p = fma(load(flat, 3 * plane + k), y, p)
    return p, q


@kernel
def forward(x, dt, steps, h0, network, unfolds, width, first, last, states, totals, out, h_last):
    """Sequences first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    neuron, recurrent, sensory = network
    (_, T, _), N, O, M = x.shape, h0.shape[1], out.shape[2], neuron.shape[1]
    W = 64 // x.itemsize
    cm, leak_q, leak_p = neuron[0], neuron[1], neuron[2]
    keep = totals.size > 0
    ps = np.empty(M, x.dtype)
    qs = np.empty(M, x.dtype)
    for b in range(first, last):
        base = b * M * (T * unfolds + 1) if keep else b * M * 2
        total_base = b * M * T * unfolds
        states[base : base + M] = 0
        states[base : base + N] = h0[b]
        now = base
        n = 0
        for t in range(steps[b]):
            h = splat(dt[b, t] / x.dtype.type(unfolds))
            for i in range(0, M, W):
                p, q = _currents(sensory, i, M, x[b, t], load(leak_p, i), load(leak_q, i))
                store(ps, i, p)
                store(qs, i, q)
            for _ in range(unfolds):
                n += 1
                new = base + (n if keep else n & 1) * M
                v = states[now : now + M]
                for i in range(0, M, W):
                    p, q = _currents(recurrent, i, M, v, load(ps, i), load(qs, i))
                    vi = load(v, i)
                    rate = h / fma(h, q, load(cm, i))
                    store(states, new + i, fma(fnma(q, vi, p), rate, vi))
                    if keep:
                        store(totals, total_base + (n - 1) * M + i, q)
                now = new
            for o in range(O):
                out[b, t, o] = states[now + o]
        h_last[b] = states[now : now + N]


@helper
def _adjoint(constants, M, W, source, d_p, d_q, d_source, sums):
    """Adjoint of `_currents`: adds to d_source, and to sums (4, n_pre, M) y*d_p, y*d_q, z, z*source."""
    n_pre = constants.shape[1]
    flat = constants.reshape(-1)
    plane = n_pre * M
    for j in range(n_pre):
        v = splat(source[j])
        d_v = zeros(source)
        for i in range(0, M, W):
            k = j * M + i
            dp = load(d_p, i)
            dq = load(d_q, i)
            y = sigmoid2(fma(load(flat, k), v, load(flat, plane + k)))
            a = load(flat, 2 * plane + k) * y
            z = fnma(a, y, a) * fma(dp, load(flat, 4 * plane + k), dq)
            d_v = fma(z, load(flat, 5 * plane + k), d_v)
            store(sums, k, fma(y, dp, load(sums, k)))
            store(sums, plane + k, fma(y, dq, load(sums, plane + k)))
            store(sums, 2 * plane + k, load(sums, 2 * plane + k) + z)
            store(sums, 3 * plane + k, fma(z, v, load(sums, 3 * plane + k)))
        d_source[j] += lane_sum(d_v)


@kernel
def backward(x, dt, steps, d_out, d_h, network, unfolds, width, first, last, states, totals, rows, d_x, d_h0, d_dt):
    """Adjoint of `forward`: sequences r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, 4*M*(N + I + 1)) float64: the recurrent sums of `_adjoint` as (4, N, M), the sensory ones (4, I, M),
    then (4, M) per neuron d_p, d_q, d_cm, 0.  The rest as in `ltc_lanes.backward`.
    """
    neuron, recurrent, sensory = network
    (B, T, I), N, O, M = x.shape, d_h.shape[1], d_out.shape[2], neuron.shape[1]
    W = 64 // x.itemsize
    cm, leak_p = neuron[0], neuron[2]
    want_dt = d_dt.size > 0
    sums = np.empty(4 * M * (N + I + 1), x.dtype)
    recurrent_sums = sums[: 4 * M * N]
    sensory_sums = sums[4 * M * N : 4 * M * (N + I)]
    neuron_sums = sums[4 * M * (N + I) :]
    g = np.empty(M, x.dtype)  # adjoint of the state, after the unfold and then before it
    d_p = np.empty(M, x.dtype)
    d_q = np.empty(M, x.dtype)
    step_d_p = np.empty(M, x.dtype)
    step_d_q = np.empty(M, x.dtype)
    ps = np.empty(M, x.dtype)
    d_inputs = np.empty(I, x.dtype)
    for r in range(first, last):
        row = rows[r]
        for b in range(r, B, rows.shape[0]):
            base = b * M * (T * unfolds + 1)
            total_base = b * M * T * unfolds
            g[:] = 0
            g[:N] = d_h[b]
            sums[:] = 0
            for t in range(steps[b] - 1, -1, -1):
                h = splat(dt[b, t] / x.dtype.type(unfolds))
                for o in range(O):
                    g[o] += d_out[b, t, o]
                step_d_p[:] = 0
                step_d_q[:] = 0
                d_inputs[:] = 0
                d_step = zeros(g)
                if want_dt:
                    for i in range(0, M, W):
                        p = load(leak_p, i)
                        p, _ = _currents(sensory, i, M, x[b, t], p, p)
                        store(ps, i, p)
                for n in range((t + 1) * unfolds - 1, t * unfolds - 1, -1):
                    v = states[base + n * M : base + (n + 1) * M]
                    new = states[base + (n + 1) * M : base + (n + 2) * M]
                    total = totals[total_base + n * M : total_base + (n + 1) * M]
                    for i in range(0, M, W):
                        q = load(total, i)
                        gi = load(g, i)
                        vn = load(new, i)
                        c = load(cm, i)
                        scaled = gi / fma(h, q, c)
                        dp = h * scaled
                        dq = zeros(g) - dp * vn
                        store(d_p, i, dp)
                        store(d_q, i, dq)
                        store(step_d_p, i, load(step_d_p, i) + dp)
                        store(step_d_q, i, load(step_d_q, i) + dq)
                        store(g, i, where_greater(h * q, c, scaled * c, fnma(dp, q, gi)))  # as in lanes order
                        store(neuron_sums, i, load(neuron_sums, i) + dp)
                        store(neuron_sums, M + i, load(neuron_sums, M + i) + dq)
                        store(neuron_sums, 2 * M + i, fma(scaled, load(v, i) - vn, load(neuron_sums, 2 * M + i)))
                        if want_dt:
                            p, _ = _currents(recurrent, i, M, v, load(ps, i), q)
                            flow = where_greater(h * q, c, c * (vn - load(v, i)) / h, fnma(q, vn, p))
                            d_step = fma(scaled, flow, d_step)
                    _adjoint(recurrent, M, W, v, d_p, d_q, g, recurrent_sums)
                _adjoint(sensory, M, W, x[b, t], step_d_p, step_d_q, d_inputs, sensory_sums)
                d_x[b, t] = d_inputs
                if want_dt:
                    d_dt[b, t] = lane_sum(d_step) / x.dtype.type(unfolds)
                if t % FLUSH_STEPS == 0:
                    for k in range(sums.size):
                        row[k] += sums[k]
                    sums[:] = 0
            d_h0[b] = g[:N]
