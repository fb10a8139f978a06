"""How far a training has come."""

from typing import NamedTuple

from ..base.types import State


class Trained(NamedTuple):
    """How far `fit` has come; saved with the model, so that training resumes as if never stopped.

    Attributes
    ----------
    epochs : int
        Epochs done.
    seed : int
        Of the order of batches and of what layers drop.
    number : int
        Trainings of the model that began before this one: with the same seed each has an order of its own.
    callbacks : tuple of (str, dict)
        Class and state of the callbacks that have one (`Callback.state`).
    loss : str or None
        Which loss it minimises (`ltc_np.losses.identity`); None in files of before this was kept.
    """

    epochs: int
    seed: int
    number: int = 0
    callbacks: tuple[tuple[str, State], ...] = ()
    loss: str | None = None
