"""Numba's type of a vector, and its operators: what `simd` is built on.  This file needs Numba and LLVM."""

import operator

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from ..codes import VECTOR_BYTES


class Vector(types.Type):
    """Numba's type of one 64-byte vector, or of a pair of them."""

    def __init__(self, dtype, size=VECTOR_BYTES):
        self.dtype = dtype
        self.width = size * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype} x {self.width})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.width))


def scalar_of(kind):
    return kind.dtype if isinstance(kind, Vector) else kind


def common(*kinds):
    """The type of an operation: vector if one operand is; all of one float type, or it is a mistake in a kernel."""
    vectors = {k for k in kinds if isinstance(k, Vector)}
    if len({scalar_of(k) for k in kinds}) != 1 or not isinstance(scalar_of(kinds[0]), types.Float) or len(vectors) > 1:
        raise TypingError(f"simd: operands must be floats of one type and vectors of one width, got {kinds}")
    return vectors.pop() if vectors else kinds[0]


def pick(builder, x, y, lanes):
    """The lanes of x, or of x and then y, with these numbers."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
    return builder.shuffle_vector(x, ir.Constant(x.type, ir.Undefined) if y is None else y, mask)


def splatted(builder, value, llvm_type):
    if value.type == llvm_type:
        return value
    first = builder.insert_element(ir.Constant(llvm_type, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), llvm_type.count), [0] * llvm_type.count)
    return builder.shuffle_vector(first, ir.Constant(llvm_type, ir.Undefined), zeros)


def operands(context, builder, sig, args):
    llvm_type = context.get_value_type(sig.return_type)
    return [splatted(builder, a, llvm_type) for a in args]


def _binary(op, method):
    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and any(isinstance(a, Vector) for a in args):
                return signature(common(*args), *args)

    def lower(context, builder, sig, args):
        return getattr(builder, method)(*operands(context, builder, sig, args))

    for kinds in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(op, *kinds)(lower)


for _op, _method in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    _binary(getattr(operator, _op), _method)
