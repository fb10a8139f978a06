"""The LTC, posts order: one sequence, a vector of postsynaptic neurons at a time, for all its presynaptic ones.

For dense wirings and few sequences, where lanes would stand empty.  Sums run over the presynaptic neurons in the
order of `ltc_lanes`, so the forward has the same bits.  A tile is one sequence; posts are padded to M, a whole number
of vectors.

Arguments as in `ltc_lanes`, with `Packed` of this file; kept per sequence: (T*K + 1, N) states and (T*K, N)
conductances, or (T, N) states alone, or nothing.
"""

from typing import NamedTuple

import numpy as np

from ..codes import Rule
from .arguments import Adjoints, Gradients, Results, Sequences, cut, table
from .jit import helper, kernel
from .ltc_lanes import Kept
from .ltc_solvers import advance, d_advance, d_elapsed
from .padding import narrow, widen
from .simd import fma, fnma, lane_sum, load, sigmoid2, splat, store, vector_size, zeros

# Steps whose parameter sums are added in the working precision before they go to the float64 row.
FLUSH_STEPS = 8


class Packed(NamedTuple):
    """A circuit: neuron (3, M) [cm, g + epsilon, g*l], recurrent (6, N, M), sensory (6, I, M).

    The constants of `ltc_lanes.Synapses` at [k, pre, post]; 0 for padding, 1 for its cm.
    """

    neuron: np.ndarray
    recurrent: np.ndarray
    sensory: np.ndarray


class Step(NamedTuple):
    """What a time step is computed in: P and Q without the recurrent synapses (M,), sums (M,) the solver's."""

    P: np.ndarray
    Q: np.ndarray
    sums: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `forward` works in: a `Step`, states of an unfold; where they are kept narrow, states and Q of a step."""

    P: int
    Q: int
    sums: int
    history: int
    totals: int


@table
def forward_sizes(M, stages, narrowed):
    """``narrowed``: stages of a step if all are kept, but not their padding; else 0."""
    return ForwardSizes(M, M, M, (max(stages, narrowed) + 1) * M, narrowed * M)


class BackwardSizes(NamedTuple):
    """Of what `backward` works in.

    Gradient sums, a `Step`, adjoints, and the states and conductances of a step that is run again.
    """

    recurrent_sums: int
    sensory_sums: int
    neuron_sums: int
    P: int
    Q: int
    sums: int
    d_v: int
    d_base: int
    d_end: int
    d_p: int
    d_q: int
    step_d_p: int
    step_d_q: int
    history: int
    totals: int
    d_inputs: int


@table
def backward_sizes(N, I, M, recomputed):
    """``recomputed``: stages of a step that is run again or made wide again, 0 if it is kept as it is."""
    return BackwardSizes(
        4 * M * N, 4 * M * I, 4 * M,
        M, M, M,
        M, M, M, M, M, M, M,
        (recomputed + 1) * M, recomputed * M, I,
    )  # fmt: skip


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


@helper
def _step(circuit, rule, M, inputs, h, step, states, first, rows, totals):
    """All unfolds of one time step, from row ``first`` of states on, (rows, M) taken round; the last row's number.

    h: the length of an unfold, in every element of a vector; ``totals`` is (K, M) or empty.
    """
    neuron, recurrent, sensory = circuit
    cm, leak_q, leak_p, W = neuron[0], neuron[1], neuron[2], vector_size(states)
    for i in range(0, M, W):
        p, q = _currents(sensory, i, M, inputs, load(leak_p, i), load(leak_q, i))
        store(step.P, i, p)
        store(step.Q, i, q)
    now = first
    base = states[now * M : (now + 1) * M]
    for u in range(rule.unfolds * rule.stages):
        stage = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * M : (now + 1) * M]
        if stage == 0:
            base = v
        for i in range(0, M, W):
            p, q = _currents(recurrent, i, M, v, load(step.P, i), load(step.Q, i))
            new = advance(rule.solver, stage, i, h, load(cm, i), p, q, base, v, step.sums)
            store(states, after * M + i, new)
            if totals.size > 0:
                store(totals, u * M + i, q)
        now = after
    return now


@kernel
def forward(sequences, h0, circuit, rule, tiles, work, kept, results, first, last, worker):
    """Sequences first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept, results = Packed(*circuit), Rule(*rule), Kept(*kept), Results(*results)
    out, h_last = results.out, results.h_last
    (_, T, _), N, O, M = x.shape, h0.shape[1], out.shape[2], circuit.neuron.shape[1]
    K = rule.unfolds * rule.stages
    full = kept.totals.size > 0
    low = kept.states.size > 0 and not full
    kept_rows = T * K + 1 if full else T if low else 0
    narrowed = full and N < M
    sizes = forward_sizes(M, rule.stages, K if narrowed else 0)
    P, rest = cut(work[worker], sizes.P)
    Q, rest = cut(rest, sizes.Q)
    sums, rest = cut(rest, sizes.sums)
    history, rest = cut(rest, sizes.history)
    totals, rest = cut(rest, sizes.totals)
    step = Step(P, Q, sums)
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
            at = (b * T + t) * K * N
            if full and not narrowed:
                totals = kept.totals[at : at + K * N]
            now = _step(circuit, rule, M, x[b, t], h, step, history, now, rows, totals)
            if narrowed:
                narrow(history[M:], M, states[(t * K + 1) * N : ((t + 1) * K + 1) * N], N)
                narrow(totals, M, kept.totals[at : at + K * N], N)
                widen(history[K * M : (K + 1) * M], M, history, M)
                now = 0
            for o in range(O):
                out[b, t, o] = history[now * M + o]
        for i in range(N):
            h_last[b, i] = history[now * M + i]


@kernel
def backward(sequences, adjoints, circuit, rule, tiles, work, kept, gradients, first, last, worker):
    """Adjoint of `forward`: sequences r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, 4*M*(N + I + 1)): the recurrent sums of `_d_currents` as (4, N, M), the sensory ones (4, I, M), then
    (4, M) per neuron d_p, d_q, d_cm, 0.
    """
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept = Packed(*circuit), Rule(*rule), Kept(*kept)
    d_out, d_h = Adjoints(*adjoints)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    neuron, recurrent, sensory = circuit
    (B, T, I), N, O, M = x.shape, d_h.shape[1], d_out.shape[2], neuron.shape[1]
    W, K = vector_size(x), rule.unfolds * rule.stages
    cm, leak_p = neuron[0], neuron[2]
    want_dt = d_dt.size > 0
    full = kept.totals.size > 0
    narrowed = full and N < M
    sizes = backward_sizes(N, I, M, 0 if full and not narrowed else K)
    sums, rest = cut(work[worker], sizes.recurrent_sums + sizes.sensory_sums + sizes.neuron_sums)
    recurrent_sums, others = cut(sums, sizes.recurrent_sums)
    sensory_sums, neuron_sums = cut(others, sizes.sensory_sums)
    P, rest = cut(rest, sizes.P)
    Q, rest = cut(rest, sizes.Q)
    solver_sums, rest = cut(rest, sizes.sums)
    step = Step(P, Q, solver_sums)
    d_v, rest = cut(rest, sizes.d_v)  # as in lanes order
    d_base, rest = cut(rest, sizes.d_base)
    d_end, rest = cut(rest, sizes.d_end)
    d_p, rest = cut(rest, sizes.d_p)
    d_q, rest = cut(rest, sizes.d_q)
    step_d_p, rest = cut(rest, sizes.step_d_p)
    step_d_q, rest = cut(rest, sizes.step_d_q)
    history, rest = cut(rest, sizes.history)
    totals, rest = cut(rest, sizes.totals)
    d_inputs, rest = cut(rest, sizes.d_inputs)
    history[:] = 0
    totals[:] = 0
    sums[:] = 0
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
                    at = (b * T + t) * K * N
                    conductances = kept.totals[at : at + K * N]
                    if narrowed:
                        widen(states, N, history, M)
                        widen(conductances, N, totals, M)
                    else:
                        history, totals = states, conductances
                else:
                    at = (b * T + t) * N
                    widen(kept.states[at : at + N], N, history, M)
                    _step(circuit, rule, M, x[b, t], h, step, history, 0, K + 1, totals)
                for o in range(O):
                    d_v[o] += d_out[b, t, o]
                step_d_p[:] = 0
                step_d_q[:] = 0
                d_inputs[:] = 0
                d_step = zeros(d_v)
                if want_dt:
                    for i in range(0, M, W):
                        p = load(leak_p, i)
                        p, _ = _currents(sensory, i, M, x[b, t], p, p)
                        store(P, i, p)
                for u in range(K - 1, -1, -1):
                    stage = u % rule.stages
                    base = history[(u - stage) * M : (u - stage + 1) * M]
                    v = history[u * M : (u + 1) * M]
                    new = history[(u + 1) * M : (u + 2) * M]
                    for i in range(0, M, W):
                        q = load(totals, u * M + i)
                        c = load(cm, i)
                        if want_dt:
                            p, _ = _currents(recurrent, i, M, v, load(P, i), q)
                            scaled, flow = d_elapsed(rule.solver, stage, i, h, c, p, q, base, v, new, d_v, d_end)
                            d_step = fma(scaled, flow, d_step)
                        dp, dq, scaled, change = d_advance(
                            rule.solver, stage, i, h, c, q, base, v, new, d_v, d_base, d_end
                        )
                        store(d_p, i, dp)
                        store(d_q, i, dq)
                        store(step_d_p, i, load(step_d_p, i) + dp)
                        store(step_d_q, i, load(step_d_q, i) + dq)
                        store(neuron_sums, i, load(neuron_sums, i) + dp)
                        store(neuron_sums, M + i, load(neuron_sums, M + i) + dq)
                        store(neuron_sums, 2 * M + i, fma(scaled, change, load(neuron_sums, 2 * M + i)))
                    _d_currents(recurrent, M, v, d_p, d_q, d_v, recurrent_sums)
                _d_currents(sensory, M, x[b, t], step_d_p, step_d_q, d_inputs, sensory_sums)
                for k in range(I):
                    d_x[b, t, k] = d_inputs[k]
                if want_dt:
                    d_dt[b, t] = lane_sum(d_step) / x.dtype.type(rule.unfolds)
                if t % FLUSH_STEPS == 0:
                    for k in range(sums.size):
                        row[k] += sums[k]
                    sums[:] = 0
            for i in range(N):
                d_h0[b, i] = d_v[i]
