"""Forecasts of a trained network: all steps ahead at once, or one after the other.

Each returns quantiles (B, steps, F, Q) in the units of the series, or values (B, steps, F); B is a number of series, or
of ends of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..base.levels import scores
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
        found = self.mixture(y).quantiles(self.levels) if self.density else np.asarray(y, np.float64)
        return np.sort(found.reshape(len(y), ahead, F, len(self.levels)) + self.shifts, axis=-1)

    def mixture(self, y: Array) -> Mixture:
        """Of outputs that are a density."""
        return Mixture.of(y, self.frame.ahead * len(self.frame.first))

    def moved(self, z: Array) -> Array:
        """What is added to values at the normal scores ``z`` (B, A, F, n) of a density."""
        shape = (*z.shape[:-1], len(self.levels))
        return at_scores(self.levels, np.broadcast_to(self.shifts, shape), z)

    def calibrated(self, held: Windows) -> Network:
        """With shifts after which intervals cover what was held out as often as they should, at every step ahead."""
        last = np.arange(len(held.x)), held.lengths - 1
        found = self.curves(self.model.predict(held.x, dt=held.dt, lengths=held.lengths)[last])
        shifts, errors = conformal.shifts(self.levels, found, held.y[last].reshape(found.shape[:-1]))
        return self._replace(shifts=shifts, errors=errors)


def direct(network: Network, ends: list[tuple[Prepared, int]], levels: Array | None = None) -> Array:
    """Quantiles (B, A, F, n) of the steps after the ends of series, at some levels; None: at those learned."""
    frame = network.frame
    x, dt, lengths = contexts(frame, network.rows(ends))
    y = network.model.predict(x, dt=dt, lengths=lengths)[np.arange(len(x)), lengths - 1]
    naive = np.concatenate([frame.naive(series.values[:T], np.array([T - 1])) for series, T in ends])
    if levels is None:
        return network.curves(y) + naive[..., None]
    z = scores(levels)
    if not network.density:
        return at_scores(network.levels, network.curves(y) + naive[..., None], z)
    found = network.mixture(y).quantiles(levels).reshape(*naive.shape, len(z))
    found += network.moved(np.broadcast_to(z, found.shape))
    order = np.argsort(z)
    found[..., order] = np.sort(found, axis=-1)  # where two were moved past each other
    return found + naive[..., None]


def recursive(
    network: Network, ends: list[tuple[Prepared, int]], horizon: int, choose: Callable[[Array], Array], copies: int = 1
) -> Array:
    """Values (B * copies, horizon, F), each of which the network reads before the next.

    ``choose`` makes one value (B * copies, F) of outputs, which tell of a difference d; every series has as many paths
    as ``copies``, one after the other.
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
        d = choose(y)
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
    return lambda y: at_scores(network.levels, network.curves(y)[:, 0], np.zeros(1))[..., 0]


def drawn(network: Network, rng: np.random.RandomState) -> Callable[[Array], Array]:
    """Draws a value with the quantiles that were learned, each value of a step by itself; of a density all together."""
    if network.density:
        return _drawn_together(network, np.random.default_rng(rng.randint(2**31)))

    def draw(y: Array) -> Array:
        curves = network.curves(y)[:, 0]
        return at_scores(network.levels, curves, rng.standard_normal((*curves.shape[:-1], 1)))[..., 0]

    return draw


def _drawn_together(network: Network, rng: np.random.Generator) -> Callable[[Array], Array]:
    """Draws from a density, and moves each value as the quantile that it is."""

    def draw(y: Array) -> Array:
        mixture = network.mixture(y)
        d = mixture.sample(rng)
        z = scores(np.clip(mixture.cdf(d), 1e-9, 1 - 1e-9).ravel()).reshape(len(d), 1, -1, 1)
        return d + network.moved(z)[:, 0, :, 0]

    return draw
