"""Elapsed times of a call that are unlike those of the training, of which a network has never seen any: a warning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Targets
from .trained import Range, Trained

NONE_GIVEN: Range = (1.0, 1.0)
# So many times longer than the longest of the training, or shorter than the shortest, is far.  Units of time that are
# mistaken for each other differ by more: 24 hours, 60 minutes, 1,000 milliseconds; a gap that is longer than those of
# the training by less is usual where these are drawn at random.
FAR = 10.0
ROWS = 4096  # of elapsed times in a file that are read at once


def range_of(dt: Targets | None, lengths: ArrayLike | None = None) -> Range | None:
    """The shortest and the longest elapsed time, without those of 0, of checked arguments of a call; None if all are.

    Where none is given they are 1.
    """
    if dt is None:
        return NONE_GIVEN
    parts = list(_parts(dt, lengths))
    shortest = min(float(np.min(part, where=counts, initial=math.inf)) for part, counts in parts)
    longest = max(float(np.max(part, where=counts, initial=0.0)) for part, counts in parts)
    return (shortest, longest) if longest else None


def _parts(dt: Any, lengths: ArrayLike | None) -> Iterator[tuple[Array, Any]]:
    """Arrays of elapsed times, and which of them count: those in padding may be anything."""
    if isinstance(dt, (list, tuple)) and any(np.ndim(row) for row in dt) and lengths is None:  # of any lengths
        for row in dt:
            part = np.asarray(row, np.float64)
            yield part, part > 0
        return
    array = dt if isinstance(dt, np.memmap) else np.asarray(dt, np.float64)
    ends = None if lengths is None or not array.ndim else np.asarray(lengths)
    if array.ndim < 2:
        valid: Any = True if ends is None else np.arange(array.size) < ends.max()
        yield np.asarray(array, np.float64), valid & (array > 0)
        return
    for first in range(0, len(array), ROWS):
        part = np.asarray(array[first : first + ROWS], np.float64)
        valid = True if ends is None else checks.before_end(ends[first : first + ROWS], part.shape[1])
        yield part, valid & (part > 0)


def warn_of_times(trained: Trained | None, dt: Targets | None, lengths: ArrayLike | None = None, of: str = "") -> None:
    """One warning where the checked elapsed times of a call are none where the training had some, the reverse, or far.

    ``of`` names them where they are no argument of the call.
    """
    if trained is None or trained.dt is None or (dt is None and trained.dt == NONE_GIVEN):
        return
    given = range_of(dt, lengths)
    if given is not None and (words := _unlike(trained.dt, given, dt is None)):
        checks.warn(f"ltc_np: {of}{words}")


def _unlike(seen: Range, given: Range, none: bool) -> str:
    """What is wrong; the words do not depend on the numbers of the call, so that a loop of calls is warned once."""
    shortest, longest = seen
    was = f"of {shortest:.4g}" if shortest == longest else f"from {shortest:.4g} to {longest:.4g}"
    if none:
        return (
            f"the network was trained with elapsed times `dt`, {was}, and gets none here, which means 1: give them "
            "here too (a search or a pipeline of scikit-learn: is `dt` routed to this method too?)"
        )
    if seen == NONE_GIVEN != given:
        return (
            "the network was trained without elapsed times, which means 1, and gets other ones in `dt` here: it has "
            "not learned what they mean, so leave them out, or train with them"
        )
    if given[1] > FAR * longest or given[1] < shortest / FAR:
        side = "some" if given[1] > FAR * longest else "all"
        how = "longer than the longest" if side == "some" else "shorter than the shortest"
        return (
            f"{side} of the elapsed times `dt` are more than {FAR:g} times {how} of the training, which had them {was}:"
            " are they of the same unit?"
        )
    return ""
