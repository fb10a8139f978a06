"""Feature by feature, at every step: x * w + b.  Arrays are flat; a row is a step of a sequence."""

import numpy as np

from . import sums
from .device import cuda, kernel, launch_over

u = np.uint64


@kernel
def map_features(x, w, b, n, y):
    """y = x * w + b, (rows, n) by (n,); b may be empty."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size):
        i = k % n
        y[k] = x[k] * w[i] + b[i] if b.size > 0 else x[k] * w[i]


def forward(x, w, b, name, memory):
    """x * w + b, or x * w if b is empty; the result lies in the memory under this name."""
    y = memory.array(f"mapped_{name}", x.size, x.dtype)
    launch_over(y.size, map_features, x=x, w=w, b=b, n=u(w.size), y=y)
    return y


def backward(x, w, d_y, want_x, d_w, d_b, name, memory):
    """Adjoint of `forward`: d_x or None; d_w and d_b, float64, are added to; d_b may be None."""
    rows = x.size // w.size
    sums.add_columns(d_y, x, w.size, rows, d_w, memory)
    if d_b is not None:
        sums.add_columns(d_y, None, w.size, rows, d_b, memory)
    if not want_x:
        return None
    d_x = memory.array(f"d_mapped_{name}", x.size, x.dtype)
    launch_over(d_x.size, map_features, x=d_y, w=w, b=w[:0], n=u(w.size), y=d_x)
    return d_x
