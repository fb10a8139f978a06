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
    fma,
    fnma,
    load_like,
    load_sum,
    load_unit,
    sigmoid2,
    splat_like,
    store,
    sum_size,
    unit_size,
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
def _neuron(circuit, i):
    values = circuit.neuron
    return Neuron(values[i, 0], values[i, 1], values[i, 2], values[i, 3], values[i, 4], values[i, 5])


@helper
def _drives(synapses, i, lane, L, source, f, z, a):
    """f + sum of w*s, z + sum of h*s and a + sum of weight*source over the synapses of post i."""
    start, pre, constants, weights = synapses  # columns of constants: see `Synapses`
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
    """Adjoint of `_drives` in the lanes of df, with every sigmoid ahead of its predecessor's use, as the LTC's."""
    begin, end = synapses.start[i], synapses.start[i + 1]
    if begin == end:
        return
    y = _sigmoid(synapses, begin, lane, L, source, df)
    for s in range(begin, end):
        ahead = _sigmoid(synapses, min(s + 1, end - 1), lane, L, source, df)
        _d_drive(synapses, s, lane, L, source, y, df, dz, da, d_source, sums)
        y = ahead


@helper
def _d_synapses(synapses, L, source, d_drives, d_source, sums, pairs):
    """`_d_drives` of all posts, in all lanes."""
    NL = d_drives.size // DRIVES
    for i in range(NL // L):
        for lane in range(0, L, unit_size(source, pairs)):
            k = i * L + lane
            df, dz = load_unit(d_drives, k, pairs), load_unit(d_drives, NL + k, pairs)
            da = load_unit(d_drives, 2 * NL + k, pairs)
            _d_drives(synapses, i, lane, L, source, df, dz, da, d_source, sums)


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
    W, k, NL = sum_size(d.v), i * L + lane, stage.v.size
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
    store(sums, at, add_parts(load_sum(sums, at), df + dz))
    store(sums, at + W, add_parts(load_sum(sums, at + W), d_vleak))
    store(sums, at + 2 * W, add_parts(load_sum(sums, at + 2 * W), da))
    store(sums, at + 3 * W, add_parts(load_sum(sums, at + 3 * W), d_weight))
    store(sums, at + 4 * W, add_parts(load_sum(sums, at + 4 * W), d_shift))


@helper
def d_advance(circuit, solver, L, step, stage, want_dt, d, sums, pairs):
    """Adjoint of `advance`, of all neurons in all lanes; that of h costs nothing."""
    for i in range(circuit.neuron.shape[0]):
        for lane in range(0, L, unit_size(step.h, pairs)):
            _d_advance(circuit, solver, i, lane, L, load_unit(step.h, lane, pairs), stage, d, sums)


@helper
def d_recurrent(circuit, L, v, d, sums, post_sums, row, pairs):
    """Adjoint of the recurrent synapses."""
    _d_synapses(circuit.recurrent, L, v, d.drives, d.source, sums, pairs)


@helper
def d_from_inputs(circuit, L, step, d, sums, neuron_sums, pairs):
    """Adjoint of `from_inputs`; what concerns leak and bias has been added stage by stage."""
    _d_synapses(circuit.sensory, L, step.inputs, d.step_drives, d.inputs, sums, pairs)


# The last line, since it needs all parts above; in the order in which `neuron_major.sweep` gives them.
forward_sizes, backward_sizes, forward, backward = sweep(sys.modules[__name__])
