"""The LRC, posts order: one sequence, a vector of postsynaptic neurons at a time, for all its presynaptic ones.

As `ltc_posts` is to `ltc_lanes`: sums run in the order of `lrc_lanes`, so the forward has the same bits.  Posts are
padded to M, a whole number of vectors.
"""

from typing import NamedTuple

import numpy as np

from ..codes import Rule
from .arguments import Adjoints, Gradients, Results, Sequences, cut, table
from .jit import helper, kernel
from .lrc_lanes import Drives
from .lrc_neuron import KEPT, Neuron, Stage, advance_neuron, d_advance_neuron
from .ltc_lanes import Kept
from .padding import narrow, widen
from .simd import fma, fnma, lane_sum, load, sigmoid2, splat, store, vector_size, zeros

# Terms of a parameter's sum that are added in the working precision before they go to the float64 row: a step has
# fewer than that of an LTC, and adding all sums to the row costs as much as a tenth of it.
FLUSH_TERMS = 48


class Synapses(NamedTuple):
    """One kind of synapse: constants (5, n_pre, M) of `lrc_lanes.Synapses`, weights (n_pre, M) or (0, 0).

    0 for padding.
    """

    constants: np.ndarray
    weights: np.ndarray


class Packed(NamedTuple):
    """A circuit: number of its elastance, neuron (6, M) of `Neuron`, `Synapses`."""

    elastance: int
    neuron: np.ndarray
    recurrent: Synapses
    sensory: Synapses


class Step(NamedTuple):
    """What a time step is computed in: f, z and a without the recurrent synapses (M,), sums (M,) the solver's."""

    f: np.ndarray
    z: np.ndarray
    a: np.ndarray
    sums: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `forward` works in: a `Step`, states of an unfold; if kept narrow, states and sums of a step."""

    f: int
    z: int
    a: int
    sums: int
    history: int
    totals: int


@table
def forward_sizes(M, stages, narrowed):
    """``narrowed``: stages of a step if all are kept, but not their padding; else 0."""
    return ForwardSizes(M, M, M, M, (max(stages, narrowed) + 1) * M, narrowed * KEPT * M)


class BackwardSizes(NamedTuple):
    """Of what `backward` works in.

    Gradient sums, a `Step`, adjoints, and the states and sums of a step that is run again.
    """

    recurrent_sums: int
    sensory_sums: int
    neuron_sums: int
    f: int
    z: int
    a: int
    sums: int
    d_v: int
    d_base: int
    d_end: int
    d_f: int
    d_z: int
    d_a: int
    step_d_f: int
    step_d_z: int
    step_d_a: int
    history: int
    totals: int
    d_inputs: int


@table
def backward_sizes(N, I, M, recomputed):
    """``recomputed``: stages of a step that is run again or made wide again, 0 if it is kept as it is."""
    return BackwardSizes(
        5 * M * N, 5 * M * I, 5 * M,
        M, M, M, M,
        M, M, M, M, M, M, M, M, M,
        (recomputed + 1) * M, recomputed * KEPT * M, I,
    )  # fmt: skip


@helper
def _named(circuit):
    """`Packed` of what a call has, flat."""
    elastance, neuron, constants, weights, sensory_constants, sensory_weights = circuit
    return Packed(elastance, neuron, Synapses(constants, weights), Synapses(sensory_constants, sensory_weights))


@helper
def _neuron(circuit, i):
    values = circuit.neuron
    leak, vleak, bias = load(values[0], i), load(values[1], i), load(values[2], i)
    return Neuron(leak, vleak, bias, load(values[3], i), load(values[4], i), load(values[5], i))


@helper
def _drives(synapses, i, M, source, f, z, a):
    """f + sum of w*s, z + sum of h*s and a + sum of weight*source over all sources, for the vector of posts at i."""
    n_pre = synapses.constants.shape[1]
    flat, weights = synapses.constants.reshape(-1), synapses.weights.reshape(-1)
    plane = n_pre * M
    for j in range(n_pre):
        k, v = j * M + i, splat(source[j])
        y = sigmoid2(fma(load(flat, k), v, load(flat, plane + k)))
        f = fma(load(flat, 2 * plane + k), y, f)
        z = fma(load(flat, 3 * plane + k), y, z)
        if weights.size > 0:
            a = fma(load(weights, k), v, a)
    return f, z, a


@helper
def _d_drives(synapses, M, source, d, d_source, sums):
    """Adjoint of `_drives`: adds to d_source, and to sums (5, n_pre, M), those of `lrc_lanes`."""
    n_pre = synapses.constants.shape[1]
    flat, weights = synapses.constants.reshape(-1), synapses.weights.reshape(-1)
    plane, W = n_pre * M, vector_size(flat)
    for j in range(n_pre):
        v = splat(source[j])
        d_v = zeros(source)
        for i in range(0, M, W):
            k = j * M + i
            df, dz = load(d.f, i), load(d.z, i)
            y = sigmoid2(fma(load(flat, k), v, load(flat, plane + k)))
            r = y * fma(df, load(flat, 2 * plane + k), dz * load(flat, 3 * plane + k))
            d_y = fnma(r, y, r)
            d_v = fma(d_y, load(flat, 4 * plane + k), d_v)
            store(sums, k, fma(y, df, load(sums, k)))
            store(sums, plane + k, fma(y, dz, load(sums, plane + k)))
            store(sums, 2 * plane + k, load(sums, 2 * plane + k) + d_y)
            store(sums, 3 * plane + k, fma(d_y, v, load(sums, 3 * plane + k)))
            if weights.size > 0:
                da = load(d.a, i)
                store(sums, 4 * plane + k, fma(da, v, load(sums, 4 * plane + k)))
                d_v = fma(da, load(weights, k), d_v)
        d_source[j] += lane_sum(d_v)


@helper
def _add(array, k, vector):
    store(array, k, load(array, k) + vector)


@helper
def _step(circuit, rule, M, inputs, h, step, states, first, rows, totals):
    """All unfolds of one time step, from row ``first`` of states on, (rows, M) taken round; the last row's number.

    h: the length of an unfold, in every element of a vector; ``totals`` is (K, 3, M) or empty.
    """
    W = vector_size(states)
    for i in range(0, M, W):
        neuron = _neuron(circuit, i)
        f, z, a = _drives(circuit.sensory, i, M, inputs, neuron.leak, neuron.leak, neuron.bias)
        store(step.f, i, f)
        store(step.z, i, z)
        store(step.a, i, a)
    now = first
    base = states[now * M : (now + 1) * M]
    for u in range(rule.unfolds * rule.stages):
        number = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * M : (now + 1) * M]
        if number == 0:
            base = v
        new = states[after * M : (after + 1) * M]
        stage = Stage(number, base, v, new, totals[u * KEPT * M : (u + 1) * KEPT * M])
        for i in range(0, M, W):
            f, z, a = _drives(circuit.recurrent, i, M, v, load(step.f, i), load(step.z, i), load(step.a, i))
            advance_neuron(circuit.elastance, rule.solver, _neuron(circuit, i), stage, i, h, f, z, a, step.sums)
        now = after
    return now


@kernel
def forward(sequences, h0, circuit, rule, tiles, work, kept, results, first, last, worker):
    """Sequences first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept, results = _named(circuit), Rule(*rule), Kept(*kept), Results(*results)
    out, h_last = results.out, results.h_last
    (_, T, _), N, O, M = x.shape, h0.shape[1], out.shape[2], circuit.neuron.shape[1]
    K = rule.unfolds * rule.stages
    full = kept.totals.size > 0
    low = kept.states.size > 0 and not full
    kept_rows = T * K + 1 if full else T if low else 0
    narrowed = full and N < M
    sizes = forward_sizes(M, rule.stages, K if narrowed else 0)
    f, rest = cut(work[worker], sizes.f)
    z, rest = cut(rest, sizes.z)
    a, rest = cut(rest, sizes.a)
    sums, rest = cut(rest, sizes.sums)
    history, rest = cut(rest, sizes.history)
    totals, rest = cut(rest, sizes.totals)
    step = Step(f, z, a, sums)
    for b in range(first, last):
        states = kept.states[b * N * kept_rows : (b + 1) * N * kept_rows]
        rows = sizes.history // M
        if full and not narrowed:
            rows, history = kept_rows, states
        history[:M] = 0
        for i in range(N):
            history[i] = h0[b, i]
        if narrowed:
            narrow(history, M, states[:N], N)
        now = 0
        out[b, steps[b] :] = 0
        for t in range(steps[b]):
            h = splat(dt[b, t] / x.dtype.type(rule.unfolds))
            if low:
                narrow(history[now * M : (now + 1) * M], M, states[t * N : (t + 1) * N], N)
            at = (b * T + t) * K * KEPT * N
            if full and not narrowed:
                totals = kept.totals[at : at + K * KEPT * N]
            now = _step(circuit, rule, M, x[b, t], h, step, history, now, rows, totals)
            if narrowed:
                narrow(history[M:], M, states[(t * K + 1) * N : ((t + 1) * K + 1) * N], N)
                narrow(totals, M, kept.totals[at : at + K * KEPT * N], N)
                widen(history[K * M : (K + 1) * M], M, history, M)
                now = 0
            for o in range(O):
                out[b, t, o] = history[now * M + o]
        for i in range(N):
            h_last[b, i] = history[now * M + i]


@kernel
def backward(sequences, adjoints, circuit, rule, tiles, work, kept, gradients, first, last, worker):
    """Adjoint of `forward`: sequences r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, 5*M*(N + I + 1)): the recurrent sums of `_d_drives` as (5, N, M), the sensory ones (5, I, M), then (5, M)
    per neuron d_leak, d_vleak, d_bias, d_weight, d_shift.
    """
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept = _named(circuit), Rule(*rule), Kept(*kept)
    d_out, d_h = Adjoints(*adjoints)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    (B, T, I), N, O, M = x.shape, d_h.shape[1], d_out.shape[2], circuit.neuron.shape[1]
    W, K = vector_size(x), rule.unfolds * rule.stages
    want_dt = d_dt.size > 0
    full = kept.totals.size > 0
    narrowed = full and N < M
    sizes = backward_sizes(N, I, M, 0 if full and not narrowed else K)
    all_sums, rest = cut(work[worker], sizes.recurrent_sums + sizes.sensory_sums + sizes.neuron_sums)
    recurrent_sums, others = cut(all_sums, sizes.recurrent_sums)
    sensory_sums, neuron_sums = cut(others, sizes.sensory_sums)
    f, rest = cut(rest, sizes.f)
    z, rest = cut(rest, sizes.z)
    a, rest = cut(rest, sizes.a)
    solver_sums, rest = cut(rest, sizes.sums)
    step = Step(f, z, a, solver_sums)
    d_v, rest = cut(rest, sizes.d_v)  # as in lanes order
    d_base, rest = cut(rest, sizes.d_base)
    d_end, rest = cut(rest, sizes.d_end)
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
    d_inputs, rest = cut(rest, sizes.d_inputs)
    history[:] = 0
    totals[:] = 0
    all_sums[:] = 0
    for r in range(first, last):
        row = rows[r]
        for b in range(r, B, rows.shape[0]):
            d_v[:] = 0
            for i in range(N):
                d_v[i] = d_h[b, i]
            d_x[b, steps[b] :] = 0
            if want_dt:
                d_dt[b, steps[b] :] = 0
            for t in range(steps[b] - 1, -1, -1):
                h = splat(dt[b, t] / x.dtype.type(rule.unfolds))
                if full:
                    at = (b * (T * K + 1) + t * K) * N
                    states = kept.states[at : at + (K + 1) * N]
                    at = (b * T + t) * K * KEPT * N
                    sums_kept = kept.totals[at : at + K * KEPT * N]
                    if narrowed:
                        widen(states, N, history, M)
                        widen(sums_kept, N, totals, M)
                    else:
                        history, totals = states, sums_kept
                else:
                    at = (b * T + t) * N
                    widen(kept.states[at : at + N], N, history, M)
                    _step(circuit, rule, M, x[b, t], h, step, history, 0, K + 1, totals)
                for o in range(O):
                    d_v[o] += d_out[b, t, o]
                step_d_f[:] = 0
                step_d_z[:] = 0
                step_d_a[:] = 0
                d_inputs[:] = 0
                d_step = zeros(d_v)
                for u in range(K - 1, -1, -1):
                    number = u % rule.stages
                    stage = Stage(
                        number,
                        history[(u - number) * M : (u - number + 1) * M],
                        history[u * M : (u + 1) * M],
                        history[(u + 1) * M : (u + 2) * M],
                        totals[u * KEPT * M : (u + 1) * KEPT * M],
                    )
                    for i in range(0, M, W):
                        df, dz, da, dh, d_vleak, d_weight, d_shift = d_advance_neuron(
                            circuit.elastance, rule.solver, _neuron(circuit, i), stage, i, h, d_v, d_base, d_end
                        )
                        store(d_f, i, df)
                        store(d_z, i, dz)
                        store(d_a, i, da)
                        _add(step_d_f, i, df)
                        _add(step_d_z, i, dz)
                        _add(step_d_a, i, da)
                        d_step = d_step + dh
                        _add(neuron_sums, i, df + dz)
                        _add(neuron_sums, M + i, d_vleak)
                        _add(neuron_sums, 2 * M + i, da)
                        _add(neuron_sums, 3 * M + i, d_weight)
                        _add(neuron_sums, 4 * M + i, d_shift)
                    _d_drives(circuit.recurrent, M, stage.v, d, d_v, recurrent_sums)
                _d_drives(circuit.sensory, M, x[b, t], step_d, d_inputs, sensory_sums)
                for k in range(I):
                    d_x[b, t, k] = d_inputs[k]
                if want_dt:
                    d_dt[b, t] = lane_sum(d_step) / x.dtype.type(rule.unfolds)
                if t % max(1, FLUSH_TERMS // K) == 0:
                    for k in range(all_sums.size):
                        row[k] += all_sums[k]
                    all_sums[:] = 0
            for i in range(N):
                d_h0[b, i] = d_v[i]
