"""The LTC, posts order: one sequence, a vector of postsynaptic neurons at a time, for all its presynaptic ones.

For dense wirings and few sequences, where lanes would stand empty.  Sums run over the presynaptic neurons in the
order of `ltc_lanes`, so the forward has the same bits.

Arguments as in `ltc_lanes`, except that posts are padded to M, a whole number of vectors:
    network = neuron (3, M) [cm, g + epsilon, g*l], recurrent (6, N, M), sensory (6, I, M): the constants of
        `ltc_lanes` at [k, pre, post], 0 for padding (1 for its cm)
    states, totals: per sequence (T*K + 1, M) and (T*K, M), or (T, M) and empty, or both empty
A tile is one sequence.
"""

from .jit import helper, kernel
from .ltc_solvers import advance, d_advance, d_elapsed
from .simd import fma, fnma, lane_sum, load, sigmoid2, splat, store, vector_size, zeros

# Steps whose parameter sums are added in the working precision before they go to the float64 row.
FLUSH_STEPS = 8


def forward_scratch(M, stages):
    """Numbers that `forward` works in."""
    return (4 + stages) * M


def backward_scratch(N, I, M, recomputed):
    """Numbers that `backward` works in; ``recomputed``: stages of a step that it runs again, 0 if all are kept."""
    return 4 * M * (N + I + 1) + 10 * M + (2 * recomputed + 1) * M + I


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


@helper
def _step(network, solver, stages, unfolds, M, inputs, h, ps, qs, sums, states, first, rows, totals):
    """All unfolds of one time step, from row ``first`` of states on, (rows, M) taken round; the last row's number.

    ``totals`` is (K, M) or empty; sums (M,) belongs to the solver.
    """
    neuron, recurrent, sensory = network
    cm, leak_q, leak_p, W = neuron[0], neuron[1], neuron[2], vector_size(ps)
    for i in range(0, M, W):
        p, q = _currents(sensory, i, M, inputs, load(leak_p, i), load(leak_q, i))
        store(ps, i, p)
        store(qs, i, q)
    now = first
    base = states[now * M : (now + 1) * M]
    for u in range(unfolds * stages):
        stage = u % stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * M : (now + 1) * M]
        if stage == 0:
            base = v
        for i in range(0, M, W):
            p, q = _currents(recurrent, i, M, v, load(ps, i), load(qs, i))
            store(states, after * M + i, advance(solver, stage, i, h, load(cm, i), p, q, base, v, sums))
            if totals.size > 0:
                store(totals, u * M + i, q)
        now = after
    return now


@kernel
def forward(
    x, dt, steps, h0, network, solver, stages, unfolds, width, first, last, scratch, states, totals, out, h_last
):  # fmt: skip
    """Sequences first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    (_, T, _), N, O, M = x.shape, h0.shape[1], out.shape[2], network[0].shape[1]
    W = vector_size(x)
    everything = totals.size > 0
    little = states.size > 0 and not everything
    ps, qs, sums, K = scratch[:M], scratch[M : 2 * M], scratch[2 * M : 3 * M], unfolds * stages
    for b in range(first, last):
        rows = stages + 1
        history = scratch[3 * M : (3 + rows) * M]
        step_totals = totals[:0]
        if everything:
            rows = T * K + 1
            history = states[b * M * rows : (b + 1) * M * rows]
        history[:M] = 0
        for i in range(N):
            history[i] = h0[b, i]
        now = 0
        out[b, steps[b] :] = 0
        for t in range(steps[b]):
            h = splat(dt[b, t] / x.dtype.type(unfolds))
            if little:
                for i in range(0, M, W):
                    store(states, (b * T + t) * M + i, load(history, now * M + i))
            if everything:
                step_totals = totals[(b * T + t) * K * M : (b * T + t + 1) * K * M]
            now = _step(
                network, solver, stages, unfolds, M, x[b, t], h, ps, qs, sums, history, now, rows, step_totals
            )  # fmt: skip
            for o in range(O):
                out[b, t, o] = history[now * M + o]
        for i in range(N):
            h_last[b, i] = history[now * M + i]


@helper
def _d_currents(constants, M, source, d_p, d_q, d_source, sums):
    """Adjoint of `_currents`: adds to d_source, and to sums (4, n_pre, M), those of `ltc_lanes`."""
    n_pre = constants.shape[1]
    flat = constants.reshape(-1)
    plane, W = n_pre * M, vector_size(flat)
    for j in range(n_pre):
        v = splat(source[j])
        d_v = zeros(source)
        for i in range(0, M, W):
            k = j * M + i
            dp = load(d_p, i)
            dq = load(d_q, i)
            y = sigmoid2(fma(load(flat, k), v, load(flat, plane + k)))
            r = y * fma(dp, load(flat, 4 * plane + k), dq)
            z = fnma(r, y, r)
            d_v = fma(z, load(flat, 5 * plane + k), d_v)
            store(sums, k, load(sums, k) + r)
            store(sums, plane + k, fma(y, dp, load(sums, plane + k)))
            store(sums, 2 * plane + k, load(sums, 2 * plane + k) + z)
            store(sums, 3 * plane + k, fma(z, v, load(sums, 3 * plane + k)))
        d_source[j] += lane_sum(d_v)


@kernel
def backward(
    x, dt, steps, d_out, d_h, network, solver, stages, unfolds, width, first, last, scratch, states, totals, rows,
    d_x, d_h0, d_dt,
):  # fmt: skip
    """Adjoint of `forward`: sequences r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, 4*M*(N + I + 1)) float64: the recurrent sums of `_d_currents` as (4, N, M), the sensory ones (4, I, M),
    then (4, M) per neuron d_p, d_q, d_cm, 0.  The rest as in `ltc_lanes.backward`.
    """
    neuron, recurrent, sensory = network
    (B, T, I), N, O, M = x.shape, d_h.shape[1], d_out.shape[2], neuron.shape[1]
    W, K = vector_size(x), unfolds * stages
    cm, leak_p = neuron[0], neuron[2]
    want_dt = d_dt.size > 0
    everything = totals.size > 0
    room = 4 * M * (N + I + 1)
    sums = scratch[:room]
    recurrent_sums = sums[: 4 * M * N]
    sensory_sums = sums[4 * M * N : 4 * M * (N + I)]
    neuron_sums = sums[4 * M * (N + I) :]
    work = scratch[room:]
    g = work[:M]  # adjoint of the state, after the unfold and then before it
    d_p = work[M : 2 * M]
    d_q = work[2 * M : 3 * M]
    step_d_p = work[3 * M : 4 * M]
    step_d_q = work[4 * M : 5 * M]
    ps = work[5 * M : 6 * M]
    qs = work[6 * M : 7 * M]
    solver_sums = work[7 * M : 8 * M]
    g_base = work[8 * M : 9 * M]  # as in lanes order
    g_end = work[9 * M : 10 * M]
    history = work[10 * M :]
    step_totals = history[(K + 1) * M :]
    d_inputs = scratch[scratch.size - I :]
    sums[:] = 0
    for r in range(first, last):
        row = rows[r]
        for b in range(r, B, rows.shape[0]):
            g[:] = 0
            for i in range(N):
                g[i] = d_h[b, i]
            d_x[b, steps[b] :] = 0
            if want_dt:
                d_dt[b, steps[b] :] = 0
            for t in range(steps[b] - 1, -1, -1):
                h = splat(dt[b, t] / x.dtype.type(unfolds))
                if everything:
                    at = (b * (T * K + 1) + t * K) * M
                    history = states[at : at + (K + 1) * M]
                    at = (b * T + t) * K * M
                    step_totals = totals[at : at + K * M]
                else:
                    for i in range(0, M, W):
                        store(history, i, load(states, (b * T + t) * M + i))
                    _step(
                        network, solver, stages, unfolds, M, x[b, t], h, ps, qs, solver_sums, history, 0, K + 1,
                        step_totals,
                    )  # fmt: skip
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
                for u in range(K - 1, -1, -1):
                    stage = u % stages
                    base = history[(u - stage) * M : (u - stage + 1) * M]
                    v = history[u * M : (u + 1) * M]
                    new = history[(u + 1) * M : (u + 2) * M]
                    for i in range(0, M, W):
                        q = load(step_totals, u * M + i)
                        c = load(cm, i)
                        if want_dt:
                            p, _ = _currents(recurrent, i, M, v, load(ps, i), q)
                            scaled, flow = d_elapsed(solver, stage, i, h, c, p, q, base, v, new, g, g_end)
                            d_step = fma(scaled, flow, d_step)
                        dp, dq, scaled, change = d_advance(solver, stage, i, h, c, q, base, v, new, g, g_base, g_end)
                        store(d_p, i, dp)
                        store(d_q, i, dq)
                        store(step_d_p, i, load(step_d_p, i) + dp)
                        store(step_d_q, i, load(step_d_q, i) + dq)
                        store(neuron_sums, i, load(neuron_sums, i) + dp)
                        store(neuron_sums, M + i, load(neuron_sums, M + i) + dq)
                        store(neuron_sums, 2 * M + i, fma(scaled, change, load(neuron_sums, 2 * M + i)))
                    _d_currents(recurrent, M, v, d_p, d_q, g, recurrent_sums)
                _d_currents(sensory, M, x[b, t], step_d_p, step_d_q, d_inputs, sensory_sums)
                for k in range(I):
                    d_x[b, t, k] = d_inputs[k]
                if want_dt:
                    d_dt[b, t] = lane_sum(d_step) / x.dtype.type(unfolds)
                if t % FLUSH_STEPS == 0:
                    for k in range(sums.size):
                        row[k] += sums[k]
                    sums[:] = 0
            for i in range(N):
                d_h0[b, i] = g[i]
