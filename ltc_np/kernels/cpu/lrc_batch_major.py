"""The LRC's parts of `batch_major`: its synapses, for vectors of neurons; `lrc_neuron` has its neurons."""

import sys
from typing import NamedTuple

import numpy as np

from .batch_major import sweep
from .jit import helper, inlined, table
from .lrc_neuron import KEPT, Neuron, advance_neuron, d_advance_neuron
from .lrc_neuron_major import D_ELAPSED_READS_DRIVES, DRIVES
from .simd import element, fma, fnma, lane_sum, load, sigmoid2, splat, store, vector_size, zeros

__all__ = ["D_ELAPSED_READS_DRIVES", "DRIVES", "KEPT", "backward", "backward_sizes", "forward", "forward_sizes"]

SUMS = 5  # of a synapse those of `lrc_neuron_major`, of a neuron d_leak, d_vleak, d_bias, d_weight, d_shift


class Synapses(NamedTuple):
    """One kind of synapse: constants (n_pre, 5, M) of `lrc_neuron_major.Synapses`, weights (n_pre, M) or (0, 0).

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


@table
def flush_steps(K):
    """Steps of 48 stages: an LRC has fewer than an LTC, and adding all sums to the row costs a tenth of a step."""
    return max(1, 48 // K)


@helper
def named(circuit):
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
    constants, weights = synapses
    for j in range(constants.shape[0]):
        k, v = 5 * M * j + i, splat(element(source, j))  # of the constants of `lrc_neuron_major.Synapses`
        y = sigmoid2(fma(load(constants, k), v, load(constants, M + k)))
        f = fma(load(constants, 2 * M + k), y, f)
        z = fma(load(constants, 3 * M + k), y, z)
        if weights.size > 0:
            a = fma(load(weights, M * j + i), v, a)
    return f, z, a


@helper
def d_synapses(synapses, M, source, d_drives, d_source, sums):
    """Adjoint of `_drives`: adds to d_source, and to sums (n_pre, 5, M), those of `lrc_neuron_major`."""
    constants, weights = synapses
    for j in range(constants.shape[0]):
        v = splat(element(source, j))
        d_v = zeros(source)
        for i in range(0, M, vector_size(constants)):
            k = 5 * M * j + i
            df, dz = load(d_drives, i), load(d_drives, M + i)
            y = sigmoid2(fma(load(constants, k), v, load(constants, M + k)))
            r = y * fma(df, load(constants, 2 * M + k), dz * load(constants, 3 * M + k))
            d_y = fnma(r, y, r)
            d_v = fma(d_y, load(constants, 4 * M + k), d_v)
            store(sums, k, fma(y, df, load(sums, k)))
            store(sums, M + k, fma(y, dz, load(sums, M + k)))
            store(sums, 2 * M + k, load(sums, 2 * M + k) + d_y)
            store(sums, 3 * M + k, fma(d_y, v, load(sums, 3 * M + k)))
            if weights.size > 0:
                da = load(d_drives, 2 * M + i)
                store(sums, 4 * M + k, fma(da, v, load(sums, 4 * M + k)))
                d_v = fma(da, load(weights, M * j + i), d_v)
        d_source[j] += lane_sum(d_v)


@helper
def _add(array, k, vector):
    store(array, k, load(array, k) + vector)


@helper
def from_inputs(circuit, i, M, inputs, step):
    """f, z and a of leak, bias and sensory synapses, constant over a time step."""
    neuron = _neuron(circuit, i)
    f, z, a = _drives(circuit.sensory, i, M, inputs, neuron.leak, neuron.leak, neuron.bias)
    store(step.drives, i, f)
    store(step.drives, M + i, z)
    store(step.drives, 2 * M + i, a)


@inlined
def advance(circuit, solver, i, M, h, step, stage):
    """One stage of the posts at i."""
    f, z, a = load(step.drives, i), load(step.drives, M + i), load(step.drives, 2 * M + i)
    f, z, a = _drives(circuit.recurrent, i, M, stage.v, f, z, a)
    advance_neuron(circuit.elastance, solver, _neuron(circuit, i), stage, i, h, f, z, a, step.total)


@helper
def d_advance(circuit, solver, M, h, step, stage, want_dt, d, sums, d_elapsed):
    """Adjoint of `advance` as far as f, z and a, of all neurons; that of h costs nothing."""
    for i in range(0, M, vector_size(stage.v)):
        # What `lrc_neuron.d_advance_neuron` returns, in its order.
        df, dz, da, dh, d_vleak, d_weight, d_shift = d_advance_neuron(
            circuit.elastance, solver, _neuron(circuit, i), stage, i, h, d.v, d.base, d.end
        )
        store(d.drives, i, df)
        store(d.drives, M + i, dz)
        store(d.drives, 2 * M + i, da)
        _add(d.step_drives, i, df)
        _add(d.step_drives, M + i, dz)
        _add(d.step_drives, 2 * M + i, da)
        d_elapsed = d_elapsed + dh
        _add(sums, i, df + dz)
        _add(sums, M + i, d_vleak)
        _add(sums, 2 * M + i, da)
        _add(sums, 3 * M + i, d_weight)
        _add(sums, 4 * M + i, d_shift)
    return d_elapsed


# The last line, since it needs all parts above; in the order in which `batch_major.sweep` gives them.
forward_sizes, backward_sizes, forward, backward = sweep(sys.modules[__name__])
