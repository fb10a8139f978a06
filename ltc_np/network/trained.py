"""How far a training has come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from ..base.types import State

Range: TypeAlias = tuple[float, float]


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
    dt : tuple of two floats, or None
        The shortest and the longest elapsed time that it has seen, without those of 0; (1, 1) without ``dt``.  None:
        not known, in files of before this was kept.  `predict` and `evaluate` warn of others.
    """

    epochs: int
    seed: int
    number: int = 0
    callbacks: tuple[tuple[str, State], ...] = ()
    loss: str | None = None
    dt: Range | None = None


def together(ranges: Iterable[Range | None]) -> Range | None:
    """The range of the elapsed times of several ranges; None is that of no times."""
    known = [one for one in ranges if one is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None
