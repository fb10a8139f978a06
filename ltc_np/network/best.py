"""The best weights of a training so far."""

from typing import NamedTuple

import numpy as np


class Best(NamedTuple):
    """The best weights of a training so far; saved with the model, so that training resumes as if never stopped.

    Attributes
    ----------
    value : float
        Of what was monitored.
    epoch : int
        From 0.
    loss : str
        Which loss it was (`ltc_np.losses.identity`).
    theta : (P,) array
    monitor : str
        A name in the logs.
    mode : "min" or "max"
    """

    value: float
    epoch: int
    loss: str
    theta: np.ndarray
    monitor: str = "val_loss"
    mode: str = "min"
