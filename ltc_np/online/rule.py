"""What a rule for a readout is."""

from __future__ import annotations

import abc
from collections.abc import Mapping

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
        """The weights after one observation, and what is kept then: new arrays.

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
