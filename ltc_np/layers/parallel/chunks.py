"""Forward in chunks, and the adjoint."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...base.types import Array, Arrays, Bools, Ints, Keep
from ...base.workspace import Workspace
from ...cells.base import Layer
from .agree import apart_by, largest, near, rounding, smallest
from .cut import Cut, flat
from .probe import fading, memory, steps_left
from .settings import FEWEST, Parallel, Report, Width
from .task import Task

# How often all chunks may run again backwards before the sequences are computed as they stand.
AGAIN = 6
# Of a number that is computed three more times, rounded in another way: it may be as wrong as so many times the largest
# of the differences, which chance alone hardly ever exceeds (some 1e-5); but by no more than so many times `rounding`,
# relative to the largest that the same neuron has at the borders of the sequence.
TIMES, MOST = 30, 8
# What an adjoint is multiplied by so that all of it is rounded in another way; and random signs for inputs.
SCALES = (1 / 3, 1 / 5, 1 / 7)


class Chunked(NamedTuple):
    """What `backward` needs of a call: the cut, the chunks with their first states, and what they saved."""

    cut: Cut
    x: Array
    dt: Array
    lengths: Ints
    starts: Array
    keep: Keep
    layer: Any
    report: Report


def forward(
    number: int | None,
    parallel: Parallel,
    layer: Layer,
    prepared: Any,
    x: Array,
    dt: Array,
    lengths: Ints,
    h0: Array,
    keep: Keep,
    workspace: Workspace,
) -> tuple[Array, Array, Any]:
    """`forward` of a layer whose sequences may be cut, in chunks where that is worth it: ``saved`` is `Chunked`."""
    task, settings = Task(layer, prepared, x, dt, lengths, h0), parallel.settings
    tolerance = settings.tolerance if layer.bitwise_batch else max(settings.tolerance, rounding(x.dtype))
    cut = plan(task, settings.chunks, tolerance, keep, parallel.width, workspace.child("probe"))
    if cut is None:
        return task.forward(keep, workspace)
    report = Report(number, cut.chunks, cut.steps, cut.early)
    parallel.reports.append(report)
    return _forward(task, cut, tolerance, keep, report, workspace)


def plan(task: Task, chunks: Any, tolerance: float, keep: Keep, width: Width, workspace: Workspace) -> Cut | None:
    """How sequences are cut; None where they are not."""
    B, T = task.dt.shape
    if chunks == "auto":
        early = memory(task, tolerance, T // (4 * FEWEST), workspace)
        if early is None:
            return None
        early *= 2  # the probe has looked at a few places only, and the last bits may take long to agree
        if keep:
            early = fading(task, keep, early, T // (2 * FEWEST), rounding(task.x.dtype), workspace)
        return None if early is None else Cut.of(B, T, most_useful(B, T, early, width), early)
    steps = -(-T // chunks)
    early = memory(task, tolerance, min(steps, T - 1), workspace)
    return Cut.of(B, T, chunks, steps if early is None else early)


def most_useful(B: int, T: int, early: int, width: Width) -> int:
    """Chunks of a sequence with which it takes the shortest time.

    T / chunks + early steps are computed one after another, and the time of each grows with width.step + B * chunks.
    """
    return max(1, min(width.at_once // B, round(math.sqrt(width.step * T / (B * early)))))


def _forward(
    task: Task, cut: Cut, tolerance: float, keep: Keep, report: Report, workspace: Workspace
) -> tuple[Array, Array, Any]:
    lengths, h0 = task.lengths, task.h0
    x, dt, own = cut.split(task.x), cut.split(task.dt), cut.lengths(lengths)
    starts = np.empty((cut.B, cut.chunks, h0.shape[1]), h0.dtype)
    starts[:, 0] = h0
    first, before = cut.before(lengths)
    anywhere = flat(np.repeat(h0[:, None], cut.chunks - 1, 1))
    windows = cut.windows(x, first), cut.windows(dt, first), flat(before), anywhere
    early, own_workspace = Task(task.layer, task.prepared, *windows), workspace.child("early")
    starts[:, 1:] = found = cut.by_chunk(early.forward(None, own_workspace)[1]).copy()
    floor: Array | None = None

    def apart(ends: Array) -> Bools:
        nonlocal floor
        agree = near(ends[:, :-1], starts[:, 1:], tolerance)
        agree[~cut.borders(lengths)] = True
        if tolerance > 0 and not agree.all():
            if floor is None:
                floor = _rounding_of_states(early, found, own_workspace)
            agree |= apart_by(ends[:, :-1], starts[:, 1:]) <= floor
        wrong: Bools = ~agree.all(-1)
        return wrong

    pieces = flat(x), flat(dt), flat(own)
    for _ in range(2):  # where a chunk ran again, what is kept for `backward` comes from another run of all
        chunks = Task(task.layer, task.prepared, *pieces, flat(starts))
        y, h, saved = chunks.forward(keep, workspace.child("chunks"))
        y, ends = cut.by_chunk(y), cut.by_chunk(h).copy()
        wrong = apart(ends)
        if not wrong.any():
            break
        y = y.copy()
        for _ in range(cut.chunks):  # after so many each chunk has followed the right one
            row, chunk = np.nonzero(wrong)
            starts[row, chunk + 1] = ends[row, chunk]
            chunk = chunk + 1
            again = task._replace(x=x[row, chunk], dt=dt[row, chunk], lengths=own[row, chunk], h0=starts[row, chunk])
            y[row, chunk], ends[row, chunk], _ = again.forward(None, workspace.child("again"))
            wrong = apart(ends)
            report.repeated += len(row)
            if not wrong.any():
                break
        else:
            report.as_it_stands = True
            return task.forward(keep, workspace)
        if not keep:
            break
    else:  # rounded in another way by themselves than all together, and that does not fade
        report.as_it_stands = True
        return task.forward(keep, workspace)
    saved = Chunked(cut, x, dt, lengths, starts, keep, saved, report) if keep else None
    return cut.joined(flat(y)), ends[np.arange(cut.B), cut.last(lengths)], saved


def backward(
    layer: Layer,
    prepared: Any,
    saved: Chunked,
    d_y: Array,
    d_h: Array,
    g: Arrays,
    want_x: bool,
    want_dt: bool,
    workspace: Workspace,
) -> tuple[Array | None, Array, Array | None]:
    """Adjoint of a `forward` in chunks."""
    cut, report, borders = saved.cut, saved.report, saved.cut.borders(saved.lengths)
    d_y = cut.split(d_y)
    late = _Late(layer, prepared, saved, d_y, d_h, g, workspace.child("late"))
    d_ends, floor = late.at_ends(), None
    bound, left = rounding(d_h.dtype), math.inf
    report.repeated_backward = 0
    while True:
        sums = {name: np.zeros_like(array) for name, array in g.items()}
        d_x, d_starts, d_dt = layer.backward(
            prepared, saved.layer, flat(d_y), flat(d_ends), sums, want_x, want_dt, workspace.child("chunks")
        )
        d_starts = cut.by_chunk(d_starts)
        agree = near(d_starts[:, 1:], d_ends[:, :-1], bound)
        agree[~borders] = True
        if not agree.all():
            apart = apart_by(d_starts[:, 1:], d_ends[:, :-1])
            floor = late.rounding() if floor is None else floor
            agree |= apart <= floor
        if agree.all():
            break
        # How far the worst number is beyond what it may be apart; after as many runs as borders none is.
        allowed = np.maximum(bound * np.maximum(np.abs(d_ends[:, :-1]), smallest(d_h.dtype)), floor)
        before, left = left, float(np.max(apart / allowed, where=~agree & (apart < math.inf), initial=1))
        runs = min(steps_left(before, left, 1.0, 1), cut.chunks - 1 - report.repeated_backward)
        if report.repeated_backward + runs > AGAIN:
            report.as_it_stands = True
            x, dt, d_y = (cut.joined(flat(array)) for array in (saved.x, saved.dt, d_y))
            whole = Task(layer, prepared, x, dt, saved.lengths, saved.starts[:, 0].copy())
            tape = whole.forward(saved.keep, workspace)[2]
            return layer.backward(prepared, tape, d_y, d_h, g, want_x, want_dt, workspace)
        d_ends[:, :-1][borders] = d_starts[:, 1:][borders]
        report.repeated_backward += 1
    for name, array in sums.items():
        g[name] += array
    d_x, d_dt = (None if array is None else cut.joined(array) for array in (d_x, d_dt))
    return d_x, d_starts[:, 0].copy(), d_dt


def adjoint(layer: Layer, saved: Any) -> Callable[..., tuple[Array | None, Array, Array | None]]:
    """`backward` of a layer, in chunks if its `forward`, which saved this, was."""
    return partial(backward, layer) if isinstance(saved, Chunked) else layer.backward


class _Late:
    """The steps just behind the borders, from which the adjoints at the ends of the chunks are found."""

    def __init__(
        self, layer: Layer, prepared: Any, saved: Chunked, d_y: Array, d_h: Array, g: Arrays, workspace: Workspace
    ) -> None:
        self.saved, self.d_h = saved, d_h
        cut = saved.cut
        first, behind = cut.behind(saved.lengths)
        windows = cut.windows(saved.x, first), cut.windows(saved.dt, first), flat(behind), flat(saved.starts[:, 1:])
        tape = Task(layer, prepared, *windows).forward(saved.keep, workspace)[2]
        # Behind the window nothing is known, unless the sequence ends in it: then it is what was given.
        ends_in_it = saved.lengths[:, None] <= first + cut.early
        d_behind = flat(np.where(ends_in_it[:, :, None], d_h[:, None], d_h.dtype.type(0)))
        d_windows = cut.windows(d_y, first)
        nothing = {name: np.zeros_like(array) for name, array in g.items()}  # their own chunks count these steps

        def at_borders(scale: float = 1.0) -> Array:
            """(B, chunks - 1, K) adjoints, computed ``scale`` times as large and given back as they are."""
            factor = d_h.dtype.type(scale)
            found = layer.backward(
                prepared, tape, d_windows * factor, d_behind * factor, nothing, False, False, workspace
            )[1]
            return cut.by_chunk(found) / factor

        self._at_borders = at_borders
        self._found = at_borders()

    def at_ends(self) -> Array:
        """(B, chunks, K) adjoints of the states at the ends of the chunks."""
        cut, lengths = self.saved.cut, self.saved.lengths
        d_ends = np.zeros((cut.B, cut.chunks, self.d_h.shape[1]), self.d_h.dtype)
        d_ends[:, :-1] = np.where(cut.borders(lengths)[:, :, None], self._found, d_ends[:, :-1])
        d_ends[np.arange(cut.B), cut.last(lengths)] = self.d_h
        return d_ends

    def rounding(self) -> Array:
        """(B, chunks - 1, K) how wrong adjoints at the borders may be by rounding alone.

        An adjoint is linear, so it is the same when it is computed a third as large, but for its rounding.
        """
        return by_rounding(self._found, (self._at_borders(scale) for scale in SCALES))


def _rounding_of_states(early: Task, found: Array, workspace: Workspace) -> Array:
    """How wrong the states that were ``found`` from the steps before borders may be by rounding alone.

    As wrong as they become when each input changes by one unit of its last place.
    """
    rng, unit = np.random.default_rng(0), np.finfo(early.x.dtype).eps  # of its own type

    def nudged() -> Array:
        signs = rng.choice(np.array([-1, 1], early.x.dtype), early.x.shape)
        return early._replace(x=early.x * (1 + unit * signs)).forward(None, workspace)[1].reshape(found.shape)

    return by_rounding(found, (nudged() for _ in SCALES))


def by_rounding(found: Array, again: Iterable[Array]) -> Array:
    """How wrong numbers (B, borders, K) may be: they were computed ``again``, rounded in another way each time."""
    own = largest(np.abs(found).swapaxes(0, 1))[:, None]
    return np.minimum(TIMES * largest(apart_by(each, found) for each in again), MOST * rounding(found.dtype) * own)
