"""What learns of a model: its readout (`readouts`), or all of it (`gradients`)."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

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
    def predict(self, x: Array, dt: ArrayLike | None) -> Answer:
        """The answer to inputs (I,) or (B, I); the states go on.  After an error nothing has changed."""

    @abc.abstractmethod
    def peek(self, x: Array, dt: ArrayLike | None) -> Array:
        """The outputs (B, O) of the answer that `predict` would give; nothing changes."""

    @abc.abstractmethod
    def learn(self, answer: Answer, observed: Observed) -> list[Told]:
        """Learn from what was observed, or raise an error and change nothing."""

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
