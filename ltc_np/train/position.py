"""Where a training is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..base.types import Array


class Position(NamedTuple):
    """The next step of a training, and what its epoch has brought so far.

    Attributes
    ----------
    epoch, batch, chunk : int
        Of the next step, from 0.  ``batch`` is the number of batches of an epoch when no step is left but the epoch has
        not been finished.
    step : int
        Its number, as callbacks count them: how many there were before.
    total, weights : float
        Sums over the steps of the epoch: of losses times weights, and of weights.
    state : (B, K) array or None
        In which the chunk before ended; None for the first one of a batch.
    """

    epoch: int
    batch: int = 0
    chunk: int = 0
    step: int = 0
    total: float = 0.0
    weights: float = 0.0
    state: Array | None = None

    @property
    def is_inside(self) -> bool:
        """Whether the epoch has begun."""
        return self.batch > 0 or self.chunk > 0
