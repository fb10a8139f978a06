"""Convolutions over time, as in `ltc_np.kernels.numpy.convolution`, the definition.

The inputs of a window whose taps lie together are a row of numbers in memory, so a product of matrices whose rows
overlap gives all outputs of a sequence, and nothing is copied but what the first windows, and those that read zeros,
have.  Where taps lie apart inputs are sorted first, so that those of a window are neighbours; or, where sequences are
short, those of some windows are put side by side.  All add in the same order, so the bits are the same.

Arguments of the kernels: sizes: B, I, n windows, O, K, dilation, stride; ``meet``: see `_meet`; ``cut``: sequences and
windows of a block, and the blocks of a sequence; seen: see `_unpacked`; ``work``: numbers to work in, a row for each
worker.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from ...base import threads
from ..codes import GRADIENT_ROWS
from ..numpy.convolution import Taps as Definition
from ..windows import Seen, Window
from .arguments import cut as parts
from .gates import FLUSH_ROWS, PARALLEL_PRODUCTS, clear, copy, flat
from .jit import helper, kernel
from .products import add_outer, multiply, multiply_onto, packed, whole_vectors
from .simd import add_wide, fma, load, load_part, store, store_part, vector_size, zeros

APART = 6  # rows of a product: with fewer for each place modulo the dilation they are put side by side
ROWS = 128  # windows of a block, twice as many where they are in groups: so many inputs stay in the second cache
PRODUCTS = 1 << 17  # of a block in the adjoint: they stay in the second cache, and blocks are long
GRADIENT_NUMBERS = 1 << 18  # of all rows of gradients: to clear and to add up more would take as long as the products


@helper
def _place(block, cut, B, n):
    """Of a block: its first sequence and window, and how many of both it has."""
    several, steps, pieces = cut
    b, t = block // pieces * several, block % pieces * steps
    return b, t, min(several, B - b), min(steps, n - t)


@helper
def _fetch(seen, I, b, first, step, count, work, to):
    """Copy inputs of a sequence, the ``first`` one and others that lie ``step`` apart."""
    before, x, (F, X, begin) = seen
    early = min(count, max(0, (F - first + step - 1) // step))
    there = max(early, min(count, (F + X - begin - first + step - 1) // step))
    if I == 1:  # to copy a vector of one number takes three times as long
        for j in range(early):
            work[to + j] = before[b * F + first + j * step]
        at = b * X + first - F + begin
        for j in range(early, there):
            work[to + j] = x[at + j * step]
    else:
        for j in range(early):
            copy(before, (b * F + first + j * step) * I, work, to + j * I, I)
        at, W = (b * X + first - F + begin) * I, vector_size(work)
        # Whole vectors, where the next inputs overwrite what is too much; parts of vectors take three times as long.
        whole = max(early, there - ((I + W - 1) // W * W - 1) // I)
        for j in range(early, whole):
            for k in range(0, I, W):
                store(work, to + j * I + k, load(x, at + j * step * I + k))
        for j in range(whole, there):
            copy(x, at + j * step * I, work, to + j * I, I)
    clear(work, to + there * I, (count - there) * I)


@helper
def _span(seen, I, b, first, count, work):
    """Where inputs that follow each other lie: array, and index of the first number."""
    _, x, (F, X, begin) = seen
    if _inside(seen, first, count):
        return x, (b * X + first - F + begin) * I
    _fetch(seen, I, b, first, 1, count, work, 0)
    return work, 0


@helper
def _inside(seen, first, count):
    """Whether inputs that follow each other are all in x."""
    _, _, (F, X, begin) = seen
    return first >= F and first - F + begin + count <= X


@helper
def _groups(sizes, meet, several, steps):
    """In how many groups the windows of a block are multiplied, each with its inputs sorted; 0: all together."""
    _, _, _, _, K, dilation, _ = sizes
    skip, apart = meet
    return 0 if several > 1 or dilation == 1 or skip >= K or steps < APART * dilation else apart


@helper
def _rows(sizes, seen, place, group, groups, work):
    """Where the inputs (rows, K I) of a group's windows lie, every ``groups``-th of the block: array, index of the
    first number, numbers from row to row, rows.
    """
    _, I, _, _, K, dilation, stride = sizes
    b, t, several, steps = place
    count = (steps - 1) * stride + K  # where taps lie together
    if several == 1 and (dilation == 1 or K == 1) and (stride <= K or _inside(seen, t * stride, count)):
        found, at = _span(seen, I, b, t * stride, count, work)
        return found, at, stride * I, steps
    if groups > 0:
        # Inputs that are a dilation apart become neighbours: a window is a row, and the next one begins some inputs on.
        rows, further = (steps - group + groups - 1) // groups, groups * stride // dilation
        _fetch(seen, I, b, (t + group) * stride, dilation, (rows - 1) * further + K, work, 0)
        return work, 0, further * I, rows
    to = 0
    for s in range(b, b + several):
        for step in range(t, t + steps):
            _fetch(seen, I, s, step * stride, dilation, K, work, to)
            to += K * I
    return work, 0, K * I, several * steps


@kernel
def _correlate(sizes, meet, cut, seen, weight, bias, work, z, first, last, worker):
    """z (B, n, O), flat, of blocks first..last-1; ``weight`` is `packed`, and ``bias`` has as many columns."""
    B, I, n, O, K, _, _ = sizes
    panels, length = weight.shape[0], weight.shape[0] * weight.shape[2]
    sums, taps = parts(work[worker], cut[0] * cut[1] * length)
    for block in range(first, last):
        place = _place(block, cut, B, n)
        b, t, several, steps = place
        groups = _groups(sizes, meet, several, steps)
        for group in range(max(1, groups)):
            inputs, at, row, rows = _rows(sizes, seen, place, group, groups, taps)
            to, step = (b * n + t + group) * O, max(1, groups) * O
            if length == O:
                multiply_onto(bias, z, to, step, rows, inputs, at, row, K * I, weight, panels)
                continue
            multiply_onto(bias, sums, 0, length, rows, inputs, at, row, K * I, weight, panels)
            for r in range(rows):
                copy(sums, r * length, z, to + r * step, O)


@kernel
def _d_weight(sizes, meet, cut, seen, d_z, columns, one, work, gradients, first, last, worker):
    """Gradient rows first..last-1, each of blocks r, r + R, ...: of the weights (K I, ``columns``) and the bias.

    d_z (B, n, ``columns``) has whole vectors, ``one`` is [1].
    """
    B, I, n, _, K, _, _ = sizes
    blocks = -(-B // cut[0]) * cut[2]
    for r in range(first, last):
        of_weight, of_bias = parts(gradients[r], K * I * columns)
        for block in range(r, blocks, gradients.shape[0]):
            place = _place(block, cut, B, n)
            b, t, several, steps = place
            groups = _groups(sizes, meet, several, steps)
            for group in range(max(1, groups)):
                inputs, at, row, rows = _rows(sizes, seen, place, group, groups, work[worker])
                to = (b * n + t + group) * columns
                add_outer(of_weight, K * I, columns, inputs, at, row, rows, d_z, to, max(1, groups) * columns)
            add_outer(of_bias, 1, columns, one, 0, 0, several * steps, d_z, (b * n + t) * columns, columns)


@kernel
def _d_seen(sizes, meet, cut, d_z, transposed, work, pieces, first, last, worker):
    """The adjoint of what the windows of a block read, of blocks first..last-1: pieces[block] (several, inputs, I), 0.

    ``transposed`` are the weights as (O, K I), `packed`; ``meet`` is from `_meet`.
    """
    B, I, n, O, K, dilation, stride = sizes
    panels, length, W = transposed.shape[0], transposed.shape[0] * transposed.shape[2], vector_size(d_z)
    products, (skip, apart), span = work[worker], meet, (cut[1] - 1) * stride + (K - 1) * dilation + 1
    step = skip * I - apart * length
    for block in range(first, last):
        b, t, several, steps = _place(block, cut, B, n)
        piece = pieces[block]
        multiply(products, length, several * steps, d_z, (b * n + t) * O, O, O, transposed, 0, panels)
        for s in range(several):
            for k in range(min(skip, K)):
                taps = (K - 1 - k) // skip + 1
                for m in range(steps + (taps - 1) * apart):
                    begin, end = 0, taps
                    if m >= steps or m < (taps - 1) * apart:  # seldom: divisions take as long as the sums
                        begin, end = max(0, (m - steps) // apart + 1), min(taps, m // apart + 1)
                    at, to = ((s * steps + m) * length + k * I), (s * span + m * stride + k * dilation) * I
                    if I == 1:
                        number = piece[to]
                        for j in range(begin, end):
                            number += products[at + j * step]
                        piece[to] = number
                        continue
                    for c in range(0, I, W):
                        total = zeros(products)
                        for j in range(begin, end):
                            total = total + load_part(products, at + j * step + c, I - c)
                        store_part(piece, to + c, total, I - c)


@kernel
def _depthwise(sizes, cut, seen, weight, work, u, first, last, worker):
    """u (B, n, I), flat, of blocks first..last-1; ``weight`` is (K, I), flat."""
    B, I, n, _, K, dilation, stride = sizes
    W, more = vector_size(u), (K - 1) * dilation + 1
    for block in range(first, last):
        b, t, several, steps = _place(block, cut, B, n)
        for s in range(b, b + several):
            inputs, begin = _span(seen, I, s, t * stride, (steps - 1) * stride + more, work[worker])
            for step in range(steps):
                at, to = begin + step * stride * I, (s * n + t + step) * I
                for c in range(0, I, W):
                    total = zeros(u)
                    for k in range(K):
                        x, w = load_part(inputs, at + k * dilation * I + c, I - c), load_part(weight, k * I + c, I - c)
                        total = fma(x, w, total)
                    store_part(u, to + c, total, I - c)


@kernel
def _d_taps(sizes, cut, seen, d_u, work, gradients, first, last, worker):
    """Gradient rows first..last-1, each of blocks r, r + R, ...: (K, I in whole vectors)."""
    B, I, n, _, K, dilation, stride = sizes
    W, blocks, more = vector_size(d_u), -(-B // cut[0]) * cut[2], (K - 1) * dilation + 1
    columns = -(-I // W) * W
    for r in range(first, last):
        for block in range(r, blocks, gradients.shape[0]):
            b, t, several, steps = _place(block, cut, B, n)
            for s in range(b, b + several):
                inputs, at = _span(seen, I, s, t * stride, (steps - 1) * stride + more, work[worker])
                for k in range(K):
                    for c in range(0, I, W):
                        total = zeros(d_u)
                        for step in range(steps):
                            x = load_part(inputs, at + (step * stride + k * dilation) * I + c, I - c)
                            total = fma(x, load_part(d_u, (s * n + t + step) * I + c, I - c), total)
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


class Plan(NamedTuple):
    """What `correlate` finds out of the shape of its inputs.

    shape: of z;  numbers: that a worker works in;  blocks: to share;  parallel: whether that is worth it;  given: what
    kernels get
    """

    shape: tuple
    numbers: int
    blocks: int
    parallel: bool
    given: tuple

    @classmethod
    def make(cls, taps, seen):
        (K, _, O), dtype, meet = taps.weight.shape, seen.x.dtype, _meet(taps.window)
        sizes = B, I, n, *_ = _sizes(taps.window, seen, O)
        cut = Cut.make(n, ROWS if meet[1] == 1 else 2 * ROWS)
        numbers = cut.several * cut.steps * (whole_vectors(O, dtype) + K * I)
        parallel = B * n * taps.weight.size > PARALLEL_PRODUCTS
        return cls((B, n, O), numbers, cut.blocks(B), parallel, (sizes, meet, tuple(cut)))


class Taps(Definition):
    """See `ltc_np.kernels.numpy.convolution.Taps`; the weights are packed for both directions when they are needed."""

    def __init__(self, window, weight, bias):
        super().__init__(window, weight, bias)
        K, I, O = weight.shape
        self._planned = None, None
        self.packed, self._transposed, self._turned = packed(weight.reshape(K * I, O)), None, None
        self.packed_bias = packed(bias[None]).ravel()

    def plan(self, seen):
        """`Plan` of a call; the last one is kept, since calls of one shape follow each other."""
        key, (known, plan) = (len(seen.x), seen.steps), self._planned
        if known != key:
            plan = Plan.make(self, seen)
            self._planned = key, plan
        return plan

    def transposed(self):
        """The weights as (O, K I), `packed`."""
        if self._transposed is None:
            self._transposed = packed(self.weight.reshape(-1, self.weight.shape[2]).T)
        return self._transposed

    def turned(self):
        """Taps that `_d_inputs` correlates with: the last tap first, each transposed.

        What reads an input by tap k, reads it by tap k + skip, too, so there are Taps of each of these groups.
        """
        if self._turned is None:
            skip, apart = _meet(self.window)
            self._turned = [_turned(self.weight[k::skip], apart) for k in range(min(skip, len(self.weight)))]
        return self._turned


def _meet(window):
    """How many taps, and how many windows, further another one reads the same input."""
    common = math.gcd(window.stride, window.dilation)
    return window.stride // common, window.dilation // common


def _turned(weight, dilation):
    turned = np.ascontiguousarray(weight[::-1].transpose(0, 2, 1))
    return Taps(Window(len(turned), dilation, 1), turned, np.zeros(turned.shape[2], turned.dtype))


def correlate(taps, seen):
    """z (B, n, O); see `ltc_np.kernels.numpy.convolution.correlate`."""
    shape, numbers, blocks, parallel, given = taps.plan(seen)
    workers = threads.share(blocks, parallel)
    z, work = np.empty(shape, seen.x.dtype), np.empty((workers, numbers), seen.x.dtype)
    arrays = _unpacked(seen), taps.packed, taps.packed_bias, work, flat(z)
    threads.run(partial(_correlate, *given, *arrays), blocks, workers)
    return z


def d_correlate(taps, seen, d_z, n):
    """Its adjoint: of the inputs that n windows read, d_weight, d_bias; see `ltc_np.kernels.numpy.convolution`."""
    K, I, O = taps.weight.shape
    columns, dtype = whole_vectors(O, d_z.dtype), d_z.dtype
    whole = np.ascontiguousarray(d_z)
    if columns > O:
        whole = np.zeros((*d_z.shape[:2], columns), dtype)
        whole[..., :O] = d_z
    cut = Cut.make(d_z.shape[1], FLUSH_ROWS)
    gradients = _gradients(cut, d_z, (K * I + 1) * columns)
    workers = threads.share(len(gradients), d_z.size * K * I > PARALLEL_PRODUCTS)
    work = np.empty((workers, cut.several * cut.steps * K * I), dtype)
    places, one = (_sizes(taps.window, seen, O), _meet(taps.window), tuple(cut), _unpacked(seen)), np.ones(1, dtype)
    given = *places, flat(whole), columns, one, work, gradients
    threads.run(partial(_d_weight, *given), len(gradients), workers)
    *d_weight, d_bias = gradients.sum(0).reshape(K * I + 1, columns)[:, :O]
    return _d_inputs(taps, np.ascontiguousarray(d_z[:, :n])), np.reshape(d_weight, (K, I, O)), d_bias


def _d_inputs(taps, d_z):
    """Adjoint of what the windows read, in two parts; d_z is (B, n, O)."""
    window, (B, n, O), I = taps.window, d_z.shape, taps.weight.shape[1]
    more = window.more
    if n and window.stride == 1 and whole_vectors(1, d_z.dtype) <= I:  # nothing is copied
        (turned,), silent = taps.turned(), np.zeros((B, more, O), d_z.dtype)
        early = Seen(silent, np.ascontiguousarray(d_z[:, :more]), 0, max(0, more - n))
        d_x = correlate(turned, Seen(d_z[:, :0], d_z, 0, more))
        return correlate(turned, early) if more else d_x[:, :0], d_x
    d_seen = np.zeros((B, window.spanned(n), I), d_z.dtype)
    if n and whole_vectors(1, d_z.dtype) > I:
        d_seen = _d_few(taps, d_z)
    elif n:
        for k, turned in enumerate(taps.turned()):
            d_part = correlate(turned, _around(turned.window, d_z))
            d_seen[:, k * window.dilation :: window.stride][:, : d_part.shape[1]] = d_part
    return window.parts(d_seen)


def _d_few(taps, d_z):
    """`_d_inputs`, as one array, of features that fill no vector: the taps' products are columns of one matrix."""
    window, (B, n, O), (_, I, _) = taps.window, d_z.shape, taps.weight.shape
    transposed = taps.transposed()
    length = transposed.shape[0] * transposed.shape[2]
    cut = Cut.make(n, max(ROWS, PRODUCTS // length))
    blocks, span = cut.blocks(B), window.spanned(cut.steps)
    pieces = np.zeros((blocks, cut.several * span * I), d_z.dtype)
    workers = threads.share(blocks, d_z.size * len(taps.weight) * I > PARALLEL_PRODUCTS)
    work = np.empty((workers, cut.several * cut.steps * length), d_z.dtype)
    sizes = B, I, n, O, *window
    given = sizes, _meet(window), tuple(cut), flat(d_z), transposed, work, pieces
    threads.run(partial(_d_seen, *given), blocks, workers)
    if cut.pieces == 1:
        return pieces.reshape(-1, span, I)[:B]
    d_seen = np.zeros((B, window.spanned(n), I), d_z.dtype)
    for k, piece in enumerate(pieces.reshape(B, cut.pieces, span, I).swapaxes(0, 1)):
        begin = k * cut.steps
        count = window.spanned(min(cut.steps, n - begin))
        d_seen[:, begin * window.stride :][:, :count] += piece[:, :count]
    return d_seen


def depthwise(window, weight, seen):
    """u (B, n, I); see `ltc_np.kernels.numpy.convolution.depthwise`."""
    sizes = B, I, n, *_ = _sizes(window, seen, 0)
    cut = Cut.make(n, FLUSH_ROWS)
    u = np.empty((B, n, I), seen.x.dtype)
    workers = threads.share(cut.blocks(B), u.size * window.K > PARALLEL_PRODUCTS)
    work = np.empty((workers, window.spanned(cut.steps) * I), u.dtype)
    given = sizes, tuple(cut), _unpacked(seen), flat(np.ascontiguousarray(weight)), work, flat(u)
    threads.run(partial(_depthwise, *given), cut.blocks(B), workers)
    return u


def d_depthwise(window, weight, seen, d_u):
    """Its adjoint; see `ltc_np.kernels.numpy.convolution.d_depthwise`."""
    B, n, I = d_u.shape
    columns, cut = whole_vectors(I, d_u.dtype), Cut.make(n, FLUSH_ROWS)
    gradients = _gradients(cut, d_u, window.K * columns)
    workers = threads.share(len(gradients), d_u.size * window.K > PARALLEL_PRODUCTS)
    work = np.empty((workers, window.spanned(cut.steps) * I), d_u.dtype)
    given = _sizes(window, seen, 0), tuple(cut), _unpacked(seen), flat(np.ascontiguousarray(d_u)), work, gradients
    threads.run(partial(_d_taps, *given), len(gradients), workers)
    spread = d_u
    if window.stride > 1:
        spread = np.zeros((B, (n - 1) * window.stride + 1, I), d_u.dtype)
        spread[:, :: window.stride] = d_u
    one = window._replace(stride=1)
    d_seen = depthwise(one, weight[::-1], _around(one, np.ascontiguousarray(spread)))
    return window.parts(d_seen), gradients.sum(0).reshape(window.K, columns)[:, :I]


def _sizes(window, seen, O):
    B, _, I = seen.x.shape
    return B, I, window.count(seen.steps), O, *window


def _unpacked(seen):
    """`ltc_np.kernels.windows.Seen` as kernels take it: (F + X - begin) inputs of each sequence, then zeros."""
    before, x, begin, _ = seen
    return flat(np.ascontiguousarray(before)), flat(x), (before.shape[1], x.shape[1], begin)


def _gradients(cut, d_z, numbers):
    """Rows of so many float64 zeros, each for enough windows to sum."""
    B, n, _ = d_z.shape
    return np.zeros(
        (max(1, min(cut.blocks(B), GRADIENT_ROWS, B * n // FLUSH_ROWS, GRADIENT_NUMBERS // numbers)), numbers)
    )


def _around(window, d_z):
    """Adjoints of outputs with zeros around them: input u is read by the windows that begin at u - (K - 1) dilation ...
    u, the last tap first.
    """
    B, _, O = d_z.shape
    return Seen(np.zeros((B, window.more, O), d_z.dtype), d_z, 0, window.more)
