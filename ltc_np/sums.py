"""Sums whose bits do not depend on the number of threads that BLAS uses."""

import numpy as np

# Numbers of which BLAS takes a product on one thread; OpenBLAS begins to share it out at 10,000.
SERIAL = 8192


def sum_of_squares(array):
    """The sum of the squares of all elements, in float64."""
    flat = array.astype(np.float64, copy=False).reshape(-1)
    if flat.size <= SERIAL:
        return float(np.vdot(flat, flat))
    parts = (flat[k : k + SERIAL] for k in range(0, flat.size, SERIAL))
    return sum(float(np.vdot(part, part)) for part in parts)
