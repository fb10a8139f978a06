"""Gradients of an LTC's squared error for batch after batch of one size, in arrays that stay the same.

Each batch of a training step by step takes a hundred calls of Python and NumPy, which at the size of the tutorial need
several times as long as the sweeps over time.  Here three kernels do what stands around those sweeps.  They are made of
the helpers that the usual way calls one by one, and take a sequence's numbers where all data lie.
"""

import math

import numpy as np

from . import tiles
from .adam import in_precision_of, moved
from .arguments import Adjoints, Sequences, of_mapping
from .effective import to_raw
from .jit import kernel
from .ltc import pack, parts, unpack
from .mapping import d_mapped, d_mapped_lanes, mapped, mapped_lanes
from .simd import add_wide, load, store, vector_size


@kernel
def begin(rows, data, batch, w, b, values, places, gains, epsilon, orders, packed):
    """What the forward sweep reads: the sequences ``rows`` of the data, mapped, and the circuit packed.

    data: x (n, T, I), dt (n, T), steps (n,) of all sequences; batch: the same of (B,) rows, x mapped by w and b
    """
    x, dt, steps = data
    to_x, to_dt, to_steps = batch
    for s in range(rows.size):
        row = rows[s]
        to_steps[s] = steps[row]
        for t in range(x.shape[1]):
            to_dt[s, t] = dt[row, t]
            for k in range(x.shape[2]):
                to_x[s, t, k] = mapped(x[row, t, k], w, b, k)
    neuron, synapses, sensory = parts(values, places)
    gain, sensory_gain = gains
    pack(neuron, (*synapses, gain), (*sensory, sensory_gain), epsilon, orders, *packed)


@kernel
def d_outputs(rows, target, steps, motor, w, b, scale, sums, gradient, d_w, d_b, d_motor, found):
    """``scale`` times the adjoint of the outputs' squared errors; found (O,) has their sums.

    The outputs are motor (B, T, O) mapped by w and b, target (n, T, O) has all sequences.  Gradient rows and the
    gradient of all effective values, of which d_w and d_b are parts, begin at 0.
    """
    sums[:] = 0
    gradient[:] = 0
    found[:] = 0
    (_, T, O), W = motor.shape, vector_size(motor)
    in_vectors = O - O % W
    for s in range(rows.size):
        row, end = rows[s], steps[s]
        for t in range(end):
            at, there = (s * T + t) * O, (row * T + t) * O
            for k in range(0, in_vectors, W):
                u = load(motor, at + k)
                error = mapped_lanes(u, w, b, k) - load(target, there + k)
                add_wide(found, k, error * error)
                store(d_motor, at + k, d_mapped_lanes(u, (error + error) * scale, w, d_w, d_b, k))
            for k in range(in_vectors, O):
                error = mapped(motor[s, t, k], w, b, k) - target[row, t, k]
                found[k] += error * error
                d_motor[s, t, k] = d_mapped(motor[s, t, k], (error + error) * scale, w, d_w, d_b, k)
        d_motor[s, end:] = 0


@kernel
def finish(
    rows, x, d_x, w, d_w, d_b, sums, orders, values, d_values, places, gains, softplus, gradient, max_norm, found, step
):
    """The gradient (P,) of raw parameters, of a norm of ``max_norm`` at most, from what the backward sweep has left.

    It left gradient rows and d_x.  values and d_values (P,): effective values, and their gradients as far as they are
    known; found[0] becomes the sum of the squared errors, and found[1] the norm before.  If both are finite, and theta,
    before, m and v of ``step`` are not empty, Adam makes a step with its numbers, and before is what theta was.
    """
    neuron, synapses, sensory = parts(values, places)
    d_neuron, d_synapses, d_sensory = parts(d_values, places)
    gain, sensory_gain = gains
    unpack(sums, orders, neuron, (*synapses, gain), (*sensory, sensory_gain), d_neuron, d_synapses, d_sensory)
    for s in range(rows.size):
        for t in range(d_x.shape[1]):
            for k in range(d_x.shape[2]):
                d_mapped(x[rows[s], t, k], d_x[s, t, k], w, d_w, d_b, k)
    to_raw(values, d_values, softplus, gradient)
    total, squares = 0.0, 0.0
    for k in range(found.size):
        total += found[k]
    for k in range(gradient.size):
        g = np.float64(gradient[k])
        squares += g * g
    norm = math.sqrt(squares)
    found[0], found[1] = total, norm
    if not (math.isfinite(norm) and math.isfinite(total)):
        return
    if norm > max_norm:
        for k in range(gradient.size):
            gradient[k] = gradient[k] * (max_norm / norm)
    theta, before, m, v, (rate, take1, keep2, take2, epsilon) = step
    numbers = in_precision_of(theta, rate, take1, keep2, take2, epsilon)
    for k in range(theta.size):
        before[k] = theta[k]
        theta[k] -= moved(k, gradient, m, v, numbers)


def bind(circuit, layer, layout, p, g, gradient, data, target, h0, keep, workspace):
    """A function that computes gradients of batches of as many sequences as ``h0`` has; None where there is none.

    Parameters
    ----------
    circuit : Circuit
        It is packed anew at each call, since its effective values are others then.
    layer : LTC
        Whose rule and mappings are those of the calls.
    layout : Layout
    p, g : (vector, dict)
        Effective values and their gradients, float64: all (P,), and parts of them by name.
    gradient : (P,) array
        Of the raw parameters: the result.
    data : tuple of arrays
        x (n, T, I), dt (n, T) and lengths (n,) of all sequences; ``target`` (n, T, O) is theirs.
    h0 : (B, N) array
    keep, workspace
        As for `tiles.forward`.  Between calls others may work in this workspace.

    Returns
    -------
    function
        ``run(rows, scale, max_norm, step)`` takes the numbers of B sequences, int64, and returns the sum of their
        squared errors and the norm of ``scale`` times its gradient; this is in ``gradient`` then, clipped to
        ``max_norm``.  ``step`` is that of `finish`.
    """
    (B, _), (_, T, I), O, dtype = h0.shape, data[0].shape, target.shape[2], h0.dtype
    (values, p), (d_values, g) = p, g
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
    motor, sums, d_x, forward, backward = sweeps
    (neuron, _, _, constants, _, _, sensory), (_, (_, _, moved, _, _, sensory_moved)) = circuit.packed(False)
    packed = neuron, (constants, moved), (sensory, sensory_moved)
    into, out = (layer.input_mapping, "input"), (layer.output_mapping, "output")
    w, b = of_mapping(*into, p)
    found = np.empty(max(2, O))
    places, (_, (*_, gain), (*_, sensory_gain)) = circuit.places(layout), circuit.values
    gains = gain, sensory_gain
    packing = data, tuple(batch), w, b, values, places, gains, circuit.epsilon, circuit.orders, packed
    outputs = target, batch.steps, motor, *of_mapping(*out, p)
    results = sums, d_values, *of_mapping(*out, g), d_motor, found
    ends = (
        data[0],
        d_x,
        w,
        *of_mapping(*into, g),
        sums,
        circuit.orders,
        values,
        d_values,
        places,
        gains,
        layout.softplus_bounds,
    )

    def run(rows, scale, max_norm, step):
        begin(rows, *packing)
        for call in forward:
            call()
        d_outputs(rows, *outputs, scale, *results)
        for call in backward:
            call()
        finish(rows, *ends, gradient, max_norm, found, step)
        return found[:2].tolist()

    return run
