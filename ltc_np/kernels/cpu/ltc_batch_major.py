"""The LTC's parts of `batch_major`: its synapses and neurons, for vectors of neurons."""

import sys
from typing import NamedTuple

import numpy as np

from .batch_major import sweep
from .jit import helper, inlined, table
from .ltc_neuron_major import D_ELAPSED_READS_DRIVES, DRIVES, KEPT
from .ltc_solvers import advance as solve
from .ltc_solvers import d_advance as d_solve
from .ltc_solvers import d_elapsed as d_solve_elapsed
from .simd import element, fma, fnma, lane_sum, load, sigmoid2, splat, store, vector_size, zeros

__all__ = ["D_ELAPSED_READS_DRIVES", "DRIVES", "KEPT", "backward", "backward_sizes", "forward", "forward_sizes"]

SUMS = 4  # of a synapse those of `ltc_neuron_major`, of a neuron d_p, d_q, d_cm, 0


class Packed(NamedTuple):
    """A circuit: neuron (3, M) [cm, g + epsilon, g*l], recurrent (N, 6, M), sensory (I, 6, M).

    The constants of `ltc_neuron_major.Synapses` at [pre, k, post]; 0 for padding, 1 for its cm.
    """

    neuron: np.ndarray
    recurrent: np.ndarray
    sensory: np.ndarray


@table
def flush_steps(K):
    """Steps whose sums are added in the working precision, however many stages they have."""
    return 8


@helper
def named(circuit):
    """`Packed` of what a call has."""
    return Packed(*circuit)


@helper
def _currents(constants, i, M, source, p, q):
    """p + sum of w*erev*s and q + sum of w*s over all presynaptic neurons, for the vector of posts at i."""
    for j in range(constants.shape[0]):
        k = 6 * M * j + i  # of the constants of `ltc_neuron_major.Synapses`, one row of M behind the other
        y = sigmoid2(fma(load(constants, k), splat(element(source, j)), load(constants, M + k)))
        q = fma(load(constants, 2 * M + k), y, q)
        p = fma(load(constants, 3 * M + k), y, p)
    return p, q


@helper
def d_synapses(constants, M, source, d_drives, d_source, sums):
    """Adjoint of `_currents`: adds to d_source, and to sums (n_pre, 4, M), those of `ltc_neuron_major`."""
    for j in range(constants.shape[0]):
        v = splat(element(source, j))
        d_v = zeros(source)
        for i in range(0, M, vector_size(constants)):
            k, at = 6 * M * j + i, 4 * M * j + i
            dp = load(d_drives, i)
            dq = load(d_drives, M + i)
            y = sigmoid2(fma(load(constants, k), v, load(constants, M + k)))
            r = y * fma(dp, load(constants, 4 * M + k), dq)
            z = fnma(r, y, r)
            d_v = fma(z, load(constants, 5 * M + k), d_v)
            store(sums, at, load(sums, at) + r)
            store(sums, M + at, fma(y, dp, load(sums, M + at)))
            store(sums, 2 * M + at, load(sums, 2 * M + at) + z)
            store(sums, 3 * M + at, fma(z, v, load(sums, 3 * M + at)))
        d_source[j] += lane_sum(d_v)


@helper
def from_inputs(circuit, i, M, inputs, step):
    """P and Q of the leak and the sensory synapses, constant over a time step."""
    p, q = _currents(circuit.sensory, i, M, inputs, load(circuit.neuron[2], i), load(circuit.neuron[1], i))
    store(step.drives, i, p)
    store(step.drives, M + i, q)


@helper
def advance(circuit, solver, i, M, h, step, stage):
    """One stage of the posts at i: their new state, and their conductance unless ``stage.rates`` is empty."""
    p, q = _currents(circuit.recurrent, i, M, stage.v, load(step.drives, i), load(step.drives, M + i))
    cm = load(circuit.neuron[0], i)
    store(stage.new, i, solve(solver, stage.number, i, h, cm, p, q, stage.base, stage.v, step.total))
    if stage.rates.size > 0:
        store(stage.rates, i, q)


@inlined
def d_advance(circuit, solver, M, h, step, stage, want_dt, d, sums, d_elapsed):
    """Adjoint of `advance` as far as p and q, of all neurons."""
    number, base, v, new, rates, _ = stage
    for i in range(0, M, vector_size(v)):
        q, cm = load(rates, i), load(circuit.neuron[0], i)
        if want_dt:
            p, _ = _currents(circuit.recurrent, i, M, v, load(step.drives, i), q)
            scaled, flow = d_solve_elapsed(solver, number, i, h, cm, p, q, base, v, new, d.v, d.end)
            d_elapsed = fma(scaled, flow, d_elapsed)
        dp, dq, scaled, change = d_solve(solver, number, i, h, cm, q, base, v, new, d.v, d.base, d.end)
        store(d.drives, i, dp)
        store(d.drives, M + i, dq)
        store(d.step_drives, i, load(d.step_drives, i) + dp)
        store(d.step_drives, M + i, load(d.step_drives, M + i) + dq)
        store(sums, i, load(sums, i) + dp)
        store(sums, M + i, load(sums, M + i) + dq)
        store(sums, 2 * M + i, fma(scaled, change, load(sums, 2 * M + i)))
    return d_elapsed


# The last line, since it needs all parts above; in the order in which `batch_major.sweep` gives them.
forward_sizes, backward_sizes, forward, backward = sweep(sys.modules[__name__])
