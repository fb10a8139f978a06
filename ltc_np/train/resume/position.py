"""Where a training begins, and where it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...base import checks
from ...base.types import Array, Seed
from ...network.trained import Trained


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


def beginning(trained: Trained | None, initial_epoch: int, seed: Seed) -> Trained:
    """`Trained` of the beginning of a training; ``trained`` is the model's own."""
    given = checks.seed("seed", seed)
    if trained is None or initial_epoch == 0:
        number = 0 if trained is None else trained.number + 1
        if given is None:
            given = int(np.random.SeedSequence().entropy % 2**63)  # type: ignore[operator]  # an int, if none is given
        return Trained(initial_epoch, given, number)
    start = trained._replace(epochs=initial_epoch, seed=trained.seed if given is None else given)
    if trained.epochs == initial_epoch:
        return start
    epochs = checks.counted(trained.epochs, "epoch")
    checks.warn(
        f"`epochs` begins with epoch {initial_epoch}, but the model has been trained for {epochs}: callbacks begin "
        "anew, instead of going on as they were then"
    )
    return start._replace(callbacks=())
