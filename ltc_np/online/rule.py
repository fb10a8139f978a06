"""What a rule for a readout is."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Array, Bools, Float

# What a rule keeps of one readout between its steps, by name.
Kept = Mapping[str, Array]


class Rule(Immutable, abc.ABC):
    """How the weights W (O, F) of a linear readout W f follow their errors, one observation at a time.

    A rule has hyperparameters only, so one may serve many readouts; what belongs to a readout is an argument of
    `update`.
    """

    @abc.abstractmethod
    def begin(self, features: int, outputs: int, dtype: Float) -> Kept:
        """What is kept of a readout before its first error."""

    @abc.abstractmethod
    def update(
        self, W: Array, kept: Kept, f: Array, error: Array, known: Bools | None, weight: float
    ) -> tuple[Array, Kept]:
        """The weights after one observation, and what is kept then, by the names of `begin`: new arrays.

        Parameters
        ----------
        f : (F,)
            Its features; the last one is 1, for the bias.
        error : (O,)
            Its targets - W f; 0 where there is none.
        known : (O,) bool, or None
            Which targets there are; None: all.
        weight : float > 0
            How much it counts in the squared error.
        """


def begun(rule: Rule, W: Array) -> Kept:
    """What a rule of a user's own keeps of weights before their first error."""
    return _arrays(rule, "begin", rule.begin(W.shape[1], W.shape[0], W.dtype))


def updated(
    rule: Rule, W: Array, kept: Kept, f: Array, error: Array, known: Bools | None, weight: float
) -> tuple[Array, Kept]:
    """`Rule.update` of a rule of a user's own: it gets copies, so that nothing else changes with them, and what it
    returns can be saved, or is refused before anything is learnt."""
    own = {name: array.copy() for name, array in kept.items()}
    found: Any = rule.update(W.copy(), own, f.copy(), error.copy(), None if known is None else known.copy(), weight)
    if not (isinstance(found, tuple) and len(found) == 2):
        raise TypeError(
            f"`update` of {rule!r} must return two values, the new weights and what is kept, got {checks.brief(found)}"
        )
    new = _array(found[0])
    if new is None or new.shape != W.shape:
        raise ValueError(
            f"`update` of {rule!r} must return weights of shape (O, F) = {W.shape}, got {checks.describe(found[0])}"
        )
    return new.astype(W.dtype), _arrays(rule, "update", found[1])


def _arrays(rule: Rule, method: str, kept: Any) -> Kept:
    found = {name: _array(value) for name, value in kept.items()} if isinstance(kept, Mapping) else None
    if found is None or not all(isinstance(name, str) and value is not None for name, value in found.items()):
        raise TypeError(
            f"`{method}` of {rule!r} must return a dict of arrays of numbers to keep, got {checks.brief(kept)}"
        )
    return found  # type: ignore[return-value]  # none is None


def _array(value: Any) -> Array | None:
    """A new array of real numbers, or None; a single number has the type that it has again when a file is read."""
    try:
        found: Array = np.array(value)
    except ValueError:  # rows of unequal length
        return None
    if found.dtype.kind not in "fiu":
        return None
    return found if found.ndim else np.array(found, "f8" if found.dtype.kind == "f" else "i8")
