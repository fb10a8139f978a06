"""The best weights of a training so far."""

from typing import NamedTuple

from ..base.types import Array, Mode


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
    buffers : (F,) array or None
        Those of this epoch; None where training does not change them.
    """

    value: float
    epoch: int
    loss: str
    theta: Array
    monitor: str = "val_loss"
    mode: Mode = "min"
    buffers: Array | None = None
