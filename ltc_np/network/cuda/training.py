"""A training step on the device: only the batch goes there, and the loss and the gradient's norm come back."""

import math
from functools import partial

import numpy as np

from ... import losses
from ...kernels.codes import LOSSES
from ...kernels.cuda import optim, sums
from ...kernels.cuda.device import download, empty, launch_over, overwrite, upload
from ...kernels.cuda.losses import DeviceLoss
from ...kernels.cuda.memory import fill, memory_of
from ...kernels.cuda.moves import put, take_steps
from ...kernels.cuda.plan import choose
from ...optim import global_norm
from ..engine import Measured, Trainer
from ..outputs import last_outputs
from .host_arrays import HostCall
from .layers import unknown
from .stack import DeviceStack


def why_not(network, objective, optimizer):
    """None, or what of this training the device does not know."""
    loss, class_weight = objective.loss, objective.class_weight
    layer, name = unknown(network.layers), losses.name_of(loss)
    if layer is not None:
        return f"layer {layer!r}"
    if name not in LOSSES or (class_weight is not None and not losses.class_count(loss, network.output_size)):
        return f"loss {getattr(loss, '__name__', loss)}"
    if optimizer.kernel not in optim.STEPS or not optimizer.kernel_is_all:
        return f"optimizer {type(optimizer).__name__}"
    return None


class CudaTrainer(Trainer):
    """Network, loss and optimiser on the device; call `why_not` first.  See `Trainer`."""

    def __init__(self, network, objective, optimizer, clip, keep, workspace):
        self.network, self.optimizer, self.clip, self.keep = network, optimizer, clip, keep
        self.objective, self.workspace = objective, workspace
        self.stack, self.memory = DeviceStack(network), memory_of(workspace)
        P, dtype, O, layout = network.layout.size, network.dtype, network.output_size, network.layout
        loss, class_weight, penalty = objective.loss, objective.class_weight, objective.penalty
        numbers = losses.numbers(loss, class_weight, O, dtype)
        self.loss = DeviceLoss(losses.name_of(loss), numbers, dtype, not network.return_sequences)
        self.weight_sum = partial(losses.weight_sum, loss, class_weight=class_weight)
        self.l1, self.l2 = map(upload, np.zeros((2, 0)) if penalty is None else penalty.rates(P))
        none = np.zeros(0, dtype)
        self.no_weight, self.before = upload(none), upload(network.theta)
        self.lr_scale = upload(none if layout.lr_scale is None else layout.lr_scale.astype(dtype))
        self.decay = upload(optimizer.decayed(layout).astype(dtype) if optimizer.decays else none)
        self.moments = {name: empty(P, dtype) for name in optimizer.moment_names}
        self.totals = empty(3, np.float64)  # loss, squared norm of the gradient, penalties
        self.ahead, self.norm = False, None

    @property
    def size(self):
        return self.network.layout.size

    def load(self):
        self.optimizer.bind(self.network.theta)
        self.stack.parameters.load(self.network.theta, self.network.buffer_vector)
        self.stack.parameters.freeze()
        self.ahead = False
        for name, array in self.moments.items():
            overwrite(array, self.optimizer.moments[name])

    def store(self):
        if not self.ahead:
            return
        self.ahead = False
        self.network.theta[:] = download(self.stack.parameters.theta)
        for name, array in self.moments.items():
            self.optimizer.moments[name][:] = download(array)

    def restore(self):
        self.network.theta[:] = download(self.before)

    def flat(self):
        return download(self.stack.parameters.gradient)

    def replace(self, gradient):
        overwrite(self.stack.parameters.gradient, gradient)
        self.norm = global_norm(gradient)

    def gradient(self, batch, dropout_seed, want_outputs, want_state):
        if self.network.engine.cutting(batch.sequences, None) is not None:
            return self._of_long_sequences(batch)
        self.network.note_parallel(())
        given = HostCall(batch.sequences)
        B, T, key = given.size
        weight_sum = self.weight_sum(batch.target, batch.weight)
        losses.normalise(0.0, weight_sum)
        self.stack.prepare()

        def run(keep, memory):
            return self._run(given, batch, weight_sum, keep, memory, want_outputs, want_state)

        def beside(keep, memory):
            held = DeviceStack(self.network)  # that of calls between two epochs
            return held, run(keep, memory)

        key = key, 0 if batch.weight is None else batch.weight.ndim, want_outputs
        (total, square, penalty), outputs, state = run(choose(beside, self.keep, B, T, key, self.memory), self.memory)
        value, self.norm = total / weight_sum + penalty, math.sqrt(square)
        if outputs is not None and not self.network.return_sequences:
            outputs = last_outputs(outputs, batch.sequences.lengths)
        finite = math.isfinite(value) and math.isfinite(self.norm)
        return Measured(value, weight_sum, None, outputs, state, finite)

    def _of_long_sequences(self, batch):
        """Through the host, which cuts them into chunks: beside what these save, the copies cost little."""
        self.store()
        found = self.network.engine.loss_and_grad(batch, self.objective, self.keep, self.workspace)
        self.replace(found.gradient)
        return found._replace(gradient=None, finite=math.isfinite(found.value) and math.isfinite(self.norm))

    def _run(self, given, batch, weight_sum, keep, memory, want_outputs, want_state):
        """What `totals` then holds; outputs of every step and last states, or None."""
        stack, own, totals = self.stack, self.stack.parameters, self.totals
        sequences, h0 = given.put(stack, memory)
        target = put("target", batch.target, memory)
        weight = self.no_weight if batch.weight is None else put("weight", batch.weight, memory)
        y, states, saved = stack.forward(sequences, h0, keep, memory)
        launch_over(totals.size, fill, totals, np.float64(0))
        d_y = self.loss.run(y, target, weight, weight_sum, sequences, totals[:1], memory)
        outputs = take_steps(y, sequences.B, sequences.T, memory) if want_outputs else None
        stack.backward(saved, d_y, stack.zero_states(sequences.B, memory), False, False, memory)
        own.differentiate(self.l1, self.l2)
        sums.add_squares(own.gradient, totals[1:2], memory)
        if self.l1.size:
            own.add_penalties(self.l1, self.l2, totals[2:], memory)
        found = download(totals).tolist()
        return found, outputs, stack.take_states(states, sequences.B) if want_state else None

    def update(self):
        optimizer, own, real, norm = self.optimizer, self.stack.parameters, self.network.dtype.type, self.norm
        if not math.isfinite(norm):  # only its square has overflown
            norm = global_norm(self.flat())
        rate, factor, clip = optimizer.learning_rate, 1.0, self.clip
        if clip is not None and clip.per_array:  # on the host, which has the parts' limits
            gradient = self.flat()
            clip(gradient, self.network.layout)
            overwrite(own.gradient, gradient)
        elif clip is not None and clip.norm < norm:
            factor = clip.norm / norm
        optimizer.t += 1
        self.ahead = True
        numbers = optimizer.numbers(rate)._asdict() | {
            "factor": factor,
            "decay_rate": optimizer.decay_rate(rate),
        }
        launch_over(
            own.size, optim.STEPS[optimizer.kernel], theta=own.theta, gradient=own.gradient, **self.moments,
            **{name: real(number) for name, number in numbers.items()}, decay=self.decay, lr_scale=self.lr_scale,
            frozen=own.frozen, positivity=own.positivity, bound=own.bound, before=self.before,
        )  # fmt: skip
