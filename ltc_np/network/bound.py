"""Gradients for training in arrays that are bound once, instead of looked for and checked at every step.

What Python and NumPy do around the kernels takes 0.1 ms a step, several times as long as the kernels of a small
network.  The kernels are those of the usual way, so the gradients have the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels, losses
from ..base import threads
from ..base.types import Ints, Numbers
from ..cells import LTC
from ..optim import Adam
from .engine import Batch

NONE = (0.0,) * 5  # numbers of no step of Adam


def why_not(network: Any, objective: Any, whole: Batch) -> str:
    """Why a training goes the usual way, in a few words for `History.steps`; "" if it can be bound."""
    (_, _, lengths, valid, _), _, weight, _ = whole
    if network.backend != "cpu":
        return f'the backend is "{network.backend}"'
    if [type(layer) for layer in network.layers] != [LTC] or not network.return_sequences:
        return "the network is not a single LTC with outputs at every step"
    if losses.name_of(objective.loss) != "mse" or objective.penalty is not None:
        return "what is minimised is not the mean squared error alone"
    if not np.array_equal(weight, valid) if valid is not None else weight is not None:
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
        (layer,) = self.network.layers
        x, dt, lengths, valid, _ = whole.sequences
        self.layer, self.lengths = layer, None if valid is None else lengths
        self.data, self.target = (_owned(x), _owned(dt), _owned(lengths)), _owned(whole.target)
        self.threads: int = 0
        self.runs: dict[int, Any] = {}

    def begin(self) -> None:
        if threads.get_num_threads() != self.threads:
            self.threads = threads.get_num_threads()
            self.runs.clear()
        network, optimizer, clip = self.network, self.trainer.optimizer, self.trainer.clip
        whole = network.trainable is None and (clip is None or not clip.per_array)
        self.max_norm = clip.norm if whole and clip is not None else math.inf
        # Where nothing else is done to parameters than Adam's change, the kernel makes the step, too.
        self.moves = whole and type(optimizer) is Adam and network.layout.moves_alike
        none = network.theta[:0]
        self.arrays = none, none, none, none
        if self.moves:
            optimizer.bind(network.theta)
            self.arrays = network.theta, self.trainer.before, *optimizer.moments.values()

    def takes(self, count: int) -> bool:
        if count not in self.runs:
            self.runs[count] = self._bind(count)
        return self.runs[count] is not None

    def _bind(self, count: int) -> tuple[Any, ...] | None:
        """What `__call__` needs for batches of so many sequences, None where nothing can be bound."""
        network, workspace = self.network, self.trainer.workspace
        if self.engine.cutting(self.whole.sequences.part(slice(count)), None) is not None:
            return None
        values, (prepared,) = self.engine.prepare(workspace)
        gradients = workspace.views("gradient", network.layout, np.dtype(np.float64))
        gradient = np.empty_like(values)
        run = kernels.load("cpu", "ltc_training").bind(
            prepared.circuit, self.layer, network.layout, (values, prepared.p), gradients, gradient, self.data,
            self.target, network.starting_state(count), self.trainer.keep, workspace.child(0),
        )  # fmt: skip
        return None if run is None else (run, values, gradient, count * self.data[0].shape[1])

    def __call__(self, rows: Ints) -> tuple[float, float, bool]:
        network, trainer, optimizer = self.network, self.trainer, self.trainer.optimizer
        run, values, gradient, steps = self.runs[rows.size]
        if self.lengths is not None:
            steps = int(self.lengths[rows].sum())
        weight = float(steps * network.output_size)
        scale, numbers = network.dtype.type(trainer.objective.unit / weight), NONE
        if self.moves:
            rate = optimizer.learning_rate
            optimizer.t += 1
            numbers = tuple(optimizer.numbers(rate))
        network.layout.effective(network.theta, out=values)
        total, norm = run(rows, scale, self.max_norm, (*self.arrays, numbers))
        value = total / weight
        finite = math.isfinite(value) and math.isfinite(norm)
        trainer.take(self.engine.unfrozen(gradient), clipped=finite and self.max_norm < math.inf)
        if not finite:
            optimizer.t -= self.moves
        elif not self.moves:
            trainer.update()
        return value, weight, finite


def _owned(array: Numbers) -> Numbers:
    """The array, or a copy if kernels cannot take it as it is."""
    return array if array.flags.carray else np.array(array)
