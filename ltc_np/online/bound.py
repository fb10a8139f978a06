"""An LTC that learns by an optimiser on one stream, without a guard: as most learners do, in most of their steps.

Kernels do what is left of an answer and of a step of learning in one call each.  Where something is unusual, such as a
number that may overflow or a target that is missing, they change nothing, and `Gradients` goes the usual way from
there.  The weights have the same bits, except where a gradient is clipped, since its norm is added up in another order.
"""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.types import Array, ArrayLike
from ..cells import LTC
from ..kernels.codes import MADE
from ..network.bound import decaying, others_move
from ..network.stream import Stream
from ..optim.clip import Clip
from .head import LinearHead, NoHead
from .learning import Kept, Learning
from .part import Answer, Noted, Taking, Told
from .synaptic import SynapticTraces
from .targets import Observed, Targets


class Fitting(NamedTuple):
    """What follows the recurrent layer, and what is behind it."""

    traces: SynapticTraces
    head: NoHead | LinearHead


def fitting(learning: Learning, targets: Targets) -> Fitting | None:
    """The parts of a network for which `Bound` can be made; None of others."""
    traces, model, head = learning.traces[0], learning.model, learning.head
    if len(learning.traces) > 1 or not isinstance(head, NoHead | LinearHead):
        return None
    if not isinstance(traces, SynapticTraces) or type(traces.layer) is not LTC or model.trainable is not None:
        return None
    if targets.for_kernels(model) is None or others_move(learning.optimizer, model.layout):
        return None
    # Steps of so many synapses and unfolds that threads may share them are not bound: `tiles.bind`.
    if (parts := traces.parts()) is None or parts.circuit.shared((1, 1, traces.layer.input_size), traces.layer.rule):
        return None
    return Fitting(traces, head)


class Bound:
    """Answers and steps of one `Learning` with one stream and without a guard.

    Parameters
    ----------
    learning : Learning
        With the weights as deployed.
    parts : Fitting
        Of it.
    targets : Targets
    pull : float
    clip : Clip or None
        Of the norm of the whole gradient.
    """

    def __init__(self, learning: Learning, parts: Fitting, targets: Targets, pull: float, clip: Clip | None) -> None:
        self._learning, self._parts, self._layer = learning, parts, copy.deepcopy(learning.middle)
        self._deployed, self._limits = learning.model.theta.copy(), (pull, math.inf if clip is None else clip.norm)
        self._losses = [targets.for_kernels(learning.model) for _ in range(2)]
        self._stream, (prepared, _) = Stream(self._layer, 1), self._layer.engine.stream(1)
        self._prepared = prepared.layers[0]
        weights, scale, mean = parts.head.arrays(self._layer.dtype)
        self._deployed_head, self._has_head = (weights.copy(), scale, mean), weights.size > 0
        self._kernels: Any
        self._bind()

    def _bind(self) -> None:
        """Have the kernels take the optimiser's moments, which are others after `Optimizer.load_state`."""
        (traces, head), optimizer, model = self._parts, self._learning.optimizer, self._learning.model
        optimizer.bind(model.theta)
        block = np.array(list(optimizer.moments.values()), model.dtype).reshape(-1, model.theta.size)
        optimizer.moments = moments = dict(zip(optimizer.moments, block, strict=True))
        bound = kernels.load("cpu", "ltc_learning").bind(
            traces.layer, traces.parts(), self._prepared, self._stream, (head.arrays(model.dtype), self._deployed_head),
            self._losses, (model.theta, self._deployed), model.layout, block,
            kernels.load("cpu", optimizer.kernel).step, decaying(optimizer, model), self._limits,
        )  # fmt: skip
        self._first = kernels.load("cpu", "updates").FIRST
        # To write single numbers into NumPy's arrays takes longer.
        self._kernels = bound._replace(now=memoryview(bound.now), told=memoryview(bound.told))
        self._block, self._moments = block, moments  # after all else: after Ctrl-C before it, it is done again

    def answer(self, x: Array, dt: ArrayLike | None, state: Array, waiting: Taking) -> Answer | None:
        """As `Part.predict`; the state (1, K) of the deployed network goes on.  None if nothing is done, and all is to
        be done the usual way."""
        answer, stream, single, front = None, self._stream, x.ndim == 1, self._learning.front
        if front is not None:
            x = front.step(x)[0]
        elif x.dtype != stream.dtype:
            x = checks.real("x_t", x, stream.dtype, bools=True)
        stream.read(x, dt, state[0] if single else state, single)
        bound, told = self._kernels, self._kernels.told
        told[MADE] = 0
        try:
            bound.answer(state)
            if not told[MADE]:
                return None
            own = bound.y[None].copy()
            f = bound.features[None].copy() if self._has_head else own
            answer = Answer(own.copy(), Kept(f, own, own, bound.deployed_y[None].copy(), None))
            waiting.add(answer)
            return answer
        except BaseException:  # Ctrl-C, too
            if told[MADE] and not waiting.has(answer):
                self._parts.traces.whole[:], state[...] = bound.whole_before, stream.state
            raise

    def learn(self, kept: Kept, observed: Observed, noting: Noted) -> bool:
        """A step after an answer, as `Part.learn`; False if nothing is done, and all is to be done the usual way."""
        learning, optimizer = self._learning, self._learning.optimizer
        if observed.known is not None or observed.weight is not None:
            return False
        if optimizer.moments is not self._moments:
            self._bind()
        learning.take_rate()
        lr, t, bound = optimizer.learning_rate, optimizer.t, self._kernels
        now, told = bound.now, bound.told
        told[MADE] = 0
        try:
            optimizer.t = t + 1
            for k, number in enumerate(optimizer.numbers(lr), self._first):
                now[k] = number
            if optimizer.decays:
                now[1] = optimizer.decay_rate(lr)
            bound.learn((kept.f, kept.own, kept.deployed), observed.target)
            own, deployed, distance, made = told.tolist()
            if made:
                learning.has_moved()
                noting([Told(own, deployed, distance, ())])
                return True
        except BaseException:  # Ctrl-C, too
            if not noting.done:
                optimizer.t = t
                if told[MADE]:
                    learning.model.theta[:], self._block[:] = bound.theta_before, bound.moments_before
                    learning.prepare()
            raise
        optimizer.t = t
        return False
