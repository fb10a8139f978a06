"""provisional: the other clone's version replaces this file"""

import numpy as np
from llvmlite import ir
from numba import cuda, types  # noqa
from numba.cuda.extending import intrinsic


def kernel(function):
    return cuda.jit(function)


def helper(function):
    return cuda.jit(device=True)(function)


def _instruction(name):
    def codegen(context, builder, sig, args):
        f = ir.FunctionType(ir.FloatType(), [ir.FloatType()])
        return builder.call(ir.InlineAsm(f, f"{name} $0, $1;", "=f,f"), args)

    return types.float32(types.float32), codegen


@intrinsic
def exp2(typingctx, x):
    if x == types.float32:
        return _instruction("ex2.approx.ftz.f32")

    def codegen(context, builder, sig, args):
        f = context.declare_external_function if False else None
        fn = builder.module.globals.get("__nv_exp2") or ir.Function(
            builder.module, ir.FunctionType(ir.DoubleType(), [ir.DoubleType()]), "__nv_exp2"
        )
        return builder.call(fn, args)

    return types.float64(types.float64), codegen


@intrinsic
def reciprocal(typingctx, x):
    if x == types.float32:
        return _instruction("rcp.approx.ftz.f32")

    def codegen(context, builder, sig, args):
        return builder.fdiv(ir.Constant(ir.DoubleType(), 1.0), args[0])

    return types.float64(types.float64), codegen


def launch(function, grid, block, *args):
    """Start a kernel: ``grid`` and ``block`` are ints or tuples."""
    function[grid, block](*args)


def upload(array):
    """A device copy of a host array, flat."""
    return cuda.to_device(array.reshape(-1))


def download(array):
    return array.copy_to_host()


def empty(size, dtype):
    return cuda.device_array(size, dtype)


def free_memory():
    """Bytes of the device that nobody uses."""
    return cuda.current_context().get_memory_info().free


FLAT_BLOCK = 128


def launch_over(n, function, *args):
    """Start a kernel that needs n threads."""
    if n:
        launch(function, -(-n // FLAT_BLOCK), FLAT_BLOCK, *args)


def overwrite(array, values):
    """Copy host values into a flat array on the device."""
    array.copy_to_device(np.ascontiguousarray(values).reshape(-1))
