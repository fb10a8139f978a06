"""Synaptic cells with arrays (neuron, sequence): a tile of sequences side by side, one synapse at a time for all.

Arrays of a tile are (feature, lane), lanes innermost, flat.  A synapse's constants are scalars, every lane of the
vector unit is busy whatever the wiring, and a sparse wiring is nothing but a shorter list.  Lanes are worked on by
pairs of vectors, since two chains of dependent instructions side by side keep the processor busier than one; a tile of
one vector by single ones.  That is another kernel, so that a call compiles no more than it needs.

The sweep over tiles, time steps and unfolds stands here, once.  What a synapse and a neuron of a cell do is said by
``cell``, the module with the parts of this cell (`jit.for_cell`).  Its last line calls `sweep`.  N: neurons; L: lanes
of the tile; S: synapses of a kind.  Above that line it has

``DRIVES``, ``KEPT``, ``NEURON_SUMS``
    How many sums drive a neuron; how many numbers are kept of it at every stage beside its state; how many gradient
    sums it has.  The last one is a whole number of fours, because `flush` adds up four vectors at a time.
``D_ELAPSED_READS_DRIVES``
    Whether the gradient of dt needs again what `from_inputs` makes.
``synapse_sums(S)``
    Gradient sums of so many synapses, a whole number of fours, too.  Synapses are a list here, and the sums of all of
    them may be filled up together; so this is a function, and the count of a neuron is a number.
``recurrent_sums(S, N)``
    Of the recurrent synapses, how many sums are kept over time steps, and how many of one neuron at a time: either
    ``(synapse_sums(S), 0)`` or ``(0, n)``, with n enough for any neuron.  A cell needs the second form only if sums of
    many synapses would leave the caches.
``named(circuit)``
    The tuple of a call with names.  It has ``neuron`` (N, -), and ``recurrent`` and ``sensory``, each with ``pre``
    (S,); the sweep reads no more of it.
``from_inputs(circuit, i, lane, L, h, step)``
    Sets ``step.drives`` of neuron i, without the recurrent synapses, in the lanes of the vector h.
``advance(circuit, solver, i, lane, L, h, step, stage)``
    One stage of neuron i in the lanes of h: stores its next state in ``stage.new`` and, only if
    ``stage.rates.size > 0``, what `d_advance` will need in ``stage.rates`` (KEPT, N, L).  A cell with `Kept.sigmoids`
    stores those in ``stage.sigmoids`` (S, L), unless that is empty.
``d_advance(circuit, solver, L, step, stage, want_dt, d, sums, pairs)``
    Adjoint of `advance`, of all neurons, as far as their drives: sets ``d.drives``, adds to ``d.step_drives``,
    ``d.elapsed`` (if dt is wanted) and to the sums of neurons; ``d.v`` becomes the adjoint of the state before the
    stage, its part through the synapses left out.
``named_outgoing(outgoing)``
    The recurrent and the sensory synapses of `backward`, sorted by (pre, post), with names; the sweep only hands them
    on.  So sorted, what comes back to a source stays in a register until all its synapses are through.
``d_recurrent(outgoing, L, stage, d, sums, source_sums, row, pairs)``
    What comes back through the recurrent synapses, whose sources are ``stage.v``: adds to ``d.v``, of each neuron's
    synapses together since small terms are summed by themselves, and to their sums, in the order of ``outgoing``.
    ``sums`` are those that are kept over time steps, which the sweep adds to the gradient row.  If `recurrent_sums`
    says ``(0, n)``, they are empty, and ``source_sums`` has room for those of one neuron: then this part itself adds
    every neuron's sums to ``row``, which begins with the recurrent synapses, by `flush`, which leaves ``source_sums``
    at 0 for the next neuron.
``d_from_inputs(circuit, outgoing, L, step, d, sums, neuron_sums, pairs)``
    Adjoint of `from_inputs`, from ``d.step_drives``: adds to ``d.inputs`` and to the sums of synapses and neurons.
    Only recurrent synapses may have their sums neuron by neuron, so the two kinds have a part each.

Arguments beside those of `arguments`, everywhere:
    h0 (B, N);  circuit: for `named`, flat;  rule: `ltc_np.kernels.codes.Rule`, K = U*stages
    tiles: ``(width, begin, end, pairs)``: sequences in a tile, the tiles to work on, and None for those of one vector
    work (workers, -): in row ``worker`` the numbers of `forward_sizes` or `backward_sizes`, to work in
    kept: `Kept`
"""

from typing import Any, NamedTuple

import numpy as np

from ..codes import Rule
from .arguments import Adjoints, Gradients, Kept, Results, Sequences, Stage, cut
from .jit import for_cell, helper, kernel, table
from .padding import narrow, widen
from .simd import add_sums, load, load_unit, nothing, unit_size, vector_size

# Numbers that a lane adds up in the working precision before the sums go to the float64 row.  It is the same for all
# cells, since a tile has many sequences: going to the row is a small part of its time step.
FLUSH_TERMS = 256

cell: Any = None  # the module with the parts of a cell; each cell has copies of the functions below that know its own


class Step(NamedTuple):
    """What a time step is computed in.

    h (L,) the length of an unfold, inputs (I, L), drives (DRIVES, N, L) without the recurrent synapses, total (N, L)
    the solver's.
    """

    h: np.ndarray
    inputs: np.ndarray
    drives: np.ndarray
    total: np.ndarray


class Adjoint(NamedTuple):
    """Adjoints of a time step and of a stage.

    elapsed (L,) of h; inputs (I, L); v (N, L) of the state, after the stage and then before it; base and end (N, L), of
    solvers with several stages: of the unfold's first state and of its last; drives (DRIVES, N, L) of a stage, and
    step_drives of the whole step.
    """

    elapsed: np.ndarray
    inputs: np.ndarray
    v: np.ndarray
    base: np.ndarray
    end: np.ndarray
    drives: np.ndarray
    step_drives: np.ndarray


class Sums(NamedTuple):
    """Vectors of gradient sums: of all recurrent and sensory synapses and neurons together, and of each kind; of one
    neuron's synapses, or empty.
    """

    every: np.ndarray
    recurrent: np.ndarray
    sensory: np.ndarray
    neuron: np.ndarray
    source: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `forward` works in: a `Step`, states of an unfold; if kept narrow, states and rates of a step."""

    h: int
    inputs: int
    drives: int
    total: int
    history: int
    rates: int


class BackwardSizes(NamedTuple):
    """Of what `backward` works in.

    Vectors of gradient sums, of all recurrent synapses or of those of one neuron, a `Step`, an `Adjoint`, and the
    states and rates of a step that is run again.
    """

    recurrent_sums: int
    sensory_sums: int
    neuron_sums: int
    source_sums: int
    h: int
    inputs: int
    drives: int
    total: int
    d_elapsed: int
    d_inputs: int
    d_v: int
    d_base: int
    d_end: int
    d_drives: int
    step_d_drives: int
    history: int
    rates: int


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
def sigmoids_of_step(sigmoids, circuit, b0, T, t, L, K):
    """Those of step t of a tile, (K, S, L), of all that are kept, and S*L; none, and 0, where none are."""
    S = circuit.recurrent.pre.size if sigmoids.size > 0 else 0
    at = (b0 * T + t * L) * K * S
    return sigmoids[at : at + L * K * S], S * L


@helper
def flush(sums, row, at):
    """Add the sums, over their lanes, to the float64 row from ``at`` on, and begin again at 0."""
    W = vector_size(sums)
    for s in range(sums.size // (4 * W)):
        a, b, c, d = 4 * W * s, 4 * W * s + W, 4 * W * s + 2 * W, 4 * W * s + 3 * W
        add_sums(row, at + 4 * s, load(sums, a), load(sums, b), load(sums, c), load(sums, d))
    sums[:] = 0


def forward_sizes(N, I, L, stages, narrowed):
    """``narrowed``: stages of a step if all are kept, but not their padding lanes; else 0."""
    NL = N * L
    return ForwardSizes(L, I * L, cell.DRIVES * NL, NL, (max(stages, narrowed) + 1) * NL, narrowed * cell.KEPT * NL)


def backward_sizes(N, I, L, S, S_sensory, W, recomputed):
    """``W``: lanes of a sum; ``recomputed``: stages of a step that is run again or made wide again, 0 if it is kept."""
    NL, (recurrent_sums, source_sums) = N * L, cell.recurrent_sums(S, N)
    return BackwardSizes(
        W * recurrent_sums, W * cell.synapse_sums(S_sensory), W * cell.NEURON_SUMS * N, W * source_sums,
        L, I * L, cell.DRIVES * NL, NL,
        L, I * L, NL, NL, NL, cell.DRIVES * NL, cell.DRIVES * NL,
        (recomputed + 1) * NL, recomputed * cell.KEPT * NL,
    )  # fmt: skip


def all_from_inputs(circuit, L, step, pairs):
    """`from_inputs` of all neurons, in all lanes."""
    for i in range(circuit.neuron.shape[0]):
        for lane in range(0, L, unit_size(step.h, pairs)):
            cell.from_inputs(circuit, i, lane, L, load_unit(step.h, lane, pairs), step)


def take_step(circuit, rule, L, step, states, first, rows, rates, sigmoids, pairs):
    """All unfolds of one time step, from row ``first`` of states on, (rows, N, L) taken round; the last row's number.

    ``rates`` is (K, KEPT, N, L) or empty, and ``sigmoids`` (K, S, L) or empty.
    """
    SL = sigmoids.size // (rule.unfolds * rule.stages)
    N, unit = circuit.neuron.shape[0], unit_size(step.h, pairs)
    NL = N * L
    all_from_inputs(circuit, L, step, pairs)
    now = first
    base = states[now * NL : (now + 1) * NL]
    for u in range(rule.unfolds * rule.stages):
        number = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * NL : (now + 1) * NL]
        new = states[after * NL : (after + 1) * NL]
        if number == 0:
            base = v
        stage_rates, stage_sigmoids = (
            rates[u * cell.KEPT * NL : (u + 1) * cell.KEPT * NL],
            sigmoids[u * SL : (u + 1) * SL],
        )
        stage = Stage(number, base, v, new, stage_rates, stage_sigmoids)
        for i in range(N):
            for lane in range(0, L, unit):
                cell.advance(circuit, rule.solver, i, lane, L, load_unit(step.h, lane, pairs), step, stage)
        now = after
    return now


def own_sums(sizes, work):
    """`Sums` of a worker, which begin at 0, and what is left to work in."""
    every, rest = cut(work, sizes.recurrent_sums + sizes.sensory_sums + sizes.neuron_sums)
    recurrent, others = cut(every, sizes.recurrent_sums)
    sensory, neuron = cut(others, sizes.sensory_sums)
    source, rest = cut(rest, sizes.source_sums)
    every[:] = 0
    source[:] = 0
    return Sums(every, recurrent, sensory, neuron, source), rest


def take_tile(sequences, h0, circuit, rule, place, work, kept, results):
    """The tile at ``place`` through all its steps: out and h_last as `forward` says.

    ``place``: the tile's first sequence, how many there are, and ``pairs``; ``work``: numbers to work in.
    """
    x, dt, steps = Sequences(*sequences)
    out, h_last = results.out, results.h_last
    b0, count, pairs = place
    (_, T, I), N, O, K = x.shape, h0.shape[1], out.shape[2], rule.unfolds * rule.stages
    W, L = vector_size(x), tile_lanes(count, unit_size(x, pairs))
    # full: all stages are kept; low: only the state before each step; whole, below: with the lanes of padding.
    full = kept.rates.size > 0
    low = kept.states.size > 0 and not full
    kept_rows = T * K + 1 if full else T if low else 0
    zero = np.int64(0)  # a literal 0 would be a type of its own, for which the helpers would be compiled once more
    NL, lanes = N * L, kept_lanes(count, W, L)
    NC, whole = N * lanes, lanes == L
    sizes = forward_sizes(N, I, L, rule.stages, K if full and not whole else 0)
    h, rest = cut(work, sizes.h)
    inputs, rest = cut(rest, sizes.inputs)
    drives, rest = cut(rest, sizes.drives)
    total, rest = cut(rest, sizes.total)
    history, rest = cut(rest, sizes.history)
    rates, rest = cut(rest, sizes.rates)
    step = Step(h, inputs, drives, total)
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
        at = (b0 * N * T + t * NC) * K * cell.KEPT
        if full and whole:
            rates = kept.rates[at : at + K * cell.KEPT * NC]
        sigmoids, _ = sigmoids_of_step(kept.sigmoids, circuit, b0, T, t, L, K)
        now = take_step(circuit, rule, L, step, history, now, rows, rates, sigmoids, pairs)
        if full and not whole:
            narrow(history[NL:], L, states[(t * K + 1) * NC : ((t + 1) * K + 1) * NC], lanes)
            narrow(rates, L, kept.rates[at : at + K * cell.KEPT * NC], lanes)
            widen(history[K * NL : (K + 1) * NL], L, history, L)
            now = zero
        for lane in range(count):
            for o in range(O):
                out[b0 + lane, t, o] = history[(now * N + o) * L + lane]
    for lane in range(count):
        for i in range(N):
            h_last[b0 + lane, i] = history[(now * N + i) * L + lane]


def d_take_tile(sequences, adjoints, circuits, rule, place, work, kept, gradients, sums, row, terms, more):
    """Adjoint of `take_tile`.

    ``gradients``: as named, but for the rows; ``terms``: of the sums, since they were added to the row last.  They are
    added at the end at the latest, unless there is ``more`` to add to them; then their terms are returned.
    """
    x, dt, steps = Sequences(*sequences)
    circuit, outgoing = circuits
    d_out, d_h = Adjoints(*adjoints)
    d_x, d_h0, d_dt = gradients
    b0, count, pairs = place
    (_, T, I), N, O, K = x.shape, d_h.shape[1], d_out.shape[2], rule.unfolds * rule.stages
    W, unit = vector_size(x), unit_size(x, pairs)
    S, S_sensory = circuit.recurrent.pre.size, circuit.sensory.pre.size
    want_dt = d_dt.size > 0
    full = kept.rates.size > 0  # full and whole: as in `forward`
    zero = np.int64(0)  # as in `forward`
    L = tile_lanes(count, unit)
    lanes = kept_lanes(count, W, L)
    NL, NC, whole = N * L, N * lanes, lanes == L
    sizes = backward_sizes(N, I, L, S, S_sensory, W, 0 if full and whole else K)
    # Where in a row the sums begin that are kept over time steps: at 0; or behind the recurrent ones, which
    # `d_recurrent` adds to the row neuron by neuron.
    kept_at = cell.synapse_sums(S) - sizes.recurrent_sums // W
    h, rest = cut(work, sizes.h)
    inputs, rest = cut(rest, sizes.inputs)
    drives, rest = cut(rest, sizes.drives)
    total, rest = cut(rest, sizes.total)
    step = Step(h, inputs, drives, total)
    d_elapsed, rest = cut(rest, sizes.d_elapsed)
    d_inputs, rest = cut(rest, sizes.d_inputs)
    d_v, rest = cut(rest, sizes.d_v)
    d_base, rest = cut(rest, sizes.d_base)
    d_end, rest = cut(rest, sizes.d_end)
    d_drives, rest = cut(rest, sizes.d_drives)
    step_d_drives, rest = cut(rest, sizes.step_d_drives)
    d = Adjoint(d_elapsed, d_inputs, d_v, d_base, d_end, d_drives, step_d_drives)
    history, rest = cut(rest, sizes.history)
    rates, rest = cut(rest, sizes.rates)
    history[:] = 0
    rates[:] = 0
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
    for t in range(longest - 1, -1, -1):
        read_step(x, dt, t, b0, count, L, rule.unfolds, inputs, h)
        if full:
            at = b0 * N * (T * K + 1) + t * K * NC
            kept_states = kept.states[at : at + (K + 1) * NC]
            at = (b0 * N * T + t * NC) * K * cell.KEPT
            kept_rates = kept.rates[at : at + K * cell.KEPT * NC]
            if whole:
                history, rates = kept_states, kept_rates
            else:
                widen(kept_states, lanes, history, L)
                widen(kept_rates, lanes, rates, L)
            if want_dt and cell.D_ELAPSED_READS_DRIVES:
                all_from_inputs(circuit, L, step, pairs)
        else:
            at = b0 * N * T + t * NC
            widen(kept.states[at : at + NC], lanes, history, L)
            take_step(circuit, rule, L, step, history, zero, K + 1, rates, nothing(rates), pairs)
        for lane in range(count):
            for o in range(O):
                d_v[o * L + lane] += d_out[b0 + lane, t, o]
        step_d_drives[:] = 0
        d_elapsed[:] = 0
        sigmoids, SL = sigmoids_of_step(kept.sigmoids, circuit, b0, T, t, L, K)
        for u in range(K - 1, -1, -1):
            number = u % rule.stages
            stage = Stage(
                number,
                history[(u - number) * NL : (u - number + 1) * NL],
                history[u * NL : (u + 1) * NL],
                history[(u + 1) * NL : (u + 2) * NL],
                rates[u * cell.KEPT * NL : (u + 1) * cell.KEPT * NL],
                sigmoids[u * SL : (u + 1) * SL],
            )
            cell.d_advance(circuit, rule.solver, L, step, stage, want_dt, d, sums.neuron, pairs)
            cell.d_recurrent(outgoing, L, stage, d, sums.recurrent, sums.source, row, pairs)
        d_inputs[:] = 0
        cell.d_from_inputs(circuit, outgoing, L, step, d, sums.sensory, sums.neuron, pairs)
        terms += K * (tile_lanes(count, W) // W)
        if terms >= FLUSH_TERMS or (t == 0 and not more):
            flush(sums.every, row, kept_at)
            terms = 0
        for lane in range(count):
            for k in range(I):
                d_x[b0 + lane, t, k] = d_inputs[k * L + lane]
            if want_dt:
                d_dt[b0 + lane, t] = d_elapsed[lane] / x.dtype.type(rule.unfolds)
    for lane in range(count):
        for i in range(N):
            d_h0[b0 + lane, i] = d_v[i * L + lane]
    return terms


def forward(sequences, h0, circuit, rule, tiles, work, kept, results, first, last, worker):
    """Tiles first..last-1: out (B, T, O) the first O neurons after each step, h_last (B, N) the last state."""
    circuit, rule, kept, results = cell.named(circuit), Rule(*rule), Kept(*kept), Results(*results)
    width, begin, end, pairs = tiles
    for tile in range(max(first, begin), min(last, end)):
        place = tile * width, min(width, h0.shape[0] - tile * width), pairs
        take_tile(sequences, h0, circuit, rule, place, work[worker], kept, results)


def backward(sequences, adjoints, circuit, rule, tiles, work, kept, gradients, first, last, worker):
    """Adjoint of `forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, -): the sums of recurrent synapses, of sensory ones and of neurons, as the parts of the cell say.
    """
    x, dt, steps = Sequences(*sequences)
    circuits, rule, kept = (cell.named(circuit[0]), cell.named_outgoing(circuit[1])), Rule(*rule), Kept(*kept)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    (B, _, I), N, K, zero = x.shape, d_h0.shape[1], rule.unfolds * rule.stages, np.int64(0)
    width, begin, end, pairs = tiles
    S, S_sensory = circuits[0].recurrent.pre.size, circuits[0].sensory.pre.size
    sums, rest = own_sums(backward_sizes(N, I, width, S, S_sensory, vector_size(x), K), work[worker])
    for r in range(first, last):
        for tile in range(r, end, rows.shape[0]):
            if tile >= begin:
                b0 = tile * width
                place = b0, min(width, B - b0), pairs
                d_take_tile(
                    (x, dt, steps), adjoints, circuits, rule, place, rest, kept, (d_x, d_h0, d_dt), sums, rows[r],
                    zero, False,
                )  # fmt: skip


def sweep(parts):
    """The functions below that are ``wanted``, in their order, of the cell with these parts.

    A cell's file calls it in its last line, with itself, a module: the copies look up its parts, which must all be
    there.
    """
    return for_cell(
        parts,
        {
            table: (forward_sizes, backward_sizes),
            helper: (all_from_inputs, take_step, own_sums, take_tile, d_take_tile),
            kernel: (forward, backward),
        },
        wanted=(forward_sizes, backward_sizes, forward, backward, own_sums, take_tile, d_take_tile),
    )
