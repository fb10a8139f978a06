"""The yardsticks of the benchmark: how many sigmoids, or multiply-adds, one core can do, and nothing else."""

from ..codes import VECTOR_BYTES
from .jit import kernel
from .simd import add_sums, fma, load, sigmoid2, zeros


@kernel
def sigmoid_sum(x, row, repeats):
    """Adds to row[0:4] the sum of the sigmoids of x (a multiple of 256 bytes), ``repeats`` times over."""
    W = VECTOR_BYTES // x.itemsize
    for _ in range(repeats):
        a = b = c = d = zeros(x)
        for i in range(0, x.size, 4 * W):
            a = a + sigmoid2(load(x, i))
            b = b + sigmoid2(load(x, i + W))
            c = c + sigmoid2(load(x, i + 2 * W))
            d = d + sigmoid2(load(x, i + 3 * W))
        add_sums(row, 0, a, b, c, d)


@kernel
def multiply_add_chains(x, row, repeats):
    """Adds to row[0:4] what ``repeats`` times `MULTIPLY_ADDS` multiply-adds of a vector give, in registers."""
    u = load(x, 0)
    a = b = c = d = zeros(x)
    for _ in range(repeats):
        a, b, c, d = fma(a, u, u), fma(b, u, u), fma(c, u, u), fma(d, u, u)
        a, b, c, d = fma(a, u, u), fma(b, u, u), fma(c, u, u), fma(d, u, u)
    add_sums(row, 0, a, b, c, d)


MULTIPLY_ADDS = 8
