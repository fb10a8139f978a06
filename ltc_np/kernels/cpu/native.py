"""Machine code that a kernel calls by its address: other kernels, and the loop inside a function of NumPy.

A kernel that calls another one by its name is compiled with all of that inside, seconds for a sweep.  By its address it
calls what has been compiled already.
"""

import ctypes
import operator
from typing import NamedTuple

import numpy as np

from .jit import COMPILES, intrinsic

if COMPILES:
    from llvmlite import ir
    from numba.core import cgutils, types

    from .compiler import address
else:
    from ..library import address

__all__ = ["Loop", "call", "loop_of", "run_loop", "run_product", "words"]

# Where NumPy's binary interface puts what a function on arrays has, in words behind the head that every object has:
# numbers of inputs, outputs and both (an int each), identity, loops, what they are called with, how many there are and
# reserved (an int each), name, types.
_LOOPS, _DATA, _TYPES = 2, 3, 6
_COUNT = 8  # in ints


class Loop(NamedTuple):
    """A loop of NumPy: its address, and what it is called with last."""

    code: int
    data: int


def loop_of(function, dtype):
    """The `Loop` of a function of NumPy, such as `numpy.logaddexp`, whose arrays all have this type."""
    head = id(function) + object.__basicsize__
    words = (ctypes.c_void_p * (_TYPES + 1)).from_address(head)
    count = (ctypes.c_int * (_COUNT + 1)).from_address(head)[_COUNT]
    known = np.frombuffer(ctypes.string_at(words[_TYPES], count * function.nargs), np.int8).reshape(count, -1)
    (at,) = np.flatnonzero((known == dtype.num).all(axis=1))
    code, data = ((ctypes.c_void_p * count).from_address(words[k])[int(at)] for k in (_LOOPS, _DATA))
    return Loop(code, data or 0)


# A call has so many arguments, whatever the kernel takes: those that are too many are not looked at.
WORDS = 320


def words(kernel, args):
    """A row of int64 for `call`: the kernel's `address`, and its arguments as its machine code takes them.

    Numba hands over an integer as a word, None as an empty one, of an array two empty words, its elements, the bytes of
    one, its address, sizes and strides, and of a tuple all its elements.  So it is on every processor of 64 bits.
    """
    found = [address(kernel, args), *_words(args)]
    if len(found) > WORDS:
        raise ValueError(f"a kernel called by its address must have at most {WORDS - 1} words, got {len(found) - 1}")
    return np.array(found + [0] * (WORDS - len(found)), np.int64)


def _words(value):
    if isinstance(value, tuple):
        return [word for part in value for word in _words(part)]
    if isinstance(value, np.ndarray):
        return [0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides]
    return [0 if value is None else operator.index(value)]


@intrinsic
def call(typingctx, given):
    """Call a kernel that is told by its `words`, contiguous; nothing where the first of them is 0."""

    def codegen(context, builder, sig, values):
        word = ir.IntType(64)
        data = context.make_array(sig.args[0])(context, builder, values[0]).data
        code, *args = (builder.load(builder.gep(data, [ir.Constant(word, k)])) for k in range(WORDS))
        with builder.if_then(builder.icmp_unsigned("!=", code, ir.Constant(word, 0))):
            result = cgutils.alloca_once(builder, word)  # of what returns nothing; and of an error, which there is none
            kind = ir.FunctionType(ir.IntType(32), [result.type, result.type, *(arg.type for arg in args)])
            builder.call(builder.inttoptr(code, kind.as_pointer()), [result, result, *args])
        return context.get_dummy_value()

    return types.none(given), codegen


def _run(context, builder, sig, values, size):
    """Call a `Loop`, the first two of ``values``, with pointers, the address of its sizes, and steps, the last."""
    word, byte = ir.IntType(64), ir.IntType(8).as_pointer()
    places, steps = (context.make_array(sig.args[k])(context, builder, values[k]).data for k in (2, 4))
    kind = ir.FunctionType(ir.VoidType(), [word.as_pointer()] * 3 + [byte])
    code, last = builder.inttoptr(values[0], kind.as_pointer()), builder.inttoptr(values[1], byte)
    builder.call(code, [places, size, steps, last])
    return context.get_dummy_value()


@intrinsic
def run_loop(typingctx, code, data, pointers, count, steps):
    """Run a `Loop` for ``count`` elements: from the addresses ``pointers`` (int64) on, so many bytes (int64) apart."""

    def codegen(context, builder, sig, values):
        return _run(context, builder, sig, values, cgutils.alloca_once_value(builder, values[3]))

    return types.none(types.int64, types.int64, pointers, types.int64, steps), codegen


@intrinsic
def run_product(typingctx, code, data, pointers, sizes, steps):
    """The same with the `Loop` of `numpy.matmul`, whose ``sizes`` (int64) are 1 and three of matrices."""

    def codegen(context, builder, sig, values):
        return _run(context, builder, sig, values, context.make_array(sig.args[3])(context, builder, values[3]).data)

    return types.none(types.int64, types.int64, pointers, sizes, steps), codegen
