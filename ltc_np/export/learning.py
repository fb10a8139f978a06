"""A model whose export goes on learning: its readout apart, and golden vectors with targets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Numbers
from ..model import Model
from ..online import Rule
from ..online.readout import take_apart
from .agreement import in_float64

MISSING_EVERY = 8  # steps of the golden vectors


class Readout(NamedTuple):
    """The readout of a model, and how it learns.

    Attributes
    ----------
    rule : Rule
    body : Model
        All that is before it, in float64.
    W : (O, F + 1) float64 array
        What it begins with, the bias last, in the units of the model's outputs.
    """

    rule: Rule
    body: Model
    W: Numbers

    @classmethod
    def of(cls, model: Model, rule: Rule) -> Readout:
        """Of a model whose last layer is a Dense."""
        check_learns(model)
        both = take_apart(in_float64(model))
        return cls(rule, both.body, both.W)

    def deployed(self, features: Numbers) -> Numbers:
        """What it answers (..., O) to features (..., F) without learning."""
        y: Numbers = features @ self.W[:, :-1].T + self.W[:, -1]
        return y

    def answers(self, features: Numbers, target: Numbers, dtype: type) -> Numbers:
        """What it answers (T, O) to features (T, F) while it learns from the targets (T, O), computed in ``dtype``.

        A target that is NaN is missing.
        """
        f: Numbers = np.pad(features, ((0, 0), (0, 1)), constant_values=1).astype(dtype)
        W: Numbers = self.W.astype(dtype)
        answers: Numbers = np.empty((len(f), len(W)))
        kept = self.rule.begin(W.shape[1], W.shape[0], np.dtype(dtype))
        for k, row in enumerate(f):
            answers[k] = answer = W @ row
            known = ~np.isnan(target[k])
            if known.any():
                error: Numbers = np.where(known, target[k].astype(dtype) - answer, 0).astype(dtype)
                W, kept = self.rule.update(W, kept, row, error, None if known.all() else known, 1.0)
        return answers


def check_learns(model: Model) -> None:
    """Refuse a model that has no answer at most steps, as `Learner` does."""
    if model.layer_stack.stride > 1:
        raise ValueError(f"`model` must give an output at every step to learn where it is exported, got {model!r}")


def targets_for(y: Numbers, partly: bool = False) -> Numbers:
    """Targets (T, O) for outputs: three quarters of them and an eighth of their size, numbers that a float can hold.

    At some steps there is none, and, if ``partly``, at others, in the second half, the last output lacks one.
    """
    size = float(np.abs(y).max()) or 1.0
    target = (0.75 * y + 0.125 * size).astype(np.float32).astype(np.float64)
    target[MISSING_EVERY - 1 :: MISSING_EVERY] = np.nan
    if partly and target.shape[1] > 1:
        target[len(target) // 2 + MISSING_EVERY // 2 :: MISSING_EVERY, -1] = np.nan
    return target
