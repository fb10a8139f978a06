"""An LTC that learns on a stream, alone or before a linear head: an answer, and a step of learning, in one call each.

What Python and NumPy do around the kernels takes longer than these do.  So two kernels do all of it, in arrays that
stay the same, and call others by their addresses: `ltc_traces.follow`, the loss, `collect`, the optimiser's step.  Each
piece is that of the usual way through `ltc_np.online.learning`, and so are the bits of the weights.

Arguments of both, which their helpers take parts of:
    head: features with a 1 (1, F + 1), weights (F + 1, O), scale and mean of the outputs (O,) or (0,), d_features
        (1, F), a product's loop, and that of the outputs and of d_features; weights are (0, 0) where there is no head
    limit: a magnitude that no number may exceed; its square times how many there are is finite
    told (4,): as `ltc_np.kernels.codes` has it
"""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...base.workspace import Workspace
from ..codes import DEPLOYED_LOSS, DISTANCE, LEARNT_LOSS, MADE
from . import tiles
from .arguments import of_mapping
from .dense import Product
from .effective import Logaddexp, at_least, to_effective, to_raw
from .jit import helper, kernel
from .ltc import pack, parts
from .mapping import mapped
from .native import call, run_product, words
from .updates import SIZE


@helper
def _within(numbers, limit):
    """Whether no magnitude of numbers (n,) is larger, or NaN."""
    beyond, most = 0, numbers.dtype.type(limit)
    for k in range(numbers.size):  # to the end, so that it is done by vectors
        beyond += not abs(numbers[k]) <= most
    return beyond == 0


@helper
def _distance(a, b):
    """The norm of a - b, in float64; b may be empty, for 0."""
    squares = 0.0
    for k in range(a.size):
        apart = np.float64(a[k]) - (np.float64(b[k]) if b.size > 0 else 0.0)
        squares += apart * apart
    return math.sqrt(squares)


@helper
def _read(features, head, y):
    """y (O,): what the head makes of features (F,)."""
    one, weights, _, _, _, (code, data), (pointers, sizes, steps), _ = head
    if weights.size == 0:
        for k in range(features.size):
            y[k] = features[k]
        return
    for k in range(features.size):
        one[0, k] = features[k]
    run_product(code, data, pointers[0], sizes[0], steps)


@kernel
def answer(calls, now, given, kept, features, head, y, deployed, deployed_head, deployed_y, limit, told, state):
    """Outputs y and deployed_y (O,) after one step; where a number is beyond the limit nothing has changed.

    calls (2, -): `follow`, which leaves ``features`` (F,), and the deployed layer's step;  now: x (I,) and dt (1,)
    given: where `follow` reads them;  kept: all that goes on with the stream, and a copy of what it was before
    deployed: x as the layer's kernel takes it, w and b of the inputs, motor (1, 1, F), w and b of the outputs, after
    after, state (1, K): of the deployed network, and where it goes on
    """
    (x, dt), (to_x, to_dt), (whole, before) = now, given, kept
    mapped_x, input_w, input_b, motor, output_w, output_b, after = deployed
    for k in range(x.size):
        to_x[k], mapped_x[0, 0, k] = x[k], mapped(x[k], input_w, input_b, k)
    to_dt[0] = dt[0]
    for k in range(whole.size):
        before[k] = whole[k]
    call(calls[1])
    for k in range(features.size):
        features[k] = mapped(motor[0, 0, k], output_w, output_b, k)
    _read(features, deployed_head, deployed_y)
    call(calls[0])
    _read(features, head, y)
    fine = _within(whole, limit) and _within(y, limit) and _within(deployed_y, limit) and _within(after[0], limit)
    told[MADE] = 1 if fine else 0
    if fine:
        for k in range(state.shape[1]):
            state[0, k] = after[0, k]
        return
    for k in range(whole.size):
        whole[k] = before[k]


@helper
def _through_head(d_y, head, gradient, d_features):
    """d_features (F,) from d_y (O,), and the gradient of the head's parameters, the last of all."""
    one, weights, scale, _, d_f, (code, data), _, (pointers, sizes, steps) = head
    if weights.size == 0:
        for k in range(d_features.size):
            d_features[k] = d_y[k]
        return
    run_product(code, data, pointers[0], sizes[0], steps)
    O, at = d_y.size, gradient.size - weights.size
    for k in range(d_features.size):
        d_features[k] = d_f[0, k]
    for i in range(weights.shape[0]):
        for o in range(O):
            gradient[at + i * O + o] = one[0, i] * (d_y[o] * scale[o] if scale.size > 0 else d_y[o])


@helper
def _through_outputs(outputs, d_features, gradient, d_state):
    """d_state (N,) of the motor neurons, the first ones, and the gradient of the mapping of their potentials.

    outputs: potentials (N,), w, and where in the gradient the derivatives by these begin, -1 for nowhere
    """
    state, w, at_w, at_b = outputs
    for o in range(d_features.size):
        d_state[o] = d_features[o]
        if at_w >= 0:
            gradient[at_w + o] = d_features[o] * state[o]
            d_state[o] = d_features[o] * w[o]
        if at_b >= 0:
            gradient[at_b + o] = d_features[o]


@helper
def _take_parameters(theta, head, layer):
    """Have the kernels of the layer and the head take the raw parameters (P,); see `SynapticTraces.prepare`."""
    _, weights, scale, mean, _, _, _, _ = head
    raw, values, ones, d_raw, factor, (softplus, clipped, least, logaddexp), circuit = layer
    places, (gain, sensory_gain), epsilon, orders, (to_neuron, constants, sensory_constants) = circuit
    for k in range(raw.size):
        raw[k] = theta[k]
    to_effective(raw, softplus, clipped, least, logaddexp, values)
    to_raw(values, ones, softplus, d_raw)
    for k in range(factor.size):
        factor[k] = d_raw[k]
    neuron, synapses, sensory = parts(values, places)
    pack(neuron, (*synapses, gain), (*sensory, sensory_gain), epsilon, orders, to_neuron, constants, sensory_constants)
    at, (rows, O) = raw.size, weights.shape
    for i in range(rows):
        for o in range(O):
            weights[i, o] = theta[at + i * O + o]
            if scale.size > 0:
                weights[i, o] *= scale[o]
                if i == rows - 1:
                    weights[i, o] += mean[o]


@kernel
def learn(
    calls, losses, head, outputs, d_state, vectors, moments, limits, bounds, layer, limit, told, answered, target
):
    """A step of the optimiser from the last answer; where a number is beyond the limit nothing has changed.

    calls (4, -): the loss by the learnt weights, which leaves d_y (O,), that by the deployed ones, `collect`, and the
        optimiser's step
    losses: y and target, (1, 1, O) each, total (1,) and d_y, of the learnt and of the deployed weights
    vectors: theta, what it was before, deployed, d_features and gradient
    moments: those of the optimiser, and a copy of what they were before, (M, P)
    limits: how much theta is pulled to the deployed weights, and the largest norm of a gradient;  bounds: of `at_least`
    layer: raw, values, ones, d_raw (P,), factor, what `to_effective` needs, and what `pack` does
    answered: features (1, F), outputs (1, O) by the learnt and by the deployed weights;  target (1, O)
    """
    (own, own_target, total, d_own), (other, other_target, other_total, _) = losses
    one, d_y, (features, y, deployed_y) = head[0], d_own[0, 0], answered
    theta, before, deployed, d_features, gradient = vectors
    (now, kept), (pull, max_norm), (clipped, least), real = moments, limits, bounds, theta.dtype.type
    for k in range(one.size - 1):
        one[0, k] = features[0, k]
    for o in range(d_y.size):
        own[0, 0, o], other[0, 0, o] = y[0, o], deployed_y[0, o]
        own_target[0, 0, o], other_target[0, 0, o] = target[0, o], target[0, o]
    call(calls[0])
    call(calls[1])
    for o in range(d_y.size):
        d_y[o] /= real(d_y.size)
    for k in range(gradient.size):
        gradient[k] = 0
    _through_head(d_y, head, gradient, d_features)
    _through_outputs(outputs, d_features, gradient, d_state)
    call(calls[2])
    if pull > 0:
        for k in range(gradient.size):
            gradient[k] += real(pull) * (theta[k] - deployed[k])
    told[LEARNT_LOSS], told[DEPLOYED_LOSS], told[MADE] = total[0] / d_y.size, other_total[0] / d_y.size, 0
    if not (_within(gradient, limit) and abs(told[LEARNT_LOSS]) <= limit and abs(told[DEPLOYED_LOSS]) <= limit):
        return
    norm = _distance(gradient, gradient[:0])
    if norm > max_norm:
        for k in range(gradient.size):
            gradient[k] = gradient[k] * (max_norm / norm)
    for m in range(now.shape[0]):
        for k in range(now.shape[1]):
            kept[m, k] = now[m, k]
    call(calls[3])
    at_least(theta, clipped, least)
    fine = _within(theta, limit)
    for m in range(now.shape[0]):
        fine = fine and _within(now[m], limit)
    if not fine:
        for k in range(theta.size):
            theta[k] = before[k]
        for m in range(now.shape[0]):
            for k in range(now.shape[1]):
                now[m, k] = kept[m, k]
        return
    told[MADE], told[DISTANCE] = 1, _distance(theta, deployed)
    _take_parameters(theta, head, layer)


class Head(NamedTuple):
    """The kernels' ``head``: its products know arrays by their addresses, so it must live as long as these are used."""

    one: np.ndarray
    weights: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    d_features: np.ndarray
    loop: tuple
    forward: tuple
    backward: tuple

    @classmethod
    def make(cls, weights, scale, mean, y, d_y):
        """For weights (F + 1, O), outputs y (1, O) and their adjoint; of no head, weights are (0, 0)."""
        features, dtype = len(weights) - 1, y.dtype
        one = np.ones((1, max(0, features + 1)), dtype)
        d_features = np.empty((1, max(0, features)), dtype)
        forward = Product.of(one, weights, y, 1)
        backward = Product.of(d_y, weights[:-1].T, d_features, 1)
        return cls(one, weights, scale, mean, d_features, forward.loop, tuple(forward[1:4]), tuple(backward[1:4]))


class Bound(NamedTuple):
    """The two kernels with all but their last arguments, what they leave, and the optimiser's numbers ``now`` (SIZE,).

    Each ``..._before`` is a copy of what a kernel has changed.  ``arrays`` are held here because kernels know them by
    their addresses alone.
    """

    answer: Any
    learn: Any
    features: np.ndarray
    y: np.ndarray
    deployed_y: np.ndarray
    now: np.ndarray
    told: np.ndarray
    whole_before: np.ndarray
    theta_before: np.ndarray
    moments_before: np.ndarray
    arrays: tuple


def bind(layer, traces, prepared, stream, readouts, losses, vectors, layout, moments, step, decay, limits):
    """`Bound` of one stream.

    Parameters
    ----------
    layer : LTC
    traces : ltc_np.online.synaptic.Parts
    prepared : ltc_np.cells.synaptic.Prepared
        Of the deployed layer.
    stream : ltc_np.network.stream.Stream
        With the step of an answer, and the state of the deployed layer before it.
    readouts : two of (weights (F + 1, O), scale (O,), mean (O,))
        Of the learnt and the deployed head, empty where there is none.
    losses : two of ltc_np.network.answer_loss.AnswerLoss
        By the learnt and the deployed weights.
    vectors : (theta, deployed)
    layout : Layout
        Of these, of which the layer's parameters are the first.
    moments : (M, P) array
        The optimiser's, for its kernel ``step`` and the parameters that ``decay``, 1 or 0.
    limits : (float, float)
        Pull, and the largest norm of a gradient.
    """
    (theta, deployed), dtype, own = vectors, vectors[0].dtype, losses[0]
    gradient, before, kept = np.zeros_like(theta), np.empty_like(theta), np.empty_like(moments)
    optimizer, told, O = np.zeros(SIZE), np.zeros(4), own.y.size
    y, deployed_y, whole_before = np.empty(O, dtype), np.empty(O, dtype), np.empty_like(traces.whole)
    head, deployed_head = (
        tuple(Head.make(*readout, outputs[None], own.d_y[0]))
        for readout, outputs in zip(readouts, (y, deployed_y), strict=True)
    )
    mapped_x = np.empty_like(stream.x)
    motor, after, (forward,) = tiles.bind(
        prepared.circuit, mapped_x, stream.dt, stream.state, layer.rule, layer.output_size, Workspace()
    )
    limit = float(np.sqrt(np.finfo(dtype).max / (theta.size * (len(moments) + 1) + traces.whole.size + O)))
    rows = [
        words(traces.follow.func, traces.follow.args),
        words(forward.func, forward.args),
        *(words(loss.kernel, loss.arguments) for loss in losses),
        words(traces.collect.func, (*traces.collect.args, traces.d_state, gradient)),
        words(step, (gradient, *moments, theta, before, decay, optimizer)),
    ]
    circuit, own_layout, raw = traces.circuit, layer.layout, traces.raw
    (neuron, _, _, constants, _, _, sensory), (_, (_, _, _, outgoing, _, _, _, sensory_outgoing)) = circuit.packed(
        False
    )
    (clipped, least), (own_clipped, own_least) = layout.clip_bounds, own_layout.clip_bounds
    ranges = own_layout.softplus_bounds, own_clipped, own_least.astype(dtype)
    ranges = *ranges, tuple(Logaddexp.make(own_layout, raw, traces.values))
    packed = neuron, (constants, outgoing), (sensory, sensory_outgoing)
    of_circuit = circuit.places(own_layout), circuit.gains, circuit.epsilon, circuit.orders, packed
    ones, d_raw = np.ones(raw.size), np.empty_like(raw)
    of_layer = raw, traces.values, ones, d_raw, traces.factor, ranges, of_circuit
    begins = [
        own_layout.slices[name][0].start if name in own_layout.slices else -1 for name in ("output_w", "output_b")
    ]
    outputs = traces.state, of_mapping(layer.output_mapping, "output", own_layout.arrays(traces.values))[0], *begins
    inputs, outputs_of = (
        of_mapping(kind, side, prepared.p)
        for kind, side in ((layer.input_mapping, "input"), (layer.output_mapping, "output"))
    )
    deployed_layer = mapped_x, *inputs, motor, *outputs_of, after
    now, given = (stream.x.reshape(-1), stream.dt.reshape(-1)), (traces.x, traces.dt)
    of_answer = (
        np.stack(rows[:2]), now, given, (traces.whole, whole_before), traces.y, head, y,
        deployed_layer, deployed_head, deployed_y, limit,
    )  # fmt: skip
    d_features = np.empty_like(traces.y)
    of_learn = (
        np.stack(rows[2:]), tuple((loss.y, loss.target, loss.total, loss.d_y) for loss in losses), head, outputs,
        traces.d_state, (theta, before, deployed, d_features, gradient), (moments, kept), limits,
        (clipped, least.astype(dtype)), of_layer, limit,
    )  # fmt: skip
    run = partial(answer, *of_answer, told), partial(learn, *of_learn, told)
    return Bound(
        *run, traces.y, y, deployed_y, optimizer, told, whole_before, before, kept, (decay, losses, traces, forward)
    )
