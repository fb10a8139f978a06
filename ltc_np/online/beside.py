"""Simple answers beside a network's, and which of them is given: docs/online.md#in-river."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..base.moments import Moments
from ..base.types import Array
from .rls import RLS

WORSE, HORIZON = 1.05, 100
FARTHEST = 5.0  # standard deviations from a mean: what is farther away says no more to a line


class Asked(NamedTuple):
    """What was known of an observation when its answer was asked for.

    Attributes
    ----------
    answer : float
        The one that is given.
    answers : dict
        Each by its name.
    inputs : (I,) array
    features : (F,) array
        What "both" reads: the inputs, the last target and the network's answer, standardised, and 1.
    """

    answer: float
    answers: Mapping[str, float]
    inputs: Array
    features: Array


def standardised(x: Array, moments: Moments) -> Array:
    """By what has been seen so far, and no farther from the mean than `FARTHEST`."""
    return np.clip((x - moments.mean) / _deviation(moments), -FARTHEST, FARTHEST)


def _deviation(moments: Moments) -> Array:
    """1 where nothing has changed yet."""
    return np.where(moments.squares > 0, np.sqrt(moments.variance), 1.0)


def _rule(count: int) -> RLS:
    """Of the lines, after so many observations.

    The first ones are forgotten sooner, since the moments by which they were standardised were those of few; and with
    less regularization they could take the weights anywhere.
    """
    return RLS(forgetting=min(max(0.9, 1 - 1 / (count + 1)), 0.999), regularization=1.0)


class Beside:
    """Three answers beside that of a network of one output, and the choice between all four.

    "last" repeats the last target that is known.  "line" is linear in the inputs and that target, and "both" in these
    and the network's answer; both lines learn by `RLS`, of numbers that are standardised by their moments so far.  The
    squared errors of all four fade over about 100 observations.  The one that answers does so until its error is more
    than 1.05 times the least; then that one does.  Up to the first target "last" is what the network answers.

    Parameters
    ----------
    inputs : int

    Attributes
    ----------
    answering : str
        "network", "last", "line" or "both".
    errors : dict
        The faded squared error of each.
    """

    answering: str
    errors: dict[str, float]

    def __init__(self, inputs: int) -> None:
        self.answering, self.errors = "last", dict.fromkeys(("network", "last", "line", "both"), 0.0)
        self._inputs, self._targets, self._last = Moments(inputs), Moments(1), math.nan
        self._reads = {"line": np.r_[: inputs + 1, inputs + 2], "both": np.arange(inputs + 3)}  # of `Asked.features`
        self._weights: dict[str, Array] = {name: np.zeros((1, len(reads))) for name, reads in self._reads.items()}
        self._kept = {name: _rule(0).begin(W.shape[1], 1, W.dtype) for name, W in self._weights.items()}

    def reset(self) -> None:
        """Begin a new sequence, whose last target is not known; what is learnt stays."""
        self._last = math.nan

    def ask(self, inputs: Array, y: float) -> Asked:
        """The answer to an observation for which the network has this one; nothing changes."""
        last = y if math.isnan(self._last) else self._last
        of_targets = standardised(np.array([last, y]), self._targets)
        features = np.concatenate([standardised(inputs, self._inputs), of_targets, [1.0]])
        answers = {"network": y, "last": last}
        for name, W in self._weights.items():
            deviations = W @ features[self._reads[name]]  # from the mean of the targets
            answers[name] = float((self._targets.mean + _deviation(self._targets) * deviations)[0])
        return Asked(answers[self.answering], answers, inputs, features)

    def learn(self, asked: Asked, target: float, weight: float) -> None:
        """The target of an observation, of which this was known."""
        for name, answer in asked.answers.items():
            self.errors[name] += min(weight / HORIZON, 1.0) * ((target - answer) ** 2 - self.errors[name])
        best = min(self.errors, key=self.errors.__getitem__)
        if self.errors[self.answering] > WORSE * self.errors[best]:
            self.answering = best
        rule = _rule(self._targets.count)
        wanted = standardised(np.array([target]), self._targets)
        for name, W in self._weights.items():
            f = asked.features[self._reads[name]]
            # With a delay the weights have changed since the answer.
            self._weights[name], self._kept[name] = rule.update(W, self._kept[name], f, wanted - W @ f, None, weight)
        self._inputs.add(asked.inputs[None])
        self._targets.add(np.array([[target]]))
        self._last = target
