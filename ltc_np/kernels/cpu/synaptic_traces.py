"""One step of a synaptic cell with the derivatives of its potentials, in one call: `ltc_np.kernels.numpy` defines it.

The forward is that of `neuron_major` with one sequence.  Afterwards all states are known, so that what a stage says of
the next potentials is found for all unfolds at once: they are the lanes of the cell's adjoint, whose numbers of each
lane are not added up here.  With the adjoint 1 at every neuron they are the derivatives by what moves the neuron
directly.  Then the sensitivities go from stage to stage, row by row, each a sum of rows (`advance_rows`).

As there, ``cell`` is the module with the parts of a cell, whose last line calls `sweep`.  Besides those of its
`neuron_major` that do not need several sequences it has

``d_leak(circuit, L, step, d, neuron_sums, pairs)``
    What `d_from_inputs` does beside the sensory synapses.
``d_synapse(outgoing, s, L, v, d_drives, sums)``
    What comes back through synapse s to its source v, in the L lanes of v.
``unpack(rows, given, values, g)``
    Adds to g (P,) the gradients of effective values (P,) from sums, as `Circuit.unpack` does, ``given`` the rest that
    it needs.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...base.workspace import aligned
from ..codes import VECTOR_BYTES, Rule
from .arguments import Stage, cut, of_mapping
from .jit import for_cell, helper, kernel, table
from .mapping import mapped
from .neuron_major import Adjoint, Step
from .simd import element, fma, load, splat, store, vector_size

cell: Any = None  # as in `neuron_major`


class Sizes(NamedTuple):
    """Of what `follow` works in: a `Step`, an `Adjoint`, states and rates of all stages and of one stage in lanes.

    Of each stage of an unfold, in lanes: the sums of synapses and neurons, and what comes back to a neuron's own
    potential, to that before the unfold, and through synapses.
    """

    h: int
    inputs: int
    drives: int
    total: int
    d_elapsed: int
    d_v: int
    d_base: int
    d_end: int
    d_drives: int
    step_d_drives: int
    history: int
    rates: int
    base: int
    v: int
    new: int
    stage_rates: int
    sums: int
    own: int
    from_base: int
    recurrent: int
    sensory: int


def sizes_of(N, I, L, evaluations, stages, S, S_sensory):
    """``L``: lanes, those of a vector."""
    NL = N * L
    sums = cell.synapse_sums(S) + cell.synapse_sums(S_sensory) + cell.NEURON_SUMS * N
    return Sizes(
        L, I * L, cell.DRIVES * NL, NL,
        L, NL, NL, NL, cell.DRIVES * NL, cell.DRIVES * NL,
        (evaluations + 1) * NL, evaluations * cell.KEPT * NL,
        NL, NL, NL, cell.KEPT * NL,
        L * sums, stages * NL, stages * NL, stages * L * S, stages * L * S_sensory,
    )  # fmt: skip


@helper
def to_lanes(rows, first, apart, count, L, lanes):
    """lanes (n, L): in lane u what row ``first`` + ``apart`` u of rows (-, n, L) has in lane 0; 0 from ``count`` on."""
    size = lanes.size
    for i in range(0, size, L):
        for u in range(L):
            lanes[i + u] = rows[(first + apart * u) * size + i] if u < count else 0


@helper
def advance_rows(runs, terms, lane, L, own, from_base, recurrent, before, base, after):
    """after = own before + from_base base + the rows of before at the other end of the synapses, run by run.

    own (N, L), from_base (N, L) or empty, recurrent (S, L): factors, of which one lane is meant
    """
    W = vector_size(after)
    for r in range(runs.shape[0]):
        row, target, length = runs[r, 0], runs[r, 1], runs[r, 2]
        first, end = runs[r, 4], runs[r, 5]
        factor = splat(own[row * L + lane])
        for k in range(0, length, W):
            total = factor * load(before, target + k)
            if from_base.size > 0:
                total = fma(splat(from_base[row * L + lane]), load(base, target + k), total)
            for q in range(first, end):
                other = element(recurrent, element(terms, 2 * q) * L + lane)
                total = fma(splat(other), load(before, element(terms, 2 * q + 1) + k), total)
            store(after, target + k, total)


def adjoint_of_unfolds(circuit, outgoing, rule, first, number, history, rates, step, d, lanes, found):
    """What stage ``number`` says in the unfolds from ``first`` on, one a lane: fills the arrays of ``found``."""
    L, N, zero = step.h.size, circuit.neuron.shape[0], np.int64(0)
    base, v, new, stage_rates = lanes
    sums, own, from_base, recurrent, sensory = found
    count = min(L, rule.unfolds - first)
    at = first * rule.stages
    to_lanes(history, at, rule.stages, count, L, base)
    to_lanes(history, at + number, rule.stages, count, L, v)
    to_lanes(history, at + number + 1, rule.stages, count, L, new)
    to_lanes(rates, at + number, rule.stages, count, L, stage_rates)
    stage = Stage(number, base, v, new, stage_rates, new[:0])
    for i in range(N):
        for u in range(L):
            d.v[i * L + u] = 1 if u < count else 0
    d.base[:] = 0
    d.end[:] = 0
    d.elapsed[:] = 0
    d.step_drives[:] = 0
    sums[:] = 0
    synapses, rest = cut(sums, L * cell.synapse_sums(outgoing[0].post.size))
    sensory_sums, neuron_sums = cut(rest, L * cell.synapse_sums(outgoing[1].post.size))
    cell.d_advance(circuit, rule.solver, L, step, stage, False, d, neuron_sums, None)
    cell.d_leak(circuit, L, step, d, neuron_sums, None)
    for i in range(0, N * L, L):
        store(own, i, load(d.v, i))
        store(from_base, i, load(d.base, i))
    through_synapses(outgoing[0], L, v, d.drives, synapses, recurrent)
    through_synapses(outgoing[1], L, step.inputs, d.drives, sensory_sums, sensory)
    return zero + count


def through_synapses(outgoing, L, source, d_drives, sums, found):
    """found (S, L): what comes back through each synapse of one kind; fills its sums."""
    for j in range(outgoing.start.size - 1):
        for s in range(outgoing.start[j], outgoing.start[j + 1]):
            store(found, s * L, cell.d_synapse(outgoing, s, L, load(source, j * L), d_drives, sums))


@helper
def add_direct(x, features, start, lane, L, factor, sensory, g, own, J):
    """Adds to J the derivatives by what moves a neuron directly: g (P,), which becomes 0, and the input mapping's."""
    for p in range(own.size):
        J[own[p]] += factor[p] * g[p]
        g[p] = 0
    for j in range(x.size):
        for s in range(start[j], start[j + 1]):
            if features[s, 0] >= 0:
                J[features[s, 0]] += sensory[s * L + lane] * x[j]
            if features[s, 1] >= 0:
                J[features[s, 1]] += sensory[s * L + lane]


def follow(arrays, circuit, rule, mappings, values, factor, plan, carried, given, work, rows, g):
    """See `ltc_np.kernels.numpy.synaptic_traces`.

    arrays: x (I,), dt (1,), state (N,), y (O,), J (3, size), of which the last two rows are to work in
    circuit, rule: as in `neuron_major`, that of `backward`
    mappings: w and b of the inputs, w and b of the outputs, empty where there are none
    values (P,), factor (P_own,): effective values, and derivatives of what the circuit has by raw ones
    plan: own, features, runs, terms and outside of `ltc_np.online.synaptic_plan.Plan`, the last empty if it is closed
    carried: whether J goes on
    work: `Sizes`; rows (stages * lanes, sums) and g (P,) float64, the latter 0
    """
    x, dt, state, y, J = arrays
    outgoing, circuit, rule = cell.named_outgoing(circuit[1]), cell.named(circuit[0]), Rule(*rule)
    input_w, input_b, output_w, output_b = mappings
    own_places, features, runs, terms, outside = plan
    N, I, L, K = state.size, x.size, vector_size(x), rule.unfolds * rule.stages
    S, S_sensory = circuit.recurrent.pre.size, circuit.sensory.pre.size
    NL, stages, zero = N * L, rule.stages, np.int64(0)
    sizes = sizes_of(N, I, L, K, stages, S, S_sensory)
    h, rest = cut(work, sizes.h)
    inputs, rest = cut(rest, sizes.inputs)
    drives, rest = cut(rest, sizes.drives)
    total, rest = cut(rest, sizes.total)
    step = Step(h, inputs, drives, total)
    d_elapsed, rest = cut(rest, sizes.d_elapsed)
    d_v, rest = cut(rest, sizes.d_v)
    d_base, rest = cut(rest, sizes.d_base)
    d_end, rest = cut(rest, sizes.d_end)
    d_drives, rest = cut(rest, sizes.d_drives)
    step_d_drives, rest = cut(rest, sizes.step_d_drives)
    d = Adjoint(d_elapsed, inputs, d_v, d_base, d_end, d_drives, step_d_drives)
    history, rest = cut(rest, sizes.history)
    rates, rest = cut(rest, sizes.rates)
    base, rest = cut(rest, sizes.base)
    v, rest = cut(rest, sizes.v)
    new, rest = cut(rest, sizes.new)
    stage_rates, rest = cut(rest, sizes.stage_rates)
    sums, rest = cut(rest, sizes.sums)
    own, rest = cut(rest, sizes.own)
    from_base, rest = cut(rest, sizes.from_base)
    recurrent, rest = cut(rest, sizes.recurrent)
    sensory, rest = cut(rest, sizes.sensory)
    store(h, 0, splat(dt[0] / x.dtype.type(rule.unfolds)))
    for k in range(I):
        store(inputs, k * L, splat(mapped(x[k], input_w, input_b, k)))
    for i in range(N):
        store(history, i * L, splat(state[i]))
        cell.from_inputs(circuit, i, zero, L, load(h, 0), step)
    for u in range(K):
        number = u % stages
        stage = Stage(
            number,
            history[(u - number) * NL : (u - number + 1) * NL],
            history[u * NL : (u + 1) * NL],
            history[(u + 1) * NL : (u + 2) * NL],
            rates[u * cell.KEPT * NL : (u + 1) * cell.KEPT * NL],
            rates[:0],
        )
        for i in range(N):
            cell.advance(circuit, rule.solver, i, zero, L, load(h, 0), step, stage)
    for i in range(N):
        state[i] = history[K * NL + i * L]
    for o in range(y.size):
        y[o] = mapped(state[o], output_w, output_b, o)
    now, middle = zero, zero + 2
    for first in range(0, rule.unfolds, L):
        count = zero
        for number in range(stages):
            found = (
                sums,
                own[number * NL : (number + 1) * NL],
                from_base[number * NL : (number + 1) * NL],
                recurrent[number * S * L : (number + 1) * S * L],
                sensory[number * S_sensory * L : (number + 1) * S_sensory * L],
            )
            count = adjoint_of_unfolds(
                circuit, outgoing, rule, first, number, history, rates, step, d, (base, v, new, stage_rates), found
            )
            for k in range(rows.shape[1]):
                for u in range(count):
                    rows[number * L + u, k] = sums[k * L + u]
        for u in range(count):
            for number in range(stages):
                source = now if number == 0 else middle
                target = 1 - now if number == stages - 1 else middle
                if carried:
                    advance_rows(
                        runs, terms, u, L, own[number * NL : (number + 1) * NL],
                        from_base[number * NL : (number + 1) * NL if number else number * NL],
                        recurrent[number * S * L : (number + 1) * S * L], J[source], J[now], J[target],
                    )  # fmt: skip
                else:
                    J[target, :] = 0
                row = number * L + u
                cell.unpack(rows[row : row + 1], given, values, g)
                add_direct(
                    x, features, outgoing[1].start, u, L, factor,
                    sensory[number * S_sensory * L : (number + 1) * S_sensory * L], g, own_places, J[target],
                )  # fmt: skip
                for k in range(outside.size):
                    J[target, outside[k]] = 0
            now = 1 - now
    if now == 1:
        for k in range(0, J.shape[1], L):
            store(J[0], k, load(J[1], k))


@kernel
def collect(runs, columns, J, total, d_state, gradient):
    """Adds to gradient (P,) the rows of J, each times its neuron's adjoint d_state (N,); total (width,) to work in."""
    total[:] = 0
    for r in range(runs.shape[0]):
        row, at, length, column = runs[r, 0], runs[r, 1], runs[r, 2], runs[r, 3]
        if d_state[row] != 0:
            for k in range(0, length, vector_size(J)):
                store(total, column + k, fma(splat(d_state[row]), load(J, at + k), load(total, column + k)))
    for p in range(columns.size):
        if columns[p] >= 0:
            gradient[p] += total[columns[p]]


def bound(parts, given, circuit, layout, values, factor, plan, arrays):
    """`ltc_np.kernels.numpy.synaptic_traces.bind` with the parts of a cell; ``given``: what their ``unpack`` takes."""
    dtype, W, rule = values.dtype, VECTOR_BYTES // values.dtype.itemsize, plan.rule
    _, packed = circuit.packed(False)
    p = layout.arrays(values)
    mappings = *of_mapping(plan.mappings[0], "input", p), *of_mapping(plan.mappings[1], "output", p)
    S, S_sensory = circuit.recurrent.pre.size, circuit.sensory.pre.size
    sizes = parts.sizes_of(arrays.state.size, arrays.x.size, W, rule.evaluations, rule.stages, S, S_sensory)
    work = aligned(sum(sizes), dtype)
    work.fill(0)
    rows = np.zeros((rule.stages * W, circuit.row_size(False)))
    own = plan.own, plan.features, plan.runs, plan.terms, plan.outside[:0] if plan.closed else plan.outside
    follow = partial(
        parts.follow, tuple(arrays), packed, tuple(rule), mappings, values, factor, own, plan.carried, given,
        work, rows, np.zeros(layout.size),
    )  # fmt: skip
    return follow, partial(collect, plan.runs, plan.columns, arrays.J[0], aligned(plan.width, dtype))


def sweep(parts):
    """`sizes_of` and `follow` of the cell with these parts; see `neuron_major.sweep`."""
    return for_cell(
        parts,
        {table: (sizes_of,), helper: (through_synapses, adjoint_of_unfolds), kernel: (follow,)},
        wanted=(sizes_of, follow),
    )
