"""Forward in chunks, and the adjoint."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .cut import Cut, flat
from .probe import agree, fading, largest, memory
from .settings import FEWEST, Report
from .task import Task, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Array, Arrays, Bools, Ints, Keep
    from ...base.workspace import Workspace
    from ...cells.base import Layer
    from .settings import Parallel, Width

# Relative: what products that are rounded in another way leave between two states or adjoints, and what may be left
# between two adjoints where all products are rounded alike.
ROUNDING = {"float32": 1e-6, "float64": 1e-13}
ADJOINT = {"float32": 3e-7, "float64": 1e-13}
# How often all chunks may run again backwards before the sequences are computed as they stand.
AGAIN = 4


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
    tolerance = settings.tolerance if layer.bitwise_batch else max(settings.tolerance, ROUNDING[x.dtype.name])
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
            early = fading(task, keep, early, T // (2 * FEWEST), _bound(task.layer, task.x), workspace)
        return None if early is None else Cut.of(B, T, most_useful(B, T, early, width), early)
    steps = -(-T // chunks)
    early = memory(task, tolerance, min(steps, T - 1), workspace)
    return Cut.of(B, T, chunks, steps if early is None else early)


def most_useful(B: int, T: int, early: int, width: Width) -> int:
    """Chunks of a sequence with which it takes the shortest time.

    T / chunks + early steps are computed one after another, and the time of each grows with width.step + B * chunks.
    """
    return max(1, min(width.at_once // B, round(math.sqrt(width.step * T / (B * early)))))


def _bound(layer: Layer, array: Array) -> float:
    """What may be left between two adjoints, relative to the largest."""
    return (ADJOINT if layer.bitwise_batch else ROUNDING)[array.dtype.name]


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
    early = Task(task.layer, task.prepared, *windows)
    starts[:, 1:] = cut.by_chunk(early.forward(None, workspace.child("early"))[1])

    def apart(ends: Array) -> Bools:
        return cut.borders(lengths) & ~agree(ends[:, :-1], starts[:, 1:], tolerance, task.parts)

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
    d_ends = _adjoints_at_ends(layer, prepared, saved, d_y, d_h, g, workspace.child("late"))
    report.repeated_backward = 0
    while True:
        sums = {name: np.zeros_like(array) for name, array in g.items()}
        d_x, d_starts, d_dt = layer.backward(
            prepared, saved.layer, flat(d_y), flat(d_ends), sums, want_x, want_dt, workspace.child("chunks")
        )
        d_starts = cut.by_chunk(d_starts)
        apart = np.abs(d_starts[:, 1:] - d_ends[:, :-1])[borders].max(0, initial=0)
        size = largest(np.abs(d_starts).max((0, 1), initial=0), parts_of(layer))
        if not (apart > _bound(layer, d_h) * size).any():
            break
        if report.repeated_backward == AGAIN:
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


def _adjoints_at_ends(
    layer: Layer, prepared: Any, saved: Chunked, d_y: Array, d_h: Array, g: Arrays, workspace: Workspace
) -> Array:
    """Adjoints (B, chunks, K) of the states at the ends of the chunks, from the steps just behind these."""
    cut = saved.cut
    first, behind = cut.behind(saved.lengths)
    windows = cut.windows(saved.x, first), cut.windows(saved.dt, first), flat(behind), flat(saved.starts[:, 1:])
    tape = Task(layer, prepared, *windows).forward(saved.keep, workspace)[2]
    # Behind the window nothing is known, unless the sequence ends in it: then it is what was given.
    ends_in_it = saved.lengths[:, None] <= first + cut.early
    d_behind = np.where(ends_in_it[:, :, None], d_h[:, None], d_h.dtype.type(0))
    nothing = {name: np.zeros_like(array) for name, array in g.items()}  # these steps are counted by their own chunk
    d_starts = layer.backward(
        prepared, tape, cut.windows(d_y, first), flat(d_behind), nothing, False, False, workspace
    )[1]
    d_ends = np.zeros((cut.B, cut.chunks, d_h.shape[1]), d_h.dtype)
    d_ends[:, :-1] = np.where(cut.borders(saved.lengths)[:, :, None], cut.by_chunk(d_starts), d_ends[:, :-1])
    d_ends[np.arange(cut.B), cut.last(saved.lengths)] = d_h
    return d_ends
