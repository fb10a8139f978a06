"""Products of small matrices inside of kernels: a block of the result stays in registers until its sums are complete.

A matrix with which many others are multiplied, a layer's weights, is packed first: `packed` cuts it into panels of one
vector of columns, so that a loop over its rows reads memory in order whatever its sizes are.  Sums are added in the
order of their terms, by fused multiply-adds, so a number has the same bits whatever block it falls into, and with every
instruction set.
"""

import numpy as np

from ..codes import VECTOR_BYTES
from .jit import helper
from .simd import product_block, vector_size


@helper
def _product(c, c_at, c_row, rows, a, a_at, a_row, a_step, terms, b, b_at, b_panel, b_step, panels, base):
    """c (rows, panels * W) = a (rows, terms) b (terms, panels * W), to which ``base`` is added: None, an array of a
    number for each column, or 1, for c itself.

    Element (r, k) of a is ``a[a_at + r * a_row + k * a_step]``; the vector of columns p * W ... of b's row k begins at
    ``b[b_at + p * b_panel + k * b_step]``; row r of c at ``c[c_at + r * c_row]``.  There is at least one term.  What c
    is added to is float64.
    """
    W, p = vector_size(a), 0
    while p < panels:
        r, done, to, at = 0, 0, c_at + p * W, b_at + p * b_panel
        while r < rows:
            of, left = a_at + r * a_row, rows - r
            done = product_block(
                c, to + r * c_row, c_row, a, of, a_row, a_step, terms, b, at, b_panel, b_step, left, panels - p, base,
                p * W,
            )  # fmt: skip
            r += done // 2
        p += 1 + done % 2


@helper
def multiply(c, c_row, rows, a, a_at, a_row, terms, b, b_at, panels):
    """c (rows, panels * W) = a (rows, terms) times b, `packed` (panels, terms, W), which begins at b_at.

    Rows of c are c_row numbers long, those of a, which begin at a_at, a_row.  Arrays may have any shape: they are
    read as they lie in memory.
    """
    W = vector_size(a)
    _product(c, 0, c_row, rows, a, a_at, a_row, 1, terms, b, b_at, terms * W, W, panels, None)


@helper
def multiply_onto(base, c, c_at, c_row, rows, a, a_at, a_row, terms, b, panels):
    """As `multiply`, into c from c_at on, of all of b; base (panels * W,) is added to each row."""
    W = vector_size(a)
    _product(c, c_at, c_row, rows, a, a_at, a_row, 1, terms, b, 0, terms * W, W, panels, base)


@helper
def add_outer(c, rows, columns, a, a_at, a_row, terms, b, b_at, b_row):
    """c (rows, columns) float64 += a^T b for a (terms, rows) and b (terms, columns).

    ``columns`` is a whole number of vectors; beyond those of b there may be anything.
    """
    W = vector_size(b)
    _product(c, 0, columns, rows, a, a_at, 1, a_row, terms, b, b_at, W, b_row, columns // W, 1)


def whole_vectors(n, dtype):
    """The columns of as many panels as n columns need."""
    W = VECTOR_BYTES // dtype.itemsize
    return -(-n // W) * W


def packed(*matrices):
    """Matrices with the same rows, side by side, each with zeros up to `whole_vectors`: (panels, rows, W)."""
    dtype, rows = matrices[0].dtype, len(matrices[0])
    W, at = VECTOR_BYTES // dtype.itemsize, 0
    out = np.zeros((sum(whole_vectors(m.shape[1], dtype) for m in matrices) // W, rows, W), dtype)
    for m in matrices:
        whole, rest = divmod(m.shape[1], W)
        out[at : at + whole] = m[:, : whole * W].reshape(rows, whole, W).transpose(1, 0, 2)
        if rest:
            out[at + whole, :, :rest] = m[:, whole * W :]
        at += whole + (rest > 0)
    return out
