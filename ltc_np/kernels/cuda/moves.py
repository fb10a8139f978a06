"""Between the host and the device, between (B, T, features), the library's order, and (T, B, features), that of the
kernels; and between outputs of every step and last ones.
"""

import numpy as np

from .device import cuda, download, kernel, launch_over, overwrite

u = np.uint64


@kernel
def swap(x, A, B, n, y):
    """y (B, A, n) of x (A, B, n)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size):
        row = k // n
        y[k] = x[(row % A * B + row // A) * n + k % n]


def time_first(x, B, T, n, memory, name):
    """A copy (T, B, n) of (B, T, n)."""
    y = memory.array(name, B * T * n, x.dtype)
    launch_over(y.size, swap, x=x, A=u(B), B=u(T), n=u(n), y=y)
    return y


def batch_first(x, B, T, n, memory, name):
    """A copy (B, T, n) of (T, B, n)."""
    return time_first(x, T, B, n, memory, name)


def put(name, values, memory):
    """A host array on the device, flat; the next call with this name overwrites it."""
    array = memory.array(name, values.size, values.dtype)
    overwrite(array, values)
    return array


def put_steps(name, values, memory):
    """The same of (B, T, ...), as (T, B, ...)."""
    B, T = values.shape[:2]
    return time_first(put(name, values, memory), B, T, values[0, 0].size, memory, f"{name} by time")


def take_steps(y, B, T, memory):
    """(T, B, n) on the device as the host's (B, T, n)."""
    return download(batch_first(y, B, T, y.size // (B * T), memory, "y by batch")).reshape(B, T, -1)


@kernel
def last_outputs(y, steps, B, n, last):
    """last (B, n): y (T, B, n) at each sequence's last step, 0 for empty ones."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(last.size):
        end = steps[k // n]
        last[k] = y[u(end - 1) * B * n + k] if end > 0 else y.dtype.type(0)


@kernel
def d_last_outputs(d_last, steps, B, n, d_y):
    """Adjoint of `last_outputs`; d_y is 0 before."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(d_last.size):
        end = steps[k // n]
        if end > 0:
            d_y[u(end - 1) * B * n + k] = d_last[k]
