"""The LTC, lanes order: a tile of sequences side by side, one synapse at a time for all of them.

Arrays of a tile are (feature, lane), lanes innermost, flat.  A synapse's constants are scalars, every lane of the
vector unit is busy whatever the wiring, and a sparse wiring is nothing but a shorter list.  Lanes are worked on by
pairs of vectors, since two chains of dependent instructions side by side keep the processor busier than one; a tile of
one vector by single ones.  That is another kernel, so that a call compiles no more than it needs.

Arguments beside those of `arguments`, everywhere:
    h0 (B, N);  circuit: `Packed`, flat;  rule: `ltc_np.kernels.codes.Rule`, K = U*stages
    tiles: ``(width, begin, end, pairs)``: sequences in a tile, the tiles to work on, and None for those of one vector
    work (workers, -): in row ``worker`` the numbers of `forward_sizes` or `backward_sizes`, to work in
    kept: `Kept`
"""

from typing import NamedTuple

import numpy as np

from ..codes import Rule
from .arguments import Adjoints, Gradients, Results, Sequences, cut, table
from .jit import helper, kernel
from .ltc_solvers import advance, d_advance, d_elapsed
from .padding import narrow, widen
from .simd import (
    add_parts,
    add_product,
    add_sums,
    fma,
    fnma,
    load,
    load_like,
    load_sum,
    load_unit,
    prefetch,
    sigmoid2,
    splat_like,
    store,
    sum_size,
    unit_size,
    vector_size,
)

# Up to here the vectors of gradient sums (4*64 bytes a synapse) stay in the caches and are kept over time steps;
# beyond, for the synapses of one neuron.
FEW_SYNAPSES = 40_000
# Numbers that a lane adds up in the working precision before the sums go to the float64 row.
FLUSH_TERMS = 256


class Synapses(NamedTuple):
    """One kind of synapse, sorted by (post, pre).

    start (N + 1,) first synapse of each post, pre (S,), constants (S, 6)
    [-sigma*log2(e), sigma*mu*log2(e), w, w*erev, erev, w*sigma]
    """

    start: np.ndarray
    pre: np.ndarray
    constants: np.ndarray


class Packed(NamedTuple):
    """A circuit: neuron (N, 3) [cm, g + epsilon, g*l], `Synapses`."""

    neuron: np.ndarray
    recurrent: Synapses
    sensory: Synapses


class Kept(NamedTuple):
    """States and conductances Q kept for the backward pass: (rows, N, lanes), tile after tile, flat; see `kept_lanes`.

    "full": T*K + 1 states, before each stage and the last, and T*K conductances.  "low": T states, before each step.
    """

    states: np.ndarray
    totals: np.ndarray


class Step(NamedTuple):
    """What a time step is computed in.

    h (L,) the length of an unfold, inputs (I, L), P and Q without the recurrent synapses (N, L), sums (N, L) the
    solver's.
    """

    h: np.ndarray
    inputs: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    sums: np.ndarray


class Stage(NamedTuple):
    """A stage of a solver: its number, the states (N, L) before the unfold, before and after it; its Q, or empty."""

    number: int
    base: np.ndarray
    v: np.ndarray
    new: np.ndarray
    total: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `forward` works in: a `Step`, states of an unfold; where they are kept narrow, states and Q of a step."""

    h: int
    inputs: int
    P: int
    Q: int
    sums: int
    history: int
    totals: int


@table
def forward_sizes(N, I, L, stages, narrowed):
    """``narrowed``: stages of a step if all are kept, but not their padding lanes; else 0."""
    NL = N * L
    return ForwardSizes(L, I * L, NL, NL, NL, (max(stages, narrowed) + 1) * NL, narrowed * NL)


class BackwardSizes(NamedTuple):
    """Of what `backward` works in.

    Vectors of gradient sums, of all recurrent synapses or of those of one post, a `Step`, adjoints, and the states and
    conductances of a step that is run again.
    """

    recurrent_sums: int
    sensory_sums: int
    neuron_sums: int
    post_sums: int
    h: int
    inputs: int
    P: int
    Q: int
    sums: int
    d_step: int
    d_inputs: int
    d_v: int
    d_base: int
    d_end: int
    d_source: int
    d_p: int
    d_q: int
    step_d_p: int
    step_d_q: int
    history: int
    totals: int


@table
def backward_sizes(N, I, L, S, S_sensory, W, recomputed):
    """``W``: lanes of a sum; ``recomputed``: stages of a step that is run again or made wide again, 0 if it is kept."""
    few, NL = S <= FEW_SYNAPSES, N * L
    return BackwardSizes(
        4 * W * S if few else 0, 4 * W * S_sensory, 4 * W * N, 0 if few else 4 * W * N,
        L, I * L, NL, NL, NL,
        L, I * L, NL, NL, NL, NL, NL, NL, NL, NL,
        (recomputed + 1) * NL, recomputed * NL,
    )  # fmt: skip


@helper
def _named(circuit):
    """`Packed` of the seven arrays that a call has, flat: so it takes Numba 0.1 us less to read."""
    neuron, start, pre, constants, sensory_start, sensory_pre, sensory_constants = circuit
    return Packed(neuron, Synapses(start, pre, constants), Synapses(sensory_start, sensory_pre, sensory_constants))


@table
def tile_lanes(count, unit):
    """Lanes of a tile of so many sequences: whole units (padding lanes have dt = 0)."""
    return (count + unit - 1) // unit * unit


@table
def kept_lanes(count, W, L):
    """Lanes of a tile of so many sequences that are kept for the backward pass: all, or without padding if one vector.

    A lone sequence would be kept 16 times; several vectors hold less than twice what is in them, and copying them would
    take up to 6 % of a training step.
    """
    return count if count <= W else L


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
def _currents(synapses, i, lane, L, source, p, q):
    """p + sum of w*erev*s and q + sum of w*s over the synapses of post i, s = sigmoid(sigma*(source - mu))."""
    start, pre, constants = synapses
    for s in range(start[i], start[i + 1]):
        v = load_like(source, pre[s] * L + lane, p)
        y = sigmoid2(fma(constants[s, 0], v, constants[s, 1]))
        q = fma(constants[s, 2], y, q)
        p = fma(constants[s, 3], y, p)
    return p, q


@helper
def _sigmoid(synapses, s, lane, L, source, like):
    _, pre, constants = synapses
    return sigmoid2(fma(constants[s, 0], load_like(source, pre[s] * L + lane, like), constants[s, 1]))


@helper
def _d_current(synapses, s, lane, L, source, y, dp, dq, d_source, sums, first):
    """Adjoint of a synapse in the lanes of dp and dq, given its sigmoid: adds to d_source and to four vectors of sums.

    The sums: r = d(loss)/d(w), y*dp, z, z*source, where w*z = d(loss)/d(sigma*(source - mu)); ``sums`` begins at
    synapse ``first``.
    """
    _, pre, constants = synapses
    W, j = sum_size(source), pre[s] * L + lane
    v = load_like(source, j, dp)
    r = y * fma(dp, constants[s, 4], dq)
    z = fnma(r, y, r)
    store(d_source, j, fma(z, constants[s, 5], load_like(d_source, j, dp)))
    k = 4 * W * (s - first)
    store(sums, k, add_parts(load_sum(sums, k), r))
    store(sums, k + W, add_product(load_sum(sums, k + W), y, dp))
    store(sums, k + 2 * W, add_parts(load_sum(sums, k + 2 * W), z))
    store(sums, k + 3 * W, add_product(load_sum(sums, k + 3 * W), z, v))


@helper
def _d_currents(synapses, i, lane, L, source, dp, dq, d_source, sums, first):
    """Adjoint of `_currents` in the lanes of dp and dq.

    Every sigmoid is computed before what its predecessor's is needed for: a pair of vectors fills the processor's
    window, so that it does not look ahead to the next synapse by itself.
    """
    begin, end = synapses.start[i], synapses.start[i + 1]
    if begin == end:
        return
    y = _sigmoid(synapses, begin, lane, L, source, dp)
    for s in range(begin, end):
        ahead = _sigmoid(synapses, min(s + 1, end - 1), lane, L, source, dp)
        _d_current(synapses, s, lane, L, source, y, dp, dq, d_source, sums, first)
        y = ahead


@helper
def _d_synapses(synapses, posts, L, source, d_p, d_q, d_source, sums, first, pairs):
    """`_d_currents` of the posts (from, to), in all lanes."""
    for i in range(posts[0], posts[1]):
        for lane in range(0, L, unit_size(source, pairs)):
            dp, dq = load_unit(d_p, i * L + lane, pairs), load_unit(d_q, i * L + lane, pairs)
            _d_currents(synapses, i, lane, L, source, dp, dq, d_source, sums, first)


@helper
def _sensory_currents(circuit, i, lane, L, hl, step):
    """P and Q of post i in the lanes of hl: leak and sensory synapses, constant over a time step."""
    p, q = splat_like(circuit.neuron[i, 2], hl), splat_like(circuit.neuron[i, 1], hl)
    p, q = _currents(circuit.sensory, i, lane, L, step.inputs, p, q)
    store(step.P, i * L + lane, p)
    store(step.Q, i * L + lane, q)


@helper
def _stage(circuit, solver, i, lane, L, hl, step, stage):
    """One stage of post i in the lanes of hl: its new state, and its conductance unless ``stage.total`` is empty."""
    k = i * L + lane
    p, q = load_like(step.P, k, hl), load_like(step.Q, k, hl)
    p, q = _currents(circuit.recurrent, i, lane, L, stage.v, p, q)
    cm = circuit.neuron[i, 0]
    store(stage.new, k, advance(solver, stage.number, k, hl, cm, p, q, stage.base, stage.v, step.sums))
    if stage.total.size > 0:
        store(stage.total, k, q)


@helper
def _d_stage(cm, solver, k, hl, stage, d_v, d_base, d_end, d_p, d_q, step_d_p, step_d_q, sums, at):
    """Adjoint of `_stage` as far as p and q, in the lanes of hl; ``at``: where its neuron's sum for cm is.

    ``d_v`` becomes the adjoint of the state before the stage, its part through the synapses left out.
    """
    # The next call is for the stage before, whose numbers nothing has read since the forward pass.
    prefetch(stage.v, k - stage.v.size)
    prefetch(stage.total, k - stage.total.size)
    q = load_like(stage.total, k, hl)
    dp, dq, scaled, change = d_advance(
        solver, stage.number, k, hl, cm, q, stage.base, stage.v, stage.new, d_v, d_base, d_end
    )
    store(d_p, k, dp)
    store(d_q, k, dq)
    store(step_d_p, k, load_like(step_d_p, k, hl) + dp)
    store(step_d_q, k, load_like(step_d_q, k, hl) + dq)
    store(sums, at, add_product(load_sum(sums, at), scaled, change))


@helper
def _d_leaks(N, L, d_p, d_q, sums, pairs):
    """Adds the adjoints of P and Q of a time step to every neuron's sums, which its leak's gradients come from."""
    W = sum_size(d_p)
    for i in range(N):
        at = 4 * W * i
        for lane in range(0, L, unit_size(d_p, pairs)):
            dp, dq = load_unit(d_p, i * L + lane, pairs), load_unit(d_q, i * L + lane, pairs)
            store(sums, at, add_parts(load_sum(sums, at), dp))
            store(sums, at + W, add_parts(load_sum(sums, at + W), dq))


@helper
def _add_d_elapsed(circuit, solver, i, lane, L, hl, inputs, stage, d_v, d_end, d_step):
    """Adds to d_step what post i says of the length h, in the lanes of hl; d_v is the adjoint of the new state."""
    k = i * L + lane
    p = splat_like(circuit.neuron[i, 2], hl)
    p, _ = _currents(circuit.sensory, i, lane, L, inputs, p, p)
    p, _ = _currents(circuit.recurrent, i, lane, L, stage.v, p, p)
    q, cm = load_like(stage.total, k, hl), circuit.neuron[i, 0]
    scaled, flow = d_elapsed(solver, stage.number, k, hl, cm, p, q, stage.base, stage.v, stage.new, d_v, d_end)
    store(d_step, lane, fma(scaled, flow, load_like(d_step, lane, hl)))


@helper
def _step(circuit, rule, L, step, states, first, rows, totals, pairs):
    """All unfolds of one time step, from row ``first`` of states on, (rows, N, L) taken round; the last row's number.

    ``totals`` is (K, N, L) or empty.
    """
    N, unit = circuit.neuron.shape[0], unit_size(step.h, pairs)
    for i in range(N):
        for lane in range(0, L, unit):
            _sensory_currents(circuit, i, lane, L, load_unit(step.h, lane, pairs), step)
    now = first
    base = states[now * N * L : (now + 1) * N * L]
    for u in range(rule.unfolds * rule.stages):
        number = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * N * L : (now + 1) * N * L]
        new = states[after * N * L : (after + 1) * N * L]
        if number == 0:
            base = v
        stage = Stage(number, base, v, new, totals[u * N * L : (u + 1) * N * L])
        for i in range(N):
            for lane in range(0, L, unit):
                _stage(circuit, rule.solver, i, lane, L, load_unit(step.h, lane, pairs), step, stage)
        now = after
    return now


@helper
def flush(sums, row, at):
    """Add the sums, over their lanes, to the float64 row from ``at`` on, and begin again at 0."""
    W = sum_size(sums)
    for s in range(sums.size // (4 * W)):
        a, b, c, d = 4 * W * s, 4 * W * s + W, 4 * W * s + 2 * W, 4 * W * s + 3 * W
        add_sums(row, at + 4 * s, load_sum(sums, a), load_sum(sums, b), load_sum(sums, c), load_sum(sums, d))
    sums[:] = 0


@kernel
def forward(sequences, h0, circuit, rule, tiles, work, kept, results, first, last, worker):
    """Tiles first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept, results = _named(circuit), Rule(*rule), Kept(*kept), Results(*results)
    out, h_last = results.out, results.h_last
    (B, T, I), N, O, K = x.shape, h0.shape[1], out.shape[2], rule.unfolds * rule.stages
    width, begin, end, pairs = tiles
    W, unit = vector_size(x), unit_size(x, pairs)
    full = kept.totals.size > 0
    low = kept.states.size > 0 and not full
    kept_rows = T * K + 1 if full else T if low else 0
    zero = np.int64(0)  # a literal 0 would be a type of its own, for which the helpers would be compiled once more
    for tile in range(max(first, begin), min(last, end)):
        b0 = tile * width
        count = min(width, B - b0)
        L = tile_lanes(count, unit)
        NL = N * L
        lanes = kept_lanes(count, W, L)
        NC, whole = N * lanes, lanes == L
        sizes = forward_sizes(N, I, L, rule.stages, K if full and not whole else 0)
        h, rest = cut(work[worker], sizes.h)
        inputs, rest = cut(rest, sizes.inputs)
        P, rest = cut(rest, sizes.P)
        Q, rest = cut(rest, sizes.Q)
        sums, rest = cut(rest, sizes.sums)
        history, rest = cut(rest, sizes.history)
        totals, rest = cut(rest, sizes.totals)
        step = Step(h, inputs, P, Q, sums)
        states = kept.states[b0 * N * kept_rows : b0 * N * kept_rows + NC * kept_rows]
        rows = sizes.history // NL
        if full and whole:
            rows, history = kept_rows, states
        h[:] = 0
        inputs[:] = 0
        for i in range(N):
            for lane in range(L):
                history[i * L + lane] = h0[b0 + lane, i] if lane < count else 0
        if full and not whole:
            narrow(history, L, states[:NC], lanes)
        now = zero
        longest = longest_of(steps, b0, count)
        out[b0 : b0 + count, longest:] = 0
        for t in range(longest):
            read_step(x, dt, t, b0, count, L, rule.unfolds, inputs, h)
            if low:
                narrow(history[now * NL : (now + 1) * NL], L, states[t * NC : (t + 1) * NC], lanes)
            at = (b0 * N * T + t * NC) * K
            if full and whole:
                totals = kept.totals[at : at + K * NC]
            now = _step(circuit, rule, L, step, history, now, rows, totals, pairs)
            if full and not whole:
                narrow(history[NL:], L, states[(t * K + 1) * NC : ((t + 1) * K + 1) * NC], lanes)
                narrow(totals, L, kept.totals[at : at + K * NC], lanes)
                widen(history[K * NL : (K + 1) * NL], L, history, L)
                now = zero
            for lane in range(count):
                for o in range(O):
                    out[b0 + lane, t, o] = history[(now * N + o) * L + lane]
        for lane in range(count):
            for i in range(N):
                h_last[b0 + lane, i] = history[(now * N + i) * L + lane]


@kernel
def backward(sequences, adjoints, circuit, rule, tiles, work, kept, gradients, first, last, worker):
    """Adjoint of `forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, 4*(S + S_sensory + N)): the sums of `_d_current`, then per neuron d_p, d_q, d_cm, 0.
    """
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept = _named(circuit), Rule(*rule), Kept(*kept)
    d_out, d_h = Adjoints(*adjoints)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    neuron, recurrent, sensory = circuit
    (B, T, I), N, O, K = x.shape, d_h.shape[1], d_out.shape[2], rule.unfolds * rule.stages
    width, begin, end, pairs = tiles
    W, unit = vector_size(x), unit_size(x, pairs)
    S, S_sensory = recurrent.pre.size, sensory.pre.size
    want_dt = d_dt.size > 0
    full, few = kept.totals.size > 0, S <= FEW_SYNAPSES
    zero = np.int64(0)  # as in `forward`
    sizes = backward_sizes(N, I, width, S, S_sensory, sum_size(x), K)
    sums, tile_work = cut(work[worker], sizes.recurrent_sums + sizes.sensory_sums + sizes.neuron_sums)
    recurrent_sums, rest = cut(sums, sizes.recurrent_sums)
    sensory_sums, neuron_sums = cut(rest, sizes.sensory_sums)
    post_sums, tile_work = cut(tile_work, sizes.post_sums)
    sums[:] = 0
    post_sums[:] = 0
    for r in range(first, last):
        row = rows[r]
        for tile in range(r, end, rows.shape[0]):
            if tile < begin:
                continue
            b0 = tile * width
            count = min(width, B - b0)
            L = tile_lanes(count, unit)
            lanes = kept_lanes(count, W, L)
            NL, NC, whole = N * L, N * lanes, lanes == L
            sizes = backward_sizes(N, I, L, S, S_sensory, sum_size(x), 0 if full and whole else K)
            h, rest = cut(tile_work, sizes.h)
            inputs, rest = cut(rest, sizes.inputs)
            P, rest = cut(rest, sizes.P)
            Q, rest = cut(rest, sizes.Q)
            solver_sums, rest = cut(rest, sizes.sums)
            step = Step(h, inputs, P, Q, solver_sums)
            d_step, rest = cut(rest, sizes.d_step)
            d_inputs, rest = cut(rest, sizes.d_inputs)
            d_v, rest = cut(rest, sizes.d_v)  # adjoint of the state, after the stage and then before it
            d_base, rest = cut(rest, sizes.d_base)  # of solvers with several stages: of the unfold's first state
            d_end, rest = cut(rest, sizes.d_end)  # and of its last
            d_source, rest = cut(rest, sizes.d_source)  # through the synapses: small terms are summed by themselves
            d_p, rest = cut(rest, sizes.d_p)
            d_q, rest = cut(rest, sizes.d_q)
            step_d_p, rest = cut(rest, sizes.step_d_p)
            step_d_q, rest = cut(rest, sizes.step_d_q)
            history, rest = cut(rest, sizes.history)
            totals, rest = cut(rest, sizes.totals)
            history[:] = 0
            totals[:] = 0
            h[:] = 0
            inputs[:] = 0
            d_v[:] = 0
            for lane in range(count):
                for i in range(N):
                    d_v[i * L + lane] = d_h[b0 + lane, i]
            longest = longest_of(steps, b0, count)
            d_x[b0 : b0 + count, longest:] = 0
            if want_dt:
                d_dt[b0 : b0 + count, longest:] = 0
            terms = 0
            for t in range(longest - 1, -1, -1):
                read_step(x, dt, t, b0, count, L, rule.unfolds, inputs, h)
                if full:
                    at = b0 * N * (T * K + 1) + t * K * NC
                    states = kept.states[at : at + (K + 1) * NC]
                    at = (b0 * N * T + t * NC) * K
                    conductances = kept.totals[at : at + K * NC]
                    if whole:
                        history, totals = states, conductances
                    else:
                        widen(states, lanes, history, L)
                        widen(conductances, lanes, totals, L)
                else:
                    at = b0 * N * T + t * NC
                    widen(kept.states[at : at + NC], lanes, history, L)
                    _step(circuit, rule, L, step, history, zero, K + 1, totals, pairs)
                for lane in range(count):
                    for o in range(O):
                        d_v[o * L + lane] += d_out[b0 + lane, t, o]
                step_d_p[:] = 0
                step_d_q[:] = 0
                d_step[:] = 0
                for u in range(K - 1, -1, -1):
                    number = u % rule.stages
                    stage = Stage(
                        number,
                        history[(u - number) * NL : (u - number + 1) * NL],
                        history[u * NL : (u + 1) * NL],
                        history[(u + 1) * NL : (u + 2) * NL],
                        totals[u * NL : (u + 1) * NL],
                    )
                    if want_dt:
                        for i in range(N):
                            for lane in range(0, L, unit):
                                hl = load_unit(h, lane, pairs)
                                _add_d_elapsed(circuit, rule.solver, i, lane, L, hl, inputs, stage, d_v, d_end, d_step)
                    for i in range(N):
                        for lane in range(0, L, W):  # for pairs there are too few registers
                            _d_stage(
                                neuron[i, 0], rule.solver, i * L + lane, load(h, lane), stage, d_v, d_base, d_end,
                                d_p, d_q, step_d_p, step_d_q, neuron_sums, sum_size(x) * (4 * i + 2),
                            )  # fmt: skip
                    d_source[:] = 0
                    if few:
                        _d_synapses(recurrent, (zero, N), L, stage.v, d_p, d_q, d_source, recurrent_sums, zero, pairs)
                    else:
                        for i in range(N):
                            s, behind = recurrent.start[i], recurrent.start[i + 1]
                            _d_synapses(recurrent, (i, i + 1), L, stage.v, d_p, d_q, d_source, post_sums, s, pairs)
                            flush(post_sums[: 4 * sum_size(x) * (behind - s)], row, 4 * s)
                    for k in range(0, NL, W):
                        store(d_v, k, load(d_v, k) + load(d_source, k))
                _d_leaks(N, L, step_d_p, step_d_q, neuron_sums, pairs)
                d_inputs[:] = 0
                _d_synapses(sensory, (zero, N), L, inputs, step_d_p, step_d_q, d_inputs, sensory_sums, zero, pairs)
                terms += K * (tile_lanes(count, W) // sum_size(x))
                if terms >= FLUSH_TERMS or t == 0:
                    flush(sums, row, 0 if few else 4 * S)
                    terms = 0
                for lane in range(count):
                    for k in range(I):
                        d_x[b0 + lane, t, k] = d_inputs[k * L + lane]
                    if want_dt:
                        d_dt[b0 + lane, t] = d_step[lane] / x.dtype.type(rule.unfolds)
            for lane in range(count):
                for i in range(N):
                    d_h0[b0 + lane, i] = d_v[i * L + lane]
