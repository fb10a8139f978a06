"""Between (B, T, features), the library's order, and (T, B, features), that of the kernels."""

import numpy as np

from .device import cuda, kernel, launch_over

u = np.uint64


@kernel
def swap(x, A, B, n, y):
    """y (B, A, n) of x (A, B, n)."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size):
        row = k // n
        y[k] = x[(row % A * B + row // A) * n + k % n]


def time_first(x, B, T, n, memory, name):
    """(B, T, n) -> (T, B, n)"""
    if B == 1 or T == 1:
        return x
    y = memory.array(name, B * T * n, x.dtype)
    launch_over(B * T * n, swap, x, u(B), u(T), u(n), y)
    return y


def batch_first(x, B, T, n, memory, name):
    """(T, B, n) -> (B, T, n)"""
    return time_first(x, T, B, n, memory, name)
