"""What learns of a model: its readout (`readouts`), or all of it (`gradients`)."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..base.types import Array, ArrayLike
from ..model import Model
from .targets import Observed

QUIET = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what overflows is looked for in results


class Answer(NamedTuple):
    """What is kept of an answer until its target comes.

    Attributes
    ----------
    y : (B, O) array
        As it was given; NaN for a stream that has begun anew since.
    kept : NamedTuple
        What the part needs of it to learn.
    events : tuple of str
        For the log.
    """

    y: Array
    kept: Any
    events: tuple[str, ...] = ()


class Told(NamedTuple):
    """Of one observation: the errors of its answer and of the deployed weights, the distance of the weights from these,
    and what the guard has done."""

    error: float
    deployed: float
    distance: float
    events: tuple[str, ...]


class Taking(Protocol):
    """Where answers wait."""

    def add(self, answer: Answer) -> None: ...
    def has(self, answer: Answer | None) -> bool: ...


class Noted(Protocol):
    """Takes what is told of targets, and knows whether it has."""

    @property
    def done(self) -> bool: ...
    def __call__(self, told: list[Told]) -> None: ...


class Part(abc.ABC):
    """What learns of a model, on B streams.

    Attributes
    ----------
    deployed : array
        The weights at the beginning.
    """

    deployed: Array

    @property
    @abc.abstractmethod
    def state(self) -> Array:
        """(B, K), of the network after the last answer."""

    @property
    @abc.abstractmethod
    def weights(self) -> list[Array]:
        """As learnt, like ``deployed``: of all streams together, or of each."""

    @abc.abstractmethod
    def reset(self, streams: slice) -> None:
        """Let streams begin at the start."""

    @abc.abstractmethod
    def predict(self, x: Array, dt: ArrayLike | None, waiting: Taking) -> Answer:
        """The answer to inputs (I,) or (B, I); the states go on, and it waits.  After an error, or Ctrl-C, nothing has
        changed, or, where the answer waits, all."""

    @abc.abstractmethod
    def peek(self, x: Array, dt: ArrayLike | None) -> Array:
        """The outputs (B, O) of the answer that `predict` would give; nothing changes."""

    @abc.abstractmethod
    def learn(self, answer: Answer, observed: Observed, noting: Noted) -> None:
        """Learn from what was observed, and note what is told of it; or raise an error and change nothing, also by
        Ctrl-C, but where it is noted already."""

    @abc.abstractmethod
    def network(self, k: int) -> Model:
        """A model with number k of `weights`."""

    @abc.abstractmethod
    def held(self) -> dict[str, Any]:
        """All that changes, as plain data and arrays."""

    @abc.abstractmethod
    def restore(self, held: Mapping[str, Any]) -> None:
        """Inverse of `held`."""

    @abc.abstractmethod
    def answer(self, held: Mapping[str, Any]) -> Answer:
        """Inverse of `held_answer`."""

    def held_answer(self, answer: Answer) -> dict[str, Any]:
        """An answer as plain data and arrays."""
        return {"y": answer.y, **answer.kept._asdict()}
