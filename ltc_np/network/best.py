"""The best weights of a training so far."""

from typing import NamedTuple

import numpy as np


class Best(NamedTuple):
    """The best weights of a training so far; saved with the model, so that training resumes as if never stopped."""

    val_loss: float
    epoch: int
    loss: str
    theta: np.ndarray
