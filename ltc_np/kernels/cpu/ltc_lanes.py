"""The LTC, lanes order: a tile of sequences side by side, one synapse at a time for all of them.

Arrays of a tile are (feature, lane), lanes innermost, flat.  A synapse's constants are scalars, every lane of the
vector unit is busy whatever the wiring, and a sparse wiring is nothing but a shorter list.

Arguments, everywhere:
    x (B, T, I), dt (B, T), steps (B,) valid steps, h0 (B, N)
    network = neuron (N, 3) [cm, g + epsilon, g*l], then for the recurrent and for the sensory synapses, sorted by
        (post, pre):  start (N + 1,) first synapse of each post, pre (S,), constants (S, 6)
        [-sigma*log2(e), sigma*mu*log2(e), w, w*erev, erev, sigma]
    width: sequences in a tile;  tiles first..last-1 (forward) or gradient rows first..last-1 (backward)
    states: per tile (T*U + 1, N, L) the state before each unfold and the last, or (2, N, L) to keep nothing
    totals: per tile (T*U, N, L) the conductance Q of each unfold, or empty
"""

import numpy as np

from .jit import helper, kernel
from .simd import add_sums, fma, fnma, load, sigmoid2, splat, store, where_greater, zeros

# Up to here the vectors of gradient sums (4*64 bytes a synapse) stay in the caches and are kept for a whole step;
# beyond, for the synapses of one neuron.
FEW_SYNAPSES = 40_000


@helper
def _lanes(B, width, W, tile):
    """Sequences in this tile, and its lanes: that many rounded up to whole vectors (padding lanes have dt = 0)."""
    count = min(width, B - tile * width)
    return count, (count + W - 1) // W * W


@helper
def _read_step(x, dt, t, b0, count, L, unfolds, inputs, h):
    """inputs (I, L) and the step h (L,) of one unfold, of one time step; padding lanes stay 0."""
    for lane in range(count):
        h[lane] = dt[b0 + lane, t] / x.dtype.type(unfolds)
        for k in range(x.shape[2]):
            inputs[k * L + lane] = x[b0 + lane, t, k]


@helper
def _currents(start, pre, constants, i, lane, L, source, p, q):
    """p + sum of w*erev*s and q + sum of w*s over the synapses of post i, s = sigmoid(sigma*(source - mu))."""
    for s in range(start[i], start[i + 1]):
        y = sigmoid2(fma(constants[s, 0], load(source, pre[s] * L + lane), constants[s, 1]))
        q = fma(constants[s, 2], y, q)
        p = fma(constants[s, 3], y, p)
    return p, q


@kernel
def forward(x, dt, steps, h0, network, unfolds, width, first, last, states, totals, out, h_last):
    """Tiles first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    neuron, start, pre, constants, sensory_start, sensory_pre, sensory = network
    (B, T, I), N, O = x.shape, h0.shape[1], out.shape[2]
    W = 64 // x.itemsize
    keep = totals.size > 0
    for tile in range(first, last):
        b0 = tile * width
        count, L = _lanes(B, width, W, tile)
        base = b0 * N * (T * unfolds + 1) if keep else b0 * N * 2
        total_base = b0 * N * T * unfolds
        h = np.zeros(L, x.dtype)
        inputs = np.zeros(I * L, x.dtype)
        ps = np.empty(N * L, x.dtype)
        qs = np.empty(N * L, x.dtype)
        for i in range(N):
            for lane in range(L):
                states[base + i * L + lane] = h0[b0 + lane, i] if lane < count else 0
        now = base
        n = 0
        for t in range(steps[b0 : b0 + count].max()):
            _read_step(x, dt, t, b0, count, L, unfolds, inputs, h)
            for i in range(N):
                for lane in range(0, L, W):
                    p, q = splat(neuron[i, 2]), splat(neuron[i, 1])
                    p, q = _currents(sensory_start, sensory_pre, sensory, i, lane, L, inputs, p, q)
                    store(ps, i * L + lane, p)
                    store(qs, i * L + lane, q)
            for _ in range(unfolds):
                n += 1
                new = base + (n if keep else n & 1) * N * L
                v = states[now : now + N * L]
                for i in range(N):
                    for lane in range(0, L, W):
                        k = i * L + lane
                        p, q = _currents(start, pre, constants, i, lane, L, v, load(ps, k), load(qs, k))
                        hl = load(h, lane)
                        vi = load(v, k)
                        rate = hl / fma(hl, q, neuron[i, 0])
                        store(states, new + k, fma(fnma(q, vi, p), rate, vi))
                        if keep:
                            store(totals, total_base + (n - 1) * N * L + k, q)
                now = new
            for lane in range(count):
                for o in range(O):
                    out[b0 + lane, t, o] = states[now + o * L + lane]
        for lane in range(count):
            for i in range(N):
                h_last[b0 + lane, i] = states[now + i * L + lane]


@helper
def _adjoint(start, pre, constants, i, L, W, source, d_p, d_q, d_source, sums, first):
    """Adjoint of `_currents` for every lane: adds to d_source, and to the four vectors of sums of each synapse.

    The sums: y*d_p, y*d_q, z, z*source with z = d(loss)/d(sigma*(source - mu)); ``sums`` begins at synapse ``first``.
    """
    for s in range(start[i], start[i + 1]):
        j = pre[s] * L
        k = i * L
        sum_p = sum_q = sum_z = sum_zv = zeros(source)
        for lane in range(0, L, W):
            v = load(source, j + lane)
            dp = load(d_p, k + lane)
            dq = load(d_q, k + lane)
            y = sigmoid2(fma(constants[s, 0], v, constants[s, 1]))
            a = constants[s, 2] * y
            z = fnma(a, y, a) * fma(dp, constants[s, 4], dq)
            store(d_source, j + lane, fma(z, constants[s, 5], load(d_source, j + lane)))
            sum_p = fma(y, dp, sum_p)
            sum_q = fma(y, dq, sum_q)
            sum_z = sum_z + z
            sum_zv = fma(z, v, sum_zv)
        at = 4 * W * (s - first)
        store(sums, at, load(sums, at) + sum_p)
        store(sums, at + W, load(sums, at + W) + sum_q)
        store(sums, at + 2 * W, load(sums, at + 2 * W) + sum_z)
        store(sums, at + 3 * W, load(sums, at + 3 * W) + sum_zv)


@helper
def _flush(sums, n, W, row, at):
    """Add the sums of n synapses, over their lanes, to the float64 row from ``at`` on, and begin again at 0."""
    for s in range(n):
        k = 4 * W * s
        add_sums(row, at + 4 * s, load(sums, k), load(sums, k + W), load(sums, k + 2 * W), load(sums, k + 3 * W))
    sums[: 4 * W * n] = 0


@kernel
def backward(x, dt, steps, d_out, d_h, network, unfolds, width, first, last, states, totals, rows, d_x, d_h0, d_dt):
    """Adjoint of `forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    d_out (B, T, O), d_h (B, N) adjoint of the last state; rows (R, 4*(S + S_sensory + N)) float64: the sums of
    `_adjoint`, then per neuron d_p, d_q, d_cm, 0; d_x (B, T, I), d_h0 (B, N); d_dt (B, T) or empty.
    """
    neuron, start, pre, constants, sensory_start, sensory_pre, sensory = network
    (B, T, I), N, O = x.shape, d_h.shape[1], d_out.shape[2]
    W = 64 // x.itemsize
    S = pre.size
    want_dt = d_dt.size > 0
    few = S <= FEW_SYNAPSES
    sums = np.zeros(4 * W * (S if few else N), x.dtype)
    sensory_sums = np.zeros(4 * W * sensory_pre.size, x.dtype)
    for r in range(first, last):
        row = rows[r]
        for tile in range(r, (B + width - 1) // width, rows.shape[0]):
            b0 = tile * width
            count, L = _lanes(B, width, W, tile)
            base = b0 * N * (T * unfolds + 1)
            total_base = b0 * N * T * unfolds
            h = np.zeros(L, x.dtype)
            d_step = np.zeros(L, x.dtype)
            inputs = np.zeros(I * L, x.dtype)
            d_inputs = np.empty(I * L, x.dtype)
            g = np.zeros(N * L, x.dtype)  # adjoint of the state, after the unfold and then before it
            g_synapses = np.empty(N * L, x.dtype)  # its part through the synapses: small terms are summed by themselves
            d_p = np.empty(N * L, x.dtype)
            d_q = np.empty(N * L, x.dtype)
            step_d_p = np.empty(N * L, x.dtype)
            step_d_q = np.empty(N * L, x.dtype)
            ps = np.empty(N * L if want_dt else 0, x.dtype)
            for lane in range(count):
                for i in range(N):
                    g[i * L + lane] = d_h[b0 + lane, i]
            for t in range(steps[b0 : b0 + count].max() - 1, -1, -1):
                _read_step(x, dt, t, b0, count, L, unfolds, inputs, h)
                for lane in range(count):
                    for o in range(O):
                        g[o * L + lane] += d_out[b0 + lane, t, o]
                step_d_p[:] = 0
                step_d_q[:] = 0
                d_step[:] = 0
                if want_dt:
                    for i in range(N):
                        for lane in range(0, L, W):
                            p = splat(neuron[i, 2])
                            p, _ = _currents(sensory_start, sensory_pre, sensory, i, lane, L, inputs, p, p)
                            store(ps, i * L + lane, p)
                for n in range((t + 1) * unfolds - 1, t * unfolds - 1, -1):
                    v = states[base + n * N * L : base + (n + 1) * N * L]
                    new = states[base + (n + 1) * N * L : base + (n + 2) * N * L]
                    total = totals[total_base + n * N * L : total_base + (n + 1) * N * L]
                    for i in range(N):
                        sum_p = sum_q = sum_c = zeros(h)
                        for lane in range(0, L, W):
                            k = i * L + lane
                            hl = load(h, lane)
                            q = load(total, k)
                            gi = load(g, k)
                            vn = load(new, k)
                            cm = splat(neuron[i, 0])
                            scaled = gi / fma(hl, q, cm)
                            dp = hl * scaled
                            dq = zeros(h) - dp * vn
                            store(d_p, k, dp)
                            store(d_q, k, dq)
                            store(step_d_p, k, load(step_d_p, k) + dp)
                            store(step_d_q, k, load(step_d_q, k) + dq)
                            # Twice one number: exact at h = 0, and without cancellation where h*q is large.
                            store(g, k, where_greater(hl * q, cm, scaled * cm, fnma(dp, q, gi)))
                            sum_p = sum_p + dp
                            sum_q = sum_q + dq
                            sum_c = fma(scaled, load(v, k) - vn, sum_c)
                            if want_dt:
                                p, _ = _currents(start, pre, constants, i, lane, L, v, load(ps, k), q)
                                flow = where_greater(hl * q, cm, cm * (vn - load(v, k)) / hl, fnma(q, vn, p))
                                store(d_step, lane, fma(scaled, flow, load(d_step, lane)))
                        add_sums(row, 4 * (S + sensory_pre.size + i), sum_p, sum_q, sum_c, zeros(h))
                    g_synapses[:] = 0
                    for i in range(N):
                        synapse = 0 if few else start[i]
                        _adjoint(start, pre, constants, i, L, W, v, d_p, d_q, g_synapses, sums, synapse)
                        if not few:
                            _flush(sums, start[i + 1] - synapse, W, row, 4 * synapse)
                    for k in range(0, N * L, W):
                        store(g, k, load(g, k) + load(g_synapses, k))
                d_inputs[:] = 0
                for i in range(N):
                    _adjoint(
                        sensory_start, sensory_pre, sensory, i, L, W, inputs, step_d_p, step_d_q, d_inputs,
                        sensory_sums, 0,
                    )  # fmt: skip
                if few:
                    _flush(sums, S, W, row, 0)
                _flush(sensory_sums, sensory_pre.size, W, row, 4 * S)
                for lane in range(count):
                    for k in range(I):
                        d_x[b0 + lane, t, k] = d_inputs[k * L + lane]
                    if want_dt:
                        d_dt[b0 + lane, t] = d_step[lane] / x.dtype.type(unfolds)
            for lane in range(count):
                for i in range(N):
                    d_h0[b0 + lane, i] = g[i * L + lane]
