"""All of a network as what learns, by gradients that go along with the stream."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.sums import sum_of_squares
from ..base.types import Array, ArrayLike
from ..model import Model
from ..optim import Optimizer
from ..optim.clip import Clip
from .bound import Bound, fitting
from .guard import Guard, copied
from .learning import Kept, Learning
from .methods import Method
from .part import QUIET, Answer, Noted, Part, Taking, Told
from .split import cut, look_first, places
from .targets import Observed, Targets


class Stepped(NamedTuple):
    """Outputs (B, O) and states (B, K)."""

    y: Array
    state: Array


class Ran(NamedTuple):
    """Features (n, F), outputs (n, O), and what is to be logged."""

    f: Array
    y: Array
    events: tuple[str, ...]


class Losses(NamedTuple):
    """Of one observation: by the learnt, the last good and the deployed weights, and of the answer."""

    own: float
    good: float
    deployed: float
    answer: float


class Step(NamedTuple):
    """What an observation asks of one `Learning`, which has a part of the streams: a gradient (P,), and the `Losses` of
    each stream with a target."""

    learning: Learning
    part: slice
    gradient: Array
    losses: list[Losses]


class Gradients(Part):
    """One set of weights for all B streams, or one for each.

    Parameters
    ----------
    model : Model
        Becomes the part's own.
    optimizer : Optimizer
        Each set of weights has a copy, with the ``lr`` that it has now.
    method : Method
    targets : Targets
    clip : Clip or None
    pull : float
    B : int
    shared : bool
    delay : int
        How many answers later than at once a target may come.
    guard : Guard or None
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        method: Method,
        targets: Targets,
        clip: Clip | None,
        pull: float,
        B: int,
        shared: bool,
        delay: int,
        guard: Guard | None,
    ) -> None:
        self._model, self._targets, self._clip, self._pull = model, targets, clip, pull
        self._late, self._guard, self._largest = delay > 0, guard, float(checks.largest(model.dtype))
        self.deployed = model.theta.copy()
        n = B if shared else 1
        late = (delay + 1) * model.output_size * model.theta.size if delay else 0
        look_first(cut(model, *places(model)), method, B, late)
        self._learnings = [Learning(model, optimizer, method, n, guard) for _ in range(B // n)]
        self._parts = [slice(k, k + n) for k in range(0, B, n)]  # of the streams
        self._each = list(zip(self._learnings, self._parts, strict=True))
        self._begun: tuple[Answer, list[Array]] | None = None  # targets of an answer by these weights are learnt from
        self._state = np.empty((B, model.state_size), model.dtype)  # where the deployed network is
        first, whole = self._learnings[0], clip is None or not clip.per_array
        plain = B == 1 and guard is None and whole and not self._late
        parts = fitting(first, targets) if plain else None
        self._bound = None if parts is None else Bound(first, parts, targets, pull, clip)

    @property
    def state(self) -> Array:
        return np.array([state for learning in self._learnings for state in learning.states()])

    @property
    def weights(self) -> list[Array]:
        return [learning.watched.W for learning in self._learnings]

    def reset(self, streams: slice) -> None:
        self._state[streams] = self._model.initial_state()
        first, last, _ = streams.indices(len(self._state))
        for learning, part in self._each:
            learning.reset(slice(max(first - part.start, 0), max(last - part.start, 0)))

    # ------------------------------------------------------------------------------------------------------ answers

    def predict(self, x: Array, dt: ArrayLike | None, waiting: Taking) -> Answer:
        if self._bound is not None and (found := self._bound.answer(x, dt, self._state, waiting)) is not None:
            return found
        return self._predict(x, dt, waiting)

    @QUIET
    def _predict(self, x: Array, dt: ArrayLike | None, waiting: Taking) -> Answer:
        deployed, state = _stepped(self._model, x, dt, self._state)  # refuses inputs before anything has changed
        begun, before, answer = [learning.begin() for learning in self._learnings], self._state.copy(), None
        try:
            answer = self._answered(x, dt, deployed)
            self._state[...] = state
            waiting.add(answer)
        except BaseException:  # Ctrl-C, too
            if not waiting.has(answer):
                for learning, where in zip(self._learnings, begun, strict=True):
                    learning.undo(where)
                self._state[...] = before
            raise
        return answer

    def _answered(self, x: Array, dt: ArrayLike | None, deployed: Array) -> Answer:
        """The answer, as the learnt and the last good network go on; ``deployed``: outputs of that one."""
        found, goods = list[Ran](), list[Stepped]()
        for learning, part in self._each:
            now = self._of(part, x, dt)
            if learning.good is not None:
                goods.append(_stepped(learning.good, *now, learning.good_state))
            found.append(self._run(learning, *now))
        if len(found) == 1:
            f, own, events = found[0]
        else:
            f, own = np.concatenate([one.f for one in found]), np.concatenate([one.y for one in found])
            events = tuple(event for one in found for event in one.events)
        good, y = own, own.copy()
        if goods:
            good = _joined([one.y for one in goods])
            for (learning, part), step in zip(self._each, goods, strict=True):
                learning.good_state[...] = step.state
                y[part] = {"learnt": own, "last good": good, "deployed": deployed}[learning.watched.answering][part]
        rows = _joined([learning.rows(f[part]) for learning, part in self._each]) if self._late else None
        return Answer(y, Kept(f, own, good, deployed, rows), events)

    def _of(self, part: slice, x: Array, dt: ArrayLike | None) -> tuple[Array, ArrayLike | None]:
        """What is observed on some of the streams."""
        if x.ndim == 1 or len(self._parts) == 1:
            return x, dt
        return x[part], dt if dt is None or np.ndim(dt) == 0 else np.asarray(dt)[part]

    def _run(self, learning: Learning, x: Array, dt: ArrayLike | None) -> Ran:
        """By the learnt weights, or, where these overflow, by the last good ones."""
        x = x[None] if x.ndim == 1 else x
        if x.dtype != self._model.dtype:
            x = x.astype(self._model.dtype)
        one = 1.0 if dt is None else dt
        times = [one] * len(x) if isinstance(one, float) else np.broadcast_to(np.asarray(one), len(x)).tolist()
        events = tuple[str, ...]()
        try:
            f, y = learning.answer(x, times)
            wrong = learning.overflows(y)
        except ValueError:  # steps that are too long for the learnt weights, and were not for the deployed ones
            if learning.good is None:
                raise
            wrong = "states"
        if wrong == "states" and learning.good is not None:
            _, events = learning.begin_anew(self.deployed)
            f, y = learning.answer(x, times)
            wrong = learning.overflows(y)
        if wrong == "states":
            raise FloatingPointError(
                f"states and outputs must stay finite in {y.dtype}, but the weights that {learning.optimizer!r} has "
                "learnt let them overflow: the observation is left out; take a guard, which goes back to the last good "
                "weights, a smaller learning rate, or inputs of a smaller scale"
            )
        if wrong:
            learning.put(learning.states())
            events = (*events, "sensitivities begun anew")
        return Ran(f, y, events)

    @QUIET
    def peek(self, x: Array, dt: ArrayLike | None) -> Array:
        found = []
        for learning, part in self._each:
            now = self._of(part, x, dt)
            answering, good = learning.watched.answering, learning.good
            if answering == "deployed":
                y = _stepped(self._model, *now, self._state[part]).y
            elif good is None:
                y = _stepped(learning.model, *now, np.array(learning.states())).y
            else:
                sound = _sound(learning, *now) if answering == "learnt" else None
                y = _stepped(good, *now, learning.good_state).y if sound is None else sound
            found.append(y)
        return _joined(found)

    # ----------------------------------------------------------------------------------------------------- learning

    def learn(self, answer: Answer, observed: Observed, noting: Noted) -> None:
        if self._bound is None or not self._bound.learn(answer.kept, observed, noting):
            self._learn(answer, observed, noting)

    @QUIET
    def _learn(self, answer: Answer, observed: Observed, noting: Noted) -> None:
        some = observed.known is not None or observed.weight is not None
        if some and (self._begun is None or self._begun[0] is not answer):
            self._begun = answer, self.weights  # other targets may come
        steps = [found for learning, part in self._each if (found := self._asked(learning, part, answer, observed))]
        begun = [step.learning.begin() for step in steps]
        try:
            sound = [step.learning.step(step.gradient) for step in steps]
            if not all(sound):
                self._check_overflow(steps, sound, answer, observed)
            noting(self._followed(steps, sound))
        except BaseException:  # Ctrl-C, too
            if not noting.done:
                for step, where in zip(steps, begun, strict=True):
                    step.learning.undo(where)
            raise

    def _followed(self, steps: list[Step], sound: list[bool]) -> list[Told]:
        """After steps that are ``sound`` or not."""
        told = []
        for step, good in zip(steps, sound, strict=True):
            seen = [(one.own, one.good, one.deployed) for one in step.losses]
            distance, events = (
                step.learning.follow(self.deployed, seen) if good else step.learning.begin_anew(self.deployed)
            )
            for one in step.losses:
                told.append(Told(one.answer, one.deployed, distance, events))
                events = ()
        return told

    def _check_overflow(self, steps: list[Step], sound: list[bool], answer: Answer, observed: Observed) -> None:
        """Refuse what overflows where it is the caller's affair: without a guard, or by the weight of a target."""
        what = f"errors, gradients and weights must stay finite in {self._model.dtype}, but they overflow for "
        if self._guard is None:
            raise FloatingPointError(
                f"{what}targets up to {np.abs(observed.target).max():.3g}: nothing was learnt; take a guard, which "
                "goes back to the last good weights, a smaller learning rate, or targets and inputs of a smaller scale"
            )
        if any(self._too_heavy(step, answer, observed) for step, good in zip(steps, sound, strict=True) if not good):
            raise FloatingPointError(f"{what}such a `weight`: nothing was learnt; take smaller ones")

    def _too_heavy(self, step: Step, answer: Answer, observed: Observed) -> bool:
        """Whether a step that overflows would not, were no target's weight above 1: that is not the guard's affair."""
        if observed.weight is None:
            return False
        step.learning.back()
        light = observed._replace(weight=np.minimum(observed.weight, 1))
        lighter = self._asked(step.learning, step.part, answer, light)
        return lighter is not None and step.learning.step(lighter.gradient)

    def _asked(self, learning: Learning, part: slice, answer: Answer, observed: Observed) -> Step | None:
        """The `Step` of one set of weights, None where its streams have no targets."""
        kept: Kept = answer.kept
        own_y, found, measure = kept.own[part], list[Losses](), self._targets.measure
        d_y = np.zeros(own_y.shape, own_y.dtype)
        for b in range(part.start, part.stop):
            counts = observed.stream(b)
            if counts is None:
                continue
            (known, weight), one = counts, slice(b, b + 1)
            target = observed.target[one]
            own, derivative = measure(kept.own[one], target, known)
            deployed, _ = measure(kept.deployed[one], target, known)
            good = given = own
            if self._guard is not None:
                (good, _), (given, _) = (measure(y[one], target, known) for y in (kept.good, answer.y))
            # What the learnt weights do is the guard's affair, an extreme target or weight the caller's.
            if weight > self._largest or not math.isfinite(deployed + (0 if self._guard is None else good + given)):
                raise FloatingPointError(
                    f"errors must stay finite in {d_y.dtype}, but overflow for a target of {target[0]} and a "
                    f"weight of {weight:g}: nothing was learnt; take targets or weights of a smaller scale"
                )
            found.append(Losses(own, good, deployed, given))
            d_y[b - part.start] = weight * derivative[0]
        if not found:
            return None
        if len(found) > 1:
            d_y /= len(found)
        if kept.rows is None:
            gradient = learning.gradient(kept.f[part], d_y, self._weights_of(answer, learning))
        else:
            gradient = np.einsum("bo,bop->p", d_y, kept.rows[part])
        if self._pull:
            gradient += self._pull * (learning.model.theta - self.deployed)
        if self._clip is not None:
            self._clip(gradient, learning.model.layout)
        return Step(learning, part, gradient, found)

    def _weights_of(self, answer: Answer, learning: Learning) -> Array | None:
        """By which an answer was given, if they have changed since: other targets of it came before."""
        if self._begun is None or self._begun[0] is not answer:
            return None
        weights = self._begun[1][self._learnings.index(learning)]
        return None if weights is learning.watched.W else weights

    # --------------------------------------------------------------------------------------------- models and files

    def network(self, k: int) -> Model:
        return copy.deepcopy(self._learnings[k].model)

    def held(self) -> dict[str, Any]:
        return {"state": self._state, "learnings": [learning.held() for learning in self._learnings]}

    def restore(self, held: Mapping[str, Any]) -> None:
        self._state[...] = copied(held["state"], self._state)
        for learning, own in zip(self._learnings, held["learnings"], strict=True):
            learning.restore(own)

    def held_answer(self, answer: Answer) -> dict[str, Any]:
        others = [self._weights_of(answer, learning) for learning in self._learnings]
        weights = [W if other is None else other for W, other in zip(self.weights, others, strict=True)]
        return super().held_answer(answer) | {"weights": None if all(W is None for W in others) else weights}

    def answer(self, held: Mapping[str, Any]) -> Answer:
        B, dtype = len(self._state), self._model.dtype
        like = np.empty((B, self._model.output_size), dtype)
        own, good, deployed, y = (copied(held[name], like) for name in ("own", "good", "deployed", "y"))
        f = copied(held["f"], np.empty((B, self._learnings[0].features), dtype))
        rows = held["rows"]
        if rows is not None:
            rows = copied(rows, np.empty((*like.shape, self.deployed.size), dtype))
        answer = Answer(y, Kept(f, own, good, deployed, rows))
        if (weights := held.get("weights")) is not None:  # files from before they were kept have none
            own_weights = zip(weights, self.weights, strict=True)
            self._begun = answer, [copied(W, like) for W, like in own_weights]
        return answer


def _joined(parts: list[Array]) -> Array:
    """Arrays of the streams of each set of weights as one of all streams."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _stepped(network: Model, x: Array, dt: ArrayLike | None, state: Array) -> Stepped:
    """After a step from ``state`` (B, K)."""
    if x.ndim == 2:
        return Stepped(*network.step(x, dt=dt, state=state))
    y, state = network.step(x, dt=dt, state=state[0])
    return Stepped(y[None], state[None])


def _sound(learning: Learning, x: Array, dt: ArrayLike | None) -> Array | None:
    """Outputs by the learnt weights, None where `Gradients._run` gives these up."""
    try:
        found = _stepped(learning.model, x, dt, np.array(learning.states()))
    except (FloatingPointError, ValueError):  # the last good weights refuse what no weights would take
        return None
    return found.y if math.isfinite(sum_of_squares(found.y) + sum_of_squares(found.state)) else None
