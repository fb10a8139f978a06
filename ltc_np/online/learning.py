"""One set of weights that an optimiser changes, and the streams along which its network runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.sums import sum_of_squares
from ..base.types import Array
from ..model import Model
from ..optim import Optimizer
from .guard import Guard, Watched, copied
from .head import Head, head_of
from .methods import Method
from .split import cut, places, traces_for
from .traces import Traces

STATE = "state"  # among the arrays of `Traces`
NOTHING: tuple[str, ...] = ()  # has happened


class Kept(NamedTuple):
    """Features (B, F) behind the recurrent layer; outputs (B, O) by the learnt, the last good (without a guard the
    learnt) and the deployed weights; the derivatives of the first (B, O, P), None where targets cannot come later."""

    f: Array
    own: Array
    good: Array
    deployed: Array
    rows: Array | None


class Begun(NamedTuple):
    """Weights, all that each stream carries, and where the last good network is, before an answer or a step."""

    watched: Watched
    wholes: list[Array]
    good_state: Array


class Learning:
    """A network that learns on n streams.

    Parameters
    ----------
    model : Model
        As deployed; it is copied.
    optimizer : Optimizer
        It is copied; its ``lr`` may change later.
    method : Method
    n : int
    guard : Guard or None

    Attributes
    ----------
    model : Model
        With the weights as learnt.
    good : Model
        With the last good weights, and ``good_state`` (n, K), where it is on its own way.  Only with a guard.
    watched : Watched
    front : Model or None
        The layers before the recurrent one.
    middle : Model
        That layer, and with it layers between it and another one with a state.
    head : Head
        The layers behind it.
    traces : list of Traces
        Of each stream.
    features : int
        Numbers that come out of the recurrent layer.
    """

    model: Model
    optimizer: Optimizer
    guard: Guard | None
    good: Model | None
    good_state: Array
    front: Model | None
    middle: Model
    head: Head
    traces: list[Traces]
    features: int

    def __init__(self, model: Model, optimizer: Optimizer, method: Method, n: int, guard: Guard | None) -> None:
        self.model, self.optimizer, self.guard = copy.deepcopy(model), copy.deepcopy(optimizer), guard
        self._given = optimizer
        self.good = copy.deepcopy(model) if guard is not None else None
        self.optimizer.bind(self.model.theta)
        _ = self.optimizer.learning_rate  # one that counts epochs is refused here
        first, last = places(model)
        self.front = cut(model, 0, first) if first else None
        self.middle = cut(model, first, last)
        self.head = head_of(cut(model, last, len(model.layers)) if last < len(model.layers) else None)
        self.features = self.middle.output_size
        self.traces = [traces_for(self.middle, method) for _ in range(n)]
        W, kept = self.model.theta.copy(), self.optimizer.state()
        self._watched, self._has_moved = Watched(W, kept, (W, kept)), False
        self.good_state = np.empty((n, model.state_size), model.dtype)
        self.reset(slice(None))
        self.prepare()

    @property
    def watched(self) -> Watched:
        self._settle()
        return self._watched

    @watched.setter
    def watched(self, watched: Watched) -> None:
        self._watched, self._has_moved = watched, False

    def _settle(self) -> None:
        """Keep what `has_moved` was told of."""
        if self._has_moved:
            self.watched = Watched(self.model.theta.copy(), self.optimizer.state(), self._watched.good)

    def has_moved(self) -> None:
        """Tell that a step has changed theta and the moments for good, and all else was done."""
        self._has_moved = True

    def prepare(self) -> None:
        """Let all parts have the weights that the model has now."""
        self._have(self.model.theta)

    def _have(self, theta: Array) -> None:
        size = self.middle.layout.size
        for traces in self.traces:
            traces.prepare(theta[:size])
        self.head.prepare(theta[size:])

    def reset(self, streams: slice) -> None:
        """Let streams begin at the start."""
        for traces in self.traces[streams]:
            traces.reset()
        self.good_state[streams] = self.model.initial_state()

    # ------------------------------------------------------------------------------------------------------ answers

    def states(self) -> list[Array]:
        """(K,) of each stream, copies."""
        return [traces.arrays[STATE].copy() for traces in self.traces]

    def put(self, states: Iterable[Array]) -> None:
        """Go on from states (K,) of each stream, with sensitivities that begin anew."""
        for traces, state in zip(self.traces, states, strict=True):
            traces.reset()
            traces.arrays[STATE][...] = state

    def begin(self) -> Begun:
        """Where an answer or a step begins, copied: for `undo`."""
        return Begun(self.watched, [traces.whole.copy() for traces in self.traces], self.good_state.copy())

    def undo(self, begun: Begun) -> None:
        """Take all back that has changed since."""
        for traces, whole in zip(self.traces, begun.wholes, strict=True):
            traces.whole[:] = whole
        self.watched, self.good_state[...] = begun.watched, begun.good_state
        self.back()
        if self.good is not None:
            self.good.theta[:] = self.watched.good[0]
        self.prepare()

    def answer(self, x: Array, dt: list[float]) -> tuple[Array, Array]:
        """Features (n, F) behind the recurrent layer and outputs (n, O), as the states go on; they may be infinite.

        Inputs are (n, I), elapsed times one for each stream.
        """
        if self.front is not None:
            x = self.front.step(x)[0]
        if len(self.traces) == 1:
            f = self.traces[0].advance(x[0], dt[0])[None]
        else:
            f = np.array([traces.advance(row, h) for traces, row, h in zip(self.traces, x, dt, strict=True)])
        return f, self.head.forward(f)

    def overflows(self, y: Array) -> str:
        """What does: "states", among which outputs y count, "sensitivities", which would for ever, or nothing, ""."""
        total = sum_of_squares(y)
        for traces in self.traces:
            total += sum_of_squares(traces.whole)
        if math.isfinite(total):
            return ""
        states = [traces.arrays[STATE] for traces in self.traces]
        return "sensitivities" if math.isfinite(sum(map(sum_of_squares, [y, *states]))) else "states"

    # ---------------------------------------------------------------------------------------------------- gradients

    def gradient(self, f: Array, d_y: Array, weights: Array | None = None) -> Array:
        """The derivative (P,) of the sum of d_y . y of all streams, for their last answers; d_y (n, O) is 0 where a
        stream does not count, and ``weights`` are those of the answers, if others are prepared."""
        if weights is not None:
            self._have(weights)
            try:
                return self.gradient(f, d_y)
            finally:
                self.prepare()
        d_head, d_f = self.head.backward(f, d_y)
        if len(self.traces) == 1:
            return self._whole(self.traces[0].gradient(d_f[0]), d_head)
        each = [traces.gradient(row) for traces, row, own in zip(self.traces, d_f, d_y, strict=True) if own.any()]
        d_middle = np.zeros(self.middle.layout.size, f.dtype) if not each else each[0]
        for more in each[1:]:
            d_middle = d_middle + more
        return self._whole(d_middle, d_head)

    def _whole(self, d_middle: Array, d_head: Array) -> Array:
        """The derivative of all parameters."""
        gradient = np.concatenate([d_middle, d_head])
        if self.model.trainable is not None:
            gradient[~self.model.trainable] = 0
        return gradient

    def rows(self, f: Array) -> Array:
        """(n, O, P): the derivative of each output, to be used when its target comes."""
        n, O = len(f), self.model.output_size
        found = np.empty((n, O, self.model.layout.size), f.dtype)
        for b, traces in enumerate(self.traces):
            for o, d_y in enumerate(np.eye(O, dtype=f.dtype)):
                d_head, d_f = self.head.backward(f[b : b + 1], d_y[None])
                found[b, o] = self._whole(traces.gradient(d_f[0]), d_head)
        return found

    # ------------------------------------------------------------------------------------------------------ weights

    def step(self, gradient: Array) -> bool:
        """One step of the optimiser, after which `follow`, `begin_anew` or `back` comes; whether all is finite."""
        if not checks.all_finite(gradient):
            return False
        optimizer, theta = self.optimizer, self.model.theta
        self._settle()
        self.take_rate()
        optimizer.step(self.model, gradient)
        total, moments = sum_of_squares(theta), optimizer.moments.values()
        for moment in moments:
            total += sum_of_squares(moment)
        return math.isfinite(total) or (checks.surely_finite(theta) and all(map(checks.all_finite, moments)))

    def take_rate(self) -> None:
        """Let the optimiser have the ``lr`` that the learner's has now."""
        if self.optimizer.lr is not self._given.lr:
            self.optimizer.lr = self._given.lr

    def back(self) -> None:
        """Undo `step`."""
        self.model.theta[:] = self.watched.W
        self.optimizer.load_state(self.watched.kept)

    def follow(self, deployed: Array, seen: list[tuple[float, float, float]]) -> tuple[float, tuple[str, ...]]:
        """After `step`, keep the weights, or what the guard makes of them after the losses of observations by the
        learnt, the last good and the deployed weights; how far away they are then, and what was done."""
        theta = self.model.theta
        distance = math.sqrt(sum_of_squares(theta - deployed))
        W, kept, events = theta.copy(), self.optimizer.state(), NOTHING
        if self.guard is None or self.good is None:
            self.watched = Watched(W, kept, self.watched.good)
        else:
            self.watched, distance, events = self.watched.moved(W, kept, deployed, distance, self.guard)
            if self.watched.W is not W:
                theta[:] = self.watched.W
            for losses in seen:
                before = self.watched
                self.watched, more = before.judged(self.guard, losses)
                events += more
                if self.watched.good is not before.good:
                    self.good.theta[:], self.good_state[...] = self.watched.W, self.states()
                elif self.watched.W is not before.W:
                    self._take_good()
        self.prepare()
        return distance, events

    def begin_anew(self, deployed: Array) -> tuple[float, tuple[str, ...]]:
        """Go back to the last good weights, and to where their network is; as `follow`."""
        self.watched = self.watched.anew()
        self._take_good()
        self.prepare()
        return math.sqrt(sum_of_squares(self.model.theta - deployed)), ("begun anew",)

    def _take_good(self) -> None:
        self.back()
        self.put(self.good_state)

    # -------------------------------------------------------------------------------------------------------- files

    def held(self) -> dict[str, Any]:
        """All that changes, as plain data and arrays."""
        return {
            "watched": self.watched.held(),
            "good_state": self.good_state,
            "traces": [dict(traces.arrays) for traces in self.traces],
        }

    def restore(self, held: Mapping[str, Any]) -> None:
        """Inverse of `held`."""
        self.watched = self.watched.restored(held["watched"])
        self.back()
        if self.good is not None:
            self.good.theta[:] = self.watched.good[0]
        self.good_state[...] = copied(held["good_state"], self.good_state)
        for traces, arrays in zip(self.traces, held["traces"], strict=True):
            if arrays.keys() != traces.arrays.keys():
                raise ValueError(f"sensitivities must be {', '.join(traces.arrays)}, got {', '.join(arrays)}")
            for name, own in traces.arrays.items():
                own[...] = copied(arrays[name], own)
        self.prepare()
