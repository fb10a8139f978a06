"""Sums over whole arrays, on one thread."""

from __future__ import annotations

import numpy as np

from .types import Numbers

# Numbers of which a product of vectors stays on one thread; OpenBLAS begins to share it out at 10,000.
SERIAL = 8192


def sum_of_squares(array: Numbers) -> float:
    """The sum of the squares of all elements, a float; each `SERIAL` of them are summed in the array's dtype.

    No thread of BLAS's takes part: the bits are the same for any number of them, and none goes on spinning, for
    milliseconds, on a core that this library's threads need.
    """
    if array.size <= SERIAL:
        return float(np.vdot(array, array))  # the product that takes any shape and does not warn of overflow
    flat = array.reshape(-1)
    whole = flat.size // SERIAL * SERIAL
    rows, rest = flat[:whole].reshape(-1, SERIAL), flat[whole:]
    squares = np.matmul(rows[:, None], rows[:, :, None])  # a product of vectors for each row, without Python between
    return sum(squares.ravel().tolist()) + float(np.vdot(rest, rest))
