"""How calls of synaptic cells are cut: chooses loop order and tile width, spreads tiles on threads, keeps arrays.

The LTC and the LRC have it in common.  What it needs of a cell is its `SynapticCircuit`.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...base import checks, threads
from ...base.workspace import aligned
from ..codes import VECTOR_BYTES
from . import ltc_solvers, native
from .arguments import Gradients, Kept, Results, scratch
from .neuron_major import kept_lanes, tile_lanes

# Below this many synapse evaluations per call (about 0.3 ms forward) a second thread may cost more than it brings.
PARALLEL_EVALUATIONS = 2_000_000
# Bytes of sigmoids that are kept for the backward pass, since they are still in a cache then: 0.86 of the time at 2 MB,
# 0.92 at 4, and 1.2 at 8 (N = 16, Zen 4).
KEPT_SIGMOIDS = 2**22
# Gradient rows of a call, and so the most threads of its backward pass.  There are more of them than of cells of
# matrices: one costs as much as a few synapses of each step, and a tile has 64 sequences where there are many.
MOST_ROWS = 64


def is_batch_major(N, dense, B, few_lanes=None, shared=False):
    """Batch-major for dense wirings and few sequences, neuron-major otherwise; the thread count has no say.

    ``few_lanes``: lanes of a vector, of a cell for which batch-major is faster where a quarter of them or more would be
    padding.  ``shared``: whether a call is long enough for several threads, to which a single tile gives nothing.
    Measured: docs/decisions/ltc.md, "Loop orders".
    """
    if few_lanes and 32 <= N <= 8 * few_lanes and B <= 24 and (shared or 3 * tile_lanes(B, few_lanes) >= 4 * B):
        return dense
    return dense and min(N // 4, 8 if N <= 128 else 4) >= B


def tile_width(N, B, shared=False):
    """Sequences in a tile, neuron-major: wide tiles amortise the gradient sums, narrow ones feed threads."""
    if B > 256:
        return 64
    return 32 if B > 32 or (N < 32 and not shared) else 16


def padded_units(N, dtype):
    W = VECTOR_BYTES // dtype.itemsize
    return (N + W - 1) // W * W


class SynapticCircuit:
    """Effective parameters of a cell, packed on demand for the kernels of either loop order; base of each `Circuit`.

    A cell's file, ``kernels/cpu/NAME.py``, has a `Circuit` with these methods, and hands on `forward`, `backward` and
    `bind` of this file, which its layer calls:

    ``_pack_neuron_major()``, ``_pack_batch_major()``
        The tuples of arrays that `forward` and `backward` take, in either order: what ``named`` of the cell's parts
        takes; backward, neuron-major, a pair of this and of what ``named_outgoing`` takes.  They are made once for
        parameters that do not change, so the second may begin with ``self.packed(False)`` and `by_source`.
    ``unpack(rows, batch_major, g)``
        Adds to ``g`` the gradients of effective values by name, from gradient rows (R, `row_size`) float64, which it
        adds up first, row by row.  Neuron-major rows have the sums of the recurrent synapses and of the sensory ones
        (``synapse_sums`` of each, sorted by (pre, post)), and of neurons (N, NEURON_SUMS).  Batch-major rows, which
        only dense wirings have, are (N, SUMS, M), (I, SUMS, M) and (SUMS, M) with padding.  Both cells bring these into
        the layout of neuron-major first, so that the chain rule of the parameters is written once.

    Attributes
    ----------
    neuron_major, batch_major : modules
        The kernels of this cell, and its parts, which say at the top of the files of these names what they are.
    batch_major_for_few_lanes : bool
        Whether batch-major is faster where many lanes would be padding; see `is_batch_major`.
    has_sigmoids : bool
        Whether its kernels take `Kept.sigmoids`.
    recurrent, sensory : Synapses
    orders : their ``outgoing.order``
    dtype : numpy.dtype
    """

    neuron_major: Any
    batch_major: Any
    batch_major_for_few_lanes = False
    has_sigmoids = False

    def __init__(self, recurrent, sensory, dtype):
        self.recurrent, self.sensory, self.dtype = recurrent, sensory, dtype
        self.padded = padded_units(recurrent.n_post, dtype)
        self._sizes = recurrent.pre.size, sensory.pre.size
        self.orders = recurrent.outgoing.order, sensory.outgoing.order
        self._packed = {}

    def evaluations(self, shape, rule):
        """Synapses evaluated by a call with an x of this shape."""
        (B, T, _), (S, S_sensory) = shape, self._sizes
        return B * T * (rule.stages * rule.unfolds * S + S_sensory)

    def shared(self, shape, rule):
        """Whether several threads may share a call with an x of this shape."""
        return self.evaluations(shape, rule) > PARALLEL_EVALUATIONS

    def sigmoids(self, cut, B, stages):
        """Numbers in `Kept.sigmoids` of a call with so many stages, 0 where it is faster to compute them again."""
        at_once, _ = self.neuron_major.recurrent_sums(self._sizes[0], 0)
        if cut.batch_major or not self.has_sigmoids or not at_once:
            return 0
        before = (cut.tiles - 1) * cut.width
        lanes = before + tile_lanes(B - before, 2 * VECTOR_BYTES // self.dtype.itemsize)
        numbers = lanes * stages * self._sizes[0]
        return numbers if numbers * self.dtype.itemsize <= KEPT_SIGMOIDS else 0

    def row_size(self, batch_major):
        """Sums that the gradients come from, as the kernels of either order have them."""
        N, I = self.recurrent.n_post, self.sensory.n_pre
        if batch_major:
            return self.batch_major.SUMS * self.padded * (N + I + 1)
        return sum(map(self.neuron_major.synapse_sums, self._sizes)) + self.neuron_major.NEURON_SUMS * N

    def packed(self, batch_major):
        """What `forward` and what `backward` takes for either order."""
        if batch_major not in self._packed:
            self._packed[batch_major] = self._pack_batch_major() if batch_major else self._pack_neuron_major()
        return self._packed[batch_major]

    def by_source(self, values):
        """(neuron, source, count) -> (source, count, neuron), neurons padded."""
        dense = values.reshape(self.recurrent.n_post, -1, values.shape[-1]).transpose(1, 2, 0)
        shape = *dense.shape[:2], self.padded
        out = aligned(math.prod(shape), self.dtype).reshape(shape)
        out[:] = 0
        out[:, :, : dense.shape[2]] = dense
        return out


class Cut(NamedTuple):
    """How calls of one shape are cut: loop order, kernels, sequences in a tile, tiles, threads; what is kept.

    ``groups``: the kernels' argument ``tiles``, one for tiles of several vectors and one for a last tile of one vector.
    ``slot``: how many values are kept of all states; narrowed: whether padding of what is worked on is left out.
    """

    batch_major: bool
    kernels: Any
    width: int
    tiles: int
    groups: tuple
    slot: int
    narrowed: bool
    threads: int

    @classmethod
    def make(cls, circuit, B, n_threads, shared):
        recurrent, sensory = circuit.recurrent, circuit.sensory
        N, W = recurrent.n_post, VECTOR_BYTES // circuit.dtype.itemsize
        few_lanes = W if circuit.batch_major_for_few_lanes else None
        if is_batch_major(N, recurrent.dense and sensory.dense, B, few_lanes, shared):
            return cls(True, circuit.batch_major, 1, B, ((1, 0, B, None),), B * N, N % W > 0, min(B, n_threads))
        width = tile_width(N, B, shared)
        tiles = -(-B // width)
        last = B - (tiles - 1) * width
        kept = (tiles - 1) * width + kept_lanes(last, W, tile_lanes(last, 2 * W))
        groups = cls.alike(width, tiles, (width > W, last > W))
        return cls(False, circuit.neuron_major, width, tiles, groups, kept * N, last < W, min(tiles, n_threads))

    @staticmethod
    def alike(width, tiles, several):
        """``groups`` where the tiles and the last one have several vectors each, or not."""
        by_pairs, last_by_pairs = (1 if more else None for more in several)
        if tiles == 1 or by_pairs == last_by_pairs:
            return ((width, 0, tiles, last_by_pairs),)
        return (width, 0, tiles - 1, by_pairs), (width, tiles - 1, tiles, last_by_pairs)

    def run(self, kernel, parts, threads_used, before, after):
        """``kernel(*before, group, *after, first, last, worker)`` of each group, for so many parts."""
        calls = [partial(kernel, *before, group, *after) for group in self.groups]

        def each(first, last, worker):
            for call in calls:
                call(first, last, worker)

        threads.run(calls[0] if len(calls) == 1 else each, parts, threads_used)

    def bound(self, kernel, parts, before, after):
        """`run` on one thread of arguments that stay the same: functions without arguments, to be called in this
        order."""
        return [partial(kernel, *before, group, *after, 0, parts, 0) for group in self.groups]


class _Forward(NamedTuple):
    """How calls of one shape are cut, and what they write: arrays to work in, one a thread, `Kept` and `Results`.

    Tuples are plain, as kernels take them.
    """

    cut: Cut
    rule: tuple
    scratch: np.ndarray
    kept: tuple
    results: tuple

    @classmethod
    def make(cls, circuit, shape, rule, n_out, keep, n_threads, workspace):
        checks.must_know(ltc_solvers.__name__, "solver", rule.solver, ltc_solvers.KNOWN)
        (B, T, I), N, dtype, K = shape, circuit.recurrent.n_post, circuit.dtype, rule.evaluations
        cut = Cut.make(circuit, B, n_threads, circuit.shared(shape, rule))
        rows = {None: 0, "low": T, "full": T * K + 1}[keep]
        narrowed = K if keep == "full" and cut.narrowed else 0
        sigmoids = circuit.sigmoids(cut, B, T * K)
        if cut.batch_major:
            sizes = cut.kernels.forward_sizes(padded_units(N, dtype), rule.stages, narrowed)
        else:
            sizes = cut.kernels.forward_sizes(N, I, cut.width, rule.stages, narrowed)
        kept = Kept(
            states=workspace.array("states", cut.slot * rows, dtype),
            rates=workspace.array("rates", cut.slot * T * K * cut.kernels.KEPT if keep == "full" else 0, dtype),
            sigmoids=workspace.array("sigmoids", sigmoids if keep == "full" else 0, dtype),
        )
        results = Results(
            out=workspace.array("out", B * T * n_out, dtype).reshape(B, T, n_out),
            h_last=workspace.array("h_last", B * N, dtype).reshape(B, N),
        )
        work = scratch(workspace, cut.threads, sizes, dtype)
        return cls(cut, tuple(rule), work, tuple(kept), tuple(results))


class _Backward(NamedTuple):
    """The same for the adjoint: threads, arrays to work in, one each, and `Gradients`."""

    threads: int
    scratch: np.ndarray
    gradients: tuple

    @classmethod
    def make(cls, circuit, shape, rule, keep, cut, want_dt, workspace):
        checks.must_know(ltc_solvers.__name__, "solver", rule.solver, ltc_solvers.KNOWN)
        (B, T, I), N, dtype = shape, circuit.recurrent.n_post, circuit.dtype
        S, S_sensory, W = circuit.recurrent.pre.size, circuit.sensory.pre.size, VECTOR_BYTES // dtype.itemsize
        recomputed = rule.evaluations if keep == "low" or cut.narrowed else 0
        if cut.batch_major:
            sizes = cut.kernels.backward_sizes(N, I, padded_units(N, dtype), recomputed)
        else:
            sizes = cut.kernels.backward_sizes(N, I, cut.width, S, S_sensory, W, recomputed)
        sums = circuit.row_size(cut.batch_major)
        rows = min(cut.tiles, MOST_ROWS)
        workers = min(cut.threads, rows)
        gradients = Gradients(
            rows=workspace.array("rows", rows * sums, np.dtype(np.float64)).reshape(rows, sums),
            d_x=workspace.array("d_x", B * T * I, dtype).reshape(shape),
            d_h0=workspace.array("d_h0", B * N, dtype).reshape(B, N),
            d_dt=workspace.array("d_dt", B * T if want_dt else 0, dtype).reshape((B, T) if want_dt else (0, 0)),
        )
        return cls(workers, scratch(workspace, workers, sizes, dtype), tuple(gradients))


class _Saved(NamedTuple):
    """What `backward` needs of a call: the kernels' `Sequences` and `Kept`, and how the call was cut."""

    sequences: tuple
    kept: tuple
    keep: str
    cut: Cut


def forward(circuit, x, dt, lengths, h0, rule, n_out, keep, workspace):
    """Run the sequences; see `forward` of the cell in `ltc_np.kernels.numpy`, the definition.

    Parameters
    ----------
    circuit : Circuit
    x (B, T, I), dt (B, T), lengths (B,) int64, h0 (B, N) : contiguous arrays of one float type
    rule : Rule
    n_out : int
    keep : None, "full" or "low"
        What to store for `backward`: nothing; states and rates of every stage, ((1 + KEPT)*T*U*stages + 1)*N values a
        sequence; or states of every step, T*N.

    Returns
    -------
    out (B, T, n_out), h_last (B, N), saved
    """
    n_threads = threads.get_num_threads() if circuit.shared(x.shape, rule) else 1
    cut, numbers, work, kept, results = workspace.kept(
        "forward",
        (x.shape, rule, keep, n_threads),
        lambda: _Forward.make(circuit, x.shape, rule, n_out, keep, n_threads, workspace),
    )
    sequences, (packed, _) = (x, dt, lengths), circuit.packed(cut.batch_major)
    cut.run(cut.kernels.forward, cut.tiles, cut.threads, (sequences, h0, packed, numbers), (work, kept, results))
    return *results, _Saved(sequences, kept, keep, cut) if keep else None


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T) or None; parameter gradients are added to ``g``."""
    sequences, kept, keep, cut = saved
    shape = sequences[0].shape
    workers, work, gradients = workspace.kept(
        "backward",
        (shape, rule, keep, cut, want_dt),
        lambda: _Backward.make(circuit, shape, rule, keep, cut, want_dt, workspace),
    )
    rows, d_x, d_h0, d_dt = gradients
    adjoints, (_, packed), numbers = (d_motor, d_h), circuit.packed(cut.batch_major), tuple(rule)
    rows.fill(0)
    cut.run(cut.kernels.backward, len(rows), workers, (sequences, adjoints, packed, numbers), (work, kept, gradients))
    circuit.unpack(rows, cut.batch_major, g)
    return d_x, d_h0, d_dt if want_dt else None


def bind(circuit, x, dt, h0, rule, n_out, workspace):
    """`forward` of single steps, x (B, 1, I), in arrays that stay the same: the results, and what computes them.

    The calls of Python between two steps, and the looks for what they need, would take longer than the step.

    Returns
    -------
    out (B, 1, n_out), h_last (B, N), a list of functions without arguments; None for so many sequences that several
    threads may share them
    """
    if circuit.shared(x.shape, rule):
        return None
    cut, numbers, work, kept, results = _Forward.make(circuit, x.shape, rule, n_out, None, 1, workspace)
    packed, _ = circuit.packed(cut.batch_major)
    before = (x, dt, np.ones(len(x), np.int64)), h0, packed, numbers
    return *results, cut.bound(cut.kernels.forward, cut.tiles, before, (work, kept, results))


class Sweep(NamedTuple):
    """A pass over sequences in arrays that stay the same.

    ``before`` and ``after``: arguments of the kernel, before and after its group of tiles; ``parts`` are shared by so
    many ``workers``.
    """

    cut: Cut
    kernel: Any
    parts: int
    workers: int
    before: tuple
    after: tuple

    def run(self):
        """Do it, on several threads if there are several workers."""
        self.cut.run(self.kernel, self.parts, self.workers, self.before, self.after)

    def calls(self):
        """For a kernel that does all of it by `native.call`, neuron-major: a row for each group of tiles."""
        groups = ((*self.before, group, *self.after, 0, self.parts, 0) for group in self.cut.groups)
        return np.stack([native.words(self.kernel, args) for args in groups])


class BothSweeps(NamedTuple):
    """What they leave, out (B, T, O), rows (R, -), d_x (B, T, I); and `Sweep` forward and backward."""

    out: np.ndarray
    rows: np.ndarray
    d_x: np.ndarray
    forward: Sweep
    backward: Sweep


def bind_both(circuit, sequences, h0, adjoints, rule, keep, workspace):
    """`forward` and `backward` in arrays that stay the same.

    Whoever changes the parameters packs them anew, into the arrays of ``circuit.packed``, and sets the gradient rows to
    0 before the backward pass.

    Parameters
    ----------
    sequences : Sequences
    adjoints : Adjoints

    Returns
    -------
    BothSweeps
    """
    shape, n_out = sequences.x.shape, adjoints.d_out.shape[2]
    n_threads = threads.get_num_threads() if circuit.shared(shape, rule) else 1
    cut, numbers, work, kept, results = _Forward.make(circuit, shape, rule, n_out, keep, n_threads, workspace)
    workers, back, gradients = _Backward.make(circuit, shape, rule, keep, cut, False, workspace)
    (out, _), (rows, d_x, _, _), (packed, packed_back) = results, gradients, circuit.packed(cut.batch_major)
    before, after = (tuple(sequences), h0, packed, numbers), (work, kept, results)
    forward = Sweep(cut, cut.kernels.forward, cut.tiles, cut.threads, before, after)
    before, after = (tuple(sequences), tuple(adjoints), packed_back, numbers), (back, kept, gradients)
    backward = Sweep(cut, cut.kernels.backward, len(rows), workers, before, after)
    return BothSweeps(out, rows, d_x, forward, backward)
