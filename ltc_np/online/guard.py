"""What keeps a network that learns in use from becoming worse than the one that was deployed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Array

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
    """Weights that learn, what their rule or optimiser keeps, the last good of both; with a `Guard`, the three faded
    errors, whose weights answer, for how many observations they have, and whether the distance limits the learnt ones.
    """

    W: Array
    kept: Mapping[str, Any]
    good: tuple[Array, Mapping[str, Any]]
    errors: tuple[float, float, float] = (0.0, 0.0, 0.0)
    answering: str = "learnt"
    since: int = 0
    limited: bool = False

    def weights(self, deployed: Array) -> Array:
        """Those that answer."""
        if self.answering == "learnt":
            return self.W
        return deployed if self.answering == "deployed" else self.good[0]

    def moved(
        self, W: Array, kept: Mapping[str, Any], deployed: Array, apart: float, guard: Guard
    ) -> tuple[Watched, float, tuple[str, ...]]:
        """With these weights, or on the way back to the deployed ones as far as the distance allows; how far apart they
        are then, and what was done."""
        most = math.inf if guard.distance is None else guard.distance * float(np.linalg.norm(deployed))
        limited = apart > most
        if limited:
            W, apart = deployed + (most / apart) * (W - deployed), most
        events = () if limited == self.limited else ("limited" if limited else "not limited any more",)
        return self._replace(W=W, kept=kept, limited=limited), apart, events

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
            return self._replace(errors=errors).anew(), ("begun anew",)
        return self._replace(errors=errors, since=since), ()

    def anew(self) -> Watched:
        """With the last good weights as the learnt ones."""
        (W, kept), (_, good, deployed) = self.good, self.errors
        return Watched(W, kept, self.good, (good, good, deployed), self.answering, limited=self.limited)

    def held(self) -> dict[str, Any]:
        """As plain data and arrays."""
        W, kept = self.good
        good = None if W is self.W else {"W": W, "kept": dict(kept)}
        return {**self._asdict(), "kept": dict(self.kept), "good": good}

    def _kept(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """What a rule keeps, of a file: single numbers are plain data there, and arrays again where they were."""
        single = {name for name, like in self.kept.items() if isinstance(like, np.ndarray)}
        return {name: np.array(value) if name in single else value for name, value in held.items()}

    def restored(self, held: Mapping[str, Any]) -> Watched:
        """Inverse of `held`, for weights like these."""
        W, kept = copied(held["W"], self.W), self._kept(held["kept"])
        good = (W, kept)
        if held["good"] is not None:
            good = copied(held["good"]["W"], self.W), self._kept(held["good"]["kept"])
        own, of_good, deployed = map(float, held["errors"])
        answering = checks.one_of("answering", held["answering"], WORDS)
        return Watched(
            W,
            kept,
            good,
            (own, of_good, deployed),
            answering,
            int(held["since"]),
            checks.boolean("limited", held["limited"]),
        )


def copied(held: Any, like: Array) -> Array:
    """An array of a file, which must have the form of another one."""
    if not isinstance(held, np.ndarray) or held.shape != like.shape or held.dtype != like.dtype:
        got = checks.describe(held)
        raise ValueError(f"an array must be {like.dtype} of shape {like.shape}, got {got}")
    return held.copy()
