"""Numba's decorators of the house: every compile flag, the cache key and the fallback without a cache stand here.

Kernels allocate nothing, so they are compiled without Numba's reference counts (``_nrt=False``): around a branch those
cost 300 cycles a neuron, half of the backward pass.  What a kernel needs to work in, its caller hands over.
``error_model="numpy"`` lets divisions vectorise.  fastmath stays off: what may be contracted or reordered is
written out in `simd`, so that the result has the same bits for every tile, loop order and instruction set.
"""

import contextlib
import glob
import hashlib
import pathlib
import pickle
import warnings

import numba
import numba.extending
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher

from ...base import forks
from .. import codes
from ..sources import Missing, source_hash
from .pipeline import KernelCompiler, PartCompiler
from .waiting import waiting

forks.wait_for(global_compiler_lock)

# Called once each, just before the first compilation that the disk cache cannot spare; several threads may train.
_announced = []


@contextlib.contextmanager
def announce(function):
    """Call ``function()`` once if a kernel has to be compiled inside the ``with`` block."""
    _announced.append(function)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # it has been called
            _announced.remove(function)


def _say_compiling():
    functions = list(_announced)
    _announced.clear()
    if functions:
        waiting.told()
    for function in functions:
        function()


def _hash(content):
    return hashlib.sha256(content).digest()


class CacheFiles(IndexDataCacheFile):
    """A file for each signature and target of a kernel: a hash of the whole key, one of the machine code, and that.

    Numba numbers its files and keeps the keys in an index.  Two processes that compile at the same time, one for
    float32 and one for float64, take the same number: then the index names one and the file holds the other, or what an
    older source became, and every later process runs the wrong code.
    """

    def __init__(self, folder, base, source_stamp):
        super().__init__(folder, base, source_stamp)
        self._folder, self._base = pathlib.Path(folder), base

    def named_by(self, key):
        """The part of a key that names a file: not the sources, since what they became is replaced."""
        signature, target, *_ = key
        return signature, target

    def path(self, key):
        name = _hash(repr(self.named_by(key)).encode()).hex()[:16]
        return self._folder / f"{self._base}.{name}.nbc"

    def _seal(self, key):
        return _hash(repr((self._version, self._source_stamp, key)).encode())

    def save(self, key, data):
        code = self._dump(data)
        with self._open_for_write(str(self.path(key))) as f:
            f.write(self._seal(key) + _hash(code) + code)

    def load(self, key):
        try:
            content = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        seal = self._seal(key)
        expected, code = content[len(seal) : 2 * len(seal)], content[2 * len(seal) :]
        if _hash(code) != expected:  # also where the file is cut off
            raise ValueError("its checksum does not match")
        return pickle.loads(code) if content.startswith(seal) else None

    def flush(self):
        for path in self._folder.glob(f"{glob.escape(self._base)}.*.nbc"):
            path.unlink(missing_ok=True)


def _tables():
    """What kernels take from `codes` as constants, as this process has it."""
    return repr({name: value for name, value in vars(codes).items() if name.isupper()})


class _SourceKeyedCache(FunctionCache):
    """Numba's disk cache, keyed also by every kernel source.

    Numba looks only at the file of the function itself: a helper mended in another file would leave its cached
    callers with the old, inlined code.  `codes` was imported long before the first kernel, and its file may be another
    one by now, so that what this process compiles is not what the file says: its tables are part of the key themselves.
    """

    def __init__(self, function):
        super().__init__(function)
        source_hash()  # `Missing` is told here, where a reason for no cache can be
        self._cache_file = CacheFiles(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        return *super()._index_key(sig, codegen), source_hash(), _tables()

    def load_overload(self, sig, target_context):
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except Exception as error:  # whatever unpickling half a file can raise
            _warn(f"a damaged file in the kernel cache is replaced ({type(error).__name__}: {error})")
        if found is None:
            _say_compiling()
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:  # a full disk, for example
            _warn(f"a kernel could not be kept for the next run ({type(error).__name__}: {error})")


class _NoCache(NullCache):
    """Stands in where no cache folder is writable: nothing is found, nothing is kept."""

    def load_overload(self, sig, target_context):
        _say_compiling()


_warned = False


def _warn(message):
    """Warn about the cache, once a process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"ltc_np: {message}", RuntimeWarning, stacklevel=2)


def _cache(function):
    try:
        return _SourceKeyedCache(function)
    except RuntimeError as error:  # Numba's "cannot cache function: no locator available"
        _warn(
            f"no writable cache folder, kernels are compiled anew in every process ({error}); "
            "set NUMBA_CACHE_DIR to a writable folder"
        )
    except Missing as error:
        _warn(f"kernels are compiled anew in every process: {error}")
    return _NoCache()


# Of kernels, also of those that `ltc_np.kernels.aot` compiles.
OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cfunc_wrapper": True,
    "pipeline_class": KernelCompiler,
}


def kernel(function):
    """Compile an entry point lazily; cache it on disk where that is possible."""
    dispatcher = numba.njit(**OPTIONS)(function)
    dispatcher._cache = _cache(function)
    return dispatcher


def address(kernel, args):
    """Where the machine code lies that a kernel has for these arguments, for `native.call`; compiled if need be."""
    signature = tuple(numba.typeof(value) for value in args)
    kernel.compile(signature)
    compiled = kernel.overloads[signature]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def cache_folder():
    """The folder in which compiled kernels are kept, or None if none is writable."""
    return _cache(cache_folder).cache_path


class _Inner(CPUDispatcher):
    """A function without the wrappers for calls from Python: to compile them would take a fifth of the time."""

    def __call__(self, *args, **kwargs):  # it would jump to address 0
        raise TypeError(f"`{self.__name__}` is a helper: only kernels can call it")


def _inner(**options):
    def decorate(function):
        dispatcher = numba.njit(
            error_model="numpy",
            inline="never",
            _nrt=False,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            pipeline_class=PartCompiler,
            **options,
        )(function)
        dispatcher.__class__ = _Inner
        return dispatcher

    return decorate


helper = _inner()
inlined = _inner(forceinline=True)
table = numba.extending.register_jitable(no_cfunc_wrapper=True, pipeline_class=PartCompiler)
intrinsic = numba.extending.intrinsic
