"""An LTC with an LSTM beside it on the CPU: a tile of sequences goes through both in one call of a kernel.

At every step the LSTM's output takes the place of the LTC's state, which the LSTM reads in the next one: the topology
``"torch"`` of `ltc_np.layers.mixed_memory`, the definition.  So the LSTM's sources are [x, 1, s], and its y is what the
LTC makes of it, s.  A step of either cell is that of its own kernels.

Arguments of the kernels beside those of `gates`, where h is s:
    x, inputs (B, T, I): what either cell reads;  dt (B, T);  tiles: of `neuron_major`
    kept: of the LSTM, and of the LTC's `Kept`, tile after tile, and in a tile step after step: (K + 1 or 1, N, lanes)
    cell: what the LTC's functions take at every step
    step: for each worker what the LTC reads and makes in a step, x (-, width, 1, I), dt (-, width, 1), states (-,
    width, N) before and after it; outputs (-, width, 1, 0), which are none, since they are states
"""

from typing import NamedTuple

import numpy as np

from ...base import threads
from ...base.workspace import arrays
from ..codes import GRADIENT_ROWS, Rule
from . import gates as sweeps
from . import tiles
from .arguments import Adjoints, Kept, Results, cut, scratch
from .gates import clear_d_x, columns, copy, flat, write_d_x
from .jit import helper, kernel
from .lstm import add_d_outputs, begin_tile, d_end_tile, d_take_units, end_tile, take_units
from .ltc_neuron_major import (
    KEPT,
    backward_sizes,
    d_take_tile,
    forward_sizes,
    named,
    named_outgoing,
    own_sums,
    take_tile,
)
from .neuron_major import kept_lanes, longest_of, tile_lanes
from .products import add_outer, multiply, whole_vectors
from .simd import unit_size, vector_size


@helper
def _read(sizes, t, b0, count, inputs, dt, to_x, to_dt):
    """What the LTC reads in step t of sequences b0, ..."""
    _, T, I, _ = sizes
    for q in range(count):
        at = (b0 + q) * T + t
        copy(inputs, at * I, to_x, q * I, I)
        to_dt[q, 0] = dt[at]


@helper
def _kept_of(sizes, t, b0, lanes, states, rates, K):
    """`Kept` of step t of the tile that begins with sequence b0."""
    _, T, _, N = sizes
    first, last = (b0 * T + t * lanes) * N, (b0 * T + (t + 1) * lanes) * N
    rows = K + 1 if rates.size > 0 else 1
    return Kept(states[first * rows : last * rows], rates[first * K * KEPT : last * K * KEPT], rates[:0])


@kernel
def _forward(sizes, lengths, x, h0, weights, cell, tiles, work, step, kept, results, first, last, worker):
    """Tiles first..last-1: y (B, T, N) the LTC's states, h_last (B, 2*N) with the LSTM's c behind them."""
    (source, gates, c, states, rates), (y, h_last), (w,) = kept, results, weights
    inputs, dt, ones, circuit, rule, numbers = cell
    (B, T, _, N), (width, begins, ends, pairs), zero = sizes, tiles, np.int64(0)
    circuit, rule, W, unit = named(circuit), Rule(*rule), vector_size(x), unit_size(x, pairs)
    x_now, dt_now, before, after, none = step
    x_now, dt_now, before, after, none = x_now[worker], dt_now[worker], before[worker], after[worker], none[worker]
    for tile in range(max(first, begins), min(last, ends)):
        b0 = tile * width
        count = min(width, B - b0)
        sequences, lanes = (x_now[:count], dt_now[:count], ones[:count]), kept_lanes(count, W, tile_lanes(count, unit))
        begin_tile(sizes, lengths, h0, b0, count, c, y)
        for t in range(longest_of(lengths, b0, count)):
            take_units(sizes, lengths, x, t, b0, count, h0, w, work[worker], source, gates, c, y)
            _read(sizes, t, b0, count, inputs, dt, x_now, dt_now)
            for q in range(count):
                copy(y, ((b0 + q) * T + t) * N, before, q * N, N)
            now = _kept_of(sizes, t, b0, lanes, states, rates, rule.unfolds * rule.stages)
            made = Results(none[:count], after[:count])
            take_tile(sequences, before[:count], circuit, rule, (zero, count, pairs), numbers[worker], now, made)
            for q in range(count):  # of a sequence that has ended 0, since there y and dt were
                copy(after, q * N, y, ((b0 + q) * T + t) * N, N)
        end_tile(sizes, lengths, h0, b0, count, gates, c, y, h_last)


@kernel
def _backward(
    sizes, lengths, kept, adjoints, turned, cell, tiles, slots, work, step, gradients, first, last, worker
):  # fmt: skip
    """Adjoint of `_forward`: tiles r, r + R, ... into row r of both cells' gradients, for r = first..last-1.

    d_inputs (B, T, I) and d_dt (B, T) are the LTC's; d_y (B, T, O) of the first O states alone.
    """
    (source, gates, c, states, rates), (d_y, d_h), (w_h, w_x) = kept, adjoints, turned
    rows, ltc_rows, d_x, d_h0, d_inputs, d_dt = gradients
    inputs, dt, ones, circuit, rule, numbers = cell
    (B, T, I, N), (width, begins, ends, pairs), zero = sizes, tiles, np.int64(0)
    circuits, rule, W, unit = (
        (named(circuit[0]), named_outgoing(circuit[1])),
        Rule(*rule),
        vector_size(d_y),
        unit_size(d_y, pairs),
    )
    unfolded, S, S_sensory = rule.unfolds * rule.stages, circuits[0].recurrent.pre.size, circuits[0].sensory.pre.size
    x_now, dt_now, d_before, d_after, none, d_x_now, d_dt_now = step
    x_now, dt_now, d_before, d_after = x_now[worker], dt_now[worker], d_before[worker], d_after[worker]
    none, d_x_now, d_dt_now = none[worker], d_x_now[worker], d_dt_now[worker]
    K, Z, length = I + 1 + N, (4 * N + W - 1) // W * W, w_h.shape[0] * W
    d_z, rest = cut(work[worker], slots * width * Z)
    d_state, rest = cut(rest, width * length)
    d_c, product = cut(rest, width * N)
    sums, own = own_sums(backward_sizes(N, I, width, S, S_sensory, W, unfolded), numbers[worker])
    for r in range(first, last):
        for tile in range(r, ends, rows.shape[0]):
            if tile < begins:
                continue
            b0 = tile * width
            count = min(width, B - b0)
            lanes = kept_lanes(count, W, tile_lanes(count, unit))
            sequences, place = (x_now[:count], dt_now[:count], ones[:count]), (zero, count, pairs)
            made = d_x_now[:count], d_before[:count], d_dt_now[:count]
            slot, longest, terms = slots, longest_of(lengths, b0, count), zero
            for b in range(b0, b0 + count):
                copy(d_h, (2 * b + 1) * N, d_c, (b - b0) * N, N)
                clear_d_x(sizes, d_x, b, longest)
                clear_d_x(sizes, d_inputs, b, longest)
            for t in range(longest - 1, -1, -1):
                slot -= 1
                add_d_outputs(sizes, lengths, t, b0, count, d_y, d_h, d_state, length)
                for q in range(count):
                    copy(d_state, q * length, d_after, q * N, N)
                _read(sizes, t, b0, count, inputs, dt, x_now, dt_now)
                now = _kept_of(sizes, t, b0, lanes, states, rates, unfolded)
                given = Adjoints(none[:count], d_after[:count])
                terms = d_take_tile(
                    sequences, given, circuits, rule, place, own, now, made, sums, ltc_rows[r], terms, t > 0
                )
                for q in range(count):
                    copy(d_x_now, q * I, d_inputs, ((b0 + q) * T + t) * I, I)
                    if d_dt.size > 0:
                        d_dt[(b0 + q) * T + t] = d_dt_now[q, 0]
                at = slot * count * Z
                d_take_units(sizes, lengths, t, b0, count, gates, c, d_before, N, d_c, d_z, at)
                multiply(d_state, length, count, d_z, at, Z, 4 * N, w_h, 0, w_h.shape[0])
                write_d_x(sizes, d_z, at, Z, count, w_x, product, d_x, b0, t)
                if slot == 0 or t == 0:
                    n = (slots - slot) * count
                    add_outer(rows[r], K, Z, source, (b0 * T + t * count) * K, K, n, d_z, at, Z)
                    slot = slots
            d_end_tile(sizes, lengths, d_h, b0, count, d_state, length, d_c, d_h0)


# ------------------------------------------------------------------------------------------ called from Python


class Saved(NamedTuple):
    """What `backward` needs of a call: lengths (B,), inputs and dt of the LTC, what is kept, and how it was cut."""

    lengths: np.ndarray
    inputs: np.ndarray
    dt: np.ndarray
    kept: tuple
    keep: str
    cut: tiles.Cut


def cut_of(lstm, circuit, shape, rule):
    """How a call is cut, worth several threads if either cell is; None where the LTC alone would have no tiles."""
    (B, T, _), shared = shape, circuit.shared(shape, rule)
    n_threads = threads.get_num_threads() if shared else lstm.workers(B, B, T)
    made = tiles.Cut.make(circuit, B, n_threads, shared)
    return None if made.batch_major else made


def forward(lstm, circuit, cut, x, inputs, dt, lengths, h0, rule, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    lstm : Matrices
        Of `ltc_np.kernels.cpu.lstm`; ``circuit``: of `ltc_np.kernels.cpu.ltc`; ``cut``: `cut_of` both.
    x, inputs (B, T, I), dt (B, T), lengths (B,), h0 (B, 2*N)
        ``inputs``: what the LTC reads.
    rule : Rule
    keep : None, "full" or "low"
        See `tiles.forward`; of the LSTM the same is kept for either.

    Returns
    -------
    states (B, T, N), h_last (B, 2*N), saved
    """
    (B, T, I), N, K, n = x.shape, lstm.N, rule.evaluations, cut.threads

    def make():
        steps, rows = T if keep else 0, {None: 0, "low": 1, "full": K + 1}[keep]
        kept = arrays(
            x.dtype,
            source=(max(1, steps) * B * (I + 1 + N),),
            gates=(steps * B * 4 * N,),
            c=((steps + 1) * B * N,),
            states=(cut.slot * T * rows,),
            rates=(cut.slot * T * K * KEPT if keep == "full" else 0,),
        )
        sizes = forward_sizes(N, I, cut.width, rule.stages, K if keep == "full" and cut.narrowed else 0)
        made = arrays(x.dtype, work=(n, cut.width * columns(lstm.weights)), y=(B, T, N), h_last=h0.shape)
        numbers, step = scratch(workspace, n, sizes, x.dtype), _step(cut, n, I, N, x.dtype)
        return tuple(vars(kept).values()), made, numbers, step, np.ones(cut.width, np.int64)

    kept, made, numbers, step, ones = workspace.kept("forward", (x.shape, rule, keep, cut), make)
    packed, _ = circuit.packed(False)
    cell = flat(inputs), flat(dt), ones, packed, tuple(rule), numbers
    before = (B, T, I, N), lengths, flat(x), flat(h0), lstm.weights, cell
    after = made.work, step, kept, (flat(made.y), flat(made.h_last))
    cut.run(_forward, cut.tiles, n, before, after)
    return made.y, made.h_last, Saved(lengths, inputs, dt, kept, keep, cut) if keep else None


def backward(lstm, circuit, saved, d_y, d_h, rule, want_x, want_dt, g_lstm, g, workspace):
    """Adjoint of `forward`, whose states have the adjoint ``d_y`` (B, T, O), 0 of others than the first O.

    Gradients are added to ``g_lstm``, by the names of `ltc_np.kernels.numpy.lstm`, and to the LTC's ``g``.

    Returns
    -------
    d_x or None, d_inputs (B, T, I), d_h0 (B, 2*N), d_dt (B, T) or None
    """
    lengths, inputs, dt, kept, keep, cut = saved
    (B, T, I), N, dtype, turned, K = inputs.shape, lstm.N, d_y.dtype, lstm.turned(want_x), rule.evaluations
    W, row = whole_vectors(1, dtype), whole_vectors(4 * N, dtype)
    rows = min(cut.tiles, GRADIENT_ROWS)
    slots, n = sweeps.Cut(cut.width, cut.tiles, rows).slots(row, dtype), min(cut.threads, rows)

    def make():
        recomputed = K if keep == "low" or cut.narrowed else 0
        synapses = circuit.recurrent.pre.size, circuit.sensory.pre.size
        sizes = backward_sizes(N, I, cut.width, *synapses, W, recomputed)
        own = cut.width * (slots * row + columns(turned) + N)
        made = arrays(
            dtype,
            work=(n, own),
            d_x=(B, T, I if want_x else 0),
            d_h0=d_h.shape,
            d_inputs=(B, T, I),
            d_dt=(B, T if want_dt else 0),
        )
        made.work.fill(0)  # padding of adjoints is never written
        of_lstm = np.empty((rows, (I + 1 + N) * row))
        of_ltc = np.empty((rows, circuit.row_size(False)))
        gradients = of_lstm, of_ltc, flat(made.d_x), flat(made.d_h0), flat(made.d_inputs), flat(made.d_dt)
        step = *_step(cut, n, I, N, dtype), *_d_step(cut, n, I, want_dt, dtype)
        return gradients, made, scratch(workspace.child("adjoint"), n, sizes, dtype), step, np.ones(cut.width, np.int64)

    gradients, made, numbers, step, ones = workspace.kept("backward", (d_y.shape, cut, keep, want_x, want_dt), make)
    of_lstm, of_ltc, *_ = gradients
    of_lstm.fill(0)
    of_ltc.fill(0)
    made.d_dt.fill(0)
    _, packed = circuit.packed(False)
    cell = flat(inputs), flat(dt), ones, packed, tuple(rule), numbers
    before = (B, T, I, N), lengths, kept, (flat(d_y), flat(d_h)), turned, cell
    cut.run(_backward, rows, n, before, (slots, made.work, step, gradients))
    total = of_lstm.sum(0).reshape(I + 1 + N, row)[:, : 4 * N]  # row by row, in order
    g_lstm["w_x"] += total[:I]
    g_lstm["b"] += total[I]
    g_lstm["w_h"] += total[I + 1 :]
    circuit.unpack(of_ltc, False, g)
    return made.d_x if want_x else None, made.d_inputs, made.d_h0, made.d_dt if want_dt else None


def _step(cut, n, I, N, dtype):
    width = cut.width
    made = arrays(dtype, x=(n, width, 1, I), dt=(n, width, 1), a=(n, width, N), b=(n, width, N), none=(n, width, 1, 0))
    return tuple(vars(made).values())


def _d_step(cut, n, I, want_dt, dtype):
    made = arrays(dtype, x=(n, cut.width, 1, I), dt=(n, cut.width if want_dt else 0, 1))
    return tuple(vars(made).values())
