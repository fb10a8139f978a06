"""Steps of training an LTC on squared errors, batch after batch of one size, in arrays that stay the same.

Each batch of a training step by step takes a hundred calls of Python and NumPy, which at the size of the tutorial need
several times as long as the sweeps over time.  Here one kernel makes the steps of many batches.  It is made of the
helpers that the usual way calls one by one, calls the kernels of the sweeps by their addresses, and takes a sequence's
numbers where all data lie.

Arguments of `steps`, which its helpers take parts of:
    rows (K, B): the sequences of K batches;  stages: from and to, of the five that a step has
    per_step: ``scales`` (K,) of the errors' adjoints, ``numbers`` (K, 5) of Adam, ``found`` (K, 2) the results
    data: x (n, T, I), dt (n, T), steps (n,), target (n, T, O) of all sequences;  batch: those of B, x mapped
    vectors: theta, values, d_values, gradient (P,): raw parameters, effective ones, their gradients and theirs
    ranges: those of `to_effective`
    circuit: places, gains, epsilon, orders and what `pack` fills
    inputs, outputs: w, b, d_w, d_b of the mappings
    swept: outputs motor (B, T, O) and d_motor, gradient rows ``sums``, d_x, and ``errors`` (O,) to work in
    moving: before, m, v (P,), or empty where steps are made elsewhere
    forward, backward: `Sweep.calls`
"""

import math
from typing import Any, NamedTuple

import numpy as np

from . import tiles
from .adam import in_precision_of, moved
from .arguments import Adjoints, Sequences, of_mapping
from .effective import Logaddexp, at_least, to_effective, to_raw
from .jit import helper, kernel
from .ltc import pack, parts, unpack
from .mapping import d_mapped, d_mapped_lanes, mapped, mapped_lanes
from .native import call
from .simd import add_wide, load, store, vector_size

STAGES = 5


@helper
def _begin(rows, data, batch, vectors, ranges, circuit, inputs):
    """What the forward sweep reads: the sequences ``rows`` of the data, mapped, and the circuit packed."""
    x, dt, steps, _ = data
    to_x, to_dt, to_steps = batch
    theta, values, _, _ = vectors
    softplus, clipped, least, logaddexp = ranges
    places, (gain, sensory_gain), epsilon, orders, (to_neuron, constants, sensory_constants) = circuit
    w, b, _, _ = inputs
    to_effective(theta, softplus, clipped, least, logaddexp, values)
    for s in range(rows.size):
        row = rows[s]
        to_steps[s] = steps[row]
        for t in range(x.shape[1]):
            to_dt[s, t] = dt[row, t]
            for k in range(x.shape[2]):
                to_x[s, t, k] = mapped(x[row, t, k], w, b, k)
    neuron, synapses, sensory = parts(values, places)
    pack(neuron, (*synapses, gain), (*sensory, sensory_gain), epsilon, orders, to_neuron, constants, sensory_constants)


@helper
def _d_outputs(rows, target, steps, scale, vectors, outputs, swept):
    """``scale`` times the adjoint of the outputs' squared errors, whose sums are in ``errors`` then.

    Gradient rows and the gradient of all effective values, of which d_w and d_b are parts, begin at 0.
    """
    w, b, d_w, d_b = outputs
    motor, d_motor, sums, _, errors = swept
    _, _, d_values, _ = vectors
    sums[:] = 0
    d_values[:] = 0
    errors[:] = 0
    (_, T, O), W = motor.shape, vector_size(motor)
    in_vectors = O - O % W
    for s in range(rows.size):
        row, end = rows[s], steps[s]
        for t in range(end):
            at, there = (s * T + t) * O, (row * T + t) * O
            for k in range(0, in_vectors, W):
                u = load(motor, at + k)
                error = mapped_lanes(u, w, b, k) - load(target, there + k)
                add_wide(errors, k, error * error)
                store(d_motor, at + k, d_mapped_lanes(u, (error + error) * scale, w, d_w, d_b, k))
            for k in range(in_vectors, O):
                error = mapped(motor[s, t, k], w, b, k) - target[row, t, k]
                errors[k] += error * error
                d_motor[s, t, k] = d_mapped(motor[s, t, k], (error + error) * scale, w, d_w, d_b, k)
        d_motor[s, end:] = 0


@helper
def _gradient(rows, x, vectors, ranges, circuit, inputs, swept):
    """The gradient of raw parameters from what the backward sweep has left, which are gradient rows and d_x.

    Returns the sum of the squared errors, and the gradient's norm.
    """
    _, values, d_values, gradient = vectors
    softplus, _, _, _ = ranges
    places, (gain, sensory_gain), _, orders, _ = circuit
    w, _, d_w, d_b = inputs
    _, _, sums, d_x, errors = swept
    neuron, synapses, sensory = parts(values, places)
    d_neuron, d_synapses, d_sensory = parts(d_values, places)
    unpack(sums, orders, neuron, (*synapses, gain), (*sensory, sensory_gain), d_neuron, d_synapses, d_sensory)
    for s in range(rows.size):
        for t in range(d_x.shape[1]):
            for k in range(d_x.shape[2]):
                d_mapped(x[rows[s], t, k], d_x[s, t, k], w, d_w, d_b, k)
    to_raw(values, d_values, softplus, gradient)
    total, squares = 0.0, 0.0
    for k in range(errors.size):
        total += errors[k]
    for k in range(gradient.size):
        g = np.float64(gradient[k])
        squares += g * g
    return total, math.sqrt(squares)


@helper
def _move(vectors, ranges, moving, numbers):
    """A step of Adam with its numbers; before is what theta was."""
    theta, _, _, gradient = vectors
    _, clipped, least, _ = ranges
    before, m, v = moving
    if before.size == 0:
        return
    numbers = in_precision_of(theta, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
    for k in range(theta.size):
        before[k] = theta[k]
        theta[k] -= moved(k, gradient, m, v, numbers)
    at_least(theta, clipped, least)


@helper
def _call_each(calls):
    for group in range(calls.shape[0]):
        call(calls[group])


@kernel
def steps(
    rows, stages, per_step, max_norm, data, batch, vectors, ranges, circuit, inputs, outputs, swept, moving, forward,
    backward
):  # fmt: skip
    """Steps with K batches: the sum of the squared errors and the norm of the gradient, of each, are in ``found``.

    Where both are finite the gradient is clipped to ``max_norm``, and Adam makes a step.  Else that batch is the last.
    """
    (first, last), (scales, numbers, found) = stages, per_step
    _, _, _, gradient = vectors
    for k in range(rows.shape[0]):
        if first <= 0 < last:
            _begin(rows[k], data, batch, vectors, ranges, circuit, inputs)
        if first <= 1 < last:
            _call_each(forward)
        if first <= 2 < last:
            _d_outputs(rows[k], data[3], batch[2], scales[k], vectors, outputs, swept)
        if first <= 3 < last:
            _call_each(backward)
        if first <= 4 < last:
            total, norm = _gradient(rows[k], data[0], vectors, ranges, circuit, inputs, swept)
            found[k, 0], found[k, 1] = total, norm
            if not (math.isfinite(norm) and math.isfinite(total)):
                return
            if norm > max_norm:
                for p in range(gradient.size):
                    gradient[p] = gradient[p] * (max_norm / norm)
            _move(vectors, ranges, moving, numbers[k])


class Bound(NamedTuple):
    """Steps with batches of one size: arguments of `steps`, and the `Sweep` in either direction."""

    given: tuple
    swept: tuple
    calls: tuple
    forward: tiles.Sweep
    backward: tiles.Sweep

    @property
    def shared(self):
        """Whether several threads share a batch, so that a call is for one batch."""
        return self.forward.workers > 1

    def run(self, rows, scales, max_norm, moving, numbers):
        """Steps with K batches, or less if a result is not finite: ``found`` of `steps`, NaN where none was made.

        Parameters
        ----------
        rows : (K, B) int64 array
        scales : (K,) array
        max_norm : float
        moving : tuple of arrays
        numbers : (K, 5) array
        """
        found = np.full((len(rows), 2), np.nan)
        before, after = (rows,), ((scales, numbers, found), max_norm, *self.given, self.swept, moving, *self.calls)
        if not self.shared:
            steps(*before, (0, STAGES), *after)
            return found
        steps(*before, (0, 1), *after)
        self.forward.run()
        steps(*before, (2, 3), *after)
        self.backward.run()
        steps(*before, (4, STAGES), *after)
        return found


def bind(circuit, layer, layout, p, g, vectors, data, h0, keep, workspace):
    """`Bound` for batches of as many sequences as ``h0`` has; None where there is no such thing.

    Parameters
    ----------
    circuit : Circuit
        It is packed anew for each batch, since its effective values are others then.
    layer : LTC
        Whose rule and mappings are those of the calls.
    layout : Layout
    p, g : dict
        Effective values and their gradients by name, parts of ``vectors``.
    vectors : tuple of (P,) arrays
    data : tuple of arrays
    h0 : (B, N) array
    keep, workspace
        As for `tiles.forward`.  Between calls others may work in this workspace.
    """
    (B, _), (_, T, I), O, dtype = h0.shape, data[0].shape, data[3].shape[2], h0.dtype
    theta, values, _, _ = vectors
    batch = Sequences(
        x=workspace.array("mapped_input", B * T * I, dtype).reshape(B, T, I),
        dt=workspace.array("dt", B * T, dtype).reshape(B, T),
        steps=workspace.array("steps", B, np.dtype(np.int64)),
    )
    d_motor = workspace.array("d_mapped_output", B * T * O, dtype).reshape(B, T, O)
    adjoints = Adjoints(d_out=d_motor, d_h=np.zeros(h0.shape, dtype))
    sweeps = tiles.bind_both(circuit, batch, h0, adjoints, layer.rule, keep, workspace)
    if sweeps is None:
        return None
    (neuron, _, _, constants, _, _, sensory), (_, (_, _, _, outgoing, _, _, _, sensory_outgoing)) = circuit.packed(
        False
    )
    (_, (*_, gain), (*_, sensory_gain)) = circuit.values
    clipped, least = layout.clip_bounds
    ranges = layout.softplus_bounds, clipped, least.astype(dtype), tuple(Logaddexp.make(layout, theta, values))
    packed = neuron, (constants, outgoing), (sensory, sensory_outgoing)
    of_circuit = circuit.places(layout), (gain, sensory_gain), circuit.epsilon, circuit.orders, packed
    mappings = (layer.input_mapping, "input"), (layer.output_mapping, "output")
    inputs, outputs = ((*of_mapping(*mapping, p), *of_mapping(*mapping, g)) for mapping in mappings)
    swept = sweeps.out, d_motor, sweeps.rows, sweeps.d_x, np.empty(O)
    calls = sweeps.forward.calls(), sweeps.backward.calls()
    given: Any = data, tuple(batch), vectors, ranges, of_circuit, inputs, outputs
    return Bound(given, swept, calls, sweeps.forward, sweeps.backward)
