"""Pieces of irregular series to learn from: each has a past, of which a part may be hidden, and questions after it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..base.types import Array, Bools, Ints
from .points import Points, numbered

HIDDEN = 0.5  # the largest share of observations that is hidden in a piece
EARLIEST = 0.5  # part of a past that stays at least, where copies are cut
WHOLE = 3  # of so many pieces of one series, one shows all that was observed
PIECES = 400  # at least about so many are learned from, however few series there are
FEW_SERIES = 10  # of fewer none is held out as a whole
COPY = object()  # in the names of pieces: no name of a user's series has it


Both: TypeAlias = tuple[Points, Points]  # a past, and questions


class _Series(NamedTuple):
    """Of observations (n,): the number of their series, and the time since its first one; of each series the whole."""

    of: Ints
    since: Array
    span: Array


def _series(past: Points) -> tuple[list[object], _Series]:
    names = list(dict.fromkeys(past.series))
    of = numbered(past.series, {name: k for k, name in enumerate(names)})
    first = np.full(len(names), past.time.max())
    np.minimum.at(first, of, past.time)
    since = (past.time - first[of]).astype(np.float64)
    span = np.zeros(len(names))
    np.maximum.at(span, of, since)
    return names, _Series(of, since, span)


def with_copies(past: Points, asked: Points, count: int, rng: np.random.RandomState) -> Both:
    """Both, and ``count`` copies of each series in which less is seen.

    A copy is cut earlier, and what was observed after that becomes questions; of what was observed before, a random
    share is hidden.
    """
    _, series = _series(past)
    pasts, questions = [past], [asked]
    for k in range(1, count + 1):
        cut = series.span * rng.uniform(EARLIEST, 1, len(series.span))
        late = series.since > cut[series.of]
        pasts.append(_some(past, ~late & _seen(series, rng), k))
        questions += [_some(asked, np.ones(len(asked.time), bool), k), _some(past, late, k)]
    return joined(pasts), joined(questions)


def held_out(
    past: Points, horizon: float, share: float, rng: np.random.RandomState
) -> tuple[tuple[Points, None], Both]:
    """What is learned from, and pieces to judge by: of other series, or, of few, of a later time.

    A piece ends at a random observation; what comes within ``horizon`` after it is asked.
    """
    _, series = _series(past)
    B = len(series.span)
    if B < FEW_SERIES:
        early = series.since <= (1 - share) * series.span[series.of]
        return (past.some(early), None), _cut(past, horizon, _count(B, 0), rng, ~early, whole=True)
    apart = np.isin(series.of, rng.permutation(B)[: max(1, round(share * B))])
    rest = past.some(apart)
    everywhere = np.ones(len(rest.time), bool)
    return (past.some(~apart), None), _cut(rest, horizon, _count(B, 0), rng, everywhere, whole=True)


def cut(past: Points, horizon: float, copies: int, rng: np.random.RandomState) -> Both:
    """Pieces of series that come without questions, to learn from."""
    everywhere = np.ones(len(past.time), bool)
    return _cut(past, horizon, _count(len(set(past.series)), copies), rng, everywhere, whole=False)


def _count(series: int, copies: int) -> int:
    """Pieces of each series."""
    return max(1 + copies, -(-PIECES // series))


def _cut(past: Points, horizon: float, count: int, rng: np.random.RandomState, ends: Bools, *, whole: bool) -> Both:
    """``count`` pieces of each series, which end at some of the observations ``ends`` (n,), but the last; unless
    ``whole``, of most pieces a share of the observations is hidden."""
    _, series = _series(past)
    allowed = np.flatnonzero(ends & (series.since < series.span[series.of]))
    pasts, questions = [], []
    for k in range(count):
        end = np.full(len(series.span), np.inf)  # of a series that cannot be cut: without questions, it is left out
        drawn = rng.permutation(allowed)
        end[series.of[drawn]] = series.since[drawn]  # the last one written stays: a random one
        after = (series.since - end[series.of]).astype(np.float64)
        seen = (after <= 0) & (True if whole or k % WHOLE == 0 else _seen(series, rng))
        pasts.append(_some(past, seen, k))
        questions.append(_some(past, (after > 0) & (after <= horizon), k))
    return joined(pasts), joined(questions)


def _seen(series: _Series, rng: np.random.RandomState) -> Bools:
    """Which observations are not hidden (n,)."""
    share = HIDDEN * rng.uniform(size=len(series.span))
    return rng.uniform(size=len(series.of)) >= share[series.of]


def _some(points: Points, rows: Bools, k: int) -> Points:
    """Some rows, of series with names of their own."""
    found = points.some(rows)
    names = np.empty(len(found.series), object)
    names[:] = [(COPY, name, k) for name in found.series]
    return found._replace(series=names)


def original(name: Any) -> Any:
    """Of which series a piece is, by their names."""
    return name[1] if isinstance(name, tuple) and len(name) == 3 and name[0] is COPY else name


def joined(parts: list[Points]) -> Points:
    """One table after the other."""
    first = parts[0]
    value = None if first.value is None else np.concatenate([np.asarray(each.value) for each in parts])
    return first._replace(
        series=np.concatenate([each.series for each in parts]),
        time=np.concatenate([each.time for each in parts]),
        channel=np.concatenate([each.channel for each in parts]),
        value=value,
    )
