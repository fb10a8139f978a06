"""Compiles all kernels for the level of processors that the environment names, and writes their objects.

    NUMBA_CPU_NAME=x86-64-v3 python -m ltc_np.kernels.aot.level FOLDER

A process has one target of Numba's, so each level has a process of its own, which `ltc_np.kernels.aot` starts.
"""

import pathlib
import sys

import llvmlite.binding as llvm
import numba
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from ..library import symbol
from ..signatures import SIGNATURES
from . import entry
from .dispatchers import dispatchers
from .kinds import signatures

OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _machine(codegen):
    """Numba's target, but for code that may lie anywhere in memory."""
    target = llvm.Target.from_triple(codegen._tm.triple)
    return target.create_target_machine(
        cpu=codegen._get_host_cpu_name(),
        features=codegen._get_host_cpu_features(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )


def _emit(machine, module, path):
    path.write_bytes(machine.emit_object(module))


@global_compiler_lock
def _emit_entry(context, machine, module, folder):
    """An entry's own object: its code calls what the objects of the kernels have."""
    library = context.codegen().create_library(module.name)
    library.add_ir_module(module)
    _emit(machine, library._final_module, folder / f"{module.name}.o")


def write(folder):
    """Objects of all kernels and of the functions that Python calls; a line a kernel on standard output."""
    context = cpu_target.target_context
    machine = _machine(context.codegen())
    _emit_entry(context, machine, entry.probe(context), folder)
    found = dispatchers()
    for name, dispatcher in found.items():
        compiled = []
        for k, signature in enumerate(signatures(SIGNATURES[name])):
            (code,) = numba.njit(signature, **OPTIONS)(dispatcher.py_func).overloads.values()
            _emit(machine, code.library._final_module, folder / f"{name}.{k}.o")
            compiled.append(code.fndesc)
        _emit_entry(context, machine, entry.entry(context, name, compiled), folder)
        print(name, flush=True)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
