"""Convolutions over time, as in `ltc_np.kernels.numpy.convolution`, the definition.

The inputs of a window whose taps lie together are a row of numbers in memory, so a product of matrices whose rows
overlap gives all outputs of a sequence, and nothing is copied.  Where taps lie apart inputs are sorted first, so that
those of a window are neighbours; or, where sequences are short, those of some windows are put side by side.  All add in
the same order, so the bits are the same.

Arguments of the kernels: sizes: B, P steps, I, n windows, O, K, dilation, stride; ``cut``: sequences and windows of a
block, and the blocks of a sequence; seen (B, P, I), flat; ``work``: numbers to work in, a row for each worker.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...base import threads
from ..codes import GRADIENT_ROWS
from ..numpy.convolution import Taps as Definition
from ..windows import Window
from .arguments import cut as parts
from .gates import FLUSH_ROWS, PARALLEL_PRODUCTS, copy, flat
from .jit import helper, kernel
from .products import add_outer, multiply, packed, whole_vectors
from .simd import add_wide, fma, load_part, store_part, vector_size, zeros

APART = 6  # rows of a product: with fewer for each place modulo the dilation they are put side by side
ROWS = 64  # windows of a block: so many rows of sums stay in the cache
GRADIENT_NUMBERS = 1 << 18  # of all rows of gradients: to clear and to add up more would take as long as the products


@helper
def _place(block, cut, B, n):
    """Of a block: its first sequence and window, and how many of both it has."""
    several, steps, pieces = cut
    b, t = block // pieces * several, block % pieces * steps
    return b, t, min(several, B - b), min(steps, n - t)


@helper
def _rows(sizes, seen, several, steps, b, t, work):
    """Where the rows (several * steps, K I) of taps lie: array, index of the first number, numbers from row to row."""
    _, P, I, _, _, K, dilation, stride = sizes
    if several == 1 and (dilation == 1 or K == 1):
        return seen, (b * P + t * stride) * I, stride * I
    to = 0
    for s in range(b, b + several):
        for step in range(t, t + steps):
            at = (s * P + step * stride) * I
            for k in range(K):
                copy(seen, at + k * dilation * I, work, to, I)
                to += I
    return work, 0, K * I


@helper
def _sorted(sizes, seen, steps, b, t, work):
    """What windows t ... t + steps - 1 of a sequence read: for each r inputs whose place is r modulo the dilation."""
    _, P, I, _, _, K, dilation, _ = sizes
    to, end = 0, t + steps + (K - 1) * dilation
    for r in range(dilation):
        for u in range(t + r, end, dilation):
            if I == 1:  # to copy a vector of one number takes three times as long
                work[to] = seen[b * P + u]
            else:
                copy(seen, (b * P + u) * I, work, to, I)
            to += I


@helper
def _store(sums, length, rows, bias, z, to, step, O):
    """Rows of sums and the bias, to places of z that lie ``step`` apart."""
    for r in range(rows):
        for k in range(0, O, vector_size(sums)):
            value = load_part(sums, r * length + k, O - k) + load_part(bias, k, O - k)
            store_part(z, to + r * step + k, value, O - k)


@kernel
def _correlate(sizes, cut, seen, weight, bias, work, z, first, last, worker):
    """z (B, n, O), flat, of blocks first..last-1; ``weight`` is `packed`."""
    B, _, I, n, O, K, dilation, stride = sizes
    panels, length = weight.shape[0], weight.shape[0] * weight.shape[2]
    sums, taps = parts(work[worker], cut[0] * cut[1] * length)
    for block in range(first, last):
        b, t, several, steps = _place(block, cut, B, n)
        if several > 1 or stride > 1 or dilation == 1 or K == 1 or steps < APART * dilation:
            rows, at, row = _rows(sizes, seen, several, steps, b, t, taps)
            multiply(sums, length, several * steps, rows, at, row, K * I, weight, 0, panels)
            _store(sums, length, several * steps, bias, z, (b * n + t) * O, O, O)  # several sequences are whole
            continue
        _sorted(sizes, seen, steps, b, t, taps)
        at = 0
        for r in range(dilation):
            rows = (steps - r + dilation - 1) // dilation
            multiply(sums, length, rows, taps, at, I, K * I, weight, 0, panels)
            _store(sums, length, rows, bias, z, (b * n + t + r) * O, dilation * O, O)
            at += (rows + K - 1) * I


@kernel
def _d_weight(sizes, cut, seen, d_z, columns, work, gradients, first, last, worker):
    """Gradient rows first..last-1, each of blocks r, r + R, ...; d_z (B, n, ``columns``) has whole vectors."""
    B, _, I, n, _, K, _, _ = sizes
    blocks = -(-B // cut[0]) * cut[2]
    for r in range(first, last):
        for block in range(r, blocks, gradients.shape[0]):
            b, t, several, steps = _place(block, cut, B, n)
            rows, at, row = _rows(sizes, seen, several, steps, b, t, work[worker])
            terms = several * steps
            add_outer(gradients[r], K * I, columns, rows, at, row, terms, d_z, (b * n + t) * columns, columns)


@kernel
def _depthwise(sizes, cut, seen, weight, u, first, last, worker):
    """u (B, n, I), flat, of blocks first..last-1; ``weight`` is (K, I), flat."""
    B, P, I, n, _, K, dilation, stride = sizes
    W = vector_size(seen)
    for block in range(first, last):
        b, t, several, steps = _place(block, cut, B, n)
        for s in range(b, b + several):
            for step in range(t, t + steps):
                at, to = (s * P + step * stride) * I, (s * n + step) * I
                for c in range(0, I, W):
                    total = zeros(seen)
                    for k in range(K):
                        x, w = load_part(seen, at + k * dilation * I + c, I - c), load_part(weight, k * I + c, I - c)
                        total = fma(x, w, total)
                    store_part(u, to + c, total, I - c)


@kernel
def _d_taps(sizes, cut, seen, d_u, gradients, first, last, worker):
    """Gradient rows first..last-1, each of blocks r, r + R, ...: (K, I in whole vectors)."""
    B, P, I, n, _, K, dilation, stride = sizes
    W, blocks = vector_size(seen), -(-B // cut[0]) * cut[2]
    columns = -(-I // W) * W
    for r in range(first, last):
        for block in range(r, blocks, gradients.shape[0]):
            b, t, several, steps = _place(block, cut, B, n)
            for s in range(b, b + several):
                for k in range(K):
                    for c in range(0, I, W):
                        total = zeros(seen)
                        for step in range(t, t + steps):
                            x = load_part(seen, (s * P + step * stride + k * dilation) * I + c, I - c)
                            total = fma(x, load_part(d_u, (s * n + step) * I + c, I - c), total)
                        add_wide(gradients[r], k * columns + c, total)


# ------------------------------------------------------------------------------------------ called from Python


class Cut(NamedTuple):
    """How calls of one shape are cut: sequences and windows of a block, blocks of a sequence."""

    several: int
    steps: int
    pieces: int

    @classmethod
    def make(cls, n, rows):
        """Blocks of about so many rows, for sequences of n windows; several sequences in one are whole."""
        pieces = -(-n // rows)
        return cls(max(1, rows // n), -(-n // pieces), pieces)

    def blocks(self, B):
        return -(-B // self.several) * self.pieces


class Taps(Definition):
    """See `ltc_np.kernels.numpy.convolution.Taps`; the weights are packed for both directions when they are needed."""

    def __init__(self, window, weight, bias):
        super().__init__(window, weight, bias)
        K, I, O = weight.shape
        self.packed, self._turned = packed(weight.reshape(K * I, O)), None

    def turned(self):
        """What `d_correlate` correlates with: the last tap first, each transposed.

        Of neighbouring taps, every s-th reads an input, for s the stride: Taps of each of these groups.
        """
        if self._turned is None:
            K, dilation, stride = self.window
            groups = range(min(stride, K)) if dilation == 1 else (0,)
            step = stride if dilation == 1 else 1
            self._turned = [_turned(self.weight[first::step], dilation) for first in groups]
        return self._turned


def _turned(weight, dilation):
    """Taps of some taps (K, I, O), for `d_correlate`."""
    turned = np.ascontiguousarray(weight[::-1].transpose(0, 2, 1))
    return Taps(Window(len(turned), dilation, 1), turned, np.zeros(turned.shape[2], turned.dtype))


def correlate(taps, seen):
    """z (B, n, O); see `ltc_np.kernels.numpy.convolution.correlate`."""
    (K, _, O), dtype = taps.weight.shape, seen.dtype
    sizes = B, _, I, n, *_ = _sizes(taps.window, seen, O)
    cut = Cut.make(n, ROWS)
    blocks, rows = cut.blocks(B), cut.several * cut.steps
    workers = threads.share(blocks, B * n * taps.weight.size > PARALLEL_PRODUCTS)
    z, work = np.empty((B, n, O), dtype), np.empty((workers, rows * (whole_vectors(O, dtype) + K * I)), dtype)
    given = sizes, tuple(cut), flat(seen), taps.packed, taps.bias, work, flat(z)
    threads.run(partial(_correlate, *given), blocks, workers)
    return z


def d_correlate(taps, seen, d_z, n):
    """Its adjoint: d_seen, of the first n windows, and d_weight; see `ltc_np.kernels.numpy.convolution.d_correlate`."""
    window, (K, I, O), B, dtype = taps.window, taps.weight.shape, len(seen), seen.dtype
    columns = whole_vectors(O, dtype)
    whole = np.ascontiguousarray(d_z)
    if columns > O:
        whole = np.zeros((*d_z.shape[:2], columns), dtype)
        whole[..., :O] = d_z
    cut = Cut.make(d_z.shape[1], FLUSH_ROWS)
    gradients = _gradients(cut, d_z, K * I * columns)
    workers = threads.share(len(gradients), d_z.size * K * I > PARALLEL_PRODUCTS)
    work = np.empty((workers, cut.several * cut.steps * K * I), dtype)
    given = _sizes(window, seen, O), tuple(cut), flat(seen), flat(whole), columns, work, gradients
    threads.run(partial(_d_weight, *given), len(gradients), workers)
    d_weight = gradients.sum(0).reshape(K, I, columns)[..., :O]
    if not window.spanned(n):
        return np.zeros((B, 0, I), dtype), d_weight
    if window.stride == 1 or window.dilation > 1:
        (turned,) = taps.turned()
        return correlate(turned, _around(window, d_z[:, :n])), d_weight
    d_seen = np.zeros((B, window.spanned(n), I), dtype)
    for first, turned in enumerate(taps.turned() if n else ()):
        d_part = correlate(turned, _around(turned.window, d_z[:, :n]))
        d_seen[:, first :: window.stride][:, : d_part.shape[1]] = d_part
    return d_seen, d_weight


def depthwise(window, weight, seen):
    """u (B, n, I); see `ltc_np.kernels.numpy.convolution.depthwise`."""
    sizes = B, _, I, n, *_ = _sizes(window, seen, 0)
    cut = Cut.make(n, FLUSH_ROWS)
    u = np.empty((B, n, I), seen.dtype)
    workers = threads.share(cut.blocks(B), u.size * window.K > PARALLEL_PRODUCTS)
    given = sizes, tuple(cut), flat(seen), flat(np.ascontiguousarray(weight)), flat(u)
    threads.run(partial(_depthwise, *given), cut.blocks(B), workers)
    return u


def d_depthwise(window, weight, seen, d_u):
    """Its adjoint: d_seen and d_weight; see `ltc_np.kernels.numpy.convolution.d_depthwise`."""
    _, n, I = d_u.shape
    columns, cut = whole_vectors(I, seen.dtype), Cut.make(n, FLUSH_ROWS)
    gradients = _gradients(cut, d_u, window.K * columns)
    workers = threads.share(len(gradients), d_u.size * window.K > PARALLEL_PRODUCTS)
    given = _sizes(window, seen, 0), tuple(cut), flat(seen), flat(np.ascontiguousarray(d_u)), gradients
    threads.run(partial(_d_taps, *given), len(gradients), workers)
    d_seen = depthwise(window._replace(stride=1), weight[::-1], _around(window, d_u))
    return d_seen, gradients.sum(0).reshape(window.K, columns)[:, :I]


def _sizes(window, seen, O):
    B, P, I = seen.shape
    return B, P, I, window.count(P), O, *window


def _gradients(cut, d_z, numbers):
    """Rows of so many float64 zeros, each for enough windows to sum."""
    B, n, _ = d_z.shape
    return np.zeros(
        (max(1, min(cut.blocks(B), GRADIENT_ROWS, B * n // FLUSH_ROWS, GRADIENT_NUMBERS // numbers)), numbers)
    )


def _around(window, d_z):
    """Adjoints of outputs where their windows begin, with zeros between and around them: input u is read by those that
    begin at u - (K - 1) dilation ... u, the last tap first.
    """
    B, n, O = d_z.shape
    around = np.zeros((B, window.more + window.spanned(n), O), d_z.dtype)
    around[:, window.more : window.more + max(0, (n - 1) * window.stride + 1) : window.stride] = d_z
    return around
