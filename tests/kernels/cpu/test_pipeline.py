"""Numba's way to machine code without what kernels do not need: right results, and no machine code of helpers."""

import gc

import numpy as np
import pytest

numba, llvmlite = pytest.importorskip("numba"), pytest.importorskip("llvmlite.binding")


def kernel(function):
    """As `jit.kernel` makes them, but not kept on disk."""
    from ltc_np.kernels.cpu.pipeline import KernelCompiler

    options = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
    return numba.njit(pipeline_class=KernelCompiler, **options)(function)


@pytest.mark.numba
def test_helpers_are_parts_of_kernels_only():
    from ltc_np.kernels.cpu.jit import helper

    @helper
    def part(x, k):
        return x[k] * x.dtype.type(2)

    @kernel
    def whole(x, out):
        for k in range(x.size):
            out[k] = part(x, k) + 1

    x, out = np.arange(5.0, dtype=np.float32), np.zeros(5, np.float32)
    whole(x, out)
    np.testing.assert_array_equal(out, 2 * x + 1)
    (compiled,), (used,) = whole.overloads.values(), part.overloads.values()
    engine = compiled.library.codegen._engine
    assert engine.is_symbol_defined(compiled.fndesc.llvm_func_name)
    assert not engine.is_symbol_defined(used.fndesc.llvm_func_name)
    assert not engine.is_symbol_defined(compiled.fndesc.llvm_cfunc_wrapper_name)


@pytest.mark.numba
@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_again_afterwards_also_after_a_mistake(enabled):
    @kernel
    def mistaken(x):
        return x.there_is_no_such_thing

    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(numba.TypingError, match="there_is_no_such_thing"):
            mistaken(np.zeros(3))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.numba
def test_functions_in_functions_still_compile():
    @kernel
    def sums(x):
        def add(y):
            return y + x

        return add(1) * add(2)

    assert sums(3.0) == 20.0


@pytest.mark.numba
@pytest.mark.skipif(not hasattr(llvmlite, "create_pipeline_tuning_options"), reason="Numba's own way here")
def test_loops_are_not_unrolled():
    @kernel
    def scan(x):
        total = x.dtype.type(0)
        for k in range(x.size):
            total = total * x[k] + x[k]  # each needs the one before, so it cannot be vectorised
        return total

    x = np.linspace(0.1, 0.9, 7)
    want = 0.0
    for value in x:
        want = want * value + value
    assert scan(x) == want
    (text,) = scan.inspect_llvm().values()
    assert text.count("fmul double") == 1
