"""A training step on the device: only the batch goes there, and the loss and the gradient's norm come back."""

import math
from functools import partial

import numpy as np

from ... import losses
from ...kernels.cuda import optim, sums
from ...kernels.cuda.device import download, empty, launch_over, overwrite, upload
from ...kernels.cuda.losses import NAMES, DeviceLoss
from ...kernels.cuda.memory import fill, memory_of
from ...kernels.cuda.plan import choose
from ...optim import global_norm
from ..engine import Measured, Trainer
from ..outputs import last_outputs
from .stack import Stack, missing, outputs, put, put_steps


def why_not(network, objective, optimizer):
    """None, or what of this training the device does not know."""
    loss, class_weight, _ = objective
    layer, name = missing(network.layers), losses.name_of(loss)
    if layer is not None:
        return f"layer {layer!r}"
    if name not in NAMES or (class_weight is not None and not losses.class_count(loss, network.output_size)):
        return f"loss {getattr(loss, '__name__', loss)}"
    if optimizer.kernel is None:
        return f"optimizer {type(optimizer).__name__}"
    return None


class CudaTrainer(Trainer):
    """Network, loss and optimiser on the device; call `why_not` first.  See `Trainer`."""

    def __init__(self, network, objective, optimizer, clip_norm, keep, workspace):
        loss, class_weight, penalty = objective
        self.network, self.optimizer, self.clip_norm, self.keep = network, optimizer, clip_norm, keep
        self.stack = stack = Stack(network)
        self.memory = memory_of(workspace)
        P, dtype, O = stack.P, stack.dtype, network.output_size
        numbers = losses.numbers(loss, class_weight, O, dtype)
        self.loss = DeviceLoss(losses.name_of(loss), numbers, dtype, not network.return_sequences)
        self.weight_sum = partial(losses.weight_sum, loss, class_weight=class_weight, outputs=O, dtype=dtype)
        rates = np.zeros((2, P if penalty is not None else 0))
        for kind, where, factor in penalty.terms if penalty is not None else ():
            rates[("l1", "l2").index(kind), where] += factor
        self.l1, self.l2 = map(upload, rates)
        scale, none = network.layout.lr_scale, np.zeros(0, dtype)
        self.lr_scale = upload(none if scale is None else scale.astype(dtype))
        self.decay = upload(network.layout.decay.astype(dtype) if optimizer.decays else none)
        self.none, self.before, self.ahead = upload(none), upload(network.theta), False
        self.moments = {name: empty(P, dtype) for name in optimizer.moment_names}
        self.totals = empty(3, np.float64)  # loss, squared norm of the gradient, penalties

    def load(self):
        self.optimizer.bind(self.network.theta)
        self.stack.load()
        self.stack.freeze()
        self.ahead = False
        for name, array in self.moments.items():
            overwrite(array, self.optimizer.moments[name])

    def store(self):
        if not self.ahead:
            return
        self.ahead = False
        self.network.theta[:] = download(self.stack.theta)
        for name, array in self.moments.items():
            self.optimizer.moments[name][:] = download(array)

    def restore(self):
        self.network.theta[:] = download(self.before)

    def flat(self):
        return download(self.stack.gradient)

    def gradient(self, batch, dropout_seed, want_outputs, want_state):
        (x, dt, lengths, valid, h0), target, weight, _ = batch
        (B, T, _), O, ragged = x.shape, self.network.output_size, valid is not None
        stack, memory = self.stack, self.memory
        weight_sum = self.weight_sum(target, weight)
        losses.normalise(0.0, weight_sum)
        stack.prepare()

        def call(keep, memory):
            given = put_steps("x", x, memory), put_steps("dt", dt, memory), put("steps", lengths, memory)
            of_loss = put("target", target, memory), self.none if weight is None else put("weight", weight, memory)
            y, states, saved = stack.forward(*given, stack.put_states("h", h0, memory), T, B, ragged, keep, memory)
            launch_over(3, fill, self.totals, np.float64(0))
            d_y = self.loss.run(y, *of_loss, weight_sum, given[2], B, T, O, self.totals[:1], memory)
            seen = outputs(y, B, T, memory) if want_outputs else None
            stack.backward(saved, d_y, stack.zero_states(B, memory), False, False, memory)
            stack.differentiate(self.l1, self.l2)
            sums.add_squares(stack.gradient, self.totals[1:2], memory)
            if self.l1.size:
                elements = memory.array("penalties", stack.P, np.float64)
                launch_over(stack.P, optim.penalties, stack.values, self.l1, self.l2, elements)
                launch_over(1, sums.reduce, elements, np.uint64(stack.P), self.totals[2:])
            totals = download(self.totals).tolist()
            return *totals, seen, stack.states(states, B) if want_state else None

        def beside(keep, memory):
            held = Stack(self.network)  # that of calls between two epochs
            return held, call(keep, memory)

        keep = choose(beside, self.keep, B, T, (ragged, weight is None, want_outputs), memory)
        total, square, penalty, seen, state = call(keep, memory)
        value, self.norm = total / weight_sum + penalty, math.sqrt(square)
        if seen is not None and not self.network.return_sequences:
            seen = last_outputs(seen, lengths)
        return Measured(value, weight_sum, None, seen, state, math.isfinite(value) and math.isfinite(self.norm))

    def update(self):
        optimizer, stack, real = self.optimizer, self.stack, self.stack.dtype.type
        clip, norm = self.clip_norm, self.norm
        if not math.isfinite(norm):  # only its square has overflown
            norm = global_norm(self.flat())
        factor = real(clip / norm if clip is not None and clip < norm else 1)
        lr = optimizer.learning_rate
        optimizer.t += 1
        self.ahead = True
        numbers = map(real, optimizer.numbers(lr))
        launch_over(
            stack.P, getattr(optim, optimizer.kernel), stack.theta, stack.gradient, factor, *self.moments.values(),
            *numbers, real(optimizer.decay_rate(lr)), self.decay, self.lr_scale, stack.frozen, stack.positivity,
            stack.bound, self.before,
        )  # fmt: skip
