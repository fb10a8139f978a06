"""Forward in chunks, and the adjoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .cut import Cut, flat
from .probe import agree, memory
from .settings import AT_ONCE, FEWEST, Report

if TYPE_CHECKING:
    from ...base.types import Array, Arrays, Bools, Ints, Keep
    from ...base.workspace import Workspace
    from ...cells.base import Layer
    from .settings import Parallel

# Relative: what products that are rounded in another way leave between two states, and what may be left between two
# adjoints.
ROUNDING = {"float32": 1e-6, "float64": 1e-13}
ADJOINT = {"float32": 3e-7, "float64": 1e-13}


class Chunked(NamedTuple):
    """What `backward` needs of a call: the cut, the inputs and the first states of the chunks, and what they saved."""

    cut: Cut
    x: Array
    dt: Array
    lengths: Ints
    starts: Array
    keep: Keep
    layer: Any
    report: Report


def forward(
    number: int,
    layer: Layer,
    prepared: Any,
    x: Array,
    dt: Array,
    lengths: Ints,
    h0: Array,
    keep: Keep,
    workspace: Workspace,
    parallel: Parallel,
) -> tuple[Array, Array, Any]:
    """`forward` of a layer whose sequences may be cut, in chunks where that is worth it: ``saved`` is `Chunked`."""
    chunks, tolerance = parallel.settings.chunks, parallel.settings.tolerance
    tolerance = tolerance if layer.bitwise_batch else max(tolerance, ROUNDING[x.dtype.name])
    given = prepared, x, dt, lengths, h0
    cut = plan(layer, *given, chunks, tolerance, workspace.child("probe"))
    if cut is None:
        return layer.forward(*given, keep, workspace)
    report = Report(number, cut.chunks, cut.steps, cut.early)
    parallel.reports.append(report)
    return _forward(layer, *given, keep, workspace, cut, tolerance, report)


def plan(
    layer: Layer,
    prepared: Any,
    x: Array,
    dt: Array,
    lengths: Ints,
    h0: Array,
    chunks: Any,
    tolerance: float,
    workspace: Workspace,
) -> Cut | None:
    """How sequences are cut; None where they are not."""
    B, T = dt.shape
    if chunks == "auto":
        early = memory(layer, prepared, x, dt, lengths, h0, tolerance, T // (4 * FEWEST), workspace)
        if early is None:
            return None
        early += early // 2  # the probe has looked at a few places only
        return Cut.of(B, T, min(AT_ONCE // B, T // (2 * early)), early)
    steps = -(-T // chunks)
    early = memory(layer, prepared, x, dt, lengths, h0, tolerance, min(steps, T - 1), workspace)
    return Cut.of(B, T, chunks, steps if early is None else early)


def _forward(
    layer: Layer,
    prepared: Any,
    x: Array,
    dt: Array,
    lengths: Ints,
    h0: Array,
    keep: Keep,
    workspace: Workspace,
    cut: Cut,
    tolerance: float,
    report: Report,
) -> tuple[Array, Array, Any]:
    x, dt, own = cut.split(x), cut.split(dt), cut.lengths(lengths, 0, cut.steps)
    starts = np.empty((cut.B, cut.chunks, h0.shape[1]), h0.dtype)
    starts[:, 0] = h0
    window = slice(cut.steps - cut.early, cut.steps)  # of the chunk before
    before = flat(cut.lengths(lengths, -cut.early, cut.early)[:, 1:])
    anywhere = flat(np.repeat(h0[:, None], cut.chunks - 1, 1))
    pieces = flat(x[:, :-1, window]), flat(dt[:, :-1, window]), before, anywhere
    starts[:, 1:] = cut.by_chunk(layer.forward(prepared, *pieces, None, workspace.child("early"))[1])

    def run() -> tuple[Array, Any, Array]:
        y, h, saved = layer.forward(
            prepared, flat(x), flat(dt), flat(own), flat(starts), keep, workspace.child("chunks")
        )
        return y, saved, cut.by_chunk(h).copy()

    def borders() -> Bools:
        return cut.borders(lengths) & ~agree(ends[:, :-1], starts[:, 1:], tolerance)

    y, saved, ends = run()
    wrong = borders()
    if wrong.any():
        while wrong.any():
            row, chunk = np.nonzero(wrong)
            starts[row, chunk + 1] = ends[row, chunk]
            chunk = chunk + 1
            again = x[row, chunk], dt[row, chunk], own[row, chunk], starts[row, chunk]
            ends[row, chunk] = layer.forward(prepared, *again, None, workspace.child("again"))[1]
            wrong = borders()
            report.repeated += len(row)
        y, saved, ends = run()
    saved = Chunked(cut, x, dt, lengths, starts, keep, saved, report) if keep else None
    return cut.joined(y), ends[np.arange(cut.B), cut.last(lengths)], saved


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
    cut, d_y, borders = saved.cut, saved.cut.split(d_y), saved.cut.borders(saved.lengths)
    d_ends = _adjoints_at_ends(layer, prepared, saved, d_y, d_h, g, workspace.child("late"))
    saved.report.repeated_backward = 0
    while True:
        sums = {name: np.zeros_like(array) for name, array in g.items()}
        d_x, d_starts, d_dt = layer.backward(
            prepared, saved.layer, flat(d_y), flat(d_ends), sums, want_x, want_dt, workspace.child("chunks")
        )
        d_starts = cut.by_chunk(d_starts)
        apart = np.abs(d_starts[:, 1:] - d_ends[:, :-1])[borders].max(initial=0)
        if not apart > ADJOINT[d_h.dtype.name] * np.abs(d_starts).max():
            break  # at the latest after as many runs as there are chunks: then nothing is a guess any more
        d_ends[:, :-1][borders] = d_starts[:, 1:][borders]
        saved.report.repeated_backward += 1
    for name, array in sums.items():
        g[name] += array
    d_x, d_dt = (None if array is None else cut.joined(array) for array in (d_x, d_dt))
    return d_x, d_starts[:, 0].copy(), d_dt


def _adjoints_at_ends(
    layer: Layer, prepared: Any, saved: Chunked, d_y: Array, d_h: Array, g: Arrays, workspace: Workspace
) -> Array:
    """Adjoints (B, chunks, K) of the states at the ends of the chunks, from the steps just behind these."""
    cut = saved.cut
    window = slice(0, cut.early)  # of the chunk behind
    behind = cut.lengths(saved.lengths, 0, cut.early)[:, 1:]
    inputs = flat(saved.x[:, 1:, window]), flat(saved.dt[:, 1:, window]), flat(behind), flat(saved.starts[:, 1:])
    _, _, tape = layer.forward(prepared, *inputs, saved.keep, workspace)
    # Behind the window nothing is known, unless the sequence ends in it: then it is what was given.
    ends_in_it = saved.lengths[:, None] <= np.arange(1, cut.chunks) * cut.steps + cut.early
    d_behind = np.where(ends_in_it[:, :, None], d_h[:, None], d_h.dtype.type(0))
    nothing = {name: np.zeros_like(array) for name, array in g.items()}  # these steps are counted by their own chunk
    d_starts = layer.backward(
        prepared, tape, flat(d_y[:, 1:, window]), flat(d_behind), nothing, False, False, workspace
    )[1]
    d_ends = np.zeros((cut.B, cut.chunks, d_h.shape[1]), d_h.dtype)
    d_ends[:, :-1] = np.where(cut.borders(saved.lengths)[:, :, None], cut.by_chunk(d_starts), d_ends[:, :-1])
    d_ends[np.arange(cut.B), cut.last(saved.lengths)] = d_h
    return d_ends
