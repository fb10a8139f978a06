"""The LTC's parts of `neuron_major`: its synapses and neurons, for tiles of sequences."""

import sys
from typing import NamedTuple

import numpy as np

from .jit import helper, inlined, table
from .ltc_solvers import advance as solve
from .ltc_solvers import d_advance as d_solve
from .ltc_solvers import d_elapsed
from .neuron_major import flush, sweep
from .simd import (
    add_parts,
    add_product,
    element,
    fma,
    fnma,
    load,
    load_like,
    load_unit,
    nothing,
    prefetch,
    sigmoid2,
    splat_like,
    store,
    unit_size,
    vector_size,
)

DRIVES = 2  # P and Q
KEPT = 1  # Q
NEURON_SUMS = 4  # d_p, d_q, d_cm, 0
D_ELAPSED_READS_DRIVES = True
# Up to here the vectors of gradient sums (4*64 bytes a synapse) stay in the caches and are kept over time steps;
# beyond, for the synapses of one neuron.
FEW_SYNAPSES = 30_000


class Synapses(NamedTuple):
    """One kind of synapse, sorted by (post, pre).

    start (N + 1,) first synapse of each post, pre (S,), constants (S, 6)
    [-sigma*log2(e), sigma*mu*log2(e), w, w*erev, erev, w*sigma]
    """

    start: np.ndarray
    pre: np.ndarray
    constants: np.ndarray


class Outgoing(NamedTuple):
    """The same synapses sorted by (pre, post): start (n_pre + 1,) first synapse of each pre, post (S,), and order (S,),
    where each is in the other order.
    """

    start: np.ndarray
    post: np.ndarray
    order: np.ndarray
    constants: np.ndarray


class Packed(NamedTuple):
    """A circuit: neuron (N, 3) [cm, g + epsilon, g*l], `Synapses`."""

    neuron: np.ndarray
    recurrent: Synapses
    sensory: Synapses


@helper
def named(circuit):
    """`Packed` of the seven arrays that a call has, flat: so it takes Numba 0.1 us less to read."""
    neuron, start, pre, constants, sensory_start, sensory_pre, sensory_constants = circuit
    return Packed(neuron, Synapses(start, pre, constants), Synapses(sensory_start, sensory_pre, sensory_constants))


@helper
def named_outgoing(outgoing):
    """`Outgoing` of the recurrent and of the sensory synapses, of the eight arrays that a call has."""
    start, post, order, constants, sensory_start, sensory_post, sensory_order, sensory_constants = outgoing
    recurrent = Outgoing(start, post, order, constants)
    return recurrent, Outgoing(sensory_start, sensory_post, sensory_order, sensory_constants)


@table
def synapse_sums(S):
    """Those of `_d_current`."""
    return 4 * S


@table
def recurrent_sums(S, N):
    """How many are kept over time steps, and how many of one neuron at a time."""
    return (4 * S, 0) if S <= FEW_SYNAPSES else (0, 4 * N)


@helper
def _sigmoid(constants, s, v):
    return sigmoid2(fma(element(constants, 6 * s), v, element(constants, 6 * s + 1)))


@helper
def _add_current(constants, s, y, p, q):
    return fma(element(constants, 6 * s + 3), y, p), fma(element(constants, 6 * s + 2), y, q)


@helper
def _currents(synapses, i, lane, L, source, sigmoids, p, q):
    """p + sum of w*erev*s and q + sum of w*s over the synapses of post i, s = sigmoid(sigma*(source - mu)).

    These are stored in sigmoids (S, L), unless that is empty.
    """
    start, pre, constants = synapses  # columns of constants: see `Synapses`
    if sigmoids.size > 0:
        for s in range(start[i], start[i + 1]):
            y = _sigmoid(constants, s, load_like(source, element(pre, s) * L + lane, p))
            store(sigmoids, s * L + lane, y)
            p, q = _add_current(constants, s, y, p, q)
        return p, q
    for s in range(start[i], start[i + 1]):
        y = _sigmoid(constants, s, load_like(source, element(pre, s) * L + lane, p))
        p, q = _add_current(constants, s, y, p, q)
    return p, q


@helper
def _d_current(outgoing, s, v, y, lane, L, d_drives, d_v, sums, first):
    """Adjoint of synapse s in the lanes of v, given its sigmoid: d_v with its part, and adds to four vectors of sums.

    The sums: r = d(loss)/d(w), y*dp, z, z*v, where w*z = d(loss)/d(sigma*(v - mu)).
    """
    constants, W, k = outgoing.constants, vector_size(sums), element(outgoing.post, s) * L + lane
    dp, dq = load_like(d_drives, k, v), load_like(d_drives, d_drives.size // DRIVES + k, v)
    at = 4 * W * (s - first)
    r = y * fma(dp, element(constants, 6 * s + 4), dq)
    z = fnma(r, y, r)
    store(sums, at, add_parts(load(sums, at), r))
    store(sums, at + W, add_product(load(sums, at + W), y, dp))
    store(sums, at + 2 * W, add_parts(load(sums, at + 2 * W), z))
    store(sums, at + 3 * W, add_product(load(sums, at + 3 * W), z, v))
    return fma(z, element(constants, 6 * s + 5), d_v)


@helper
def d_synapse(outgoing, s, L, v, d_drives, sums):
    """Adjoint of synapse s alone, whose source is v, in all L lanes: what comes back; adds to its sums."""
    none = splat_like(d_drives.dtype.type(0), v)
    return _d_current(
        outgoing, s, v, _sigmoid(outgoing.constants, s, v), np.int64(0), L, d_drives, none, sums, np.int64(0)
    )


@inlined
def _d_currents(outgoing, j, lane, L, v, sigmoids, d_drives, sums, first):
    """What comes back to source j, which is v, in the lanes of v; ``sums`` begin with those of synapse ``first``.

    Sigmoids are those that `_currents` has stored.  Without them, every one is computed before what its predecessor's
    is needed for: a pair of vectors fills the processor's window, so that it does not look ahead to the next synapse by
    itself.  The source has a synapse at least.
    """
    d_v, last = splat_like(d_drives.dtype.type(0), v), outgoing.start[j + 1] - 1
    if sigmoids.size > 0:
        for s in range(outgoing.start[j], last + 1):
            y = load_like(sigmoids, element(outgoing.order, s) * L + lane, v)
            d_v = _d_current(outgoing, s, v, y, lane, L, d_drives, d_v, sums, first)
        return d_v
    y = _sigmoid(outgoing.constants, outgoing.start[j], v)
    for s in range(outgoing.start[j], last):
        ahead = _sigmoid(outgoing.constants, s + 1, v)
        d_v = _d_current(outgoing, s, v, y, lane, L, d_drives, d_v, sums, first)
        y = ahead
    return _d_current(outgoing, last, v, y, lane, L, d_drives, d_v, sums, first)


@inlined
def _d_sources(outgoing, sources, L, source, sigmoids, d_drives, d_source, sums, first, pairs):
    """Adds to d_source of the sources (from, to), in all lanes, what `_d_currents` says."""
    for j in range(sources[0], sources[1]):
        if outgoing.start[j] == outgoing.start[j + 1]:
            continue
        for lane in range(0, L, unit_size(source, pairs)):
            k = j * L + lane
            d_v = _d_currents(outgoing, j, lane, L, load_unit(source, k, pairs), sigmoids, d_drives, sums, first)
            store(d_source, k, load_unit(d_source, k, pairs) + d_v)


@helper
def from_inputs(circuit, i, lane, L, h, step):
    """P and Q of the leak and the sensory synapses, constant over a time step."""
    k, NL = i * L + lane, step.total.size
    p, q = splat_like(circuit.neuron[i, 2], h), splat_like(circuit.neuron[i, 1], h)
    p, q = _currents(circuit.sensory, i, lane, L, step.inputs, nothing(step.inputs), p, q)
    store(step.drives, k, p)
    store(step.drives, NL + k, q)


@helper
def advance(circuit, solver, i, lane, L, h, step, stage):
    """One stage of post i in the lanes of h: its new state, and its conductance unless ``stage.rates`` is empty."""
    k, NL = i * L + lane, step.total.size
    p, q = load_like(step.drives, k, h), load_like(step.drives, NL + k, h)
    p, q = _currents(circuit.recurrent, i, lane, L, stage.v, stage.sigmoids, p, q)
    cm = circuit.neuron[i, 0]
    store(stage.new, k, solve(solver, stage.number, k, h, cm, p, q, stage.base, stage.v, step.total))
    if stage.rates.size > 0:
        store(stage.rates, k, q)


@helper
def _add_d_elapsed(circuit, solver, i, lane, L, h, step, stage, d):
    """Adds to d.elapsed what post i says of the length h, in the lanes of h; d.v is the adjoint of the new state."""
    k = i * L + lane
    p, q = load_like(step.drives, k, h), load_like(stage.rates, k, h)
    p, _ = _currents(circuit.recurrent, i, lane, L, stage.v, nothing(stage.v), p, p)
    cm = circuit.neuron[i, 0]
    scaled, flow = d_elapsed(solver, stage.number, k, h, cm, p, q, stage.base, stage.v, stage.new, d.v, d.end)
    store(d.elapsed, lane, fma(scaled, flow, load_like(d.elapsed, lane, h)))


@inlined
def _d_advance(cm, solver, k, h, stage, d, total):
    """Adjoint of `advance` as far as p and q, in the lanes of h; ``total``, with what is added to its sum for cm."""
    NL = stage.v.size
    # The next call is for the stage before, whose numbers nothing has read since the forward pass.
    prefetch(stage.v, k - NL)
    prefetch(stage.rates, k - NL)
    q = load_like(stage.rates, k, h)
    dp, dq, scaled, change = d_solve(
        solver, stage.number, k, h, cm, q, stage.base, stage.v, stage.new, d.v, d.base, d.end
    )
    store(d.drives, k, dp)
    store(d.drives, NL + k, dq)
    store(d.step_drives, k, load_like(d.step_drives, k, h) + dp)
    store(d.step_drives, NL + k, load_like(d.step_drives, NL + k, h) + dq)
    return add_product(total, scaled, change)


@inlined
def d_advance(circuit, solver, L, step, stage, want_dt, d, sums, pairs):
    """Adjoint of `advance`, of all neurons in all lanes."""
    N, W = circuit.neuron.shape[0], vector_size(step.h)
    if want_dt:
        for i in range(N):
            for lane in range(0, L, unit_size(step.h, pairs)):
                _add_d_elapsed(circuit, solver, i, lane, L, load_unit(step.h, lane, pairs), step, stage, d)
    for i in range(N):
        at = W * (NEURON_SUMS * i + 2)
        total = load(sums, at)
        for lane in range(0, L, vector_size(step.h)):  # for pairs there are too few registers
            total = _d_advance(circuit.neuron[i, 0], solver, i * L + lane, load(step.h, lane), stage, d, total)
        store(sums, at, total)


@inlined
def d_recurrent(outgoing, L, stage, d, sums, source_sums, row, pairs):
    """Adjoint of the recurrent synapses; of many synapses source by source, each one's sums to the row at once."""
    recurrent, v, sigmoids, zero = outgoing[0], stage.v, stage.sigmoids, np.int64(0)
    N = recurrent.start.size - 1
    if source_sums.size == 0:
        _d_sources(recurrent, (zero, N), L, v, sigmoids, d.drives, d.v, sums, zero, pairs)
        return
    for j in range(N):
        s, behind = recurrent.start[j], recurrent.start[j + 1]
        _d_sources(recurrent, (j, j + 1), L, v, nothing(v), d.drives, d.v, source_sums, s, pairs)
        flush(source_sums[: 4 * vector_size(v) * (behind - s)], row, 4 * s)


@helper
def d_leak(circuit, L, step, d, neuron_sums, pairs):
    """Adds to every neuron's sums those of d_p and d_q, which are all that concerns its leak."""
    W, NL = vector_size(step.h), step.total.size
    for i in range(circuit.neuron.shape[0]):
        at = W * NEURON_SUMS * i
        for lane in range(0, L, unit_size(step.h, pairs)):
            k = i * L + lane
            dp, dq = load_unit(d.step_drives, k, pairs), load_unit(d.step_drives, NL + k, pairs)
            store(neuron_sums, at, add_parts(load(neuron_sums, at), dp))
            store(neuron_sums, at + W, add_parts(load(neuron_sums, at + W), dq))


@inlined
def d_from_inputs(circuit, outgoing, L, step, d, sums, neuron_sums, pairs):
    """Adjoint of `from_inputs`: of the leak, and of the sensory synapses."""
    d_leak(circuit, L, step, d, neuron_sums, pairs)
    zero, sensory = np.int64(0), outgoing[1]
    I = sensory.start.size - 1
    _d_sources(sensory, (zero, I), L, step.inputs, nothing(step.inputs), d.step_drives, d.inputs, sums, zero, pairs)


# The last line, since it needs all parts above; in the order in which `neuron_major.sweep` gives them.
forward_sizes, backward_sizes, forward, backward, own_sums, take_tile, d_take_tile = sweep(sys.modules[__name__])
