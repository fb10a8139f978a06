"""How far a training has come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..base.types import State


class Times(NamedTuple):
    """Elapsed times that a network has seen, without those of 0.

    Attributes
    ----------
    shortest, longest : float
    usual : tuple of two floats, or None
        The least and the greatest geometric mean of a sequence of ten or more; where there is none, of all that came
        at once, data or a batch of a user's own.  None: not known, since there were only a few, or in files of before
        this was kept.
    """

    shortest: float
    longest: float
    usual: tuple[float, float] | None = None


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
    dt : Times or None
        The elapsed times that it has seen; all are 1 without ``dt``.  None: not known, in files of before this was
        kept.  `predict` and `evaluate` warn of others.
    """

    epochs: int
    seed: int
    number: int = 0
    callbacks: tuple[tuple[str, State], ...] = ()
    loss: str | None = None
    dt: Times | None = None


def together(several: Iterable[Times | None]) -> Times | None:
    """What several calls have seen; None is that of no times."""
    known = [one for one in several if one is not None]
    if not known:
        return None
    usual = [one.usual for one in known if one.usual is not None]
    return Times(
        min(one.shortest for one in known),
        max(one.longest for one in known),
        (min(low for low, _ in usual), max(high for _, high in usual)) if usual else None,
    )
