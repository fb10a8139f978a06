"""What keeps a network that learns in use from becoming worse than the one that was deployed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Array
from .rule import Kept

WORDS = "learnt", "last good", "deployed"  # whose weights answer
PATIENCE = 10  # horizons that learnt weights may be worse before they are given up


class Guard(Immutable):
    """Limits to what a readout may learn, and answers by other weights where the learnt ones are worse.

    Three answers to every observation are compared, all given before its target is learnt from: by the learnt weights,
    by the last good ones, and by those that were deployed.  Their mean squared errors fade: an observation counts less
    by the factor 1 - 1 / horizon with each one after it.  The learnt weights answer as long as their error is at most
    ``worse`` times the least of the three; else the better of the other two do, while learning goes on unseen until it
    is worth being seen.  After ten horizons without that it begins anew from the last good weights.

    Learnt weights become good ones where, for a horizon, they have answered, and none of the others would have been
    better.

    Parameters
    ----------
    worse : float >= 1
    horizon : int >= 1
        In observations.
    distance : float > 0, optional
        How far the weights may be from the deployed ones, as a share of their norm: weights that are farther away are
        moved straight back to this distance.
    """

    worse: float
    horizon: int
    distance: float | None

    def __init__(self, worse: float = 1.05, horizon: int = 100, distance: float | None = None) -> None:
        self.worse = checks.number("worse", worse, low=1)
        self.horizon = checks.integer("horizon", horizon)
        self.distance = None if distance is None else checks.number("distance", distance, low_open=True)


class Watched(NamedTuple):
    """One readout: its weights, what its rule keeps, the last good of both; with a `Guard`, the three faded errors,
    whose weights answer, and for how many observations they have."""

    W: Array
    kept: Kept
    good: tuple[Array, Kept]
    errors: tuple[float, float, float] = (0.0, 0.0, 0.0)
    answering: str = "learnt"
    since: int = 0

    def weights(self, deployed: Array) -> Array:
        """Those that answer."""
        return {"learnt": self.W, "last good": self.good[0], "deployed": deployed}[self.answering]

    def judged(self, guard: Guard, seen: tuple[float, float, float]) -> tuple[Watched, tuple[str, ...]]:
        """After the squared errors of one observation, by the weights as before it; and what the guard has done."""
        fade = 1 / guard.horizon
        own, good, deployed = (e + fade * (s - e) for e, s in zip(self.errors, seen, strict=True))
        errors = own, good, deployed
        least, since = min(errors), self.since + 1
        now = "learnt" if own <= guard.worse * least else "last good" if good <= deployed else "deployed"
        if now != self.answering:
            return self._replace(errors=errors, answering=now, since=0), (f"{now} weights answer",)
        if now == "learnt" and since >= guard.horizon and own <= least:
            # The good ones are the learnt ones now, and so is their error.
            return self._replace(good=(self.W, self.kept), errors=(own, own, deployed), since=0), ()
        if now != "learnt" and since >= PATIENCE * guard.horizon:
            W, kept = self.good
            return Watched(W, kept, self.good, (good, good, deployed), now, 0), ("begun anew",)
        return self._replace(errors=errors, since=since), ()


def within(W: Array, deployed: Array, apart: float, distance: float | None) -> tuple[Array, float, tuple[str, ...]]:
    """W, which is so far apart from the deployed weights, or on the way back to them as far as the distance allows; how
    far apart that is, and what was done."""
    if distance is None or apart <= (most := distance * float(np.linalg.norm(deployed))):
        return W, apart, ()
    return deployed + (most / apart) * (W - deployed), most, ("limited",)
