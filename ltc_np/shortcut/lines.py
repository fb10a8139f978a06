"""Which line is put beside a network: what it reads, chosen by leave-one-out errors, and what it says of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Bools, Ints, ShortcutKind, ShortcutReads
from ..cells import Layer
from ..layers import Line, RandomConvolutions
from ..layers.line import summarise
from .ridge import Ridge, ridge

LAGS = 1, 2, 4, 8, 16  # inputs that are tried where every step has a target
FEW = 8  # inputs that are tried where a whole sequence has one
FEATURES = 1008  # of convolutions, and as many of their differences
FEW_ENOUGH = 1000  # sequences for both: of more, a regression by twice as many numbers takes too long
MOST = 2**24  # numbers in the rows of a regression; of more sequences it is fitted to one in two, in three, ...
RESOLUTION = 1e-4  # of a column in spreads of its feature: less is rounding in a model of float32, or almost
BLOCKS = 10  # into which few sequences, or all in their order, are cut, to be left out one after the other


class Sequences(NamedTuple):
    """Sequences for a line: x (B, T, I) with 0 behind the ends, lengths (B,), and what x is where nothing comes in."""

    x: Array
    lengths: Ints
    rest: Array | float = 0.0

    def part(self, rows: Ints | slice) -> Sequences:
        """Some of the sequences."""
        return Sequences(self.x[rows], self.lengths[rows], self.rest)


class Fitted(NamedTuple):
    """A line that was fitted.

    Attributes
    ----------
    reads : int, "summaries", "convolutions" or "nothing"
        As for `Line`, or that it is no `Line`; of "nothing" it is the mean of the targets.
    layer : Line or RandomConvolutions
        Without weight, bias and thresholds.
    thresholds : (p,) array or None
        Of convolutions.
    ridge : Ridge
    left_out : (B, O) or (B, T, O) array
        What the line says of each sequence that it is fitted without.
    error : float
        Mean squared error of that, summed over outputs, where there are targets.
    constant : float
        The same of the mean of the targets.
    """

    reads: ShortcutReads
    layer: Layer
    thresholds: Array | None
    ridge: Ridge
    left_out: Array
    error: float
    constant: float

    def predict(self, data: Sequences, every_step: bool) -> Array:
        """(B, O), or (B, T, O): what the line says of sequences."""
        return np.concatenate(
            [self.ridge.predict(rows) for _, rows in _rows(data, self.reads, self.layer, self.thresholds, every_step)]
        )


def choose(
    data: Sequences, y: Array, weight: Array | None, every_step: bool, shortcut: ShortcutKind = "ridge"
) -> Fitted:
    """The line with the least leave-one-out error of those that read some or all inputs, or summaries of them.

    Parameters
    ----------
    data : Sequences
    y : (B, O) or (B, T, O) array
        NaN is no target: a row that has any is left out.
    weight : (B,) or (B, T) array >= 0, or None
    every_step : bool
        There is a target at every step; then sequences are left out as a whole, few ones in blocks of steps.
    shortcut : "ridge", "auto" or "convolutions"
        "auto": convolutions are tried too, where a whole sequence has one target, and taken if they are also the best
        when neighbours are left out together; "convolutions": nothing else is tried.
    """
    T, shortest = data.x.shape[1], int(data.lengths.min())
    reads: tuple[ShortcutReads, ...] = ("convolutions",)
    if every_step:
        reads = tuple(sorted({min(lag, T) for lag in LAGS}))
    elif shortcut != "convolutions":
        reads = "summaries", *sorted({min(FEW, shortest), shortest} - {0})
        reads = (*reads, "convolutions") if shortcut == "auto" else reads
    found = [fit(data, y, weight, every_step, each) for each in reads]
    best = _best(found)
    if shortcut == "auto" and best.reads == "convolutions":
        # Of windows that overlap, convolutions know each by its neighbours, and nothing of the rest of the series.
        apart = [fit(data, y, weight, every_step, each, neighbours=True) for each in reads]
        return best if _best(apart).reads == "convolutions" else _best(found[:-1])
    return best


def _best(found: list[Fitted]) -> Fitted:
    return min(found, key=lambda one: one.error)


def fit(
    data: Sequences, y: Array, weight: Array | None, every_step: bool, reads: ShortcutReads, *, neighbours: bool = False
) -> Fitted:
    """The line that reads this; arguments as for `choose`.

    With ``neighbours`` a tenth of the sequences, which come one after the other, is left out together: of classes a
    tenth of each.  Two things are chosen by the error: whether inputs before the first step are their mean or those at
    rest, and whether convolutions are of differences too.
    """
    layers = _layers(data, y.shape[-1], every_step, reads)
    return _best([_fit(data, y, weight, every_step, reads, layer, neighbours) for layer in layers])


def _layers(data: Sequences, outputs: int, every_step: bool, reads: ShortcutReads) -> Iterator[Layer]:
    B, _, I = data.x.shape
    if reads == "convolutions":
        for both in (False, True) if B <= FEW_ENOUGH else (False,):
            features, longest = FEATURES * (1 + both), max(1, int(data.lengths.max()))
            yield RandomConvolutions(outputs, features, length=longest, differences=both, input_dim=I)
        return
    if reads == "nothing":
        yield Line(outputs, 1, input_dim=I)
        return
    yield Line(outputs, reads, input_dim=I)
    if every_step and not isinstance(reads, str) and np.any(data.rest):
        yield Line(outputs, reads, before=data.rest, input_dim=I)


def _fit(
    data: Sequences, y: Array, weight: Array | None, every_step: bool, reads: ShortcutReads, layer: Layer,
    neighbours: bool,
) -> Fitted:  # fmt: skip
    """The line that this layer is."""
    B, T, I = data.x.shape
    counts = np.isfinite(y).all(-1) & (checks.before_end(data.lengths, T) if every_step else True)
    mass = np.ones(B) if weight is None else np.asarray(weight, np.float64)
    mass = np.where(counts, mass[:, None] if mass.ndim < counts.ndim else mass, 0)
    thresholds: Array | None = None
    least: float | Array = 0.0
    if isinstance(layer, RandomConvolutions):
        thresholds = layer.find_thresholds(data.x.astype(np.float64), data.lengths)
    elif reads != "nothing":
        seen = data.x[checks.before_end(data.lengths, T)]
        least = RESOLUTION * np.tile(seen.std(0), _width(layer) // I)  # the features of a step come one after another
    some, known = np.zeros(B, bool), np.flatnonzero((mass > 0).reshape(B, -1).any(1))
    some[known[:: 1 + len(known) * (T if every_step else 1) * _width(layer) // MOST]] = True
    fitted = (mass > 0) & (some[:, None] if every_step else some)
    rows = np.concatenate([each[fitted[part]] for part, each in _rows(data, reads, layer, thresholds, every_step)])
    groups = _groups(fitted) if every_step else _tenths(y[fitted]) if neighbours else None
    line = ridge(rows, y[fitted], mass[fitted], groups, least)
    found = Fitted(reads, layer, thresholds, line, np.empty(0), 0.0, 0.0)
    left_out = np.empty(y.shape) if fitted.all() else found.predict(data, every_step)
    left_out[fitted] = line.left_out
    share = mass[fitted] / mass[fitted].sum()
    error, constant = (share @ (y[fitted] - each) ** 2 for each in (line.left_out, share @ y[fitted]))
    return found._replace(left_out=left_out, error=float(error.sum()), constant=float(constant.sum()))


def _rows(
    data: Sequences, reads: ShortcutReads, layer: Layer, thresholds: Array | None, every_step: bool
) -> Iterator[tuple[slice, Array]]:
    """What a line reads, (b, p) or (b, T, p), of b sequences at a time, and which these are."""
    B, T, I = data.x.shape
    if isinstance(layer, RandomConvolutions):
        assert thresholds is not None and not every_step
        yield slice(0, B), layer.shares(data.x.astype(np.float64), data.lengths, thresholds)
        return
    assert isinstance(layer, Line) and reads != "convolutions"
    if reads == "nothing":
        yield slice(0, B), np.zeros((B, T, I) if every_step else (B, I))
        return
    size = max(1, MOST // (8 * T * _width(layer)))
    for first in range(0, B, size):
        part = slice(first, first + size)
        x, lengths = data.x[part].astype(np.float64), data.lengths[part]
        ends = np.arange(len(x)), np.maximum(lengths - 1, 0)
        if isinstance(reads, str):
            z = summarise(x, np.zeros((len(x), layer.state_size)), layer.state_slices).z
            yield part, z if every_step else z[ends]
            continue
        before = np.broadcast_to(layer.before, (len(x), reads - 1, I))
        seen = np.concatenate([before, x], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(seen, reads, axis=1)  # (b, T, I, reads), oldest first
        windows = windows if every_step else windows[ends]
        newest_first = np.moveaxis(windows[..., ::-1], -1, -2)
        yield part, newest_first.reshape(*windows.shape[:-2], reads * I)


def _width(layer: Layer) -> int:
    """How many numbers it reads."""
    return layer.buffers.slices["weight"][1][0]


def _groups(fitted: Bools) -> Ints:
    """Which rows are left out together: those of a sequence, or of a stretch of one where there are few."""
    B, T = fitted.shape
    stretches = -(-BLOCKS // B)
    return (np.arange(B)[:, None] * stretches + np.arange(T) * stretches // T)[fitted]


def _tenths(y: Array) -> Ints:
    """Which rows are left out together; never all of a class, since data often have one class after the other."""
    of_classes = y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())
    groups = np.arange(len(y)) * BLOCKS // len(y)
    for own in y.astype(bool).T if of_classes else ():
        if own.sum() > 1:
            groups[own] = np.arange(own.sum()) * BLOCKS // own.sum()
    return groups
