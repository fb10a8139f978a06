"""The best weights of a training so far."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Best:
    """The best weights of a training so far; saved with the model, so that training resumes as if never stopped."""

    val_loss: float
    epoch: int
    loss: str
    theta: np.ndarray
