"""Functions that Python calls, in LLVM's language: they take a tuple of arguments apart, and run the kernel's code.

`ltc_np.kernels.calls` says how they are called, and fills in the table that they look into.
"""

from llvmlite import ir
from numba.core import cgutils, types

from ..calls import ARRAY_TYPE, HEAD_SIZE, NO_CODE, NONE, TABLE, UNFIT

_WORD, _INT, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_POINTER = _BYTE.as_pointer()
_TABLE = ir.ArrayType(_WORD, len(TABLE))
# Results and arguments of Python's functions; all pointers are alike.
_KINDS = {
    "PyTuple_Size": (_WORD, _POINTER),
    "PyTuple_GetItem": (_POINTER, _POINTER, _WORD),
    "PyLong_AsLongLong": (_WORD, _POINTER),
    "PyLong_FromLongLong": (_POINTER, _WORD),
    "PyFloat_AsDouble": (ir.DoubleType(), _POINTER),
    "PyErr_Occurred": (_POINTER,),
    "PyErr_ExceptionMatches": (_INT, _POINTER),
    "PyErr_Clear": (ir.VoidType(),),
    "PyEval_SaveThread": (_POINTER,),
    "PyEval_RestoreThread": (ir.VoidType(), _POINTER),
    "PyObject_CallFunction": (_POINTER, _POINTER, _POINTER, _WORD, _POINTER),
    "Py_IncRef": (ir.VoidType(), _POINTER),
}
# After how many arguments C's declaration says `...`: such functions are called in another way.
_VARIADIC = {"PyObject_CallFunction": 2}
# Where NumPy's binary interface puts what an array has, in bytes behind the head that every object has.
_DATA, _NDIM, _SHAPE, _STRIDES, _DESCR, _FLAGS = 0, 8, 16, 24, 40, 48
_BYTE_ORDER, _TYPE_NUMBER = 10, 12  # of its type
_NEEDED = 0x1 | 0x100 | 0x400  # flags: C-contiguous, aligned, writeable
TYPE_NUMBERS = {types.float32: (11,), types.float64: (12,), types.int64: (7, 9)}  # long and long long


class _Reader:
    """Writes the instructions that read one call's arguments, and those that leave where one does not fit."""

    def __init__(self, context, builder, table):
        self.context, self.builder, self.table = context, builder, table

    def word(self, name):
        """A word of the table."""
        zero, number = ir.Constant(_WORD, 0), ir.Constant(_WORD, TABLE.index(name))
        return self.builder.load(self.builder.gep(self.table, [zero, number]))

    def call(self, name, *args):
        result, *kinds = _KINDS[name]
        fixed = _VARIADIC.get(name, len(kinds))
        function = ir.FunctionType(result, kinds[:fixed], var_arg=fixed < len(kinds)).as_pointer()
        return self.builder.call(self.builder.inttoptr(self.word(name), function), args)

    def must(self, condition):
        """Go on where the condition holds, else to the next code."""
        block = self.builder.append_basic_block("fits")
        self.builder.cbranch(condition, block, self.otherwise)
        self.builder.position_at_end(block)

    def field(self, thing, offset, kind):
        """What lies at an object's address, so many bytes on (an int, or a value)."""
        offset = ir.Constant(_WORD, offset) if isinstance(offset, int) else offset
        return self.builder.load(self.builder.bitcast(self.builder.gep(thing, [offset]), kind.as_pointer()), align=1)

    def read(self, thing, kind):
        """The value of Numba's type ``kind`` of an object of Python."""
        builder = self.builder
        if isinstance(kind, types.BaseTuple):
            count = self.call("PyTuple_Size", thing)
            self.must(builder.icmp_signed("==", count, ir.Constant(_WORD, len(kind))))
            items = (self.call("PyTuple_GetItem", thing, ir.Constant(_WORD, k)) for k in range(len(kind)))
            values = [self.read(item, part) for item, part in zip(items, kind, strict=True)]
            return self.context.make_tuple(builder, kind, values)
        if isinstance(kind, types.Array):
            return self.read_array(thing, kind)
        if isinstance(kind, types.NoneType):
            self.must(builder.icmp_unsigned("==", builder.ptrtoint(thing, _WORD), self.word(NONE)))
            return self.context.get_dummy_value()
        if isinstance(kind, types.Float):
            value = self.call("PyFloat_AsDouble", thing)
            self.must_not_fail(builder.fcmp_ordered("==", value, ir.Constant(value.type, -1.0)))
            return value if kind == types.float64 else builder.fptrunc(value, ir.FloatType())
        value = self.call("PyLong_AsLongLong", thing)
        self.must_not_fail(builder.icmp_signed("==", value, ir.Constant(_WORD, -1)))
        if kind == types.boolean:
            return builder.icmp_signed("!=", value, ir.Constant(_WORD, 0))
        if kind != types.int64:
            raise TypeError(f"a kernel cannot be called with {kind}: teach `read` of {__name__} how it is read")
        return value

    def read_all(self, thing, kinds):
        """The values of a tuple's elements, a list; where one does not fit, the block `otherwise` goes on."""
        self.otherwise = self.builder.append_basic_block("otherwise")
        return cgutils.unpack_tuple(self.builder, self.read(thing, types.Tuple(kinds)))

    def must_not_fail(self, doubtful):
        """Leave where a number may stand for an error and there is one."""
        with self.builder.if_then(doubtful, likely=False):
            block, error = self.builder.append_basic_block("fits"), self.call("PyErr_Occurred")
            none = self.builder.icmp_unsigned("==", error, ir.Constant(_POINTER, None))
            self.builder.cbranch(none, block, self.otherwise)
            self.builder.position_at_end(block)

    def go_on_with_the_next(self):
        """Go on where something did not fit: with an error that says so forgotten, and every other one raised."""
        builder = self.builder
        builder.position_at_end(self.otherwise)
        failed = builder.icmp_unsigned("!=", self.call("PyErr_Occurred"), ir.Constant(_POINTER, None))
        with builder.if_then(failed, likely=False):
            kind = builder.inttoptr(self.word(UNFIT), _POINTER)
            unfit = builder.icmp_signed("!=", self.call("PyErr_ExceptionMatches", kind), ir.Constant(_INT, 0))
            with builder.if_else(unfit) as (forgotten, raised):
                with forgotten:
                    self.call("PyErr_Clear")
                with raised:
                    builder.ret(ir.Constant(_POINTER, None))

    def ask(self, remedy, told, given):
        """Return what ``remedy(told, given)`` does."""
        kinds = self.context.insert_const_string(self.builder.module, "LO")  # a number, and an object
        self.builder.ret(self.call("PyObject_CallFunction", remedy, kinds, told, given))

    def read_array(self, thing, kind):
        builder, head = self.builder, self.word(HEAD_SIZE)
        of_type = builder.sub(head, ir.Constant(_WORD, 8))  # the last word of the head says what an object is
        self.must(builder.icmp_unsigned("==", self.field(thing, of_type, _WORD), self.word(ARRAY_TYPE)))
        body = builder.gep(thing, [head])
        ndim, flags = self.field(body, _NDIM, _INT), self.field(body, _FLAGS, _INT)
        self.must(builder.icmp_signed("==", ndim, ir.Constant(ndim.type, kind.ndim)))
        needed = ir.Constant(flags.type, _NEEDED)
        self.must(builder.icmp_signed("==", builder.and_(flags, needed), needed))
        descr = builder.gep(self.field(body, _DESCR, _POINTER), [head])
        order = self.field(descr, _BYTE_ORDER, _BYTE)
        number, right = self.field(descr, _TYPE_NUMBER, _INT), ir.Constant(ir.IntType(1), 0)
        for known in TYPE_NUMBERS[kind.dtype]:
            right = builder.or_(right, builder.icmp_signed("==", number, ir.Constant(number.type, known)))
        self.must(right)
        self.must(builder.icmp_signed("!=", order, ir.Constant(_BYTE, ord(">"))))
        shape, strides = self.field(body, _SHAPE, _POINTER), self.field(body, _STRIDES, _POINTER)
        shape = [self.field(shape, 8 * k, _WORD) for k in range(kind.ndim)]
        strides = [self.field(strides, 8 * k, _WORD) for k in range(kind.ndim)]
        size = ir.Constant(_WORD, 1)
        for length in shape:
            size = builder.mul(size, length)
        array = self.context.make_array(kind)(self.context, builder)
        item = self.context.get_abi_sizeof(self.context.get_data_type(kind.dtype))
        data = builder.bitcast(self.field(body, _DATA, _POINTER), array.data.type)
        array.data, array.itemsize, array.nitems = data, ir.Constant(_WORD, item), size
        array.shape, array.strides = cgutils.pack_array(builder, shape), cgutils.pack_array(builder, strides)
        array.meminfo, array.parent = (cgutils.get_null_value(a.type) for a in (array.meminfo, array.parent))
        return array._getvalue()


def _begin(context, name, result, defined=False):
    """In a module with the table, a function of two objects: a `_Reader` for its instructions, and the objects."""
    module = context.create_module(name)
    table = ir.GlobalVariable(module, _TABLE, "ltc_np_python")
    if defined:
        table.initializer = ir.Constant(_TABLE, None)
    function = ir.Function(module, ir.FunctionType(result, [_POINTER, _POINTER]), name)
    builder = ir.IRBuilder(function.append_basic_block("start"))
    return _Reader(context, builder, table), *function.args


def entry(context, name, compiled, told=False):
    """The module with the function ``name`` for kernels of several types, of which each has its code elsewhere.

    ``told``: it does not run the code for its arguments, but returns where that lies.
    """
    reader, remedy, given = _begin(context, name, _POINTER)
    builder = reader.builder
    for fndesc in compiled:
        args = reader.read_all(given, fndesc.argtypes)
        kind = context.call_conv.get_function_type(fndesc.restype, fndesc.argtypes)
        code = ir.Function(builder.module, kind, fndesc.llvm_func_name)
        if told:
            builder.ret(reader.call("PyLong_FromLongLong", builder.ptrtoint(code, _WORD)))
            reader.go_on_with_the_next()
            continue
        state = reader.call("PyEval_SaveThread")
        status, _ = context.call_conv.call_function(builder, code, fndesc.restype, fndesc.argtypes, args)
        reader.call("PyEval_RestoreThread", state)
        with builder.if_then(status.is_error, likely=False):
            reader.ask(remedy, builder.ptrtoint(status.excinfoptr, _WORD), given)
        none = builder.inttoptr(reader.word(NONE), _POINTER)
        reader.call("Py_IncRef", none)
        builder.ret(none)
        reader.go_on_with_the_next()
    reader.ask(remedy, ir.Constant(_WORD, NO_CODE), given)
    return builder.module


def probe(context):
    """The module with the table, and with ``ltc_np_probe``, by which a call is tried when the library is loaded.

    Of ``(array, (k, value), None)`` it sets the last element of the array (m, n) to the value, and returns its address
    + m + n + k.
    """
    reader, _, given = _begin(context, "ltc_np_probe", _WORD, defined=True)
    builder = reader.builder
    kind = types.Array(types.float64, 2, "C")
    numbers = types.Tuple((types.int64, types.float64))
    array, numbers, _ = reader.read_all(given, (kind, numbers, types.none))
    k, value = cgutils.unpack_tuple(builder, numbers)
    array = context.make_array(kind)(context, builder, array)
    m, n = cgutils.unpack_tuple(builder, array.shape)
    last = builder.sub(builder.mul(m, n), ir.Constant(_WORD, 1))
    builder.store(value, builder.gep(array.data, [last]))
    total = builder.ptrtoint(array.data, _WORD)
    for number in (m, n, k):
        total = builder.add(total, number)
    builder.ret(total)
    builder.position_at_end(reader.otherwise)
    reader.call("PyErr_Clear")
    builder.ret(ir.Constant(_WORD, NO_CODE))
    return builder.module
