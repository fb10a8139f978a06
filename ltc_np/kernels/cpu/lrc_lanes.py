"""The LRC, lanes order: a tile of sequences side by side, one synapse at a time for all of them.

Tiles, lanes and what is kept are those of `ltc_lanes`; arguments as there, with `Packed` of this file.  Where an LTC
keeps a conductance, three numbers are kept, `lrc_neuron.KEPT`.
"""

from typing import NamedTuple

import numpy as np

from ..codes import Rule
from .arguments import Adjoints, Gradients, Results, Sequences, cut, table
from .jit import helper, kernel
from .lrc_neuron import KEPT, Neuron, Stage, advance_neuron, d_advance_neuron
from .ltc_lanes import FLUSH_TERMS, Kept, flush, kept_lanes, longest_of, read_step, tile_lanes
from .padding import narrow, widen
from .simd import (
    add_parts,
    add_product,
    fma,
    fnma,
    load,
    load_like,
    load_sum,
    load_unit,
    sigmoid2,
    splat_like,
    store,
    sum_size,
    unit_size,
    vector_size,
)


class Synapses(NamedTuple):
    """One kind of synapse, sorted by (post, pre).

    start (N + 1,) first synapse of each post, pre (S,), constants (S, 5) [-sigma*log2(e), sigma*mu*log2(e), w, h,
    sigma], weights (S,) of the elastance, or (0,) where it has none of these
    """

    start: np.ndarray
    pre: np.ndarray
    constants: np.ndarray
    weights: np.ndarray


class Packed(NamedTuple):
    """A circuit: number of its elastance, neuron (N, 6) of `Neuron`, `Synapses`."""

    elastance: int
    neuron: np.ndarray
    recurrent: Synapses
    sensory: Synapses


class Step(NamedTuple):
    """What a time step is computed in.

    h (L,) the length of an unfold, inputs (I, L), f, z and a without the recurrent synapses (N, L), sums (N, L) the
    solver's.
    """

    h: np.ndarray
    inputs: np.ndarray
    f: np.ndarray
    z: np.ndarray
    a: np.ndarray
    sums: np.ndarray


class Drives(NamedTuple):
    """Adjoints of f, z and a, (N, L) each."""

    f: np.ndarray
    z: np.ndarray
    a: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `forward` works in: a `Step`, states of an unfold; if kept narrow, states and sums of a step."""

    h: int
    inputs: int
    f: int
    z: int
    a: int
    sums: int
    history: int
    totals: int


@table
def forward_sizes(N, I, L, stages, narrowed):
    """``narrowed``: stages of a step if all are kept, but not their padding lanes; else 0."""
    NL = N * L
    return ForwardSizes(L, I * L, NL, NL, NL, NL, (max(stages, narrowed) + 1) * NL, narrowed * KEPT * NL)


class BackwardSizes(NamedTuple):
    """Of what `backward` works in.

    Vectors of gradient sums, a `Step`, adjoints, and the states and sums of a step that is run again.
    """

    recurrent_sums: int
    sensory_sums: int
    neuron_sums: int
    h: int
    inputs: int
    f: int
    z: int
    a: int
    sums: int
    d_step: int
    d_inputs: int
    d_v: int
    d_base: int
    d_end: int
    d_source: int
    d_f: int
    d_z: int
    d_a: int
    step_d_f: int
    step_d_z: int
    step_d_a: int
    history: int
    totals: int


@table
def synapse_sums(S):
    """Sums of so many synapses: four of each, and those of the elastance's weights, a whole number of fours."""
    return 4 * S + (S + 3) // 4 * 4


@table
def backward_sizes(N, I, L, S, S_sensory, W, recomputed):
    """``W``: lanes of a sum; ``recomputed``: stages of a step that is run again or made wide again, 0 if it is kept."""
    NL = N * L
    return BackwardSizes(
        W * synapse_sums(S), W * synapse_sums(S_sensory), 8 * W * N,
        L, I * L, NL, NL, NL, NL,
        L, I * L, NL, NL, NL, NL, NL, NL, NL, NL, NL, NL,
        (recomputed + 1) * NL, recomputed * KEPT * NL,
    )  # fmt: skip


@helper
def _named(circuit):
    """`Packed` of what a call has, flat."""
    elastance, neuron, start, pre, constants, weights, sensory_start, sensory_pre, sensory_constants, others = circuit
    recurrent = Synapses(start, pre, constants, weights)
    return Packed(elastance, neuron, recurrent, Synapses(sensory_start, sensory_pre, sensory_constants, others))


@helper
def _neuron(circuit, i):
    values = circuit.neuron
    return Neuron(values[i, 0], values[i, 1], values[i, 2], values[i, 3], values[i, 4], values[i, 5])


@helper
def _drives(synapses, i, lane, L, source, f, z, a):
    """f + sum of w*s, z + sum of h*s and a + sum of weight*source over the synapses of post i."""
    start, pre, constants, weights = synapses
    for s in range(start[i], start[i + 1]):
        v = load_like(source, pre[s] * L + lane, f)
        y = sigmoid2(fma(constants[s, 0], v, constants[s, 1]))
        f = fma(constants[s, 2], y, f)
        z = fma(constants[s, 3], y, z)
        if weights.size > 0:
            a = fma(weights[s], v, a)
    return f, z, a


@helper
def _sigmoid(synapses, s, lane, L, source, like):
    constants = synapses.constants
    v = load_like(source, synapses.pre[s] * L + lane, like)
    return sigmoid2(fma(constants[s, 0], v, constants[s, 1]))


@helper
def _d_drive(synapses, s, lane, L, source, y, df, dz, da, d_source, sums):
    """Adjoint of a synapse in the lanes of df, given its sigmoid: adds to d_source and to its sums.

    The sums: y*df, y*dz, d_y and d_y*source, where d_y is the adjoint of sigma*(source - mu); behind those of all
    synapses: da*source.
    """
    _, pre, constants, weights = synapses
    W, j, S = sum_size(source), pre[s] * L + lane, pre.size
    v = load_like(source, j, df)
    r = y * fma(df, constants[s, 2], dz * constants[s, 3])
    d_y = fnma(r, y, r)
    d_v = fma(d_y, constants[s, 4], load_like(d_source, j, df))
    k = 4 * W * s
    store(sums, k, add_product(load_sum(sums, k), y, df))
    store(sums, k + W, add_product(load_sum(sums, k + W), y, dz))
    store(sums, k + 2 * W, add_parts(load_sum(sums, k + 2 * W), d_y))
    store(sums, k + 3 * W, add_product(load_sum(sums, k + 3 * W), d_y, v))
    if weights.size > 0:
        k = W * (4 * S + s)
        store(sums, k, add_product(load_sum(sums, k), da, v))
        d_v = fma(da, weights[s], d_v)
    store(d_source, j, d_v)


@helper
def _d_drives(synapses, i, lane, L, source, df, dz, da, d_source, sums):
    """Adjoint of `_drives` in the lanes of df, with every sigmoid ahead of its predecessor's use (`ltc_lanes`)."""
    begin, end = synapses.start[i], synapses.start[i + 1]
    if begin == end:
        return
    y = _sigmoid(synapses, begin, lane, L, source, df)
    for s in range(begin, end):
        ahead = _sigmoid(synapses, min(s + 1, end - 1), lane, L, source, df)
        _d_drive(synapses, s, lane, L, source, y, df, dz, da, d_source, sums)
        y = ahead


@helper
def _d_synapses(synapses, N, L, source, d, d_source, sums, pairs):
    """`_d_drives` of all posts, in all lanes."""
    for i in range(N):
        for lane in range(0, L, unit_size(source, pairs)):
            k = i * L + lane
            df, dz, da = load_unit(d.f, k, pairs), load_unit(d.z, k, pairs), load_unit(d.a, k, pairs)
            _d_drives(synapses, i, lane, L, source, df, dz, da, d_source, sums)


@helper
def _sensory_drives(circuit, i, lane, L, hl, step):
    """f, z and a of post i in the lanes of hl: leak, bias and sensory synapses, constant over a time step."""
    leak = splat_like(circuit.neuron[i, 0], hl)
    f, z, a = _drives(circuit.sensory, i, lane, L, step.inputs, leak, leak, splat_like(circuit.neuron[i, 2], hl))
    store(step.f, i * L + lane, f)
    store(step.z, i * L + lane, z)
    store(step.a, i * L + lane, a)


@helper
def _stage(circuit, solver, i, lane, L, hl, step, stage):
    """One stage of post i in the lanes of hl."""
    k = i * L + lane
    f, z, a = load_like(step.f, k, hl), load_like(step.z, k, hl), load_like(step.a, k, hl)
    f, z, a = _drives(circuit.recurrent, i, lane, L, stage.v, f, z, a)
    advance_neuron(circuit.elastance, solver, _neuron(circuit, i), stage, k, hl, f, z, a, step.sums)


@helper
def _d_stage(circuit, solver, i, lane, L, hl, stage, d_v, d_base, d_end, d, step_d, d_step, sums):
    """Adjoint of `_stage` as far as f, z and a, in the lanes of hl; adds to d_step, and to the sums of its neuron."""
    W, k, at = sum_size(d_v), i * L + lane, 8 * sum_size(d_v) * i
    df, dz, da, dh, d_vleak, d_weight, d_shift = d_advance_neuron(
        circuit.elastance, solver, _neuron(circuit, i), stage, k, hl, d_v, d_base, d_end
    )
    store(d.f, k, df)
    store(d.z, k, dz)
    store(d.a, k, da)
    store(step_d.f, k, load_like(step_d.f, k, hl) + df)
    store(step_d.z, k, load_like(step_d.z, k, hl) + dz)
    store(step_d.a, k, load_like(step_d.a, k, hl) + da)
    store(d_step, lane, load_like(d_step, lane, hl) + dh)
    store(sums, at, add_parts(load_sum(sums, at), df + dz))
    store(sums, at + W, add_parts(load_sum(sums, at + W), d_vleak))
    store(sums, at + 2 * W, add_parts(load_sum(sums, at + 2 * W), da))
    store(sums, at + 3 * W, add_parts(load_sum(sums, at + 3 * W), d_weight))
    store(sums, at + 4 * W, add_parts(load_sum(sums, at + 4 * W), d_shift))


@helper
def _step(circuit, rule, L, step, states, first, rows, totals, pairs):
    """All unfolds of one time step, from row ``first`` of states on, (rows, N, L) taken round; the last row's number.

    ``totals`` is (K, 3, N, L) or empty.
    """
    N, unit = circuit.neuron.shape[0], unit_size(step.h, pairs)
    NL = N * L
    for i in range(N):
        for lane in range(0, L, unit):
            _sensory_drives(circuit, i, lane, L, load_unit(step.h, lane, pairs), step)
    now = first
    base = states[now * NL : (now + 1) * NL]
    for u in range(rule.unfolds * rule.stages):
        number = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * NL : (now + 1) * NL]
        new = states[after * NL : (after + 1) * NL]
        if number == 0:
            base = v
        stage = Stage(number, base, v, new, totals[u * KEPT * NL : (u + 1) * KEPT * NL])
        for i in range(N):
            for lane in range(0, L, unit):
                _stage(circuit, rule.solver, i, lane, L, load_unit(step.h, lane, pairs), step, stage)
        now = after
    return now


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
    zero = np.int64(0)  # as in `ltc_lanes`
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
        f, rest = cut(rest, sizes.f)
        z, rest = cut(rest, sizes.z)
        a, rest = cut(rest, sizes.a)
        sums, rest = cut(rest, sizes.sums)
        history, rest = cut(rest, sizes.history)
        totals, rest = cut(rest, sizes.totals)
        step = Step(h, inputs, f, z, a, sums)
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
            at = (b0 * N * T + t * NC) * K * KEPT
            if full and whole:
                totals = kept.totals[at : at + K * KEPT * NC]
            now = _step(circuit, rule, L, step, history, now, rows, totals, pairs)
            if full and not whole:
                narrow(history[NL:], L, states[(t * K + 1) * NC : ((t + 1) * K + 1) * NC], lanes)
                narrow(totals, L, kept.totals[at : at + K * KEPT * NC], lanes)
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

    rows (R, -): the sums of `_d_drive` of recurrent and of sensory synapses, `synapse_sums` of them, then per neuron
    d_leak, d_vleak, d_bias, d_weight, d_shift, 0, 0, 0.
    """
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept = _named(circuit), Rule(*rule), Kept(*kept)
    d_out, d_h = Adjoints(*adjoints)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    recurrent, sensory = circuit.recurrent, circuit.sensory
    (B, T, I), N, O, K = x.shape, d_h.shape[1], d_out.shape[2], rule.unfolds * rule.stages
    width, begin, end, pairs = tiles
    W, unit = vector_size(x), unit_size(x, pairs)
    S, S_sensory = recurrent.pre.size, sensory.pre.size
    want_dt = d_dt.size > 0
    full = kept.totals.size > 0
    zero = np.int64(0)  # as in `ltc_lanes`
    sizes = backward_sizes(N, I, width, S, S_sensory, sum_size(x), K)
    sums, tile_work = cut(work[worker], sizes.recurrent_sums + sizes.sensory_sums + sizes.neuron_sums)
    recurrent_sums, rest = cut(sums, sizes.recurrent_sums)
    sensory_sums, neuron_sums = cut(rest, sizes.sensory_sums)
    sums[:] = 0
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
            f, rest = cut(rest, sizes.f)
            z, rest = cut(rest, sizes.z)
            a, rest = cut(rest, sizes.a)
            solver_sums, rest = cut(rest, sizes.sums)
            step = Step(h, inputs, f, z, a, solver_sums)
            d_step, rest = cut(rest, sizes.d_step)
            d_inputs, rest = cut(rest, sizes.d_inputs)
            d_v, rest = cut(rest, sizes.d_v)  # as in `ltc_lanes`
            d_base, rest = cut(rest, sizes.d_base)
            d_end, rest = cut(rest, sizes.d_end)
            d_source, rest = cut(rest, sizes.d_source)
            d_f, rest = cut(rest, sizes.d_f)
            d_z, rest = cut(rest, sizes.d_z)
            d_a, rest = cut(rest, sizes.d_a)
            d = Drives(d_f, d_z, d_a)
            step_d_f, rest = cut(rest, sizes.step_d_f)
            step_d_z, rest = cut(rest, sizes.step_d_z)
            step_d_a, rest = cut(rest, sizes.step_d_a)
            step_d = Drives(step_d_f, step_d_z, step_d_a)
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
                    at = (b0 * N * T + t * NC) * K * KEPT
                    sums_kept = kept.totals[at : at + K * KEPT * NC]
                    if whole:
                        history, totals = states, sums_kept
                    else:
                        widen(states, lanes, history, L)
                        widen(sums_kept, lanes, totals, L)
                else:
                    at = b0 * N * T + t * NC
                    widen(kept.states[at : at + NC], lanes, history, L)
                    _step(circuit, rule, L, step, history, zero, K + 1, totals, pairs)
                for lane in range(count):
                    for o in range(O):
                        d_v[o * L + lane] += d_out[b0 + lane, t, o]
                step_d_f[:] = 0
                step_d_z[:] = 0
                step_d_a[:] = 0
                d_step[:] = 0
                for u in range(K - 1, -1, -1):
                    number = u % rule.stages
                    stage = Stage(
                        number,
                        history[(u - number) * NL : (u - number + 1) * NL],
                        history[u * NL : (u + 1) * NL],
                        history[(u + 1) * NL : (u + 2) * NL],
                        totals[u * KEPT * NL : (u + 1) * KEPT * NL],
                    )
                    for i in range(N):
                        for lane in range(0, L, unit):
                            _d_stage(
                                circuit, rule.solver, i, lane, L, load_unit(h, lane, pairs), stage, d_v, d_base, d_end,
                                d, step_d, d_step, neuron_sums,
                            )  # fmt: skip
                    d_source[:] = 0
                    _d_synapses(recurrent, N, L, stage.v, d, d_source, recurrent_sums, pairs)
                    for k in range(0, NL, W):
                        store(d_v, k, load(d_v, k) + load(d_source, k))
                d_inputs[:] = 0
                _d_synapses(sensory, N, L, inputs, step_d, d_inputs, sensory_sums, pairs)
                terms += K * (tile_lanes(count, W) // sum_size(x))
                if terms >= FLUSH_TERMS or t == 0:
                    flush(sums, row, 0)
                    terms = 0
                for lane in range(count):
                    for k in range(I):
                        d_x[b0 + lane, t, k] = d_inputs[k * L + lane]
                    if want_dt:
                        d_dt[b0 + lane, t] = d_step[lane] / x.dtype.type(rule.unfolds)
            for lane in range(count):
                for i in range(N):
                    d_h0[b0 + lane, i] = d_v[i * L + lane]
