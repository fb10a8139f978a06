"""The LRC's neuron: what the sums of its synapses make of its state in one stage, for a vector of neurons or of lanes.

Both loop orders call it.  The solvers are those of `ltc_solvers` with P = vleak tanh(z), Q = sigmoid(f), a capacity of
1 and the length h epsilon; `ltc_np.kernels.numpy.lrc` is the definition.  h, f, z and a are vectors, parameters of a
neuron vectors or numbers; states and their adjoints are flat arrays, of which element k and the following are meant.
"""

from typing import NamedTuple

from .elastance import d_elastance_of, elastance_of
from .jit import inlined
from .ltc_solvers import advance, d_advance, d_elapsed
from .simd import fnma, load_like, sigmoid, store, tanh

# Of a neuron and stage R = sigmoid(f), U = tanh(z) and a are kept for the backward pass, in this order.
KEPT = 3


class Neuron(NamedTuple):
    """Parameters of a neuron: gleak, vleak, and of the elastance bias, weight of the own state, shift and its `gap`."""

    leak: object
    vleak: object
    bias: object
    weight: object
    shift: object
    gap: object


@inlined
def advance_neuron(kind, solver, neuron, stage, k, h, f, z, a, total):
    """The state that a stage ends with, which it stores; ``total`` is changed by solvers with a tableau."""
    one, size = stage.v.dtype.type(1), stage.v.size
    a = a + neuron.weight * load_like(stage.v, k, a)
    R, U = sigmoid(f), tanh(z)
    epsilon, _, _ = elastance_of(kind, a, neuron.shift, neuron.gap, one)
    length = h * epsilon
    new = advance(solver, stage.number, k, length, one, neuron.vleak * U, R, stage.base, stage.v, total)
    store(stage.new, k, new)
    if stage.rates.size > 0:
        store(stage.rates, k, R)
        store(stage.rates, size + k, U)
        store(stage.rates, 2 * size + k, a)


@inlined
def d_advance_neuron(kind, solver, neuron, stage, k, h, d_v, d_base, d_end):
    """Adjoint of `advance_neuron`: d_f, d_z, d_a, d_h, and the terms of d_vleak and of those of weight and shift.

    ``d_v`` is the adjoint of the new state and becomes that of the old one, its part through the synapses left out.
    """
    one, size = stage.v.dtype.type(1), stage.v.size
    R, U, a = load_like(stage.rates, k, h), load_like(stage.rates, size + k, h), load_like(stage.rates, 2 * size + k, h)
    epsilon, s, r = elastance_of(kind, a, neuron.shift, neuron.gap, one)
    v, P, length = load_like(stage.v, k, h), neuron.vleak * U, h * epsilon
    scaled, flow = d_elapsed(solver, stage.number, k, length, one, P, R, stage.base, stage.v, stage.new, d_v, d_end)
    d_P, d_R, _, _ = d_advance(
        solver, stage.number, k, length, one, R, stage.base, stage.v, stage.new, d_v, d_base, d_end
    )
    d_length = scaled * flow
    d_a, d_shift = d_elastance_of(epsilon, s, r, neuron.gap, one, d_length * h)
    store(d_v, k, load_like(d_v, k, h) + d_a * neuron.weight)
    d_z = d_P * neuron.vleak * fnma(U, U, one)
    return d_R * fnma(R, R, R), d_z, d_a, d_length * epsilon, d_P * U, d_a * v, d_shift
