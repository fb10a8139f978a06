"""Gradients for training in arrays that are bound once, instead of looked for and checked at every step.

What Python and NumPy do around the kernels takes 0.1 ms a step, several times as long as the kernels of a small
network.  So a kernel makes the steps of many batches in one call, for some milliseconds.  What it calls are the sweeps
and the pieces of losses and optimisers of the usual way, and so are the bits of the gradients.
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

import numpy as np

from .. import kernels, losses
from ..base import blas, threads
from ..base.layout import Layout, part
from ..base.types import Array, Ints, Numbers
from ..cells import LTC
from ..kernels.codes import LOSSES
from ..layers.dense import Dense
from ..optim import Optimizer
from .engine import Batch

AT_ONCE = 0.005  # seconds that a call of a kernel may take, so that Ctrl-C is heard soon


def why_not(network: Any, objective: Any, whole: Batch) -> str:
    """Why a training goes the usual way, in a few words for `History.steps`; "" if it can be bound."""
    (_, _, lengths, valid, _), _, weight, _ = whole
    if network.backend != "cpu":
        return f'the backend is "{network.backend}"'
    if [type(layer) for layer in network.layers] not in ([LTC], [LTC, Dense]):
        return "the network is not a single LTC, nor an LTC and a Dense"
    if isinstance(network.layers[-1], Dense) and network.layers[-1].activation is not None:
        return "the Dense has an activation"
    if losses.name_of(objective.loss) not in LOSSES:
        return "the loss is your own, or that of a density"
    if objective.penalty is not None or objective.class_weight is not None:
        return "there are penalties, or weights of classes"
    expected = valid if network.return_sequences else None
    if not np.array_equal(weight, expected) if expected is not None else weight is not None:
        return "steps have weights, or targets are missing"
    return "" if lengths.all() else "some sequences have no step"


class HostGradients:
    """See `BoundGradients`.

    Parameters
    ----------
    trainer : HostTrainer
    whole : Batch
        All sequences, for which `why_not` has no reason.
    """

    def __init__(self, trainer: Any, whole: Batch) -> None:
        self.trainer, self.engine, self.network, self.whole = trainer, trainer.engine, trainer.engine.network, whole
        x, dt, lengths, valid, _ = whole.sequences
        self.layer, self.has_readout = self.network.layers[0], len(self.network.layers) > 1
        self.lengths = None if valid is None or not self.network.return_sequences else lengths
        target = np.asarray(whole.target, self.network.dtype)  # classes too, which it holds exactly
        T = x.shape[1] if self.network.return_sequences else 1
        self.data = _owned(x), _owned(dt), _owned(lengths), _owned(target.reshape(len(x), T, -1))
        self.threads: int = 0
        self.runs: dict[int, Any] = {}
        self.gradient: Array = np.empty_like(self.network.theta)
        updates = kernels.load("cpu", "updates")
        self.first, self.now = updates.FIRST, np.zeros(updates.SIZE)
        self.seconds = math.inf  # that a step took last

    def begin(self) -> None:
        optimizer, clip = self.trainer.optimizer, self.trainer.clip
        if threads.get_num_threads() != self.threads:
            self.threads = threads.get_num_threads()
            self.runs.clear()
        self.moves = not self._others_move()
        self.max_norm = clip.norm if self._is_whole() and clip is not None else math.inf
        optimizer.bind(self.network.theta)
        self.update = self._update() if self.moves else kernels.load("cpu", "ltc_training").NONE

    def _is_whole(self) -> bool:
        """Whether the norm is that of all parameters."""
        clip = self.trainer.clip
        return self.network.trainable is None and (clip is None or not clip.per_array)

    def _others_move(self) -> str:
        """Why parameters are not moved by the kernel, but by the optimiser's own step; "" if they are."""
        if not self._is_whole():
            return "parameters are frozen, or each array is clipped by itself"
        return others_move(self.trainer.optimizer, self.network.layout)

    def _update(self) -> Ints:
        """The call of the optimiser's kernel."""
        optimizer, theta = self.trainer.optimizer, self.network.theta
        decay = decaying(optimizer, self.network)
        self.moving = self.gradient, *optimizer.moments.values(), theta, self.trainer.before, decay, self.now
        step = kernels.load("cpu", optimizer.kernel).step
        return kernels.load("cpu", "native").words(step, self.moving)[None]

    def why_one_a_call(self, count: int) -> str:
        (_, T, I), circuit = self.data[0].shape, self.engine.prepare(self.trainer.workspace).layers[0].circuit
        shared = circuit.shared((count, T, I), self.layer.rule)
        cut = kernels.load("cpu", "tiles").Cut.make(circuit, count, threads.get_num_threads() if shared else 1, shared)
        if self._others_move():
            return self._others_move()
        if cut.threads > 1:
            return "several threads share a batch"
        return "another loop order is faster for few sequences" if cut.batch_major else ""

    def takes(self, count: int) -> bool:
        if count not in self.runs:
            self.runs[count] = self._bind(count)
        return self.runs[count] is not None

    def _bind(self, count: int) -> Any:
        """What makes steps with batches of so many sequences, None where nothing can be bound."""
        network, workspace, loss = self.network, self.trainer.workspace, self.trainer.objective.loss
        if self.engine.cutting(self.whole.sequences.part(slice(count)), None) is not None:
            return None
        values, prepared = self.engine.prepare(workspace)
        d_values, g = workspace.views("gradient", network.layout, np.dtype(np.float64))
        prefixes = network.layer_stack.prefixes
        given = losses.numbers(loss, None, network.output_size, network.dtype)
        return kernels.load("cpu", "ltc_training").bind(
            prepared[0].circuit, self.layer, (prepared[0].p, part(g, prefixes[0])),
            (network.theta, values, d_values, self.gradient), network.layout, self.data, network.starting_state(count),
            (losses.name_of(loss), given), (prepared[1], part(g, prefixes[1])) if self.has_readout else None,
            self.now, self.trainer.keep, workspace.child(0),
        )  # fmt: skip

    def __call__(self, rows: Ints) -> list[tuple[float, float, bool]]:
        run, optimizer, before = self.runs[rows.shape[1]], self.trainer.optimizer, self.trainer.optimizer.t
        alone = run.alone or not self.moves
        rows = rows[: 1 if alone else max(1, int(AT_ONCE / self.seconds))]
        numbers = self._numbers(len(rows))
        rows = rows[: len(numbers)]
        weights = self._steps(rows) * float(self.data[3].shape[2])
        numbers[:, 0] = self.trainer.objective.unit / weights
        start = time.perf_counter()
        with blas.one_thread() if self.has_readout else contextlib.nullcontext():
            found = run.run(rows, self.max_norm, numbers, self.update)
        self.seconds = (time.perf_counter() - start) / len(numbers)
        totals, norms = found.T
        values = totals / weights
        finite = np.isfinite(values) & np.isfinite(norms)
        made = len(finite) if finite.all() else int(finite.argmin())
        is_finite = made == len(finite)
        self.trainer.take(self.engine.unfrozen(self.gradient), clipped=is_finite and self.max_norm < math.inf)
        if self.moves:
            optimizer.t = before + made
        elif made:
            self.trainer.update()
        return list(zip(values.tolist(), weights.tolist(), finite.tolist(), strict=False))[: made + 1]

    def _steps(self, rows: Ints) -> Numbers:
        """Steps of each batch that have targets."""
        if self.lengths is None:
            return np.full(len(rows), rows.shape[1] * self.data[3].shape[1])
        return self.lengths[rows].sum(axis=1)

    def _numbers(self, count: int) -> Numbers:
        """What the kernel needs of the next steps, as many as a schedule can tell the learning rates of.

        The first number of each, the scale of its errors, is still to come.
        """
        optimizer = self.trainer.optimizer
        if not self.moves:
            return np.zeros((count, self.now.size))
        rates = optimizer.rates_ahead(count)
        own, found = optimizer.numbers_ahead(rates), np.zeros((len(rates), self.now.size))
        found[:, self.first : self.first + own.shape[1]] = own
        if optimizer.decays:
            found[:, 1] = [optimizer.decay_rate(lr) for lr in rates.tolist()]
        return found


def others_move(optimizer: Optimizer, layout: Layout) -> str:
    """Why a kernel's ``step`` does less than that of the optimiser, for parameters none of which is frozen; or ""."""
    if optimizer.kernel is None or not optimizer.kernel_is_all:
        return "the optimiser is your own"
    if layout.lr_scale is not None:
        return "parameters have learning rates of their own"
    decays = optimizer.decayed(layout) if optimizer.decays else None
    if decays is not None and any(decays[where].any() for where in layout.softplus):
        return "parameters decay that are kept positive"
    return ""


def decaying(optimizer: Optimizer, network: Any) -> Array:
    """(P,): 1 for the parameters that decay, else 0, as a kernel's ``step`` takes them."""
    theta = network.theta
    return optimizer.decayed(network.layout).astype(theta.dtype) if optimizer.decays else np.zeros_like(theta)


def _owned(array: Numbers) -> Numbers:
    """The array, or a copy if kernels cannot take it as it is."""
    return array if array.flags.carray else np.array(array)
