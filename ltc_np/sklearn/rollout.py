"""Forecasts of a trained network: all steps ahead at once, or one after the other.

Each returns quantiles (B, steps, F, Q) in the units of the series, or values (B, steps, F); B is a number of series, or
of ends of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..base.types import Array, Ints
from ..losses import Mixture
from ..model import Model
from . import conformal
from .curves import at_scores
from .framing import Frame, Prepared, contexts
from .windows import Windows


class Network(NamedTuple):
    """A trained network and how it is used.

    Attributes
    ----------
    model : Model
    frame : Frame
    window : int
        Steps that it reads before it answers.
    levels : tuple of float
        The quantiles that it has learned.
    shifts : (ahead, F, Q) array, or () for 0
        What is added to them, in the units of the series.
    errors : (ahead, F) int array, or None
        How many values that were held out say it; None where nothing was to be held out.
    recursive : bool
        It answers the next step alone, and reads its own answer for the one after it.
    density : bool
        It answers with the density of all values ahead, and not with their quantiles.
    """

    model: Model
    frame: Frame
    window: int
    levels: tuple[float, ...]
    shifts: Array
    errors: Ints | None
    recursive: bool
    density: bool = False

    @property
    def spreads(self) -> bool:
        """Whether it has learned quantiles, and not one number alone."""
        return len(self.levels) > 1

    def rows(self, ends: list[tuple[Prepared, int]]) -> list[tuple[Prepared, Ints]]:
        """The steps to read before the end ``T`` of each series, which is the step of the first forecast."""
        return [(series, np.arange(max(self.frame.lag, T - self.window), T)) for series, T in ends]

    def curves(self, y: Array) -> Array:
        """Outputs (B, ahead F Q), or those of a density of ahead F values, as quantiles (B, ahead, F, Q), in order."""
        ahead, F = self.frame.ahead, len(self.frame.first)
        found = Mixture.of(y, ahead * F).quantiles(self.levels) if self.density else np.asarray(y, np.float64)
        return np.sort(found.reshape(len(y), ahead, F, len(self.levels)) + self.shifts, axis=-1)

    def calibrated(self, held: Windows) -> Network:
        """With shifts after which intervals cover what was held out as often as they should, at every step ahead."""
        last = np.arange(len(held.x)), held.lengths - 1
        found = self.curves(self.model.predict(held.x, dt=held.dt, lengths=held.lengths)[last])
        shifts, errors = conformal.shifts(self.levels, found, held.y[last].reshape(found.shape[:-1]))
        return self._replace(shifts=shifts, errors=errors)


def direct(network: Network, ends: list[tuple[Prepared, int]]) -> Array:
    """Quantiles (B, A, F, Q) of the steps after the ends of series."""
    frame = network.frame
    x, dt, lengths = contexts(frame, network.rows(ends))
    y = network.model.predict(x, dt=dt, lengths=lengths)[np.arange(len(x)), lengths - 1]
    naive = np.concatenate([frame.naive(series.values[:T], np.array([T - 1])) for series, T in ends])
    return network.curves(y) + naive[..., None]


def recursive(
    network: Network, ends: list[tuple[Prepared, int]], horizon: int, choose: Callable[[Array], Array], copies: int = 1
) -> Array:
    """Values (B * copies, horizon, F), each of which the network reads before the next.

    ``choose`` makes one value of the quantiles (B * copies, F, Q) of a difference d; every series has as many paths as
    ``copies``, one after the other.
    """
    frame, model = network.frame, network.model
    x, dt, lengths = contexts(frame, network.rows(ends))
    y, state = model(x, dt=dt, lengths=lengths, return_sequences=False, return_state=True)
    y, state = np.repeat(y, copies, axis=0), np.repeat(state, copies, axis=0)
    # The values that differences are to: a column for each of the last steps, then for each of the forecasts.
    back = max(1, frame.lag)
    values = np.repeat(np.stack([series.values[T - back : T] for series, T in ends]), copies, axis=0)
    known = np.repeat(np.stack([series.known[T - back : T] for series, T in ends]), copies, axis=0)
    values = np.concatenate([values, np.zeros((len(values), horizon, values.shape[2]))], axis=1)
    known = np.concatenate([known, np.ones((len(known), horizon, known.shape[2]), bool)], axis=1)
    for h in range(horizon):
        d = choose(network.curves(y)[:, 0])
        values[:, back + h] = d + (values[:, h] if frame.lag else 0)
        if h + 1 == horizon:
            break
        seen = known[:, back + h] & (known[:, h] if frame.lag else True)
        x = np.concatenate(
            [
                frame.join(d[k : k + copies], seen[k : k + copies], series, np.full(copies, T + h))
                for k, (series, T) in zip(range(0, len(d), copies), ends, strict=True)
            ]
        )
        elapsed = np.repeat([series.dt[T + h] for series, T in ends], copies) if frame.timed else None  # type: ignore
        y, state = model.step(x, dt=elapsed, state=state)
    return values[:, back:]


def median(network: Network) -> Callable[[Array], Array]:
    """Chooses the median."""
    return lambda curves: at_scores(network.levels, curves, np.zeros(1))[..., 0]


def drawn(network: Network, rng: np.random.RandomState) -> Callable[[Array], Array]:
    """Draws a value with the quantiles that were learned, each value of a step by itself."""
    return lambda curves: at_scores(network.levels, curves, rng.standard_normal((*curves.shape[:-1], 1)))[..., 0]
