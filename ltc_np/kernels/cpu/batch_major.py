"""Synaptic cells with arrays (sequence, neuron): one sequence, a vector of neurons at a time, for all their sources.

For dense wirings and few sequences, where lanes of `neuron_major` would stand empty.  Sums run over the presynaptic
neurons in the order of that file, so the forward has the same bits.  A tile is one sequence; postsynaptic neurons are
padded to M, a whole number of vectors.  What a source's synapses have lies together: in planes (-, source, M) all that
is needed at once would lie in the same lines of the first cache, for M = 32, 64 and 128.

As there, ``cell`` is the module with the parts of a cell, whose last line calls `sweep`.  It has

``DRIVES``, ``KEPT``, ``SUMS``
    How many sums drive a neuron; how many numbers are kept of it at every stage beside its state; how many gradient
    sums a synapse and a neuron have.  Sums are rows of vectors here, which are added to the row as they lie, so their
    number is free; that of a neuron may be filled up with zeros.
``D_ELAPSED_READS_DRIVES``
    Whether the gradient of dt needs again what `from_inputs` makes.
``flush_steps(K)``
    Steps whose gradient sums are added in the working precision before they go to the float64 row.  A step of one
    sequence does little, and a row has all pairs of neurons, so that what this costs depends on the cell: it says
    itself how often.
``named(circuit)``
    The tuple of a call with names.  It has ``neuron`` (-, M), of which the sweep reads M alone, and ``recurrent`` and
    ``sensory``, which it hands on to `d_synapses`.
``from_inputs(circuit, i, M, inputs, step)``
    Sets ``step.drives``, without the recurrent synapses, for the vector of neurons at i.
``advance(circuit, solver, i, M, h, step, stage)``
    One stage of the neurons at i: stores their next states in ``stage.new`` and, only if ``stage.rates.size > 0``, what
    `d_advance` will need in ``stage.rates`` (KEPT, M).
``d_advance(circuit, solver, M, h, step, stage, want_dt, d, sums, d_elapsed)``
    Adjoint of `advance`, of all neurons, as in `neuron_major`.  d_elapsed is a vector, which cannot be changed in
    place: the part returns it with what is added to it.
``d_synapses(synapses, M, source, d_drives, d_source, sums)``
    What comes back through the synapses of one kind: adds to d_source and to their sums (-, SUMS, M).  It serves
    both kinds, as sums are kept over time steps here whatever their number, and those of neurons belong to `d_advance`.

Arguments as there; `Kept` of a sequence: (rows, N) states, and rates (T*K, KEPT, N).
"""

from typing import Any, NamedTuple

import numpy as np

from ..codes import Rule
from .arguments import Adjoints, Gradients, Kept, Results, Sequences, Stage, cut
from .jit import for_cell, helper, kernel, table
from .padding import narrow, widen
from .simd import lane_sum, splat, vector_size, zeros

cell: Any = None  # as in `neuron_major`


class Step(NamedTuple):
    """What a time step is computed in: drives (DRIVES, M) without the recurrent synapses, total (M,) the solver's."""

    drives: np.ndarray
    total: np.ndarray


class Adjoint(NamedTuple):
    """Adjoints (M,) of the state, and of an unfold's first and last one; (DRIVES, M) of a stage and of a step."""

    v: np.ndarray
    base: np.ndarray
    end: np.ndarray
    drives: np.ndarray
    step_drives: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `forward` works in: a `Step`, states of an unfold; if kept narrow, states and rates of a step."""

    drives: int
    total: int
    history: int
    rates: int


class BackwardSizes(NamedTuple):
    """Of what `backward` works in.

    Gradient sums, a `Step`, an `Adjoint`, and the states and rates of a step that is run again.
    """

    recurrent_sums: int
    sensory_sums: int
    neuron_sums: int
    drives: int
    total: int
    d_v: int
    d_base: int
    d_end: int
    d_drives: int
    step_d_drives: int
    history: int
    rates: int
    d_inputs: int


def forward_sizes(M, stages, narrowed):
    """``narrowed``: stages of a step if all are kept, but not their padding; else 0."""
    return ForwardSizes(cell.DRIVES * M, M, (max(stages, narrowed) + 1) * M, narrowed * cell.KEPT * M)


def backward_sizes(N, I, M, recomputed):
    """``recomputed``: stages of a step that is run again or made wide again, 0 if it is kept as it is."""
    return BackwardSizes(
        cell.SUMS * M * N, cell.SUMS * M * I, cell.SUMS * M,
        cell.DRIVES * M, M,
        M, M, M, cell.DRIVES * M, cell.DRIVES * M,
        (recomputed + 1) * M, recomputed * cell.KEPT * M, I,
    )  # fmt: skip


def all_from_inputs(circuit, M, inputs, step):
    """`from_inputs` of all neurons."""
    for i in range(0, M, vector_size(step.total)):
        cell.from_inputs(circuit, i, M, inputs, step)


def take_step(circuit, rule, M, inputs, h, step, states, first, rows, rates):
    """All unfolds of one time step, from row ``first`` of states on, (rows, M) taken round; the last row's number.

    h: the length of an unfold, in every element of a vector; ``rates`` is (K, KEPT, M) or empty.
    """
    all_from_inputs(circuit, M, inputs, step)
    now = first
    base = states[now * M : (now + 1) * M]
    for u in range(rule.unfolds * rule.stages):
        number = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * M : (now + 1) * M]
        if number == 0:
            base = v
        new = states[after * M : (after + 1) * M]
        stage = Stage(number, base, v, new, rates[u * cell.KEPT * M : (u + 1) * cell.KEPT * M], new[:0])
        for i in range(0, M, vector_size(states)):
            cell.advance(circuit, rule.solver, i, M, h, step, stage)
        now = after
    return now


def forward(sequences, h0, circuit, rule, tiles, work, kept, results, first, last, worker):
    """Sequences first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept, results = cell.named(circuit), Rule(*rule), Kept(*kept), Results(*results)
    out, h_last = results.out, results.h_last
    (_, T, _), N, O, M = x.shape, h0.shape[1], out.shape[2], circuit.neuron.shape[1]
    K = rule.unfolds * rule.stages
    # full: all stages are kept; low: only the state before each step; narrowed: without what pads N to M.
    full = kept.rates.size > 0
    low = kept.states.size > 0 and not full
    kept_rows = T * K + 1 if full else T if low else 0
    narrowed = full and N < M
    sizes = forward_sizes(M, rule.stages, K if narrowed else 0)
    drives, rest = cut(work[worker], sizes.drives)
    total, rest = cut(rest, sizes.total)
    history, rest = cut(rest, sizes.history)
    rates, rest = cut(rest, sizes.rates)
    step = Step(drives, total)
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
            at = (b * T + t) * K * cell.KEPT * N
            if full and not narrowed:
                rates = kept.rates[at : at + K * cell.KEPT * N]
            now = take_step(circuit, rule, M, x[b, t], h, step, history, now, rows, rates)
            if narrowed:
                narrow(history[M:], M, states[(t * K + 1) * N : ((t + 1) * K + 1) * N], N)
                narrow(rates, M, kept.rates[at : at + K * cell.KEPT * N], N)
                widen(history[K * M : (K + 1) * M], M, history, M)
                now = 0
            for o in range(O):
                out[b, t, o] = history[now * M + o]
        for i in range(N):
            h_last[b, i] = history[now * M + i]


def backward(sequences, adjoints, circuit, rule, tiles, work, kept, gradients, first, last, worker):
    """Adjoint of `forward`: sequences r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, SUMS*M*(N + I + 1)): the recurrent sums of `d_synapses` as (N, SUMS, M), the sensory ones (I, SUMS, M),
    then (SUMS, M) of neurons.
    """
    x, dt, steps = Sequences(*sequences)
    circuit, rule, kept = cell.named(circuit), Rule(*rule), Kept(*kept)
    d_out, d_h = Adjoints(*adjoints)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    (B, T, I), N, O, M = x.shape, d_h.shape[1], d_out.shape[2], circuit.neuron.shape[1]
    K = rule.unfolds * rule.stages
    want_dt = d_dt.size > 0
    full = kept.rates.size > 0
    narrowed = full and N < M
    sizes = backward_sizes(N, I, M, 0 if full and not narrowed else K)
    sums, rest = cut(work[worker], sizes.recurrent_sums + sizes.sensory_sums + sizes.neuron_sums)
    recurrent_sums, others = cut(sums, sizes.recurrent_sums)
    sensory_sums, neuron_sums = cut(others, sizes.sensory_sums)
    drives, rest = cut(rest, sizes.drives)
    total, rest = cut(rest, sizes.total)
    step = Step(drives, total)
    d_v, rest = cut(rest, sizes.d_v)
    d_base, rest = cut(rest, sizes.d_base)
    d_end, rest = cut(rest, sizes.d_end)
    d_drives, rest = cut(rest, sizes.d_drives)
    step_d_drives, rest = cut(rest, sizes.step_d_drives)
    d = Adjoint(d_v, d_base, d_end, d_drives, step_d_drives)
    history, rest = cut(rest, sizes.history)
    rates, rest = cut(rest, sizes.rates)
    d_inputs, rest = cut(rest, sizes.d_inputs)
    history[:] = 0
    rates[:] = 0
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
                    kept_states = kept.states[at : at + (K + 1) * N]
                    at = (b * T + t) * K * cell.KEPT * N
                    kept_rates = kept.rates[at : at + K * cell.KEPT * N]
                    if narrowed:
                        widen(kept_states, N, history, M)
                        widen(kept_rates, N, rates, M)
                    else:
                        history, rates = kept_states, kept_rates
                    if want_dt and cell.D_ELAPSED_READS_DRIVES:
                        all_from_inputs(circuit, M, x[b, t], step)
                else:
                    at = (b * T + t) * N
                    widen(kept.states[at : at + N], N, history, M)
                    take_step(circuit, rule, M, x[b, t], h, step, history, 0, K + 1, rates)
                for o in range(O):
                    d_v[o] += d_out[b, t, o]
                step_d_drives[:] = 0
                d_inputs[:] = 0
                d_elapsed = zeros(d_v)
                for u in range(K - 1, -1, -1):
                    number = u % rule.stages
                    stage = Stage(
                        number,
                        history[(u - number) * M : (u - number + 1) * M],
                        history[u * M : (u + 1) * M],
                        history[(u + 1) * M : (u + 2) * M],
                        rates[u * cell.KEPT * M : (u + 1) * cell.KEPT * M],
                        rates[:0],
                    )
                    d_elapsed = cell.d_advance(
                        circuit, rule.solver, M, h, step, stage, want_dt, d, neuron_sums, d_elapsed
                    )
                    cell.d_synapses(circuit.recurrent, M, stage.v, d_drives, d_v, recurrent_sums)
                cell.d_synapses(circuit.sensory, M, x[b, t], step_d_drives, d_inputs, sensory_sums)
                for k in range(I):
                    d_x[b, t, k] = d_inputs[k]
                if want_dt:
                    d_dt[b, t] = lane_sum(d_elapsed) / x.dtype.type(rule.unfolds)
                if t % cell.flush_steps(K) == 0:
                    for k in range(sums.size):
                        row[k] += sums[k]
                    sums[:] = 0
            for i in range(N):
                d_h0[b, i] = d_v[i]


def sweep(parts):
    """`forward_sizes`, `backward_sizes`, `forward` and `backward`, in this order; see `neuron_major.sweep`."""
    return for_cell(
        parts,
        {table: (forward_sizes, backward_sizes), helper: (all_from_inputs, take_step), kernel: (forward, backward)},
        wanted=(forward_sizes, backward_sizes, forward, backward),
    )
