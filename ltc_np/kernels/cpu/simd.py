"""Vectors of 64 bytes (16 float32 or 8 float64) for Numba kernels, and the functions an LTC spends its time in.

Numba has no vector type, and LLVM's loop vectoriser is a lottery: a constant trip count, a sliced array or a
doubt about aliasing makes it fall back to scalars, ten times slower.  So the kernels say what they mean::

    v = load(array, i)            # 64 bytes of the 1-d array, beginning at element i (no bounds check)
    y = sigmoid2(fma(a, v, c))    # scalars mix with vectors: they are broadcast
    store(array, i, y + y)

All of it is strict IEEE arithmetic with explicit `fma`, so a lane has the same bits whatever its neighbours,
loop order and processor (LLVM splits the vectors where registers are narrower).
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

VECTOR_BYTES = 64

# 2**f on [-1/2, 1/2], relative minimax: error 7.5e-8 (float32, degree 5) and 3.1e-18 (float64, degree 11);
# tests/golden/make_exp2.py makes them.
EXP2_FLOAT32 = (
    1.0000000716546416, 0.6931469670652649, 0.24022119723969178,
    0.05550713272875391, 0.00967554133102139, 0.001327647216781994,
)  # fmt: skip
EXP2_FLOAT64 = (
    0.9999999999999999971, 0.69314718055994533046, 0.24022650695910156205, 0.055504108664819921483,
    0.0096181291075883350833, 0.0013333558146789950323, 0.00015403530462514613026, 1.52527334899608046e-5,
    1.3215433089594629037e-6, 1.0178198033328527662e-7, 7.0741056262456593708e-9, 4.4352809446103361611e-10,
)  # fmt: skip


class Vector(types.Type):
    """Numba's type of one 64-byte vector."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.width = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype} x {self.width})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.width))


def _scalar(kind):
    return kind.dtype if isinstance(kind, Vector) else kind


def _common(*kinds):
    """The type of an operation: vector if one operand is; all of one float type, or it is a mistake in a kernel."""
    if len({_scalar(k) for k in kinds}) != 1 or not isinstance(_scalar(kinds[0]), types.Float):
        raise TypingError(f"simd: operands must be floats of one type, got {kinds}")
    return next((k for k in kinds if isinstance(k, Vector)), kinds[0])


def _splat(builder, value, llvm_type):
    if value.type == llvm_type:
        return value
    first = builder.insert_element(ir.Constant(llvm_type, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), llvm_type.count), [0] * llvm_type.count)
    return builder.shuffle_vector(first, ir.Constant(llvm_type, ir.Undefined), zeros)


def _operands(context, builder, sig, args):
    llvm_type = context.get_value_type(sig.return_type)
    return [_splat(builder, a, llvm_type) for a in args]


def _binary(op, method):
    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and any(isinstance(a, Vector) for a in args):
                return signature(_common(*args), *args)

    def lower(context, builder, sig, args):
        return getattr(builder, method)(*_operands(context, builder, sig, args))

    for kinds in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(op, *kinds)(lower)


for _op, _method in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    _binary(getattr(operator, _op), _method)


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def load(typingctx, array, index):
    """The vector at ``array[index : index + width]``; 1-d contiguous; no bounds check."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        llvm_type = context.get_value_type(sig.return_type)
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args), llvm_type.as_pointer())
        return builder.load(pointer, align=sig.return_type.dtype.bitwidth // 8)

    return vector(array, types.intp), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Write a vector (or a scalar to every lane) to ``array[index : index + width]``; no bounds check."""

    def codegen(context, builder, sig, args):
        vector = Vector(sig.args[0].dtype)
        llvm_type = context.get_value_type(vector)
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args[:2]), llvm_type.as_pointer())
        builder.store(_splat(builder, args[2], llvm_type), pointer, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    _common(Vector(array.dtype), value)
    return types.none(array, types.intp, value), codegen


def _fma(builder, x, y, z):
    """LLVM's fused multiply-add; llvmlite's own builder method takes scalars only."""
    scalar = x.type.element if isinstance(x.type, ir.VectorType) else x.type
    name = "f32" if isinstance(scalar, ir.FloatType) else "f64"
    lanes = f"v{x.type.count}" if isinstance(x.type, ir.VectorType) else ""
    kind = ir.FunctionType(x.type, [x.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.{lanes}{name}")
    return builder.call(function, (x, y, z))


@intrinsic
def splat(typingctx, value):
    """The vector with ``value`` in every lane."""

    def codegen(context, builder, sig, args):
        return _splat(builder, args[0], context.get_value_type(sig.return_type))

    return Vector(value)(value), codegen


@intrinsic
def zeros(typingctx, array):
    """The zero vector of the array's element type."""

    def codegen(context, builder, sig, args):
        return ir.Constant(context.get_value_type(sig.return_type), None)

    return Vector(array.dtype)(array), codegen


@intrinsic
def fma(typingctx, x, y, z):
    """x * y + z, rounded once; vectors and scalars mix."""

    def codegen(context, builder, sig, args):
        return _fma(builder, *_operands(context, builder, sig, args))

    return _common(x, y, z)(x, y, z), codegen


@intrinsic
def fnma(typingctx, x, y, z):
    """z - x * y, rounded once."""

    def codegen(context, builder, sig, args):
        x, y, z = _operands(context, builder, sig, args)
        return _fma(builder, builder.fneg(x), y, z)

    return _common(x, y, z)(x, y, z), codegen


@intrinsic
def where_greater(typingctx, a, b, x, y):
    """x where a > b, else y (also where a or b is NaN)."""

    def codegen(context, builder, sig, args):
        a, b, x, y = _operands(context, builder, sig, args)
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return _common(a, b, x, y)(a, b, x, y), codegen


def _constants(builder, llvm_type):
    """(floats, their bit pattern's integer type, splatted float constant, splatted integer constant)."""
    scalar = llvm_type.element if isinstance(llvm_type, ir.VectorType) else llvm_type
    single = isinstance(scalar, ir.FloatType)
    integer = ir.IntType(32 if single else 64)
    if isinstance(llvm_type, ir.VectorType):
        integers = ir.VectorType(integer, llvm_type.count)
        return (
            single,
            integers,
            lambda c: ir.Constant(llvm_type, [ir.Constant(scalar, c)] * llvm_type.count),
            lambda c: ir.Constant(integers, [ir.Constant(integer, c)] * llvm_type.count),
        )
    return single, integer, lambda c: ir.Constant(llvm_type, c), lambda c: ir.Constant(integer, c)


def _exp2(builder, x):
    """2**x for |x| clamped to 126 (1022); NaN passes."""
    single, integers, real, whole = _constants(builder, x.type)
    limit, mantissa = (126.0, 23) if single else (1022.0, 52)
    # `select(bound < x, bound, x)` keeps a NaN; the other order would turn it into the bound.
    x = builder.select(builder.fcmp_ordered("<", real(limit), x), real(limit), x)
    x = builder.select(builder.fcmp_ordered(">", real(-limit), x), real(-limit), x)
    magic = real(1.5 * 2.0**mantissa)  # adding it rounds to an integer and leaves that in the low bits
    shifted = builder.fadd(x, magic)
    fraction = builder.fsub(x, builder.fsub(shifted, magic))
    coefficients = EXP2_FLOAT32 if single else EXP2_FLOAT64
    power = real(coefficients[-1])
    for c in coefficients[-2::-1]:
        power = _fma(builder, power, fraction, real(c))
    exponent = builder.shl(builder.bitcast(shifted, integers), whole(mantissa))
    return builder.bitcast(builder.add(builder.bitcast(power, integers), exponent), x.type)


@intrinsic
def exp2(typingctx, x):
    """2**x, |x| clamped to 126 (float32) or 1022 (float64): no infinities, no denormals; NaN passes."""

    def codegen(context, builder, sig, args):
        return _exp2(builder, args[0])

    return _common(x)(x), codegen


@intrinsic
def sigmoid2(typingctx, x):
    """1 / (1 + 2**x), the sigmoid of -x*ln(2): the kernels fold -log2(e) into the synapse's constants."""

    def codegen(context, builder, sig, args):
        one = _constants(builder, args[0].type)[2](1.0)
        return builder.fdiv(one, builder.fadd(one, _exp2(builder, args[0])))

    return _common(x)(x), codegen


def _fold(builder, x, y, group):
    """Add neighbouring groups of lanes of ``x`` and of ``y``: the result holds x's sums, then y's."""
    lanes = range(0, x.type.count, 2 * group)
    first = [i + k for i in lanes for k in range(group)]
    first += [i + x.type.count for i in first] if y is not None else []

    def pick(indices):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), indices)
        return builder.shuffle_vector(x, ir.Constant(x.type, ir.Undefined) if y is None else y, mask)

    return builder.fadd(pick(first), pick([i + group for i in first]))


@intrinsic
def add_sums(typingctx, row, index, a, b, c, d):
    """``row[index : index + 4] += (sum of a's lanes, of b's, of c's, of d's)``; row is float64; one fixed order."""

    def codegen(context, builder, sig, args):
        row, index, a, b, c, d = args
        half = a.type.count // 2
        total = _fold(builder, _fold(builder, a, b, half), _fold(builder, c, d, half), half // 2)
        while total.type.count > 4:
            total = _fold(builder, total, None, total.type.count // 8)
        four = ir.VectorType(ir.DoubleType(), 4)
        pointer = builder.bitcast(_address(context, builder, sig.args[0], row, index), four.as_pointer())
        if total.type != four:
            total = builder.fpext(total, four)
        builder.store(builder.fadd(builder.load(pointer, align=8), total), pointer, align=8)
        return context.get_dummy_value()

    return types.none(row, types.intp, a, b, c, d), codegen


@intrinsic
def lane_sum(typingctx, x):
    """The sum of the lanes, by halves: one fixed order."""

    def codegen(context, builder, sig, args):
        total = args[0]
        while total.type.count > 1:
            total = _fold(builder, total, None, total.type.count // 2)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return x.dtype(x), codegen
