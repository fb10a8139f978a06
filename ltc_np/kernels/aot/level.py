"""Compiles all kernels for the level of processors that the environment names, and writes their objects.

    NUMBA_CPU_NAME=x86-64-v3 python -m ltc_np.kernels.aot.level FOLDER KERNEL...

A process has one target of Numba's, so each level has a process of its own, which `ltc_np.kernels.aot` starts.
"""

import pathlib
import sys

import llvmlite.binding as llvm
import numba
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from ..cpu.compiler import OPTIONS
from ..signatures import CALLED, SIGNATURES, of_address
from . import entry
from .dispatchers import dispatchers, forget_folders
from .kinds import signatures


def _machine():
    """Numba's target, but for code that may lie anywhere in memory."""
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=config.CPU_NAME, features=config.CPU_FEATURES, opt=3, reloc="pic", codemodel="small"
    )


def _emit(machine, library, path):
    """The object of one of Numba's libraries, whose code is already optimised."""
    path.write_bytes(machine.emit_object(llvm.parse_assembly(library.get_llvm_str())))


def _emit_entry(context, machine, module, folder):
    """The same for a function that Python calls: what it calls itself is in other objects."""
    library = context.codegen().create_library(module.name)
    with global_compiler_lock:
        library.add_ir_module(module)
        library.finalize()
    _emit(machine, library, folder / f"{module.name}.o")


def write(folder, kernels):
    """Objects of these kernels and of the functions that Python calls; a line a kernel on standard output."""
    context, machine, found = cpu_target.target_context, _machine(), dispatchers()
    forget_folders()
    if set(found) != set(SIGNATURES):
        raise ValueError(f"`SIGNATURES` must have a line for every kernel: {set(found) ^ set(SIGNATURES)}")
    _emit_entry(context, machine, entry.probe(context), folder)
    for name in kernels:
        compiled = []
        for k, signature in enumerate(signatures(SIGNATURES[name])):
            options = OPTIONS | {"no_cpython_wrapper": True}
            (code,) = numba.njit(signature, **options)(found[name].py_func).overloads.values()
            _emit(machine, code.library, folder / f"{name}.{k}.o")
            compiled.append(code.fndesc)
        _emit_entry(context, machine, entry.entry(context, name, compiled), folder)
        if name in CALLED:
            _emit_entry(context, machine, entry.entry(context, of_address(name), compiled, told=True), folder)
        print(name, flush=True)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]), sys.argv[2:])
