"""How Numba turns kernels into machine code: once, and without what brings these kernels nothing.

By itself Numba optimises every helper, makes machine code of it, links it into its callers, and optimises all of it
again there.  Only kernels call helpers, so here LLVM gets them as they are, and works on them as parts of the kernels
alone.  What this and all else brings: docs/decisions/kernels.md, "What compiling takes".  Bits and speed of the kernels
stay as they are.

`compiler` names the two classes as ``pipeline_class``, Numba's parameter for other ways through its compiler.  Of older
versions of llvmlite, which have no `create_pipeline_tuning_options`, kernels are optimised in Numba's own way.
"""

import contextlib
import gc
import types

import llvmlite.binding as llvm
from numba.core import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.typed_passes import NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes

from ..library import symbol
from .waiting import waiting

_CAN_TUNE = hasattr(llvm, "create_pipeline_tuning_options")


class _NoEngine:
    """Stands in for what holds machine code, where there is none to keep a function's environment in."""

    @staticmethod
    def set_env(name, environment):
        pass


class _Part(JITCodeLibrary):
    """The code of a helper, as LLVM gets it: neither optimised nor made machine code."""

    codegen = _NoEngine

    def _optimize_functions(self, module):
        module.data_layout = str(self._codegen.target_data)

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


class _Whole(JITCodeLibrary):
    """The code of a kernel with all its helpers: optimised once, and loops are not unrolled.

    LLVM unrolls loops of vectors for processors with a large buffer of operations.  It makes them no faster, and to
    choose the addresses in them takes more time than all else that makes machine code.
    """

    def _optimize_functions(self, module):
        if _CAN_TUNE:  # what this would do is a part of what follows
            module.data_layout = str(self._codegen.target_data)
        else:
            super()._optimize_functions(module)

    def _optimize_final_module(self):
        waiting.look()
        if not _CAN_TUNE:
            super()._optimize_final_module()
            return
        options = llvm.create_pipeline_tuning_options()
        options.speed_level, options.loop_unrolling = int(config.OPT), False
        options.loop_vectorization, options.slp_vectorization = config.LOOP_VECTORIZE, config.SLP_VECTORIZE
        passes = llvm.create_pass_builder(self._codegen._tm, options)
        passes.getModulePassManager().run(self._final_module, passes)


class _Flags(Flags):
    """Numba's flags, whose values it compares for every function that it looks up, some 20,000 times a kernel."""

    def values(self):
        """By name, also those that were not set."""
        return _DEFAULTS | self._values


_DEFAULTS = Flags().values()


@contextlib.contextmanager
def _without_collection():
    """Numba makes millions of objects that live until a kernel is done: to look for garbage meanwhile finds none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Compiler(Compiler):
    library: type[JITCodeLibrary]

    def compile_extra(self, func):
        """From a function of Python to the end."""
        waiting.look()
        self.state.flags = _Flags(self.state.flags)
        self.state.library = self.library(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()  # for the disk cache
        return super().compile_extra(func)

    def define_pipelines(self):
        """Numba's passes without those for whole arrays, of which kernels make none, and for functions in functions."""
        nested = any(isinstance(constant, types.CodeType) for constant in self.state.func_id.code.co_consts)
        unused = {NopythonRewrites} if nested else {NopythonRewrites, InlineClosureLikes}
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [(found, about) for found, about in pipeline.passes if found not in unused]
        return pipelines


class PartCompiler(_Compiler):
    """For helpers."""

    library = _Part


class KernelCompiler(_Compiler):
    """For kernels."""

    library = _Whole

    def compile_extra(self, func):
        """From a function of Python to the end, its helpers included."""
        with _without_collection(), waiting.compiling(symbol(func)):
            return super().compile_extra(func)
