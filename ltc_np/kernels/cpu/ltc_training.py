"""Steps of training an LTC, alone or before a `Dense`, batch after batch of one size, in arrays that stay the same.

Each batch of a training step by step takes a hundred calls of Python and NumPy, which at the size of the tutorial need
several times as long as the sweeps over time.  Here one kernel makes the steps of many batches.  It takes a sequence's
numbers where all data lie, and calls other kernels by their addresses: the sweeps, those of the head, which is what
lies between outputs and their adjoints, and the optimiser's.  So it is compiled once, whatever the loss is.

Arguments of `steps`, which its helpers take parts of:
    rows (K, B): the sequences of K batches;  stages: from and to, of the five that a step has
    per_step: ``numbers`` (K, n), what ``now`` is in each step, and ``found`` (K, 2), the results
    data: x (n, T, I), dt (n, T), steps (n,), target (n, T, -) or (n, 1, -) of all sequences
    batch: those of B, x mapped
    vectors: theta, values, d_values, gradient (P,): raw parameters, effective ones, their gradients and theirs
    ranges: those of `to_effective`
    circuit: places, gains, epsilon, orders and what `pack` fills
    inputs: w, b, d_w, d_b of the mapping
    swept: gradient rows ``sums``, d_x;  ``now``: the errors' scale, and what `updates` takes; ``total`` (1,) of losses
    calls: forward, head, backward, update: rows of `native.words`; without the last one steps are made elsewhere
"""

import math
from typing import NamedTuple

import numpy as np

from . import dense, losses, mapping, tiles
from .arguments import Adjoints, Sequences, of_mapping
from .effective import Logaddexp, at_least, to_effective, to_raw
from .jit import helper, kernel
from .ltc import pack, parts, unpack
from .mapping import d_mapped, mapped
from .native import WORDS, call, words

STAGES = 5


@helper
def _begin(rows, data, batch, vectors, ranges, circuit, inputs, sums):
    """What the sweeps read: the sequences ``rows`` of the data, x mapped, and the circuit packed.

    Gradient rows and the gradient of all effective values begin at 0.
    """
    x, dt, steps, target = data
    to_x, to_dt, to_steps, to_target = batch
    theta, values, d_values, _ = vectors
    softplus, clipped, least, logaddexp = ranges
    places, (gain, sensory_gain), epsilon, orders, (to_neuron, constants, sensory_constants) = circuit
    w, b, _, _ = inputs
    sums[:] = 0
    d_values[:] = 0
    to_effective(theta, softplus, clipped, least, logaddexp, values)
    for s in range(rows.size):
        row = rows[s]
        to_steps[s] = steps[row]
        for t in range(x.shape[1]):
            to_dt[s, t] = dt[row, t]
            for k in range(x.shape[2]):
                to_x[s, t, k] = mapped(x[row, t, k], w, b, k)
        for t in range(target.shape[1]):
            for k in range(target.shape[2]):
                to_target[s, t, k] = target[row, t, k]
    neuron, synapses, sensory = parts(values, places)
    pack(neuron, (*synapses, gain), (*sensory, sensory_gain), epsilon, orders, to_neuron, constants, sensory_constants)


@helper
def _gradient(rows, x, vectors, ranges, circuit, inputs, swept):
    """The gradient of raw parameters from what the backward sweep has left, which are gradient rows and d_x.

    Returns its norm.
    """
    _, values, d_values, gradient = vectors
    softplus, _, _, _ = ranges
    places, (gain, sensory_gain), _, orders, _ = circuit
    w, _, d_w, d_b = inputs
    sums, d_x = swept
    neuron, synapses, sensory = parts(values, places)
    d_neuron, d_synapses, d_sensory = parts(d_values, places)
    unpack(sums, orders, neuron, (*synapses, gain), (*sensory, sensory_gain), d_neuron, d_synapses, d_sensory)
    for s in range(rows.size):
        for t in range(d_x.shape[1]):
            for k in range(d_x.shape[2]):
                d_mapped(x[rows[s], t, k], d_x[s, t, k], w, d_w, d_b, k)
    to_raw(values, d_values, softplus, gradient)
    squares = 0.0
    for k in range(gradient.size):
        g = np.float64(gradient[k])
        squares += g * g
    return math.sqrt(squares)


@helper
def _call_each(calls):
    for group in range(calls.shape[0]):
        call(calls[group])


@kernel
def steps(rows, stages, per_step, max_norm, data, batch, vectors, ranges, circuit, inputs, swept, now, total, calls):
    """Steps with K batches: the sum of the losses and the norm of the gradient, of each, are in ``found``.

    Where both are finite the gradient is clipped to ``max_norm``, and the optimiser makes a step.  Else that batch is
    the last.
    """
    (first, last), (numbers, found), (forward, head, backward, update) = stages, per_step, calls
    theta, _, _, gradient = vectors
    _, clipped, least, _ = ranges
    for k in range(rows.shape[0]):
        if first <= 0 < last:
            for n in range(now.size):
                now[n] = numbers[k, n]
            _begin(rows[k], data, batch, vectors, ranges, circuit, inputs, swept[0])
        if first <= 1 < last:
            _call_each(forward)
        if first <= 2 < last:
            _call_each(head)
        if first <= 3 < last:
            _call_each(backward)
        if first <= 4 < last:
            norm = _gradient(rows[k], data[0], vectors, ranges, circuit, inputs, swept)
            found[k, 0], found[k, 1] = total[0], norm
            if not (math.isfinite(norm) and math.isfinite(total[0])):
                return
            if norm > max_norm:
                for p in range(gradient.size):
                    gradient[p] = gradient[p] * (max_norm / norm)
            if update.shape[0]:
                _call_each(update)
                at_least(theta, clipped, least)


NONE = np.zeros((0, WORDS), np.int64)  # calls, where there are none


class Bound(NamedTuple):
    """Steps with batches of one size: arguments of `steps`, and the `Sweep` in either direction.

    ``batch_major``: the `Circuit` of sweeps in this loop order, with their gradient rows and the one that these become;
    None for those in the other one.  ``arrays`` live as long as the addresses of the head's calls.
    """

    given: tuple
    calls: tuple
    forward: tiles.Sweep
    backward: tiles.Sweep
    batch_major: tuple | None
    arrays: list

    @property
    def alone(self):
        """Whether a call is for one batch: several threads share it, or its order is packed and unpacked in NumPy."""
        return self.forward.workers > 1 or self.batch_major is not None

    def run(self, rows, max_norm, numbers, update):
        """Steps with K batches, or less if a result is not finite: ``found`` of `steps`, NaN where none was made.

        Parameters
        ----------
        rows : (K, B) int64 array
        max_norm : float
        numbers : (K, n) array
        update : (1, WORDS) array, or `NONE`
        """
        found = np.full((len(rows), 2), np.nan)
        after = (numbers, found), max_norm, *self.given, (*self.calls, update)
        if not self.alone:
            steps(rows, (0, STAGES), *after)
            return found
        steps(rows, (0, 1), *after)
        if self.batch_major is not None:
            circuit, sums, row = self.batch_major
            circuit.pack_batch_major_again()
            sums.fill(0)
        self.forward.run()
        steps(rows, (2, 3), *after)
        self.backward.run()
        if self.batch_major is not None:
            row[:] = circuit.neuron_major_row(sums)
        steps(rows, (4, STAGES), *after)
        return found


def bind(circuit, layer, values, vectors, ranges_of, data, h0, loss, readout, now, keep, workspace):
    """`Bound` for batches of as many sequences as ``h0`` has.

    Parameters
    ----------
    circuit : Circuit
        It is packed anew for each batch, since its effective values are others then.
    layer : LTC
        Whose rule and mappings are those of the calls.
    values : (p, g)
        Effective values of the layer and their gradients by name, parts of ``vectors``.
    vectors : tuple of (P,) arrays
    ranges_of : Layout
        That of the vectors, of which the layer's parameters are the first.
    data : tuple of arrays
    h0 : (B, N) array
    loss : (str, tuple)
        Name, and what `losses.call` takes besides.
    readout : (p, g) or None
        The same as ``values`` of a `Dense` that reads the outputs.
    now : array
    keep, workspace
        As for `tiles.forward`.  Between calls others may work in this workspace.
    """
    (B, _), (_, T, I), dtype = h0.shape, data[0].shape, h0.dtype
    (p, g), (theta, effective, _, _) = values, vectors
    batch = Sequences(
        x=workspace.array("mapped_input", B * T * I, dtype).reshape(B, T, I),
        dt=workspace.array("dt", B * T, dtype).reshape(B, T),
        steps=workspace.array("steps", B, np.dtype(np.int64)),
    )
    target = np.empty((B, *data[3].shape[1:]), dtype)
    d_motor = np.zeros((B, T, layer.output_size), dtype)
    adjoints = Adjoints(d_out=d_motor, d_h=np.zeros(h0.shape, dtype))
    sweeps = tiles.bind_both(circuit, batch, h0, adjoints, layer.rule, keep, workspace)
    (neuron, _, _, constants, _, _, sensory), (_, (_, _, _, outgoing, _, _, _, sensory_outgoing)) = circuit.packed(
        False
    )
    (_, (*_, gain), (*_, sensory_gain)) = circuit.values
    clipped, least = ranges_of.clip_bounds
    ranges = ranges_of.softplus_bounds, clipped, least.astype(dtype), tuple(Logaddexp.make(ranges_of, theta, effective))
    packed = neuron, (constants, outgoing), (sensory, sensory_outgoing)
    of_circuit = circuit.places(layer.layout), (gain, sensory_gain), circuit.epsilon, circuit.orders, packed
    inputs, outputs = (
        (*of_mapping(kind, side, p), *of_mapping(kind, side, g))
        for kind, side in ((layer.input_mapping, "input"), (layer.output_mapping, "output"))
    )
    total = np.zeros(1)
    first, last, y, d_y = _around(sweeps.out, d_motor, batch.steps, outputs, readout)
    kernel, given = losses.call(*loss, dtype)
    called = [*first, (kernel, (*given, y, target, batch.steps, now, d_y, total)), *last]
    head = np.stack([words(*each) for each in called])
    row, batch_major, calls = sweeps.rows, None, (NONE, head, NONE)
    if sweeps.forward.cut.batch_major:
        row = circuit.neuron_major_row(sweeps.rows)
        batch_major = circuit, sweeps.rows, row
    else:
        calls = sweeps.forward.calls(), head, sweeps.backward.calls()
    given = data, (*batch, target), vectors, ranges, of_circuit, inputs, (row, sweeps.d_x), now, total
    return Bound(given, calls, sweeps.forward, sweeps.backward, batch_major, called)


def _around(motor, d_motor, steps, outputs, readout):
    """What is called before the loss and after it, with the loss's y and d_y between: mapping, readout."""
    first, last, y, d_y = [], [], motor, d_motor
    if outputs[0].size:
        y, d_y = np.empty_like(motor), np.empty_like(motor)
        before, after = mapping.calls(motor, y, d_y, d_motor, *outputs)
        first, last = [before], [after]
    if readout is not None:
        p, g = readout
        x, d_x, shape = y, d_y, (*y.shape[:2], len(p["bias"]))
        y, d_y = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
        before, after = dense.calls(steps, x, y, d_y, d_x, p["weight"], p["bias"], g["weight"], g["bias"])
        first, last = [*first, before], [after, *last]
    return first, last, y, d_y
