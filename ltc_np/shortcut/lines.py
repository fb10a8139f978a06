"""Which line is put beside a network: what it reads, chosen by leave-one-out errors, and what it says of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Bools, Ints, LineReads
from ..layers.line import Line, summarise
from .ridge import Ridge, ridge

LAGS = 1, 2, 4, 8, 16  # inputs that are tried where every step has a target
FEW = 8  # inputs that are tried where a whole sequence has one
MOST = 2**24  # numbers in the rows of a regression; of more sequences it is fitted to one in two, in three, ...
RESOLUTION = 1e-4  # of a column in spreads of its feature: less is rounding in a model of float32, or almost
BLOCKS = 10  # into which few sequences are cut, to be left out one after the other


class Sequences(NamedTuple):
    """Sequences for a line: x (B, T, I) with 0 behind the ends, and lengths (B,)."""

    x: Array
    lengths: Ints

    def part(self, rows: Ints | slice) -> Sequences:
        """Some of the sequences."""
        return Sequences(self.x[rows], self.lengths[rows])


class Fitted(NamedTuple):
    """A line that was fitted.

    Attributes
    ----------
    reads : int or "summaries"
        As for `Line`.
    ridge : Ridge
    left_out : (B, O) or (B, T, O) array
        What the line says of each sequence that it is fitted without.
    error : float
        Mean squared error of that, summed over outputs, where there are targets.
    constant : float
        The same of the mean of the targets.
    """

    reads: LineReads
    ridge: Ridge
    left_out: Array
    error: float
    constant: float

    def predict(self, data: Sequences, every_step: bool) -> Array:
        """(B, O), or (B, T, O): what the line says of sequences."""
        return np.concatenate([self.ridge.predict(rows) for _, rows in _rows(data, self.reads, every_step)])


def choose(data: Sequences, y: Array, weight: Array | None, every_step: bool) -> Fitted:
    """The line with the least leave-one-out error of those that read some or all inputs, or summaries of them.

    Parameters
    ----------
    data : Sequences
    y : (B, O) or (B, T, O) array
        NaN is no target: a row that has any is left out.
    weight : (B,) or (B, T) array >= 0, or None
    every_step : bool
        There is a target at every step; then sequences are left out as a whole, few ones in blocks of steps.
    """
    T, shortest = data.x.shape[1], int(data.lengths.min())
    reads: list[LineReads] = sorted({min(lag, T) for lag in LAGS})
    if not every_step:
        reads = ["summaries", *sorted({min(FEW, shortest), shortest} - {0})]
    return min((fit(data, y, weight, every_step, each) for each in reads), key=lambda found: found.error)


def fit(data: Sequences, y: Array, weight: Array | None, every_step: bool, reads: LineReads) -> Fitted:
    """The line that reads this; arguments as for `choose`."""
    B, T, I = data.x.shape
    counts = np.isfinite(y).all(-1) & (checks.before_end(data.lengths, T) if every_step else True)
    mass = np.ones(B) if weight is None else np.asarray(weight, np.float64)
    mass = np.where(counts, mass[:, None] if mass.ndim < counts.ndim else mass, 0)
    width = 11 * I if isinstance(reads, str) else reads * I
    some = np.zeros(B, bool)
    some[:: 1 + B * (T if every_step else 1) * width // MOST] = True
    fitted = (mass > 0) & (some[:, None] if every_step else some)
    rows = np.concatenate([each[fitted[part]] for part, each in _rows(data, reads, every_step)])
    groups = _groups(fitted) if every_step else None
    seen = data.x[checks.before_end(data.lengths, T)]
    least = RESOLUTION * np.tile(seen.std(0), width // I)  # the features of a step come one after another
    line = ridge(rows, y[fitted], mass[fitted], groups, least)
    found = Fitted(reads, line, np.empty(0), 0.0, 0.0)
    left_out = found.predict(data, every_step)
    left_out[fitted] = line.left_out
    share = mass[fitted] / mass[fitted].sum()
    error, constant = (share @ (y[fitted] - each) ** 2 for each in (line.left_out, share @ y[fitted]))
    return found._replace(left_out=left_out, error=float(error.sum()), constant=float(constant.sum()))


def _rows(data: Sequences, reads: LineReads, every_step: bool) -> Iterator[tuple[slice, Array]]:
    """What a line reads, (b, p) or (b, T, p), of b sequences at a time, and which these are."""
    B, T, I = data.x.shape
    layer = Line(1, reads, input_dim=I)
    width = layer.buffers.slices["weight"][1][0]
    size = max(1, MOST // (8 * T * width))
    for first in range(0, B, size):
        part = slice(first, first + size)
        x, lengths = data.x[part].astype(np.float64), data.lengths[part]
        ends = np.arange(len(x)), np.maximum(lengths - 1, 0)
        if isinstance(reads, str):
            z = summarise(x, np.zeros((len(x), layer.state_size)), layer.state_slices).z
            yield part, z if every_step else z[ends]
            continue
        seen = np.pad(x, ((0, 0), (reads - 1, 0), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(seen, reads, axis=1)  # (b, T, I, reads), oldest first
        windows = windows if every_step else windows[ends]
        newest_first = np.moveaxis(windows[..., ::-1], -1, -2)
        yield part, newest_first.reshape(*windows.shape[:-2], reads * I)


def _groups(fitted: Bools) -> Ints:
    """Which rows are left out together: those of a sequence, or of a stretch of one where there are few."""
    B, T = fitted.shape
    stretches = -(-BLOCKS // B)
    return (np.arange(B)[:, None] * stretches + np.arange(T) * stretches // T)[fitted]
