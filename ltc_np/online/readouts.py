"""The readout as what learns: the network before it stays as it was deployed."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.sums import sum_of_squares
from ..base.types import Array, ArrayLike, Bools
from ..model import Model
from ..network.step import advance
from .guard import Guard, Watched, copied
from .lms import LMS, NLMS
from .part import QUIET, Answer, Noted, Part, Taking, Told
from .readout import take_apart
from .rule import Rule, begun, updated
from .rules import RULES
from .targets import Observed

ELSE = "; or, in place of a rule, take an optimiser such as Adam(1e-3), which learns in every model"


class Kept(NamedTuple):
    """Features (B, F), the last of them 1; the weights that gave the answer, of each readout, None where they are not
    known any more."""

    f: Array
    by: list[Array | None]


class Readouts(Part):
    """One readout of all B streams, or one of each, and the network before them.

    Parameters
    ----------
    model : Model
        Becomes the part's own.
    rule : Rule
    B : int
    shared : bool
    guard : Guard or None
    """

    model: Model
    rule: Rule
    shared: bool
    guard: Guard | None
    readouts: list[Watched]

    def __init__(self, model: Model, rule: Rule, B: int, shared: bool, guard: Guard | None) -> None:
        self.model, self.rule, self.shared, self.guard = model, rule, shared, guard
        self._body, self._scale, self._mean, self.deployed = take_apart(model, ELSE)
        W = self.deployed
        own = type(rule) not in RULES.values()  # of a user
        kept = begun(rule, W) if own else rule.begin(W.shape[1], W.shape[0], W.dtype)
        self._update: Any = partial(updated, rule) if own else rule.update
        self.readouts = [Watched(W, kept, (W, kept)) for _ in range(1 if shared else B)]
        self._state = np.empty((B, model.state_size), model.dtype)
        self._told = np.zeros(4)
        # Of these alone: what is derived from them may compute something else.
        # Nor with a guard, for which equal weights must have equal errors to the bit.
        fits = type(rule) in (LMS, NLMS) and guard is None and kernels.on_host(model.backend) == "cpu"
        self._lms: Any = kernels.load("cpu", "readouts").learn if fits else None
        self._ones = np.ones((B, W.shape[1]), W.dtype)  # features, before they are known, and the 1 behind them

    @property
    def state(self) -> Array:
        return self._state

    @property
    def weights(self) -> list[Array]:
        return [readout.W for readout in self.readouts]

    def reset(self, streams: slice) -> None:
        self._state[streams] = self._body.initial_state()

    def _outputs(self, x: Array, dt: ArrayLike | None) -> tuple[Answer, Array]:
        """The answer to x, and the state (B, K) after it, in an array that the next step may write to."""
        if x.dtype != self.deployed.dtype:
            x = checks.real("x_t", x, self.deployed.dtype, bools=True)
        _, found, state = advance(self._body, x, dt, self._state[0] if x.ndim == 1 else self._state)
        f = self._ones.copy()
        f[:, :-1] = found[:, 0]
        by: list[Any] = [readout.weights(self.deployed) for readout in self.readouts]
        # `dot` of small arrays takes half the time of `@`.
        if len(f) == 1:
            y = by[0].dot(f[0])[None]
        else:
            own = by * len(f) if self.shared else by
            y = np.stack([W.dot(row) for W, row in zip(own, f, strict=True)])
        if not checks.all_finite(y):
            raise FloatingPointError(
                f"outputs must stay finite in {y.dtype}, but overflow for features up to {np.abs(f).max():.3g} and the "
                f"weights that {self.rule!r} has learnt: the observation is left out; take inputs of a smaller scale"
            )
        return Answer(y, Kept(f, by)), state

    @QUIET
    def predict(self, x: Array, dt: ArrayLike | None, waiting: Taking) -> Answer:
        answer, state = self._outputs(x, dt)
        before = self._state
        try:
            self._state = state.reshape(before.shape).copy()
            waiting.add(answer)
        except BaseException:  # Ctrl-C, too
            if not waiting.has(answer):
                self._state = before
            raise
        return answer

    @QUIET
    def peek(self, x: Array, dt: ArrayLike | None) -> Array:
        return self._outputs(x, dt)[0].y

    @QUIET
    def learn(self, answer: Answer, observed: Observed, noting: Noted) -> None:
        before = self.readouts
        after: list[Watched] = before.copy()
        told: list[Told] = []
        for b, known, weight in observed.streams():
            k = 0 if self.shared else b
            after[k], heard = self._learnt(after[k], answer, observed, b, known, weight)
            told.append(heard)
        try:
            self.readouts = after
            noting(told)
        except BaseException:  # Ctrl-C, too
            if not noting.done:
                self.readouts = before
            raise

    def _learnt(
        self, readout: Watched, answer: Answer, observed: Observed, b: int, known: Bools | None, weight: float
    ) -> tuple[Watched, Told]:
        """A readout after one observation, and what the log is told."""
        (f, by), guard, deployed, target = answer.kept, self.guard, self.deployed, observed.target[b]
        f, by = f[b], by[0 if self.shared else b]
        n = len(target) if known is None else int(known.sum())

        def apart(found: Array) -> Array:
            return target - found if known is None else np.where(known, target - found, 0).astype(f.dtype)

        then = error = observed.error[b] if known is None else apart(answer.y[b])
        if by is not readout.W:
            error = apart(readout.W.dot(f))
        if self._lms is None or known is not None:
            told, old = sum_of_squares(then) / n, sum_of_squares(apart(deployed.dot(f))) / n
            W, kept = self._update(readout.W, readout.kept, f, error, known, weight)
            distance = math.sqrt(sum_of_squares(W - deployed))
        else:
            W, kept = np.empty_like(readout.W), readout.kept
            rule: Any = self.rule
            self._lms(readout.W, deployed, f, target, then, error, *rule.size(weight), W, self._told)
            told, old, distance, _ = self._told.tolist()
        # An infinite error would stay in the guard's mean for ever.
        own = told if error is then else sum_of_squares(error) / n
        good = 0.0 if guard is None else sum_of_squares(apart(readout.good[0].dot(f))) / n
        if not math.isfinite(told + old + own + good + distance + sum(map(sum_of_squares, kept.values()))):
            raise FloatingPointError(
                f"errors and weights must stay finite in {W.dtype}, but {self.rule!r} overflows for a target of "
                f"{target}, a weight of {weight:g} and features up to {np.abs(f).max():.3g}: nothing was learnt; take "
                "targets or weights of a smaller scale"
            )
        if guard is None:
            return Watched(W, kept, readout.good), Told(told, old, distance, ())
        readout, distance, events = readout.moved(W, kept, deployed, distance, guard)
        readout, more = readout.judged(guard, (own, good, old))
        return readout, Told(told, old, distance, events + more)

    def network(self, k: int) -> Model:
        model = copy.deepcopy(self.model)
        W = self.readouts[k].W.astype(np.float64)
        W[:, -1] -= self._mean
        W /= self._scale[:, None]
        prefix = model.layer_stack.prefixes[len(self._body.layers)]
        model.params[f"{prefix}weight"][...], model.params[f"{prefix}bias"][...] = W[:, :-1].T, W[:, -1]
        return model

    def held(self) -> dict[str, Any]:
        return {"state": self._state, "readouts": [readout.held() for readout in self.readouts]}

    def restore(self, held: Mapping[str, Any]) -> None:
        self._state[...] = copied(held["state"], self._state)
        self.readouts = [before.restored(form) for before, form in zip(self.readouts, held["readouts"], strict=True)]

    def held_answer(self, answer: Answer) -> dict[str, Any]:
        return {"y": answer.y, "f": answer.kept.f}

    def answer(self, held: Mapping[str, Any]) -> Answer:
        B = len(self._state)
        f = copied(held["f"], np.empty((B, self.deployed.shape[1]), self.deployed.dtype))
        y = copied(held["y"], np.empty((B, self.deployed.shape[0]), self.deployed.dtype))
        return Answer(y, Kept(f, [None] * len(self.readouts)))
