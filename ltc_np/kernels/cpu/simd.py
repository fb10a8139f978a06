"""Vectors of 64 bytes (16 float32 or 8 float64) for Numba kernels, and the functions cells spend their time in.

Numba has no vector type, and LLVM's loop vectoriser is a lottery: a constant trip count, a sliced array or a
doubt about aliasing makes it fall back to scalars, ten times slower.  So the kernels say what they mean::

    v = load(array, i)            # 64 bytes of the array, beginning at element i as it lies in memory (no bounds check)
    y = sigmoid2(fma(a, v, c))    # scalars mix with vectors: they are broadcast
    store(array, i, y + y)

All of it is strict IEEE arithmetic with explicit `fma`, so a lane has the same bits whatever its neighbours,
loop order and processor (LLVM splits the vectors where registers are narrower).

Functions take floats and vectors.  Their errors are measured over all float32 numbers by tests/check_simd.py; where two
are given, the second is float64's.  NaN passes, results are monotone but for 3 units in the last place, and no
denormal results from another number.
"""

import functools
import math

from ...base.activations import NORMAL_TAIL_FLOAT32, NORMAL_TAIL_FLOAT64
from ...base.polynomials import (
    COSINE_FLOAT32,
    COSINE_FLOAT64,
    EXP2_FLOAT32,
    EXP2_FLOAT64,
    EXPM1_FLOAT32,
    EXPM1_FLOAT64,
    LOG1P_FLOAT32,
    LOG1P_FLOAT64,
    SINE_FLOAT32,
    SINE_FLOAT64,
)
from ..codes import VECTOR_BYTES
from .jit import COMPILES, intrinsic

if COMPILES:  # else no body below is ever used, and Numba may be missing
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.core.registry import cpu_target

    from .vectors import Vector, common, operands, pick, splatted

LOG2_E = math.log2(math.e)
# Added to arguments where a denormal would otherwise enter or leave a multiplication, up to ten times slower; too small
# to change a result.
TINY = 2.0**-60
# A sigmoid is never smaller than 2**-80 (float32) or 2**-600 (float64): products of much smaller ones would be
# denormal, and of the largest inputs, 2**64 and 2**512, even these leave no gradient.
SATURATION_FLOAT32, SATURATION_FLOAT64 = 80.0, 600.0

# pi/2 in two parts, and the largest argument: beyond, what is missing of pi/2 would be seen.
QUARTER_FLOAT32 = (1.5707963705062866, -4.371138828673793e-08, 2.0**17)
QUARTER_FLOAT64 = (1.5707963267948966, 6.123233995736766e-17, 2.0**46)
# Of exp: ln(2) in two parts, and the arguments between which the result is a normal number.
EXP_FLOAT32 = (0.693147182464599609375, -1.9046542999577680e-9, -87.33654022216797, 88.72283172607422)
EXP_FLOAT64 = (0.6931471805599453094, 2.3190468138462996e-17, -708.3964185322641, 709.782712893384)


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load(vector, array):
    def codegen(context, builder, sig, args):
        llvm_type = context.get_value_type(sig.return_type)
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args[:2]), llvm_type.as_pointer())
        return builder.load(pointer, align=sig.return_type.dtype.bitwidth // 8)

    return vector(array, types.intp), codegen


@intrinsic
def vector_size(typingctx, array):
    """Elements of a vector of the array's type, a constant to the compiler."""
    lanes = Vector(array.dtype).width

    def codegen(context, builder, sig, args):
        return context.get_constant(types.intp, lanes)

    return types.intp(array), codegen


@intrinsic
def load(typingctx, array, index):
    """The vector of the elements from this one on, as they lie in memory; contiguous; no bounds check."""
    return _load(Vector(array.dtype), array)


@intrinsic
def element(typingctx, array, index):
    """Element ``index`` of an array as it lies in memory; contiguous; no bounds check, nothing counted from the end."""

    def codegen(context, builder, sig, args):
        return builder.load(_address(context, builder, sig.args[0], *args))

    return array.dtype(array, types.intp), codegen


@intrinsic
def nothing(typingctx, like):
    """An array of this type without elements, which the compiler knows: it leaves out what would be done with them."""

    def codegen(context, builder, sig, args):
        return context.get_constant_null(sig.return_type)

    return like(like), codegen


@intrinsic
def load_pair(typingctx, array, index):
    """`load` of two neighbouring vectors as one value: the processor works on both in turn."""
    return _load(Vector(array.dtype, 2 * VECTOR_BYTES), array)


def _size_of(pairs):
    return VECTOR_BYTES if isinstance(pairs, types.NoneType) else 2 * VECTOR_BYTES


@intrinsic
def unit_size(typingctx, array, pairs):
    """Elements of what `load_unit` loads, a constant to the compiler."""
    lanes = Vector(array.dtype, _size_of(pairs)).width

    def codegen(context, builder, sig, args):
        return context.get_constant(types.intp, lanes)

    return types.intp(array, pairs), codegen


@intrinsic
def load_unit(typingctx, array, index, pairs):
    """`load_pair`, or `load` where ``pairs`` is None: a kernel is compiled for one of them."""
    vector, codegen = _load(Vector(array.dtype, _size_of(pairs)), array)
    return vector.return_type(*vector.args, pairs), codegen


@intrinsic
def load_like(typingctx, array, index, like):
    """`load` or `load_pair`, as ``like`` is one vector or a pair."""
    vector, codegen = _load(like, array)
    return vector.return_type(*vector.args, like), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Write a vector (a scalar: to every lane of one) to ``array[index : ...]``; no bounds check."""
    vector = value if isinstance(value, Vector) else Vector(array.dtype)
    common(array.dtype, value)

    def codegen(context, builder, sig, args):
        llvm_type = context.get_value_type(vector)
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args[:2]), llvm_type.as_pointer())
        builder.store(splatted(builder, args[2], llvm_type), pointer, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def prefetch(typingctx, array, index):
    """Have the cache line of ``array[index]`` read from memory meanwhile; the index may lie outside."""

    def codegen(context, builder, sig, args):
        number = ir.IntType(32)
        byte = ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, number, number, number]), "llvm.prefetch.p0i8"
        )
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args), byte)
        builder.call(function, [pointer, number(0), number(3), number(1)])  # to read, keep in all caches, data
        return context.get_dummy_value()

    return types.none(array, types.intp), codegen


def _parts(builder, x, kind):
    """The vectors of a type that make up x."""
    if x.type == kind:
        return [x]
    return [pick(builder, x, None, range(k, k + kind.count)) for k in range(0, x.type.count, kind.count)]


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
        return splatted(builder, args[0], context.get_value_type(sig.return_type))

    return Vector(value)(value), codegen


@intrinsic
def splat_like(typingctx, value, like):
    """The vector or pair, as ``like`` is, with ``value`` in every lane."""

    def codegen(context, builder, sig, args):
        return splatted(builder, args[0], args[1].type)

    return common(value, like)(value, like), codegen


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
        return _fma(builder, *operands(context, builder, sig, args))

    return common(x, y, z)(x, y, z), codegen


@intrinsic
def add_product(typingctx, total, x, y):
    """total + the vectors of x * y, in a fixed order, each rounded once."""

    def codegen(context, builder, sig, args):
        total, x, y = args
        for part, other in zip(_parts(builder, x, total.type), _parts(builder, y, total.type), strict=True):
            total = _fma(builder, part, other, total)
        return total

    return total(total, x, y), codegen


@intrinsic
def add_parts(typingctx, total, x):
    """total + the vectors of x, one or two, in a fixed order."""

    def codegen(context, builder, sig, args):
        total, x = args
        for part in _parts(builder, x, total.type):
            total = builder.fadd(total, part)
        return total

    return total(total, x), codegen


@intrinsic
def fnma(typingctx, x, y, z):
    """z - x * y, rounded once."""

    def codegen(context, builder, sig, args):
        x, y, z = operands(context, builder, sig, args)
        return _fma(builder, builder.fneg(x), y, z)

    return common(x, y, z)(x, y, z), codegen


@intrinsic
def neg(typingctx, x):
    """-x."""

    def codegen(context, builder, sig, args):
        return builder.fneg(args[0])

    return common(x)(x), codegen


@intrinsic
def sqrt(typingctx, x):
    """The square root, rounded once."""

    def codegen(context, builder, sig, args):
        scalar = "f32" if _constants(builder, args[0].type)[0] else "f64"
        lanes = f"v{args[0].type.count}" if isinstance(args[0].type, ir.VectorType) else ""
        kind = ir.FunctionType(args[0].type, [args[0].type])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.{lanes}{scalar}")
        return builder.call(function, args)

    return common(x)(x), codegen


@intrinsic
def where_greater(typingctx, a, b, x, y):
    """x where a > b, else y (also where a or b is NaN)."""

    def codegen(context, builder, sig, args):
        a, b, x, y = operands(context, builder, sig, args)
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return common(a, b, x, y)(a, b, x, y), codegen


@intrinsic
def first_lanes(typingctx, x, count):
    """The vector x in the lanes 0..count-1, 0 in the others."""

    def codegen(context, builder, sig, args):
        x, count = args
        integers = _constants(builder, x.type)[1]
        numbers = ir.Constant(integers, [ir.Constant(integers.element, k) for k in range(x.type.count)])
        if integers.element.width < count.type.width:
            count = builder.trunc(count, integers.element)
        inside = builder.icmp_signed("<", numbers, splatted(builder, count, integers))
        return builder.select(inside, x, ir.Constant(x.type, None))

    return x(x, types.intp), codegen


def _polynomial(builder, coefficients, x):
    """Horner's scheme, coefficients from the constant term up."""
    real = _constants(builder, x.type)[2]
    value = real(coefficients[-1])
    for c in coefficients[-2::-1]:
        value = _fma(builder, value, x, real(c))
    return value


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


def _clamp(builder, x, low, high):
    """x between two constants; `select(high < x, high, x)` keeps a NaN, the other order would make it the bound."""
    low, high = map(_constants(builder, x.type)[2], (low, high))
    x = builder.select(builder.fcmp_ordered("<", high, x), high, x)
    return builder.select(builder.fcmp_ordered(">", low, x), low, x)


def _sign_bit(builder, x):
    """(the bits of x, an integer with nothing but the sign bit)."""
    single, integers, _, whole = _constants(builder, x.type)
    return builder.bitcast(x, integers), whole(1 << (31 if single else 63))


def _exp2_factors(builder, x, limit):
    """(p, a power of two q) with 2**x = p q, |x| clamped to the limit; p is NaN where x is, so a product is too."""
    single, integers, real, whole = _constants(builder, x.type)
    mantissa, bias = (23, 127) if single else (52, 1023)
    x = _clamp(builder, x, -limit, limit)
    # Adding it rounds to an integer and leaves that, plus the bias of an exponent, in the low bits.  The bias is one
    # too large, since ties go to the even integer only if it is even; the coefficients are halved instead.
    magic = real(1.5 * 2.0**mantissa + (bias + 1))
    shifted = builder.fadd(x, magic)
    fraction = builder.fsub(x, builder.fsub(shifted, magic))
    power = _polynomial(builder, [c / 2 for c in (EXP2_FLOAT32 if single else EXP2_FLOAT64)], fraction)
    return power, builder.bitcast(builder.shl(builder.bitcast(shifted, integers), whole(mantissa)), x.type)


def _unary(emit):
    """A function of one float or vector for kernels, from the Python function that emits its instructions."""

    def typing(typingctx, x):
        def codegen(context, builder, sig, args):
            return emit(builder, args[0])

        return common(x)(x), codegen

    return intrinsic(functools.wraps(emit)(typing))


@_unary
def exp2(builder, x):
    """2**x, |x| clamped to 126 (float32) or 1022 (float64): no infinities, no denormals."""
    single = _constants(builder, x.type)[0]
    return builder.fmul(*_exp2_factors(builder, x, 126.0 if single else 1022.0))


def _has_avx512():
    """Whether the code being made may use AVX-512."""
    return "+avx512f" in cpu_target.target_context.codegen()._tm_features


def _avx512(builder, name, *operands):
    """An instruction of AVX-512 that LLVM has no name of its own for, on each 64-byte part of its vector operands."""
    whole = operands[0].type
    single = isinstance(whole.element, ir.FloatType)
    part = ir.VectorType(whole.element, VECTOR_BYTES // (4 if single else 8))
    # Every lane, rounded as usual.
    tail = [ir.Constant(part, None), ir.Constant(ir.IntType(part.count), -1), ir.Constant(ir.IntType(32), 4)]
    done = []
    for k in range(whole.count // part.count):
        args = [_parts(builder, a, part)[k] if a.type == whole else a for a in operands] + tail
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(part, [a.type for a in args]),
            f"llvm.x86.avx512.mask.{name}.{'ps' if single else 'pd'}.512",
        )
        done.append(builder.call(function, args))
    return done[0] if len(done) == 1 else pick(builder, *done, range(whole.count))


def _sigmoid2(builder, x):
    single, _, real, _ = _constants(builder, x.type)
    one, saturation = real(1.0), SATURATION_FLOAT32 if single else SATURATION_FLOAT64
    if not (isinstance(x.type, ir.VectorType) and _has_avx512()):
        return builder.fdiv(one, _fma(builder, *_exp2_factors(builder, x, saturation), one))
    # The same bits with fewer instructions: scaling is exact, and needs no lower clamp.
    limit = real(saturation)
    x = builder.select(builder.fcmp_ordered("<", limit, x), limit, x)
    whole = _avx512(builder, "rndscale", x, ir.Constant(ir.IntType(32), 8))
    power = _polynomial(builder, EXP2_FLOAT32 if single else EXP2_FLOAT64, builder.fsub(x, whole))
    return builder.fdiv(one, builder.fadd(one, _avx512(builder, "scalef", power, whole)))


@_unary
def sigmoid2(builder, x):
    """1 / (1 + 2**x), the sigmoid of -x*ln(2): the kernels fold -log2(e) into the synapse's constants.

    |x| is clamped to 80 (float32) or 600 (float64).
    """
    return _sigmoid2(builder, x)


@_unary
def sigmoid(builder, x):
    """1 / (1 + exp(-x)), at least 2**-80 (float32) or 2**-600 (float64); absolute error 1.2e-7, 1.7e-16."""
    real = _constants(builder, x.type)[2]
    return _sigmoid2(builder, _fma(builder, x, real(-LOG2_E), real(TINY)))


def _exp_parts(builder, x):
    """(2**n as bits to add to a float's, r, q): x = n ln(2) + r with |r| <= ln(2)/2, exp(r) = 1 + r + r**2 q."""
    single, integers, real, whole = _constants(builder, x.type)
    mantissa, (high, low, *_) = (23, EXP_FLOAT32) if single else (52, EXP_FLOAT64)
    magic = real(1.5 * 2.0**mantissa)
    shifted = _fma(builder, x, real(LOG2_E), magic)
    n = builder.fsub(shifted, magic)
    r = _fma(builder, n, real(-low), _fma(builder, n, real(-high), x))  # the inner one is exact
    q = _polynomial(builder, EXPM1_FLOAT32 if single else EXPM1_FLOAT64, r)
    return builder.shl(builder.bitcast(shifted, integers), whole(mantissa)), r, q


def _exp(builder, x):
    """exp(x) where it is a normal number, 0 below; where it is larger, or x is NaN, anything."""
    single, integers, real, _ = _constants(builder, x.type)
    exponent, r, q = _exp_parts(builder, builder.fadd(x, real(TINY)))
    power = _fma(builder, r, _fma(builder, r, q, real(1.0)), real(1.0))
    y = builder.bitcast(builder.add(builder.bitcast(power, integers), exponent), x.type)
    lowest = real((EXP_FLOAT32 if single else EXP_FLOAT64)[2])
    return builder.select(builder.fcmp_ordered("<", x, lowest), real(0.0), y)


@_unary
def exp(builder, x):
    """exp(x), infinite where it overflows, 0 where it would be denormal; relative error 7.7e-8, 1.5e-16."""
    single, _, real, _ = _constants(builder, x.type)
    highest = real((EXP_FLOAT32 if single else EXP_FLOAT64)[3])
    beyond = builder.fcmp_unordered(">", x, highest)  # also NaN
    return builder.select(beyond, builder.fadd(x, real(math.inf)), _exp(builder, x))


@_unary
def expm1(builder, x):
    """exp(x) - 1, infinite where it overflows; relative error 1.3e-7 (float32), 2.5e-16 (float64)."""
    single, integers, real, _ = _constants(builder, x.type)
    bits, sign = _sign_bit(builder, x)
    magnitude = builder.bitcast(builder.and_(bits, builder.not_(sign)), x.type)
    tiny = builder.fcmp_ordered("<", magnitude, real(TINY))
    a = builder.select(tiny, real(TINY), x)  # nothing denormal below
    a = _clamp(builder, a, -20.0 if single else -40.0, 89.0 if single else 710.0)
    exponent, r, q = _exp_parts(builder, a)
    half = builder.bitcast(builder.add(builder.bitcast(real(0.5), integers), exponent), x.type)
    y = _fma(builder, half, _fma(builder, builder.fmul(r, r), q, r), builder.fsub(half, real(0.5)))
    y = builder.fadd(y, y)  # by halves, since 2**n overflows before exp(x) does
    return builder.select(tiny, x, y)


@_unary
def tanh(builder, x):
    """tanh(x), odd to the bit; absolute error 9e-8, 1.7e-16, relative error 1.9e-7, 3.6e-16."""
    single, integers, real, _ = _constants(builder, x.type)
    bits, sign = _sign_bit(builder, x)
    sign = builder.and_(bits, sign)
    magnitude = builder.bitcast(builder.xor(bits, sign), x.type)
    a = _clamp(builder, magnitude, TINY, 10.0 if single else 20.0)
    # With e = exp(2a) - 1 it is e / (e + 2): errors of e fade where e grows.
    exponent, r, q = _exp_parts(builder, builder.fadd(a, a))
    one = real(1.0)
    scale = builder.bitcast(builder.add(builder.bitcast(one, integers), exponent), x.type)
    e = _fma(builder, scale, _fma(builder, builder.fmul(r, r), q, r), builder.fsub(scale, one))
    y = builder.fdiv(e, builder.fadd(e, real(2.0)))
    y = builder.bitcast(builder.or_(builder.bitcast(y, integers), sign), x.type)
    return builder.select(builder.fcmp_ordered("<", magnitude, real(TINY)), x, y)


def _turned(builder, x, quarters):
    """The sine of x turned on by so many quarters (0: the sine, 1: the cosine)."""
    single, integers, real, whole = _constants(builder, x.type)
    mantissa, (high, low, largest) = (23, QUARTER_FLOAT32) if single else (52, QUARTER_FLOAT64)
    x = _clamp(builder, x, -largest, largest)
    magic = real(1.5 * 2.0**mantissa)
    shifted = _fma(builder, x, real(2 / math.pi), magic)
    n = builder.fsub(shifted, magic)
    r = _fma(builder, n, real(-low), _fma(builder, n, real(-high), x))  # the inner one is exact
    w = _fma(builder, r, r, real(TINY))
    sine, cosine = (SINE_FLOAT32, COSINE_FLOAT32) if single else (SINE_FLOAT64, COSINE_FLOAT64)
    sine = _fma(builder, r, builder.fmul(w, _polynomial(builder, sine, w)), r)
    cosine = _fma(builder, w, _polynomial(builder, cosine, w), real(1.0))
    quarter = builder.add(builder.bitcast(shifted, integers), whole(quarters))
    odd = builder.icmp_signed("!=", builder.and_(quarter, whole(1)), whole(0))
    y = builder.bitcast(builder.select(odd, cosine, sine), integers)
    sign = builder.shl(builder.and_(quarter, whole(2)), whole(30 if single else 62))
    return builder.bitcast(builder.xor(y, sign), x.type)


@_unary
def sin(builder, x):
    """sin(x), |x| clamped to 2**17 (float32) or 2**46 (float64); absolute error 7.2e-8, 1.4e-16; of -0 it is 0."""
    return _turned(builder, x, 0)


@_unary
def cos(builder, x):
    """cos(x), |x| clamped like `sin`'s, with its error; both of one x cost little more than one."""
    return _turned(builder, x, 1)


@_unary
def softplus(builder, x):
    """log(1 + exp(x)), 0 where exp(x) is; relative error 2.8e-7 (float32), 4.8e-16 (float64)."""
    single, _, real, _ = _constants(builder, x.type)
    # = max(x, 0) + log(1 + u), where u = exp(-|x|)
    u = _exp(builder, builder.bitcast(builder.or_(*_sign_bit(builder, x)), x.type))
    z = builder.fdiv(u, _fma(builder, u, real(0.5), real(1.0)))
    log1p = _polynomial(builder, LOG1P_FLOAT32 if single else LOG1P_FLOAT64, _fma(builder, z, z, real(TINY)))
    positive = builder.select(builder.fcmp_ordered("<", x, real(0.0)), real(0.0), x)
    return _fma(builder, z, log1p, positive)


@_unary
def normal_cdf(builder, x):
    """The normal distribution function; absolute error 2.0e-7 (float32), 2.3e-16 (float64)."""
    single, _, real, _ = _constants(builder, x.type)
    bits, sign = _sign_bit(builder, x)
    a = builder.bitcast(builder.and_(bits, builder.not_(sign)), x.type)
    a = _clamp(builder, a, 0.0, 13.0 if single else 37.0)  # beyond, the tail is denormal
    r = builder.fdiv(real(1.0), builder.fadd(a, real(4.0)))
    t = builder.fmul(builder.fsub(a, real(4.0)), r)
    p = _polynomial(builder, NORMAL_TAIL_FLOAT32 if single else NORMAL_TAIL_FLOAT64, t)
    tail = builder.fmul(builder.fmul(p, r), _exp(builder, builder.fmul(builder.fmul(a, real(-0.5)), a)))
    return builder.select(builder.fcmp_ordered(">", x, real(0.0)), builder.fsub(real(1.0), tail), tail)


def _mask(builder, count, lanes):
    """True in the first ``count`` of the lanes."""
    integers = ir.VectorType(ir.IntType(32), lanes)
    numbers = ir.Constant(integers, [ir.Constant(ir.IntType(32), k) for k in range(lanes)])
    return builder.icmp_signed("<", numbers, splatted(builder, builder.trunc(count, ir.IntType(32)), integers))


def _masked(builder, name, llvm_type, result, args):
    suffix = f"v{llvm_type.count}{'f32' if isinstance(llvm_type.element, ir.FloatType) else 'f64'}"
    kind = ir.FunctionType(result, [a.type for a in args])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.{suffix}.p0{suffix}")
    return builder.call(function, args)


def _either(builder, count, lanes, whole, part):
    """What ``whole()`` or ``part()`` makes, a value or None, as ``count`` is at least ``lanes`` or not.

    Without AVX-512 a masked access may take twenty times longer than a plain one; with it, it takes no longer.
    """
    if _has_avx512():
        return part()
    with builder.if_else(builder.icmp_signed(">=", count, ir.Constant(count.type, lanes))) as (then, otherwise):
        with then:
            ends = [(whole(), builder.block)]
        with otherwise:
            ends.append((part(), builder.block))
    if ends[0][0] is None:
        return None
    value = builder.phi(ends[0][0].type)
    for end in ends:
        value.add_incoming(*end)
    return value


@intrinsic
def load_part(typingctx, array, index, count):
    """`load` of the first ``count`` lanes, the others 0; what lies behind them is not read."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        llvm_type, align = context.get_value_type(vector), vector.dtype.bitwidth // 8
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args[:2]), llvm_type.as_pointer())

        def whole():
            return builder.load(pointer, align=align)

        def part():
            mask, rest = _mask(builder, args[2], vector.width), ir.Constant(llvm_type, None)
            given = [pointer, ir.Constant(ir.IntType(32), align), mask, rest]
            return _masked(builder, "load", llvm_type, llvm_type, given)

        return _either(builder, args[2], vector.width, whole, part)

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def store_part(typingctx, array, index, value, count):
    """`store` of the first ``count`` lanes; what lies behind them is not touched."""
    common(array.dtype, value)

    def codegen(context, builder, sig, args):
        vector, align = args[2], array.dtype.bitwidth // 8
        pointer = builder.bitcast(_address(context, builder, sig.args[0], *args[:2]), vector.type.as_pointer())

        def whole():
            builder.store(vector, pointer, align=align)

        def part():
            given = [vector, pointer, ir.Constant(ir.IntType(32), align), _mask(builder, args[3], value.width)]
            _masked(builder, "store", vector.type, ir.VoidType(), given)

        _either(builder, args[3], value.width, whole, part)
        return context.get_dummy_value()

    return types.none(array, types.intp, value, types.intp), codegen


def _fold(builder, x, y, group):
    """Add neighbouring groups of lanes of ``x`` and of ``y``: the result holds x's sums, then y's."""
    lanes = range(0, x.type.count, 2 * group)
    first = [i + k for i in lanes for k in range(group)]
    first += [i + x.type.count for i in first] if y is not None else []
    return builder.fadd(pick(builder, x, y, first), pick(builder, x, y, [i + group for i in first]))


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
def add_wide(typingctx, row, index, x):
    """``row[index : index + width] += x``; row is float64."""

    def codegen(context, builder, sig, args):
        row, index, x = args
        wide = ir.VectorType(ir.DoubleType(), x.type.count)
        pointer = builder.bitcast(_address(context, builder, sig.args[0], row, index), wide.as_pointer())
        if x.type != wide:
            x = builder.fpext(x, wide)
        builder.store(builder.fadd(builder.load(pointer, align=8), x), pointer, align=8)
        return context.get_dummy_value()

    return types.none(row, types.intp, x), codegen


@intrinsic
def lane_sum(typingctx, x):
    """The sum of the lanes, by halves: one fixed order."""

    def codegen(context, builder, sig, args):
        total = args[0]
        while total.type.count > 1:
            total = _fold(builder, total, None, total.type.count // 2)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return x.dtype(x), codegen


def _product_block(context, builder, sig, args, rows, vectors):
    """A loop over the terms of a product's sums, of which ``rows`` times ``vectors`` are in registers."""
    c, c_at, c_row, a, a_at, a_row, a_step, terms, b, b_at, b_panel, b_step, _, _, base, base_at = args
    a_type, number, base_type = sig.args[3], a_at.type, sig.args[14]
    adds = isinstance(base_type, types.Integer)
    lanes, align = Vector(a_type.dtype).width, a_type.dtype.bitwidth // 8
    vector = ir.VectorType(context.get_value_type(a_type.dtype), lanes)
    wide = ir.VectorType(ir.DoubleType(), lanes)

    def pointers(pointer, step, count):
        return [builder.gep(pointer, [builder.mul(step, number(k))]) for k in range(count)]

    def load_at(pointer, kind):
        return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=align)

    left = pointers(_address(context, builder, a_type, a, a_at), a_row, rows)
    right = pointers(_address(context, builder, sig.args[8], b, b_at), b_panel, vectors)
    begin = [ir.Constant(vector, None)] * vectors
    if isinstance(base_type, types.Array):
        bases = pointers(_address(context, builder, base_type, base, base_at), number(lanes), vectors)
        begin = [load_at(pointer, vector) for pointer in bases]
    before, loop, after = builder.block, *(builder.append_basic_block(f"product.{k}") for k in ("terms", "end"))
    builder.branch(loop)
    builder.position_at_end(loop)
    counters = [builder.phi(number) for _ in range(3)]
    sums = [[builder.phi(vector) for _ in range(vectors)] for _ in range(rows)]
    factors = [load_at(builder.gep(pointer, [counters[2]]), vector) for pointer in right]
    for own, pointer in zip(sums, left, strict=True):
        factor = splatted(builder, builder.load(builder.gep(pointer, [counters[1]]), align=align), vector)
        for v, total in enumerate(own):
            total.add_incoming(begin[v], before)
            own[v] = _fma(builder, factor, factors[v], total)
            total.add_incoming(own[v], loop)
    for counter, step in zip(counters, (number(1), a_step, b_step), strict=True):
        counter.add_incoming(number(0), before)
        counter.add_incoming(builder.add(counter, step), loop)
    builder.cbranch(builder.icmp_signed("<", builder.add(counters[0], number(1)), terms), loop, after)
    builder.position_at_end(after)
    start = _address(context, builder, sig.args[0], c, c_at)
    for own, row in zip(sums, pointers(start, c_row, rows), strict=True):
        for value, place in zip(own, pointers(row, number(lanes), vectors), strict=True):
            if adds:
                value = builder.fadd(load_at(place, wide), value if vector == wide else builder.fpext(value, wide))
            builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=align)


@intrinsic
def product_block(
    typingctx, c, c_at, c_row, a, a_at, a_row, a_step, terms, b, b_at, b_panel, b_step, rows, panels, base, base_at
):
    """As many rows and panels of a product of matrices as registers can sum: how many, rows * 2 + panels - 1.

    `ltc_np.kernels.cpu.products` has the arguments.  With AVX-512 8 times 2 of its 32 registers have sums, else 6 times
    2 of 16 that are half as wide: what is left is for factors.
    """
    n = types.intp
    number = ir.IntType(n.bitwidth)

    def codegen(context, builder, sig, args):
        most, pairs = (8, (2, 1)) if _has_avx512() else (6, (1,))
        done, rows, panels = [], *args[12:14]
        end = builder.append_basic_block("product.done")
        for vectors in pairs:
            for count in (most, 4, 1):
                fits = builder.icmp_signed(">=", rows, number(count))
                fits = builder.and_(fits, builder.icmp_signed(">=", panels, number(vectors)))
                then, otherwise = (builder.append_basic_block(f"product.{k}") for k in ("block", "smaller"))
                builder.cbranch(fits, then, otherwise)
                builder.position_at_end(then)
                _product_block(context, builder, sig, args, count, vectors)
                done.append((number(2 * count + vectors - 1), builder.block))
                builder.branch(end)
                builder.position_at_end(otherwise)
        builder.unreachable()
        builder.position_at_end(end)
        result = builder.phi(done[0][0].type)
        for value, block in done:
            result.add_incoming(value, block)
        return result

    return n(c, n, n, a, n, n, n, n, b, n, n, n, n, n, base, n), codegen
