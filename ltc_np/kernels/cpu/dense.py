"""`ltc_np.Dense` without an activation, in arrays that stay the same, with the products of BLAS by NumPy's own loop.

`ltc_np.base.blas.product` cuts the rows of a product into blocks, and so are they cut here.  Step by step a batch ends
with its longest sequence; so its steps are moved together before products, else BLAS would add other blocks.  Whoever
calls this keeps BLAS on one thread.
"""

from typing import Any, NamedTuple

import numpy as np

from ...base.blas import ROWS
from .jit import helper, kernel
from .native import loop_of, run_product


class Product(NamedTuple):
    """Blocks of a product of matrices by a loop of NumPy: its code and data, addresses (n, 3), sizes (n, 4), steps.

    ``arrays`` live as long as their addresses do.
    """

    loop: tuple
    pointers: Any
    sizes: Any
    steps: Any
    arrays: tuple

    @classmethod
    def of(cls, a, b, out, rows):
        """out = a @ b, so many rows at a time."""
        blocks = [slice(k, min(k + rows, len(a))) for k in range(0, len(a), rows)]
        pointers = [(a[block].ctypes.data, b.ctypes.data, out[block].ctypes.data) for block in blocks]
        sizes = [(1, block.stop - block.start, *b.shape) for block in blocks]
        found = (
            np.array(numbers, np.int64)
            for numbers in (pointers, sizes, (0, 0, 0, *a.strides, *b.strides, *out.strides))
        )
        return cls(tuple(loop_of(np.matmul, a.dtype)), *found, (a, b, out))


@helper
def _longest(steps):
    most = 0
    for s in range(steps.size):
        most = max(most, steps[s])
    return most


@helper
def _together(x, B, T, most):
    """Move the first steps of all sequences, so many, to the begin of x (B * T, -)."""
    if most < T:
        for s in range(1, B):
            for t in range(most):
                for k in range(x.shape[1]):
                    x[s * most + t, k] = x[s * T + t, k]


@helper
def _apart(x, B, T, most):
    """Move them back; the steps behind them become 0."""
    if most < T:
        for s in range(B - 1, -1, -1):
            for t in range(T - 1, -1, -1):
                for k in range(x.shape[1]):
                    x[s * T + t, k] = x[s * most + t, k] if t < most else 0


@helper
def _multiply(loop, product, rows):
    """Blocks of a product, of so many rows."""
    (code, data), (pointers, sizes, steps) = loop, product
    for k in range(len(pointers)):
        sizes[k, 1] = min(ROWS, rows - k * ROWS)
        if sizes[k, 1] > 0:
            run_product(code, data, pointers[k], sizes[k], steps)


@kernel
def forward(loop, product, steps, x, bias, y):
    """y (B * T, O): the product, and the bias (O,); x (B * T, I) has the steps (B,) together then."""
    B = steps.size
    T, most = y.shape[0] // B, _longest(steps)
    _together(x, B, T, most)
    _multiply(loop, product, B * most)
    for n in range(B * most):
        for o in range(y.shape[1]):
            y[n, o] += bias[o]
    _apart(y, B, T, most)


@kernel
def backward(loop, of_weight, of_x, steps, d_y, d_x, part, d_weight, d_bias):
    """Adds to d_weight (I, O) and d_bias (O,), float64; part (I, O) is the product that is added, d_x the other one.

    product, of_weight, of_x: pointers, sizes and steps
    """
    B, (code, data), (pointers, sizes, strides) = steps.size, loop, of_weight
    T, most = d_y.shape[0] // B, _longest(steps)
    _together(d_y, B, T, most)
    sizes[0, 2] = B * most
    run_product(code, data, pointers[0], sizes[0], strides)
    _multiply(loop, of_x, B * most)
    for i in range(part.shape[0]):
        for o in range(part.shape[1]):
            d_weight[i, o] += part[i, o]
    for n in range(B * most):
        for o in range(d_y.shape[1]):
            d_bias[o] += d_y[n, o]
    _apart(d_x, B, T, most)


def calls(steps, x, y, d_y, d_x, weight, bias, d_weight, d_bias):
    """What is called for y (B, T, O), before the loss, and for d_x (B, T, I) after it: kernels and arguments, each."""
    x, y, d_y, d_x = (a.reshape(-1, a.shape[-1]) for a in (x, y, d_y, d_x))
    part = np.empty_like(weight)
    product = Product.of(x, weight, y, ROWS)
    of_weight, of_x = Product.of(x.T, d_y, part, len(part)), Product.of(d_y, weight.T, d_x, ROWS)
    given = product.loop, tuple(of_weight[1:4]), tuple(of_x[1:4]), steps, d_y, d_x, part, d_weight, d_bias
    return (forward, (product.loop, tuple(product[1:4]), steps, x, bias, y)), (backward, given)
