"""The LRC's parts of `neuron_major`: its synapses, for tiles of sequences; `lrc_neuron` has its neurons."""

import sys
from typing import NamedTuple

import numpy as np

from .jit import helper, inlined, table
from .lrc_neuron import KEPT, Neuron, advance_neuron, d_advance_neuron
from .neuron_major import sweep
from .simd import (
    add_parts,
    add_product,
    element,
    fma,
    fnma,
    load,
    load_like,
    load_unit,
    sigmoid2,
    splat_like,
    store,
    unit_size,
    vector_size,
)

__all__ = ["KEPT", "backward", "backward_sizes", "forward", "forward_sizes"]

DRIVES = 3  # f, z and a
NEURON_SUMS = 8  # d_leak, d_vleak, d_bias, d_weight, d_shift, 0, 0, 0
D_ELAPSED_READS_DRIVES = False


class Synapses(NamedTuple):
    """One kind of synapse, sorted by (post, pre).

    start (N + 1,) first synapse of each post, pre (S,), constants (S, 5) [-sigma*log2(e), sigma*mu*log2(e), w, h,
    sigma], weights (S,) of the elastance, or (0,) where it has none of these
    """

    start: np.ndarray
    pre: np.ndarray
    constants: np.ndarray
    weights: np.ndarray


class Outgoing(NamedTuple):
    """The same synapses sorted by (pre, post): start (n_pre + 1,) first synapse of each pre, post (S,)."""

    start: np.ndarray
    post: np.ndarray
    constants: np.ndarray
    weights: np.ndarray


class Packed(NamedTuple):
    """A circuit: number of its elastance, neuron (N, 6) of `Neuron`, `Synapses`."""

    elastance: int
    neuron: np.ndarray
    recurrent: Synapses
    sensory: Synapses


@table
def synapse_sums(S):
    """Sums of so many synapses: four of each, and those of the elastance's weights, a whole number of fours."""
    return 4 * S + (S + 3) // 4 * 4


@table
def recurrent_sums(S, N):
    """How many are kept over time steps, and how many of one neuron at a time."""
    return synapse_sums(S), 0


@helper
def named(circuit):
    """`Packed` of what a call has, flat."""
    elastance, neuron, start, pre, constants, weights, sensory_start, sensory_pre, sensory_constants, others = circuit
    recurrent = Synapses(start, pre, constants, weights)
    return Packed(elastance, neuron, recurrent, Synapses(sensory_start, sensory_pre, sensory_constants, others))


@helper
def named_outgoing(outgoing):
    """`Outgoing` of the recurrent and of the sensory synapses."""
    start, post, constants, weights, sensory_start, sensory_post, sensory_constants, others = outgoing
    recurrent = Outgoing(start, post, constants, weights)
    return recurrent, Outgoing(sensory_start, sensory_post, sensory_constants, others)


@helper
def _neuron(circuit, i):
    values = circuit.neuron
    return Neuron(values[i, 0], values[i, 1], values[i, 2], values[i, 3], values[i, 4], values[i, 5])


@helper
def _drives(synapses, i, lane, L, source, f, z, a):
    """f + sum of w*s, z + sum of h*s and a + sum of weight*source over the synapses of post i."""
    start, pre, constants, weights = synapses  # columns of constants: see `Synapses`
    for s in range(start[i], start[i + 1]):
        v, k = load_like(source, element(pre, s) * L + lane, f), 5 * s
        y = sigmoid2(fma(element(constants, k), v, element(constants, k + 1)))
        f = fma(element(constants, k + 2), y, f)
        z = fma(element(constants, k + 3), y, z)
        if weights.size > 0:
            a = fma(element(weights, s), v, a)
    return f, z, a


@helper
def _sigmoid(outgoing, s, v):
    k = 5 * s
    return sigmoid2(fma(element(outgoing.constants, k), v, element(outgoing.constants, k + 1)))


@helper
def _d_drive(outgoing, s, v, y, lane, L, d_drives, d_v, sums):
    """Adjoint of a synapse in the lanes of v, given its sigmoid: d_v with its part, and adds to its sums.

    The sums: y*df, y*dz, d_y and d_y*v, where d_y is the adjoint of sigma*(v - mu); behind those of all synapses: da*v.
    """
    constants, weights = outgoing.constants, outgoing.weights
    W, S, k, NL = vector_size(sums), outgoing.post.size, 5 * s, d_drives.size // DRIVES
    post = element(outgoing.post, s) * L + lane
    df, dz, da = (
        load_like(d_drives, post, v), load_like(d_drives, NL + post, v), load_like(d_drives, 2 * NL + post, v),
    )  # fmt: skip
    r = y * fma(df, element(constants, k + 2), dz * element(constants, k + 3))
    d_y = fnma(r, y, r)
    d_v = fma(d_y, element(constants, k + 4), d_v)
    at = 4 * W * s
    store(sums, at, add_product(load(sums, at), y, df))
    store(sums, at + W, add_product(load(sums, at + W), y, dz))
    store(sums, at + 2 * W, add_parts(load(sums, at + 2 * W), d_y))
    store(sums, at + 3 * W, add_product(load(sums, at + 3 * W), d_y, v))
    if weights.size > 0:
        at = W * (4 * S + s)
        store(sums, at, add_product(load(sums, at), da, v))
        d_v = fma(da, element(weights, s), d_v)
    return d_v


@helper
def d_synapse(outgoing, s, L, v, d_drives, sums):
    """Adjoint of synapse s alone, whose source is v, in all L lanes: what comes back; adds to its sums."""
    none = splat_like(d_drives.dtype.type(0), v)
    return _d_drive(outgoing, s, v, _sigmoid(outgoing, s, v), np.int64(0), L, d_drives, none, sums)


@helper
def d_leak(circuit, L, step, d, neuron_sums, pairs):
    """Nothing: what concerns leak and bias is added stage by stage."""


@helper
def _d_drives(outgoing, j, lane, L, v, d_drives, sums):
    """What comes back to source j, which is v and has a synapse, every sigmoid ahead of its predecessor's use."""
    d_v, last = splat_like(d_drives.dtype.type(0), v), outgoing.start[j + 1] - 1
    y = _sigmoid(outgoing, outgoing.start[j], v)
    for s in range(outgoing.start[j], last):
        ahead = _sigmoid(outgoing, s + 1, v)
        d_v = _d_drive(outgoing, s, v, y, lane, L, d_drives, d_v, sums)
        y = ahead
    return _d_drive(outgoing, last, v, y, lane, L, d_drives, d_v, sums)


@helper
def _d_sources(outgoing, L, source, d_drives, d_source, sums, pairs):
    """Adds to d_source of all sources, in all lanes, what `_d_drives` says."""
    for j in range(outgoing.start.size - 1):
        if outgoing.start[j] == outgoing.start[j + 1]:
            continue
        for lane in range(0, L, unit_size(source, pairs)):
            k = j * L + lane
            d_v = _d_drives(outgoing, j, lane, L, load_unit(source, k, pairs), d_drives, sums)
            store(d_source, k, load_unit(d_source, k, pairs) + d_v)


@inlined
def from_inputs(circuit, i, lane, L, h, step):
    """f, z and a of leak, bias and sensory synapses, constant over a time step."""
    k, NL, leak = i * L + lane, step.total.size, splat_like(circuit.neuron[i, 0], h)
    f, z, a = _drives(circuit.sensory, i, lane, L, step.inputs, leak, leak, splat_like(circuit.neuron[i, 2], h))
    store(step.drives, k, f)
    store(step.drives, NL + k, z)
    store(step.drives, 2 * NL + k, a)


@inlined
def advance(circuit, solver, i, lane, L, h, step, stage):
    """One stage of post i in the lanes of h."""
    k, NL = i * L + lane, step.total.size
    f, z = load_like(step.drives, k, h), load_like(step.drives, NL + k, h)
    f, z, a = _drives(circuit.recurrent, i, lane, L, stage.v, f, z, load_like(step.drives, 2 * NL + k, h))
    advance_neuron(circuit.elastance, solver, _neuron(circuit, i), stage, k, h, f, z, a, step.total)


@helper
def _d_advance(circuit, solver, i, lane, L, h, stage, d, sums):
    """Adjoint of `advance` as far as f, z and a, in the lanes of h; adds to its neuron's sums, and to d.elapsed."""
    W, k, NL = vector_size(d.v), i * L + lane, stage.v.size
    at = NEURON_SUMS * W * i
    # What `lrc_neuron.d_advance_neuron` returns, in its order.
    df, dz, da, dh, d_vleak, d_weight, d_shift = d_advance_neuron(
        circuit.elastance, solver, _neuron(circuit, i), stage, k, h, d.v, d.base, d.end
    )
    store(d.drives, k, df)
    store(d.drives, NL + k, dz)
    store(d.drives, 2 * NL + k, da)
    store(d.step_drives, k, load_like(d.step_drives, k, h) + df)
    store(d.step_drives, NL + k, load_like(d.step_drives, NL + k, h) + dz)
    store(d.step_drives, 2 * NL + k, load_like(d.step_drives, 2 * NL + k, h) + da)
    store(d.elapsed, lane, load_like(d.elapsed, lane, h) + dh)
    store(sums, at, add_parts(load(sums, at), df + dz))
    store(sums, at + W, add_parts(load(sums, at + W), d_vleak))
    store(sums, at + 2 * W, add_parts(load(sums, at + 2 * W), da))
    store(sums, at + 3 * W, add_parts(load(sums, at + 3 * W), d_weight))
    store(sums, at + 4 * W, add_parts(load(sums, at + 4 * W), d_shift))


@helper
def d_advance(circuit, solver, L, step, stage, want_dt, d, sums, pairs):
    """Adjoint of `advance`, of all neurons in all lanes; that of h costs nothing."""
    for i in range(circuit.neuron.shape[0]):
        for lane in range(0, L, unit_size(step.h, pairs)):
            _d_advance(circuit, solver, i, lane, L, load_unit(step.h, lane, pairs), stage, d, sums)


@helper
def d_recurrent(outgoing, L, stage, d, sums, source_sums, row, pairs):
    """Adjoint of the recurrent synapses."""
    _d_sources(outgoing[0], L, stage.v, d.drives, d.v, sums, pairs)


@helper
def d_from_inputs(circuit, outgoing, L, step, d, sums, neuron_sums, pairs):
    """Adjoint of `from_inputs`; what concerns leak and bias has been added stage by stage."""
    _d_sources(outgoing[1], L, step.inputs, d.step_drives, d.inputs, sums, pairs)


# The last line, since it needs all parts above; in the order in which `neuron_major.sweep` gives them.
forward_sizes, backward_sizes, forward, backward, *_ = sweep(sys.modules[__name__])
