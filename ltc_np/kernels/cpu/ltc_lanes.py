"""The LTC, lanes order: a tile of sequences side by side, one synapse at a time for all of them.

Arrays of a tile are (feature, lane), lanes innermost, flat.  A synapse's constants are scalars, every lane of the
vector unit is busy whatever the wiring, and a sparse wiring is nothing but a shorter list.  Lanes are worked on by
pairs of vectors: two chains of dependent instructions side by side keep the processor busier than one.

Arguments, everywhere:
    x (B, T, I), dt (B, T), steps (B,) valid steps, h0 (B, N)
    network = neuron (N, 3) [cm, g + epsilon, g*l], then for the recurrent and for the sensory synapses, sorted by
        (post, pre):  start (N + 1,) first synapse of each post, pre (S,), constants (S, 6)
        [-sigma*log2(e), sigma*mu*log2(e), w, w*erev, erev, w*sigma]
    solver: its number in `ltc_solvers`;  U unfolds a step of ``stages`` each, K = U*stages
    width: sequences in a tile;  tiles first..last-1 (forward) or gradient rows first..last-1 (backward)
    scratch: `forward_scratch` or `backward_scratch` numbers to work in
    states, totals: what is kept for the backward pass, per tile
        everything:  (T*K + 1, N, L) the state before each stage and the last;  (T*K, N, L) conductances Q
        little:      (T, N, L) the state before each step;  totals empty
        nothing:     both empty
"""

from .jit import helper, kernel
from .ltc_solvers import advance, d_advance, d_elapsed
from .simd import (
    add_parts,
    add_product,
    add_sums,
    fma,
    fnma,
    load,
    load_like,
    load_pair,
    sigmoid2,
    splat_like,
    store,
    vector_size,
)

# Up to here the vectors of gradient sums (4*64 bytes a synapse) stay in the caches and are kept over time steps;
# beyond, for the synapses of one neuron.
FEW_SYNAPSES = 40_000
# Numbers that a lane adds up in the working precision before the sums go to the float64 row.
FLUSH_TERMS = 256


def forward_scratch(N, I, L, stages):
    """Numbers that `forward` works in."""
    return (1 + I + (4 + stages) * N) * L


def backward_scratch(N, I, L, S, S_sensory, W, recomputed):
    """Numbers that `backward` works in; ``recomputed``: stages of a step that it runs again, 0 if all are kept."""
    kept, passing = (S, 0) if S <= FEW_SYNAPSES else (0, N)
    sums = 4 * W * (kept + passing + S_sensory + N)
    return sums + (2 + 2 * I + 11 * N + (2 * recomputed + 1) * N) * L


@helper
def _lanes(B, width, W, tile):
    """Sequences in this tile, and its lanes: that many rounded up to whole vectors (padding lanes have dt = 0)."""
    count = min(width, B - tile * width)
    return count, (count + W - 1) // W * W


@helper
def longest_of(steps, b0, count):
    """Steps of the longest of these sequences."""
    T = 0
    for lane in range(count):
        T = max(T, steps[b0 + lane])
    return T


@helper
def read_step(x, dt, t, b0, count, L, unfolds, inputs, h):
    """inputs (I, L) and the step h (L,) of one unfold, of one time step; padding lanes stay 0."""
    for lane in range(count):
        h[lane] = dt[b0 + lane, t] / x.dtype.type(unfolds)
        for k in range(x.shape[2]):
            inputs[k * L + lane] = x[b0 + lane, t, k]


@helper
def _currents(start, pre, constants, i, lane, L, source, p, q):
    """p + sum of w*erev*s and q + sum of w*s over the synapses of post i, s = sigmoid(sigma*(source - mu))."""
    for s in range(start[i], start[i + 1]):
        v = load_like(source, pre[s] * L + lane, p)
        y = sigmoid2(fma(constants[s, 0], v, constants[s, 1]))
        q = fma(constants[s, 2], y, q)
        p = fma(constants[s, 3], y, p)
    return p, q


@helper
def _sensory_currents(network, i, lane, L, inputs, hl, ps, qs):
    """ps and qs (N, L) of post i in the lanes of hl: leak and sensory synapses, constant over a time step."""
    neuron, _, _, _, start, pre, constants = network
    p, q = splat_like(neuron[i, 2], hl), splat_like(neuron[i, 1], hl)
    p, q = _currents(start, pre, constants, i, lane, L, inputs, p, q)
    store(ps, i * L + lane, p)
    store(qs, i * L + lane, q)


@helper
def _stage(network, solver, stage, i, lane, L, hl, ps, qs, base, v, new, sums, total):
    """One stage of post i in the lanes of hl: its new state, and its conductance unless ``total`` is empty."""
    neuron, start, pre, constants, _, _, _ = network
    k = i * L + lane
    p, q = _currents(start, pre, constants, i, lane, L, v, load_like(ps, k, hl), load_like(qs, k, hl))
    store(new, k, advance(solver, stage, k, hl, neuron[i, 0], p, q, base, v, sums))
    if total.size > 0:
        store(total, k, q)


@helper
def _step(network, solver, stages, unfolds, L, inputs, h, ps, qs, sums, states, first, rows, totals):
    """All unfolds of one time step, from row ``first`` of states on, (rows, N, L) taken round; the last row's number.

    ``totals`` is (K, N, L) or empty; sums (N, L) belongs to the solver.
    """
    N, W = network[0].shape[0], vector_size(inputs)
    for i in range(N):
        for lane in range(0, L - W, 2 * W):
            _sensory_currents(network, i, lane, L, inputs, load_pair(h, lane), ps, qs)
        if L & W:
            _sensory_currents(network, i, L - W, L, inputs, load(h, L - W), ps, qs)
    now = first
    base = states[now * N * L : (now + 1) * N * L]
    for u in range(unfolds * stages):
        stage = u % stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * N * L : (now + 1) * N * L]
        new = states[after * N * L : (after + 1) * N * L]
        total = totals[u * N * L : (u + 1) * N * L]
        if stage == 0:
            base = v
        for i in range(N):
            for lane in range(0, L - W, 2 * W):
                _stage(network, solver, stage, i, lane, L, load_pair(h, lane), ps, qs, base, v, new, sums, total)
            if L & W:
                _stage(network, solver, stage, i, L - W, L, load(h, L - W), ps, qs, base, v, new, sums, total)
        now = after
    return now


@kernel
def forward(
    x, dt, steps, h0, network, solver, stages, unfolds, width, first, last, scratch, states, totals, out, h_last
):  # fmt: skip
    """Tiles first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    (B, T, I), N, O = x.shape, h0.shape[1], out.shape[2]
    W = vector_size(x)
    everything = totals.size > 0
    little = states.size > 0 and not everything
    for tile in range(first, last):
        b0 = tile * width
        count, L = _lanes(B, width, W, tile)
        h = scratch[:L]
        inputs = scratch[L : (1 + I) * L]
        at = (1 + I) * L
        ps = scratch[at : at + N * L]
        qs = scratch[at + N * L : at + 2 * N * L]
        sums = scratch[at + 2 * N * L : at + 3 * N * L]
        rows = stages + 1
        history = scratch[at + 3 * N * L : at + (3 + rows) * N * L]
        step_totals = totals[:0]
        if everything:
            rows = T * unfolds * stages + 1
            history = states[b0 * N * rows : (b0 + L) * N * rows]
        h[:] = 0
        inputs[:] = 0
        for i in range(N):
            for lane in range(L):
                history[i * L + lane] = h0[b0 + lane, i] if lane < count else 0
        now = 0
        longest = longest_of(steps, b0, count)
        out[b0 : b0 + count, longest:] = 0
        for t in range(longest):
            read_step(x, dt, t, b0, count, L, unfolds, inputs, h)
            if little:
                for k in range(0, N * L, W):
                    store(states, (b0 * T + t * L) * N + k, load(history, now * N * L + k))
            if everything:
                at = (b0 * T + t * L) * N * unfolds * stages
                step_totals = totals[at : at + unfolds * stages * N * L]
            now = _step(
                network, solver, stages, unfolds, L, inputs, h, ps, qs, sums, history, now, rows, step_totals
            )  # fmt: skip
            for lane in range(count):
                for o in range(O):
                    out[b0 + lane, t, o] = history[(now * N + o) * L + lane]
        for lane in range(count):
            for i in range(N):
                h_last[b0 + lane, i] = history[(now * N + i) * L + lane]


@helper
def _sigmoid(pre, constants, s, lane, L, source, like):
    return sigmoid2(fma(constants[s, 0], load_like(source, pre[s] * L + lane, like), constants[s, 1]))


@helper
def _d_current(pre, constants, s, lane, L, source, y, dp, dq, d_source, sums, first):
    """Adjoint of a synapse in the lanes of dp and dq, given its sigmoid: adds to d_source and to four vectors of sums.

    The sums: r = d(loss)/d(w), y*dp, z, z*source, where w*z = d(loss)/d(sigma*(source - mu)); ``sums`` begins at
    synapse ``first``.
    """
    W, j = vector_size(source), pre[s] * L + lane
    v = load_like(source, j, dp)
    r = y * fma(dp, constants[s, 4], dq)
    z = fnma(r, y, r)
    store(d_source, j, fma(z, constants[s, 5], load_like(d_source, j, dp)))
    k = 4 * W * (s - first)
    store(sums, k, add_parts(load(sums, k), r))
    store(sums, k + W, add_product(load(sums, k + W), y, dp))
    store(sums, k + 2 * W, add_parts(load(sums, k + 2 * W), z))
    store(sums, k + 3 * W, add_product(load(sums, k + 3 * W), z, v))


@helper
def _d_currents(start, pre, constants, i, lane, L, source, dp, dq, d_source, sums, first):
    """Adjoint of `_currents` in the lanes of dp and dq."""
    for s in range(start[i], start[i + 1]):
        y = _sigmoid(pre, constants, s, lane, L, source, dp)
        _d_current(pre, constants, s, lane, L, source, y, dp, dq, d_source, sums, first)


@helper
def _d_currents_ahead(start, pre, constants, i, lane, L, source, dp, dq, d_source, sums, first):
    """`_d_currents` with every sigmoid computed before what its predecessor's is needed for.

    Two vectors fill the processor's window; it does not look ahead to the next synapse by itself.  One vector does not.
    """
    begin, end = start[i], start[i + 1]
    if begin == end:
        return
    y = _sigmoid(pre, constants, begin, lane, L, source, dp)
    for s in range(begin, end):
        ahead = _sigmoid(pre, constants, min(s + 1, end - 1), lane, L, source, dp)
        _d_current(pre, constants, s, lane, L, source, y, dp, dq, d_source, sums, first)
        y = ahead


@helper
def _d_synapses(start, pre, constants, posts, L, source, d_p, d_q, d_source, sums, first):
    """`_d_currents` of the posts (from, to), in all lanes."""
    W = vector_size(source)
    for i in range(posts[0], posts[1]):
        lane = 0
        while lane + W < L:
            dp, dq = load_pair(d_p, i * L + lane), load_pair(d_q, i * L + lane)
            _d_currents_ahead(start, pre, constants, i, lane, L, source, dp, dq, d_source, sums, first)
            lane += 2 * W
        if lane < L:
            dp, dq = load(d_p, i * L + lane), load(d_q, i * L + lane)
            _d_currents(start, pre, constants, i, lane, L, source, dp, dq, d_source, sums, first)


@helper
def _d_stage(
    cm, solver, stage, k, hl, base, v, new, total, g, g_base, g_end, d_p, d_q, step_d_p, step_d_q, sums, at
):  # fmt: skip
    """Adjoint of `_stage` as far as p and q, in the lanes of hl; the three sums of its neuron begin at ``at``.

    ``g`` becomes the adjoint of the state before the stage, its part through the synapses left out.
    """
    W = vector_size(g)
    q = load_like(total, k, hl)
    dp, dq, scaled, change = d_advance(solver, stage, k, hl, cm, q, base, v, new, g, g_base, g_end)
    store(d_p, k, dp)
    store(d_q, k, dq)
    store(step_d_p, k, load_like(step_d_p, k, hl) + dp)
    store(step_d_q, k, load_like(step_d_q, k, hl) + dq)
    store(sums, at, add_parts(load(sums, at), dp))
    store(sums, at + W, add_parts(load(sums, at + W), dq))
    store(sums, at + 2 * W, add_product(load(sums, at + 2 * W), scaled, change))


@helper
def _add_d_elapsed(network, solver, stage, i, lane, L, hl, inputs, base, v, new, total, g, g_end, d_step):
    """Adds to d_step what post i says of the step h, in the lanes of hl; g is the adjoint of the new state."""
    neuron, start, pre, constants, sensory_start, sensory_pre, sensory = network
    k = i * L + lane
    p = splat_like(neuron[i, 2], hl)
    p, _ = _currents(sensory_start, sensory_pre, sensory, i, lane, L, inputs, p, p)
    p, _ = _currents(start, pre, constants, i, lane, L, v, p, p)
    q = load_like(total, k, hl)
    scaled, flow = d_elapsed(solver, stage, k, hl, neuron[i, 0], p, q, base, v, new, g, g_end)
    store(d_step, lane, fma(scaled, flow, load_like(d_step, lane, hl)))


@helper
def _flush(sums, row, at):
    """Add the sums, over their lanes, to the float64 row from ``at`` on, and begin again at 0."""
    W = vector_size(sums)
    for s in range(sums.size // (4 * W)):
        k = 4 * W * s
        add_sums(row, at + 4 * s, load(sums, k), load(sums, k + W), load(sums, k + 2 * W), load(sums, k + 3 * W))
    sums[:] = 0


@kernel
def backward(
    x, dt, steps, d_out, d_h, network, solver, stages, unfolds, width, first, last, scratch, states, totals, rows,
    d_x, d_h0, d_dt,
):  # fmt: skip
    """Adjoint of `forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    d_out (B, T, O), d_h (B, N) adjoint of the last state; rows (R, 4*(S + S_sensory + N)) float64: the sums of
    `_d_current`, then per neuron d_p, d_q, d_cm, 0; d_x (B, T, I), d_h0 (B, N); d_dt (B, T) or empty.
    """
    neuron, start, pre, constants, sensory_start, sensory_pre, sensory = network
    (B, T, I), N, O = x.shape, d_h.shape[1], d_out.shape[2]
    W = vector_size(x)
    S, S_sensory = pre.size, sensory_pre.size
    want_dt = d_dt.size > 0
    everything = totals.size > 0
    few, K = S <= FEW_SYNAPSES, unfolds * stages
    kept = S if few else 0  # recurrent synapses whose sums are kept over steps
    room = 4 * W * (kept + S_sensory + N)
    sums = scratch[:room]
    sensory_sums = sums[4 * W * kept : 4 * W * (kept + S_sensory)]
    neuron_sums = sums[4 * W * (kept + S_sensory) :]
    post_sums = scratch[room : room + (0 if few else 4 * W * N)]
    room += post_sums.size
    sums[:] = 0
    post_sums[:] = 0
    for r in range(first, last):
        row = rows[r]
        for tile in range(r, (B + width - 1) // width, rows.shape[0]):
            b0 = tile * width
            count, L = _lanes(B, width, W, tile)
            NL = N * L
            h = scratch[room : room + L]
            d_step = scratch[room + L : room + 2 * L]
            inputs = scratch[room + 2 * L : room + (2 + I) * L]
            d_inputs = scratch[room + (2 + I) * L : room + (2 + 2 * I) * L]
            work = scratch[room + (2 + 2 * I) * L :]
            g = work[:NL]  # adjoint of the state, after the unfold and then before it
            g_synapses = work[NL : 2 * NL]  # its part through the synapses: small terms are summed by themselves
            d_p = work[2 * NL : 3 * NL]
            d_q = work[3 * NL : 4 * NL]
            step_d_p = work[4 * NL : 5 * NL]
            step_d_q = work[5 * NL : 6 * NL]
            ps = work[6 * NL : 7 * NL]
            qs = work[7 * NL : 8 * NL]
            solver_sums = work[8 * NL : 9 * NL]
            g_base = work[9 * NL : 10 * NL]  # of solvers with several stages: adjoints of the unfold's first state
            g_end = work[10 * NL : 11 * NL]  # and of its last
            history = work[11 * NL :]
            step_totals = history[(K + 1) * NL :]
            h[:] = 0
            inputs[:] = 0
            g[:] = 0
            for lane in range(count):
                for i in range(N):
                    g[i * L + lane] = d_h[b0 + lane, i]
            longest = longest_of(steps, b0, count)
            d_x[b0 : b0 + count, longest:] = 0
            if want_dt:
                d_dt[b0 : b0 + count, longest:] = 0
            terms = 0
            for t in range(longest - 1, -1, -1):
                read_step(x, dt, t, b0, count, L, unfolds, inputs, h)
                if everything:
                    at = b0 * N * (T * K + 1) + t * K * NL
                    history = states[at : at + (K + 1) * NL]
                    at = b0 * N * T * K + t * K * NL
                    step_totals = totals[at : at + K * NL]
                else:
                    at = b0 * N * T + t * NL
                    for k in range(0, NL, W):
                        store(history, k, load(states, at + k))
                    _step(
                        network, solver, stages, unfolds, L, inputs, h, ps, qs, solver_sums, history, 0, K + 1,
                        step_totals,
                    )  # fmt: skip
                for lane in range(count):
                    for o in range(O):
                        g[o * L + lane] += d_out[b0 + lane, t, o]
                step_d_p[:] = 0
                step_d_q[:] = 0
                d_step[:] = 0
                for u in range(K - 1, -1, -1):
                    stage = u % stages
                    base = history[(u - stage) * NL : (u - stage + 1) * NL]
                    v = history[u * NL : (u + 1) * NL]
                    new = history[(u + 1) * NL : (u + 2) * NL]
                    total = step_totals[u * NL : (u + 1) * NL]
                    if want_dt:
                        for i in range(N):
                            for lane in range(0, L, W):
                                _add_d_elapsed(
                                    network, solver, stage, i, lane, L, load(h, lane), inputs, base, v, new, total,
                                    g, g_end, d_step,
                                )  # fmt: skip
                    for i in range(N):
                        for lane in range(0, L - W, 2 * W):
                            _d_stage(
                                neuron[i, 0], solver, stage, i * L + lane, load_pair(h, lane), base, v, new, total,
                                g, g_base, g_end, d_p, d_q, step_d_p, step_d_q, neuron_sums, 4 * W * i,
                            )  # fmt: skip
                        if L & W:
                            _d_stage(
                                neuron[i, 0], solver, stage, (i + 1) * L - W, load(h, L - W), base, v, new, total,
                                g, g_base, g_end, d_p, d_q, step_d_p, step_d_q, neuron_sums, 4 * W * i,
                            )  # fmt: skip
                    g_synapses[:] = 0
                    if few:
                        _d_synapses(start, pre, constants, (0, N), L, v, d_p, d_q, g_synapses, sums, 0)
                    else:
                        for i in range(N):
                            _d_synapses(
                                start, pre, constants, (i, i + 1), L, v, d_p, d_q, g_synapses, post_sums, start[i]
                            )
                            _flush(post_sums[: 4 * W * (start[i + 1] - start[i])], row, 4 * start[i])
                    for k in range(0, NL, W):
                        store(g, k, load(g, k) + load(g_synapses, k))
                d_inputs[:] = 0
                _d_synapses(
                    sensory_start, sensory_pre, sensory, (0, N), L, inputs, step_d_p, step_d_q, d_inputs,
                    sensory_sums, 0,
                )  # fmt: skip
                terms += K * (L // W)
                if terms >= FLUSH_TERMS or t == 0:
                    _flush(sums, row, 4 * (S - kept))
                    terms = 0
                for lane in range(count):
                    for k in range(I):
                        d_x[b0 + lane, t, k] = d_inputs[k * L + lane]
                    if want_dt:
                        d_dt[b0 + lane, t] = d_step[lane] / x.dtype.type(unfolds)
            for lane in range(count):
                for i in range(N):
                    d_h0[b0 + lane, i] = g[i * L + lane]
