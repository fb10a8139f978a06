"""Gradients for training in arrays that are bound once, instead of looked for and checked at every step.

What Python and NumPy do around the kernels takes 0.1 ms a step, several times as long as the kernels of a small
network.  So a kernel makes the steps of many batches in one call, for some milliseconds.  The sweeps are those of the
usual way, and so are the bits of the gradients.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from .. import kernels, losses
from ..base import threads
from ..base.types import Array, Ints, Numbers
from ..cells import LTC
from ..optim import Adam
from .engine import Batch

AT_ONCE = 0.005  # seconds that a call of a kernel may take, so that Ctrl-C is heard soon


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
        self.data = _owned(x), _owned(dt), _owned(lengths), _owned(whole.target)
        self.threads: int = 0
        self.runs: dict[int, Any] = {}
        self.gradient: Array = np.empty_like(self.network.theta)
        self.seconds = math.inf  # that a step took last

    def begin(self) -> None:
        if threads.get_num_threads() != self.threads:
            self.threads = threads.get_num_threads()
            self.runs.clear()
        optimizer, clip = self.trainer.optimizer, self.trainer.clip
        self.moves = not self._others_move()
        self.max_norm = clip.norm if self._is_whole() and clip is not None else math.inf
        none = self.network.theta[:0]
        self.moving = none, none, none
        if self.moves:
            optimizer.bind(self.network.theta)
            self.moving = self.trainer.before, *optimizer.moments.values()

    def _is_whole(self) -> bool:
        """Whether the norm is that of all parameters."""
        clip = self.trainer.clip
        return self.network.trainable is None and (clip is None or not clip.per_array)

    def _others_move(self) -> str:
        """Why parameters are not moved by the kernel, which knows nothing but Adam; "" if they are."""
        if not self._is_whole():
            return "parameters are frozen, or each array is clipped by itself"
        return "" if type(self.trainer.optimizer) is Adam else "the optimiser is not Adam"

    def why_one_a_call(self, count: int) -> str:
        _, T, I = self.data[0].shape
        _, (prepared,) = self.engine.prepare(self.trainer.workspace)
        shared = threads.get_num_threads() > 1 and prepared.circuit.shared((count, T, I), self.layer.rule)
        return self._others_move() or ("several threads share a batch" if shared else "")

    def takes(self, count: int) -> bool:
        if count not in self.runs:
            self.runs[count] = self._bind(count)
        return self.runs[count] is not None

    def _bind(self, count: int) -> Any:
        """What makes steps with batches of so many sequences, None where nothing can be bound."""
        network, workspace = self.network, self.trainer.workspace
        if self.engine.cutting(self.whole.sequences.part(slice(count)), None) is not None:
            return None
        values, (prepared,) = self.engine.prepare(workspace)
        d_values, g = workspace.views("gradient", network.layout, np.dtype(np.float64))
        return kernels.load("cpu", "ltc_training").bind(
            prepared.circuit, self.layer, network.layout, prepared.p, g,
            (network.theta, values, d_values, self.gradient), self.data, network.starting_state(count),
            self.trainer.keep, workspace.child(0),
        )  # fmt: skip

    def __call__(self, rows: Ints) -> list[tuple[float, float, bool]]:
        run, optimizer, before = self.runs[rows.shape[1]], self.trainer.optimizer, self.trainer.optimizer.t
        alone = run.shared or not self.moves
        rows = rows[: 1 if alone else max(1, int(AT_ONCE / self.seconds))]
        weights = self._steps(rows) * float(self.network.output_size)
        scales, numbers = (self.trainer.objective.unit / weights).astype(self.network.dtype), self._numbers(len(rows))
        start = time.perf_counter()
        found = run.run(rows[: len(numbers)], scales, self.max_norm, self.moving, numbers)
        self.seconds = (time.perf_counter() - start) / len(numbers)
        totals, norms = found.T
        values = totals / weights[: len(totals)]
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
        """Valid steps of each batch."""
        if self.lengths is None:
            return np.full(len(rows), rows.shape[1] * self.data[0].shape[1])
        return self.lengths[rows].sum(axis=1)

    def _numbers(self, count: int) -> Numbers:
        """What the kernel needs of the optimiser's next steps, as many as a schedule can tell the learning rates of."""
        optimizer = self.trainer.optimizer
        return optimizer.numbers_ahead(optimizer.rates_ahead(count)) if self.moves else np.empty((count, 0))


def _owned(array: Numbers) -> Numbers:
    """The array, or a copy if kernels cannot take it as it is."""
    return array if array.flags.carray else np.array(array)
