"""Sums over the samples of a batch: per-block partial sums, added in a fixed order; the same bits in every run.

The samples are cut into chunks of ``size``, a number that depends on the problem only, never on the card.  A thread
sums one column of one chunk, `FLUSH` samples at a time and then these sums, so that float32 sums do not drift; `reduce`
adds the chunks in float64.
"""

import numpy as np

from .device import FLAT_BLOCK, cuda, kernel, launch, launch_over
from .ltc_sweeps import sigmoid2

u = np.uint64
FLUSH = 256
MOST_CHUNKS, MOST_NUMBERS = 256, 2**22  # of partial sums


@kernel
def synapse_sums(source, d_p, d_q, n_pre, n_post, samples, size, pre, post, slot, d_constants, partial):
    """Sums for the gradients of synapses; a thread owns synapse s (blockIdx.x) in one chunk of samples (blockIdx.y).

    source (samples, n_pre), d_p and d_q (samples, n_post), pre, post, slot (S,), d_constants (4, ...) of
    `ltc_sweeps.adjoint` at the slots; partial (chunks, 4, S): r = d(loss)/d(w), y*d_p, z, z*source, where
    w*z = d(loss)/d(sigma*(source - mu)).
    """
    s, S = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x), u(pre.size)
    if s < S:
        k, plane = u(slot[s]), u(d_constants.size) // u(4)
        a, c, erev = d_constants[k], d_constants[k + plane], d_constants[k + u(2) * plane]
        i, j, chunk = u(pre[s]), u(post[s]), u(cuda.blockIdx.y)
        begin = chunk * size
        end = min(begin + size, samples)
        zero = source.dtype.type(0)
        sum_r = sum_y = sum_z = sum_v = zero
        while begin < end:
            part_r = part_y = part_z = part_v = zero
            at, at_post, left = begin * n_pre + i, begin * n_post + j, min(u(FLUSH), end - begin)
            while left > u(0):
                v, dp = source[at], d_p[at_post]
                y = sigmoid2(a * v + c)
                r = y * (dp * erev + d_q[at_post])
                z = r - r * y
                part_r += r
                part_y += y * dp
                part_z += z
                part_v += z * v
                at += n_pre
                at_post += n_post
                left -= u(1)
            begin += u(FLUSH)
            sum_r += part_r
            sum_y += part_y
            sum_z += part_z
            sum_v += part_v
        to = chunk * u(4) * S + s
        partial[to] = sum_r
        partial[to + S] = sum_y
        partial[to + u(2) * S] = sum_z
        partial[to + u(3) * S] = sum_v


@kernel
def column_sums(values, factors, n_columns, samples, size, partial):
    """partial (chunks, columns): sums of values, times factors unless these are empty; both (samples, columns)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < n_columns:
        chunk = u(cuda.blockIdx.y)
        n = chunk * size
        end = min(n + size, samples)
        at = n * n_columns + k
        total = values.dtype.type(0)
        while n < end:
            stop = min(n + u(FLUSH), end)
            part = values.dtype.type(0)
            while n < stop:
                part += values[at] * factors[at] if factors.size > 0 else values[at]
                at += n_columns
                n += u(1)
            total += part
        partial[chunk * n_columns + k] = total


@kernel
def product_sums(x, y, n_x, n_y, samples, size, partial):
    """partial (chunks, n_x, n_y): sums of the products of every column of x (samples, n_x) and of y (samples, n_y)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < n_x * n_y:
        chunk = u(cuda.blockIdx.y)
        n = chunk * size
        end = min(n + size, samples)
        i, j = k // n_y, k % n_y
        total = x.dtype.type(0)
        while n < end:
            stop = min(n + u(FLUSH), end)
            part = x.dtype.type(0)
            while n < stop:
                part += x[n * n_x + i] * y[n * n_y + j]
                n += u(1)
            total += part
        partial[chunk * n_x * n_y + k] = total


@kernel
def square_sums(values, partial):
    """partial (values.size / FLUSH, rounded up), float64: sums of squares of FLUSH values each."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(partial.size):
        total = partial.dtype.type(0)
        for n in range(k * u(FLUSH), min((k + u(1)) * u(FLUSH), u(values.size))):
            value = partial.dtype.type(values[u(n)])
            total += value * value
        partial[k] = total


@kernel
def row_sums(values, n_columns, rows, divisor, out):
    """out (rows,): sums of values (rows, columns), divided."""
    n = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if n < rows:
        total = values.dtype.type(0)
        for k in range(n * n_columns, (n + u(1)) * n_columns):
            total += values[u(k)]
        out[n] = total / values.dtype.type(divisor)


@kernel
def add(total, x):
    """total += x"""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(total.size):
        total[k] += x[k]


@kernel
def reduce(partial, chunks, total):
    """Adds the chunks of partial (chunks, total.size) to total, float64."""
    k, n = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x), u(total.size)
    if k < n:
        value = total[k]
        for chunk in range(chunks):
            value += np.float64(partial[u(chunk) * n + k])
        total[k] = value


def chunks_of(columns, samples):
    """Chunks, and samples of one."""
    chunks = max(1, min(MOST_CHUNKS, MOST_NUMBERS // columns, -(-samples // FLUSH)))
    size = -(-samples // chunks)
    return -(-samples // size), size


def add_columns(values, factors, columns, samples, total, memory):
    """Adds to total (columns,), float64, the sums of values, times factors or None; both (samples, columns)."""
    factors = values[:0] if factors is None else factors
    chunks, size = chunks_of(columns, samples)
    partial = memory.array("partial", chunks * columns, values.dtype)
    grid = -(-columns // FLAT_BLOCK), chunks
    launch(
        column_sums, grid, FLAT_BLOCK, values=values, factors=factors, n_columns=u(columns), samples=u(samples),
        size=u(size), partial=partial,
    )  # fmt: skip
    launch_over(columns, reduce, partial, u(chunks), total)


def add_synapses(source, d_p, d_q, samples, synapses, total, memory):
    """Adds to total (4, S), float64, the sums of `synapse_sums`; synapses as in `ltc_packing`."""
    lists = synapses.lists
    if not lists.count:
        return
    chunks, size = chunks_of(lists.count, samples)
    partial = memory.array("partial", chunks * 4 * lists.count, source.dtype)
    launch(
        synapse_sums, (-(-lists.count // FLAT_BLOCK), chunks), FLAT_BLOCK, source=source, d_p=d_p, d_q=d_q,
        n_pre=u(lists.n_pre), n_post=u(lists.n_post), samples=u(samples), size=u(size), pre=lists.pre, post=lists.post,
        slot=lists.d_slot, d_constants=synapses.d_constants, partial=partial,
    )  # fmt: skip
    launch_over(4 * lists.count, reduce, partial, u(chunks), total)


def add_products(x, y, n_x, n_y, samples, total, memory):
    """Adds to total (n_x, n_y), float64, x.T @ y; (samples, n_x) and (samples, n_y)."""
    chunks, size = chunks_of(n_x * n_y, samples)
    partial = memory.array("partial", chunks * n_x * n_y, x.dtype)
    grid = -(-(n_x * n_y) // FLAT_BLOCK), chunks
    launch(
        product_sums, grid, FLAT_BLOCK, x=x, y=y, n_x=u(n_x), n_y=u(n_y), samples=u(samples), size=u(size),
        partial=partial,
    )  # fmt: skip
    launch_over(n_x * n_y, reduce, partial, u(chunks), total)


def add_squares(values, total, memory):
    """Adds to total (1,), float64, the sum of squares."""
    chunks = -(-values.size // FLUSH)
    partial = memory.array("squares", chunks, np.float64)
    launch_over(chunks, square_sums, values, partial)
    launch_over(1, reduce, partial, u(chunks), total)
