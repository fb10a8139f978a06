"""Arrays that kernels work in have padding, what is kept for the backward pass has none: from one form to the other.

Kernels work on whole vectors, 16 float32 or more.  A lone sequence has the width of one, and its tape would be 16
times as large as what is in it.
"""

from .jit import helper
from .simd import first_lanes, load, store, vector_size


@helper
def narrow(wide, L, kept, count):
    """kept (rows, count) becomes the first ``count`` columns of wide (rows, L), L a whole number of vectors."""
    W, row, at = vector_size(kept), 0, 0
    whole = count // W * W
    if count == L:
        while at < kept.size:
            store(kept, at, load(wide, at))
            at += W
    elif count > 1:
        while at + whole + W <= kept.size:  # beyond the row, where the next ones follow
            for k in range(0, whole, W):
                store(kept, at + k, load(wide, row + k))
            store(kept, at + whole, load(wide, row + whole))
            row, at = row + L, at + count
    while at < kept.size:
        for k in range(count):
            kept[at + k] = wide[row + k]
        row, at = row + L, at + count


@helper
def widen(kept, count, wide, L):
    """The first ``count`` columns of wide (rows, L) become kept (rows, count); the others are 0 and remain so."""
    W, row, at = vector_size(kept), 0, 0
    whole = count // W * W
    if count == L:
        while at < kept.size:
            store(wide, at, load(kept, at))
            at += W
    elif count > 1:
        while at + whole + W <= kept.size:
            for k in range(0, whole, W):
                store(wide, row + k, load(kept, at + k))
            store(wide, row + whole, first_lanes(load(kept, at + whole), count - whole))
            row, at = row + L, at + count
    while at < kept.size:
        for k in range(count):
            wide[row + k] = kept[at + k]
        row, at = row + L, at + count
