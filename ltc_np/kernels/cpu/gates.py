"""What cells of gates share on the CPU: how a call is cut, and the sources, rows of [x, 1, h], of its products.

A tile of sequences goes through all steps in one call of a kernel, and how tiles are cut does not depend on the number
of threads.  What is kept of a step, of its gates and of c, lies by time, sources tile after tile.

Arguments of the kernels everywhere, all arrays flat but for packed ones, rows and work: then one form of each helper is
compiled:
    sizes: B, T, I, N;  lengths (B,);  width: sequences in a tile;  work: numbers to work in, a row for each worker
    x (B, T, I), h0 (B, -);  weights: `packed`;  results: y (B, T, N), h_last (B, -)
    kept: source, of each tile (T, sequences, I + 1 + N); gates (T, B, -); c (T + 1, B, -); where nothing is kept,
    source and c are of one step and gates is empty
    adjoints: d_y (B, T, N), d_h (B, -);  turned: the transposes of w_h and w_x, `packed`
    gradients: rows (R, -) float64, d_x (B, T, I) or empty, d_h0 (B, -);  slots: steps summed at once
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...base import threads
from ...base.workspace import arrays
from ..codes import GRADIENT_ROWS
from .jit import helper
from .products import multiply, packed, whole_vectors
from .simd import load_part, store_part, vector_size, zeros

# Below this many multiplications per call (about 0.2 ms) a second thread may cost more than it brings.
PARALLEL_PRODUCTS = 10_000_000
# Rows whose weight gradients are summed in registers before they go to the float64 row, and bytes of their adjoints.
FLUSH_ROWS, FLUSH_BYTES = 256, 2**20
# Sequences in a tile at least, and at most: so many that short ones, too, have rows to sum.
NARROW, WIDE = 16, 64


class Cut(NamedTuple):
    """How calls of one shape are cut: sequences in a tile, tiles, gradient rows, of which each has enough to sum."""

    width: int
    tiles: int
    rows: int

    @classmethod
    def make(cls, B, T):
        width = min(max(NARROW, FLUSH_ROWS // T), WIDE)
        tiles = -(-B // width)
        return cls(width, tiles, max(1, min(tiles, GRADIENT_ROWS, B * T // FLUSH_ROWS)))

    def slots(self, adjoints, dtype):
        """Time steps whose weight gradients are summed at once, given the numbers in a row of adjoints."""
        return max(1, min(FLUSH_ROWS, FLUSH_BYTES // (adjoints * dtype.itemsize)) // self.width)


@helper
def copy(source, at, target, to, count):
    """``target[to : to + count] = source[at : at + count]``, as they lie in memory."""
    W = vector_size(target)
    for k in range(0, count, W):
        store_part(target, to + k, load_part(source, at + k, count - k), count - k)


@helper
def clear(target, to, count):
    """``target[to : to + count] = 0``, as they lie in memory."""
    for k in range(to, to + count, vector_size(target)):
        store_part(target, k, zeros(target), to + count - k)


@helper
def write_sources(sizes, lengths, x, t, b0, count, h0, y, source, at):
    """Rows [x, 1, h] of step t from ``source[at]`` on; h is what y, or h0, has of the step before.

    Those of sequences that have ended are 0.
    """
    _, T, I, N = sizes
    K = I + 1 + N
    for b in range(b0, b0 + count):
        if t < lengths[b]:
            copy(x, (b * T + t) * I, source, at, I)
            source[at + I] = 1
            if t == 0:
                copy(h0, b * (h0.size // lengths.size), source, at + I + 1, N)
            else:
                copy(y, (b * T + t - 1) * N, source, at + I + 1, N)
        else:
            clear(source, at, K)
        at += K


@helper
def write_d_x(sizes, d_z, at, row, count, turned, work, d_x, b0, t):
    """d_x, unless it is empty, of step t: rows of d_z from ``d_z[at]`` on times ``turned``, the `packed` w_x^T."""
    _, T, I, _ = sizes
    length = turned.shape[0] * turned.shape[2]
    if d_x.size > 0:
        multiply(work, length, count, d_z, at, row, turned.shape[1], turned, 0, turned.shape[0])
        for b in range(b0, b0 + count):
            copy(work, (b - b0) * length, d_x, (b * T + t) * I, I)


@helper
def clear_d_x(sizes, d_x, b, first):
    """d_x, unless it is empty, of a sequence from step ``first`` on."""
    _, T, I, _ = sizes
    if d_x.size > 0:
        clear(d_x, (b * T + first) * I, (T - first) * I)


# ------------------------------------------------------------------------------------------ called from Python


class Gates:
    """Effective parameters of a cell, packed for its kernels; base of each ``Matrices``.

    Attributes
    ----------
    w_x, w_h : (I, -) and (N, -) arrays
    weights : tuple of arrays
        `packed`, as the cell's `_forward` takes them.
    sums : tuple of (rows, columns)
        Sizes of the weight gradients that `_backward` adds up, columns without padding.
    gates : int
        Numbers that a step of a unit keeps for the adjoint.
    cells : int
        Numbers that its state has beside h.
    read : int
        In how many states a row of sources is longer than [x, 1, h].
    """

    weights: tuple[np.ndarray, ...]
    sums: tuple[tuple[int, int], ...]
    gates: int
    cells: int
    read: int = 0

    def __init__(self, w_x, w_h):
        self.w_x, self.w_h, self.I, self.N = w_x, w_h, len(w_x), len(w_h)
        self._turned = {}

    def transposes(self):
        """Those of w_h and w_x, with columns in the order of the adjoints that they are multiplied with."""
        return self.w_h.T, self.w_x.T

    def turned(self, want_x):
        """The same, `packed`; the last is empty unless it is wanted."""
        if want_x not in self._turned:
            *others, w_x = self.transposes()
            self._turned[want_x] = *map(packed, others), packed(w_x if want_x else w_x[:, :0])
        return self._turned[want_x]

    def workers(self, pieces, B, T):
        """Threads that share so many tiles or gradient rows."""
        products = B * T * sum(w.size for w in self.weights)
        return threads.share(pieces, products > PARALLEL_PRODUCTS)


class Saved(NamedTuple):
    """What the adjoint needs: lengths (B,), and `Kept` as kernels take it."""

    lengths: np.ndarray
    kept: tuple[Any, ...]


def forward(kernel, matrices, x, lengths, h0, keep, workspace):
    """Run the sequences with a cell's kernel: y (B, T, N), h_last, which is like h0, and `Saved`."""
    (B, T, I), N, cut = x.shape, matrices.N, Cut.make(*x.shape[:2])
    n, steps = matrices.workers(cut.tiles, B, T), T if keep else 0

    def make():
        kept = arrays(
            x.dtype,
            source=(max(1, steps) * B * (I + 1 + N + matrices.read * N),),
            gates=(steps * B * matrices.gates * N,),
            c=((steps + 1) * B * matrices.cells * N,),
        )
        own = cut.width * (columns(matrices.weights) + matrices.read * (1 + matrices.cells) * N)
        made = arrays(x.dtype, work=(n, own), y=(B, T, N), h_last=h0.shape)
        return (kept.source, kept.gates, kept.c), (flat(made.y), flat(made.h_last)), made

    kept, results, made = workspace.kept("forward", (x.shape, steps, n), make)
    given = (B, T, I, N), lengths, flat(x), flat(h0), matrices.weights, cut.width, made.work, kept, results
    threads.run(partial(kernel, *given), cut.tiles, n)
    return made.y, made.h_last, Saved(lengths, kept) if keep else None


def backward(kernel, matrices, saved, d_y, d_h, want_x, workspace):
    """Adjoint of `forward`: d_x or None, d_h0, and the ``sums`` of ``matrices``, without padding."""
    (B, T, N), I, dtype, turned = d_y.shape, matrices.I, d_y.dtype, matrices.turned(want_x)
    cut, row = Cut.make(B, T), whole_vectors(matrices.gates * N, dtype)
    slots, n = cut.slots(row, dtype), matrices.workers(cut.rows, B, T)
    sizes = [k * whole_vectors(m, dtype) for k, m in matrices.sums]

    def make():
        rows = workspace.array("rows", cut.rows * sum(sizes), np.dtype(np.float64)).reshape(cut.rows, sum(sizes))
        own = cut.width * (slots * row + columns(turned) + N + (1 + matrices.read) * matrices.cells * N)
        made = arrays(dtype, work=(n, own), d_x=(B, T, I if want_x else 0), d_h0=d_h.shape)
        made.work.fill(0)  # padding of adjoints is never written
        return (rows, flat(made.d_x), flat(made.d_h0)), made

    gradients, made = workspace.kept("backward", (d_y.shape, want_x, n), make)
    rows = gradients[0]
    rows.fill(0)
    adjoints = flat(d_y), flat(d_h)
    given = (B, T, I, N), saved.lengths, saved.kept, adjoints, turned, cut.width, slots, made.work, gradients
    threads.run(partial(kernel, *given), cut.rows, n)
    parts = np.split(rows.sum(0), np.cumsum(sizes)[:-1])  # row by row, in order
    sums = [part.reshape(k, -1)[:, :m] for part, (k, m) in zip(parts, matrices.sums, strict=True)]
    return made.d_x if want_x else None, made.d_h0, sums


def columns(matrices):
    """Columns of packed matrices, side by side."""
    return sum(m.shape[0] * m.shape[2] for m in matrices)


def flat(array):
    return array.reshape(-1)
