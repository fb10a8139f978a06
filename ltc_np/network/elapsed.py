"""Elapsed times of a call that are unlike those of the training, of which a network has never seen any: a warning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Targets
from .trained import Times, Trained

NONE_GIVEN = Times(1.0, 1.0, (1.0, 1.0))
# So many times longer than the longest of the training, or shorter than the shortest, is far.  Units of time that are
# mistaken for each other differ by more: 24 hours, 60 minutes, 1,000 milliseconds; a gap that is longer than those of
# the training by less is usual where these are drawn at random.
FAR = 10.0
# Of so many elapsed times the geometric mean says something; the shortest of a training may be as short as chance will.
MANY = 10
ROWS = 4096  # of elapsed times in a file that are read at once


def range_of(dt: Targets | None, lengths: ArrayLike | None = None) -> Times | None:
    """The elapsed times, without those of 0, of checked arguments of a call; None if all are.

    Where none is given they are 1.
    """
    return NONE_GIVEN if dt is None else _look(dt, lengths).times


class _Seen(NamedTuple):
    """`Times`, the geometric mean of all of them, and how many steps there are, also of 0, behind the first ones."""

    times: Times | None
    mean: float | None
    steps: int


def _look(dt: Any, lengths: ArrayLike | None) -> _Seen:
    shortest, longest, steps, sums, counts = math.inf, 0.0, 0, list[Array](), list[Array]()
    for part, valid in _parts(dt, lengths):
        mask = np.broadcast_to(valid, part.shape)
        shortest = min(shortest, float(np.min(part, where=mask & (part > 0), initial=math.inf)))
        longest = max(longest, float(np.max(part, where=mask, initial=0.0)))
        steps += int(np.maximum(np.count_nonzero(mask, axis=-1) - 1, 0).sum()) if part.ndim else MANY
        mask = mask & (part > 0)
        times = 1 if part.ndim else MANY  # a single number is that of every step
        logarithms = np.log(part, where=mask, out=np.zeros(part.shape))
        sums.append(times * np.atleast_1d(logarithms.sum(axis=-1) if part.ndim else logarithms))
        counts.append(times * np.atleast_1d(np.count_nonzero(mask, axis=-1) if part.ndim else mask.astype(int)))
    if not longest:
        return _Seen(None, None, steps)
    total, count = np.concatenate(sums), np.concatenate(counts)
    if count.sum() < MANY:
        return _Seen(Times(shortest, longest), None, steps)
    mean = math.exp(total.sum() / count.sum())
    of_each = np.exp(total[count >= MANY] / count[count >= MANY])  # sensors may have rates of their own
    ends = (float(of_each.min()), float(of_each.max())) if of_each.size else (mean, mean)
    low, high = (min(max(shortest, end), longest) for end in ends)
    return _Seen(Times(shortest, longest, (low, high)), mean, steps)


def _parts(dt: Any, lengths: ArrayLike | None) -> Iterator[tuple[Array, Any]]:
    """Arrays of elapsed times, and which of them count: those in padding may be anything."""
    if isinstance(dt, (list, tuple)) and any(np.ndim(row) for row in dt) and lengths is None:  # of any lengths
        for row in dt:
            yield np.asarray(row, np.float64), True
        return
    array = dt if isinstance(dt, np.memmap) else np.asarray(dt, np.float64)
    ends = None if lengths is None or not array.ndim else np.asarray(lengths)
    if array.ndim < 2:
        yield np.asarray(array, np.float64), True if ends is None else np.arange(array.size) < ends.max()
        return
    for first in range(0, len(array), ROWS):
        part = np.asarray(array[first : first + ROWS], np.float64)
        yield part, True if ends is None else checks.before_end(ends[first : first + ROWS], part.shape[1])


def warn_of_times(trained: Trained | None, dt: Targets | None, lengths: ArrayLike | None = None, of: str = "") -> None:
    """One warning where the checked elapsed times of a call are none where the training had some, the reverse, or far.

    ``of`` names them where they are no argument of the call.
    """
    if trained is None or trained.dt is None or (dt is None and _all_1(trained.dt)):
        return
    given, words = (_Seen(NONE_GIVEN, None, 0) if dt is None else _look(dt, lengths)), ""
    if given.times is not None:
        words = _unlike(trained.dt, given.times, given.mean, dt is None)
    elif given.steps >= MANY:  # one or two steps in which no time passes are usual in a stream
        words = (
            f"all elapsed times `dt` are 0, so that no time passes; the training had them {_were(trained.dt)}: "
            "are they differences of times that were rounded?"
        )
    if words:
        checks.warn(f"ltc_np: {of}{words}")


def warn_of_none(trained: Trained | None) -> bool:
    """One warning where a step is taken without an elapsed time, and the training had other ones than 1; whether it
    came."""
    if trained is None or trained.dt is None or _all_1(trained.dt):
        return False
    checks.warn(f"ltc_np: {_unlike(trained.dt, NONE_GIVEN, None, True)}")
    return True


def _all_1(times: Times) -> bool:
    return times.shortest == times.longest == 1


def _were(seen: Times) -> str:
    if seen.shortest == seen.longest:
        return f"of {seen.shortest:.4g}"
    about = f", usually about {seen.usual[0]:.2g}" if seen.usual and seen.usual[1] <= 2 * seen.usual[0] else ""
    return f"from {seen.shortest:.4g} to {seen.longest:.4g}{about}"


def _unlike(seen: Times, given: Times, mean: float | None, none: bool) -> str:
    """What is wrong; ``mean`` is that of what is given, None of a few, or where ``none`` is.

    The words do not depend on the numbers of the call, so that a loop of calls is warned once.
    """
    was = _were(seen)
    if none:
        return (
            f"the network was trained with elapsed times `dt`, {was}, and gets none here, which means 1: give them "
            "here too (a search or a pipeline of scikit-learn: is `dt` routed to this method too?)"
        )
    if _all_1(seen) and not _all_1(given):
        return (
            "the network was trained without elapsed times, which means 1, and gets other ones in `dt` here: it has "
            "not learned what they mean, so leave them out, or train with them"
        )
    how = ""
    if given.longest > FAR * seen.longest:
        how = f"some of the elapsed times `dt` are more than {FAR:g} times longer than the longest of the training"
    elif given.longest < seen.shortest / FAR:
        how = f"all of the elapsed times `dt` are more than {FAR:g} times shorter than the shortest of the training"
    elif mean is not None and seen.usual:
        for far, word in ((mean > FAR * seen.usual[1], "longer"), (mean < seen.usual[0] / FAR, "shorter")):
            if far:
                how = f"the elapsed times `dt` are usually more than {FAR:g} times {word} than in the training"
    return f"{how}, which had them {was}: are they of the same unit?" if how else ""
