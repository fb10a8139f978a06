"""One step of a synaptic cell, and how the derivatives of its potentials by its parameters go on: the definition.

One stage of the solver is v+ = F(v, base, theta), base being the potentials before the unfold.  With J = dv/dtheta,

    J+ = dF/dv J + dF/dbase J_base + dF/dtheta

docs/online.md derives it.  No formula of a cell stands here: `d_advance` of the cell's circuit, given one sequence for
each neuron, all alike, and the adjoint 1 at neuron i in sequence i, answers with row i of the first two; and since a
parameter of neurons and synapses moves one neuron directly, the gradient summed over these sequences is what stands in
the third.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...base.workspace import Fresh
from .mapping import map_features
from .synaptic import take_step, unfold_length


class Followed(NamedTuple):
    """What a step reads and writes.

    x (I,), dt (1,), state (N,), y (O,); J (3, size): row 0 has the sensitivities, as the plan says, the others are
    to work in
    """

    x: np.ndarray
    dt: np.ndarray
    state: np.ndarray
    y: np.ndarray
    J: np.ndarray


class Dense:
    """The sensitivities of a plan as a matrix (N, P), and what the method lets through."""

    def __init__(self, plan):
        self.plan, self.places, (self.N, self.P) = plan, plan.entries(), (plan.N, plan.P)

    def of(self, J):
        """The matrix of the compact form (size,)."""
        places, rows, parameters = self.places
        full = np.zeros((self.N, self.P), J.dtype)
        full[rows, parameters] = J[places]
        return full

    def compact(self, full):
        """Inverse of `of`; what is not followed is left out."""
        places, rows, parameters = self.places
        J = np.zeros(self.plan.size, full.dtype)
        J[places] = full[rows, parameters]
        return J

    def through(self, D):
        """The derivatives (N, N) by the potentials before, as the method has them."""
        return D * (np.eye(self.N, dtype=D.dtype) if self.plan.diagonal else 1) * self.plan.carried


def bind(circuit, layout, values, factor, plan, arrays):
    """Two functions, in arrays that stay the same: one without arguments that takes a step, and `_collect`.

    Who changes values and factor binds anew.

    Parameters
    ----------
    circuit : Circuit
    layout : Layout
    values : (P,) array
        Effective parameters of the layer; P_own of them are of neurons and synapses and come first.
    factor : (P_own,) array
        Derivatives of what the circuit has by the raw ones.
    plan : Plan
        See `ltc_np.online.synaptic_plan`.
    arrays : Followed
    """
    dense = Dense(plan)
    step = partial(_step, circuit, layout, layout.arrays(values), factor, plan, dense, arrays)
    return step, partial(_collect, dense, arrays.J)


def _step(circuit, layout, p, factor, plan, dense, arrays):
    x, dt, state, y, J = arrays
    N, I, own_count, rule, (to_inputs, to_outputs) = state.size, x.size, factor.size, plan.rule, plan.mappings
    mapped = map_features(to_inputs, "input", x[None, None], p, Fresh())[0]
    _, sensory = circuit.from_inputs(mapped)
    h = unfold_length(dt[None], 0, rule)
    history = take_step(circuit, rule, state[None], h, sensory)
    # From here on N sequences, all alike.
    inputs = np.repeat(mapped, N, axis=0)
    s_sensory, sensory = circuit.from_inputs(inputs)
    history = [np.repeat(v, N, axis=0) for v in history]
    now = base = dense.of(J[0])
    for k in range(rule.evaluations):
        stage = k % rule.stages
        if stage == 0:
            base = now
        given = rule.solver, stage, h, history[k - stage], history[k], history[k + 1], np.eye(N, dtype=x.dtype)
        own = np.zeros(layout.size)
        g = layout.arrays(own)
        d_sums, _, D, D_base, _ = circuit.d_advance(*given, np.zeros((N, N), x.dtype), None, sensory, g)
        D_inputs = circuit.d_from_inputs(inputs, s_sensory, d_sums, g)
        after = dense.through(D) @ now
        if stage:
            after += dense.through(D_base) @ base
        after[plan.neurons, np.arange(own_count)] += factor * own[:own_count]
        if to_inputs is not None:  # a feature moves several neurons
            after[:, own_count : own_count + I] += D_inputs * x
        if to_inputs == "affine":
            after[:, own_count + I : own_count + 2 * I] += D_inputs
        now = dense.of(dense.compact(after))
    state[:] = history[-1][0]
    J[0] = dense.compact(now)
    y[:] = map_features(to_outputs, "output", state[None, None, : y.size], p, Fresh())[0, 0]


def _collect(dense, J, d_state, gradient):
    """Adds to gradient (P,) what the adjoint d_state (N,) of the state says of the parameters."""
    gradient += d_state @ dense.of(J[0])
