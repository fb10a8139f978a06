"""The yardstick of the benchmark: how many sigmoids the card can evaluate, and nothing else."""

import numpy as np

from .device import cuda, kernel
from .ltc_sweeps import sigmoid2

u = np.uint64
CHAINS = 8  # independent ones of a thread


@kernel
def sigmoid_chain(repeats, out):
    """Every thread evaluates 8 * repeats sigmoids, each of what the one 8 before gave; out (threads,)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    y = cuda.local.array(CHAINS, out.dtype)
    for c in range(CHAINS):
        y[c] = out.dtype.type(c)
    for _ in range(repeats):
        for c in range(CHAINS):
            y[c] = sigmoid2(y[c])
    total = out.dtype.type(0)
    for c in range(CHAINS):
        total += y[c]
    if k < u(out.size):
        out[k] = total
