"""The one file that imports CUDA: house decorators, instructions, memory, launches.

* ``kernel``: an entry point, compiled for the types of its arguments when it is first launched; ``threads=`` says how
  large a block may be.  It takes its arguments one by one, and `launch` takes them by name: Numba needs 40 microseconds
  more for a launch whose arrays come in tuples (docs/decisions/cuda.md).
* ``helper``: called by kernels only; inlined.
* ``instruction``: a function for which the hardware has an instruction.

All keep their Python source as ``py_func``.  Where CUDA cannot be imported that is all there is of them, and `why_not`
says why; so kernels can be read, and run by an emulator, anywhere.

Kernels become PTX, not LTO-IR: what runs is then what a compiler without a GPU has been seen to make of them.
"""

import contextlib
import functools
import importlib.metadata
import inspect
import os
import re
import threading
import weakref

import numba
import numpy as np

from ...base.checks import one_line

OLDEST = "0.30.4"  # every numba-cuda before breaks with numba 0.66
INSTALL = f'pip install "numba-cuda[cu13]>={OLDEST}"'  # however this package itself was installed
FLAT_BLOCK = 128  # threads of a block where a thread needs no neighbours


def _numbers(version):
    return [int(n) for n in re.findall(r"\d+", version)[:3]]


def _import_cuda():
    """numba.cuda and None, or None and what is wrong."""
    try:
        version = importlib.metadata.version("numba-cuda")
    except importlib.metadata.PackageNotFoundError:
        return None, f"numba-cuda is not installed: {INSTALL}"
    if _numbers(version) < _numbers(OLDEST):
        return None, f"numba-cuda {version} is older than {OLDEST}: {INSTALL}"
    try:
        from numba import cuda
        from numba.cuda.core import config

        config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # some kernels have little to do and are not worth a warning
    except Exception as error:  # two versions that do not fit fail in many ways
        return None, f"numba-cuda {version} does not work with numba {numba.__version__} ({one_line(error)}): {INSTALL}"
    return cuda, None


cuda, broken = _import_cuda()  # why it cannot be imported, or None
SIMULATED = bool(numba.config.ENABLE_CUDASIM)  # NUMBA_ENABLE_CUDASIM=1: kernels run as Python


class _Source:
    """What a decorator makes of a function where there is no compiler for it."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.py_func = function


def _jit(function, **flags):
    if cuda is None:
        return _Source(function)
    return cuda.jit(function, device="forceinline" in flags, **({} if SIMULATED else flags | {"lto": False}))


def kernel(function=None, *, threads=FLAT_BLOCK):
    """Decorator; ``threads`` are the most of a block, for which the compiler leaves enough registers."""
    if function is None:
        return functools.partial(kernel, threads=threads)
    # One block at a time is enough: for two of them the assembler would rather spill some registers.
    compiled = _jit(function, launch_bounds=(threads, 1))
    compiled.threads, compiled.parameters = threads, tuple(inspect.signature(function).parameters)
    return compiled


def helper(function):
    return _jit(function, forceinline=True)


def instruction(float32, float64):
    """Decorator of a function of one number: the PTX instruction for float32, the name in libdevice for float64."""

    def decorate(function):
        if cuda is None or SIMULATED:
            return helper(function)
        from llvmlite import ir
        from numba.cuda import types
        from numba.cuda.extending import intrinsic

        def of_float32(context, builder, signature, arguments):
            number = ir.FloatType()
            code = ir.InlineAsm(ir.FunctionType(number, [number]), f"{float32} $0, $1;", "=f,f")
            return builder.call(code, arguments)

        def of_float64(context, builder, signature, arguments):
            number, module = ir.DoubleType(), builder.module
            code = module.globals.get(float64) or ir.Function(module, ir.FunctionType(number, [number]), float64)
            return builder.call(code, arguments)

        def typed(typing_context, x):
            if x == types.float32:
                return x(x), of_float32
            return types.float64(types.float64), of_float64

        compiled = intrinsic(typed)
        compiled.py_func = function
        return compiled

    return decorate


@instruction("ex2.approx.ftz.f32", "__nv_exp2")
def exp2(x):
    """2**x; of float32 to 2 ulp, 0 where the result would be a denormal number."""
    return type(x)(2) ** x


@instruction("rcp.approx.ftz.f32", "__nv_drcp_rn")
def reciprocal(x):
    """1 / x; of float32 to 1 ulp, 0 where x or the result would be a denormal number."""
    return type(x)(1) / x


@kernel
def _nothing():
    pass


_works = False  # remembered; what is missing may come


def why_not():
    """None if there is a GPU that runs kernels, else the reason and the remedy in one line."""
    global _works
    if not _works:
        reason = _why_not()
        if reason is not None:
            return reason
        _works = True
    return None


def _why_not():
    if cuda is None:
        return broken
    if SIMULATED:
        return None
    if os.environ.get("NUMBA_DISABLE_CUDA", "0") not in ("", "0"):
        return "NUMBA_DISABLE_CUDA is set; unset it"
    try:
        complete = cuda.is_available()  # first, since only this asks the driver
        missing = cuda.cuda_error()
        if missing:
            missing = " ".join(str(missing).split()).split(". ")[0]
            return f"no NVIDIA driver with a GPU was found ({missing}); install one: nvidia.com/drivers"
        if not complete:
            return f"CUDA's libraries are not complete: {INSTALL}"
        _nothing[1, 1]()
        cuda.synchronize()
    except Exception as error:  # a driver that is too old for the libraries, a GPU that another process holds, ...
        return f"CUDA does not work ({one_line(error)}); update the driver, or {INSTALL}"
    return None


class Gpu:
    """What the package asks of a device; arrays are flat."""

    reserve = 2**26  # bytes that are free and may yet be taken by the code of kernels
    first = None  # number of the device on which the first call was made

    def launch(self, function, grid, block, args):
        function[grid, block](*args)

    def upload(self, array):
        with self._refused(array.nbytes):
            return cuda.to_device(array)

    def download(self, array):
        return array.copy_to_host()

    def overwrite(self, array, values):
        array.copy_to_device(values)

    def empty(self, size, dtype):
        with self._refused(size * np.dtype(dtype).itemsize):
            return cuda.device_array(size, dtype)

    def adopt(self, array):
        return cuda.as_cuda_array(array)

    def wait(self):
        self._context().synchronize()

    def _context(self):
        """That of the process's one device; parameters and lists are kept there."""
        context = cuda.current_context()
        number = 0 if SIMULATED else context.device.id
        self.first = number if self.first is None else self.first
        if number != self.first:
            raise RuntimeError(
                f"a process uses one GPU, the first call was on number {self.first} and number {number} is current: "
                "make it the current one again, or select one with CUDA_VISIBLE_DEVICES"
            )
        return context

    def free_memory(self):
        context = self._context()
        if not SIMULATED:
            context.deallocations.clear()  # what is no longer used but not yet given back
        return max(0, context.get_memory_info().free - self.reserve)

    @contextlib.contextmanager
    def _refused(self, size):
        """Somebody else may take memory after it was planned."""
        try:
            yield
        except Exception as error:  # of classes that differ between versions of the driver's bindings
            if "OUT_OF_MEMORY" not in str(error).upper().replace(" ", "_"):
                raise
            free = gibibytes(self.free_memory())
            raise MemoryError(
                f"{gibibytes(size)} more are needed on the GPU, of which {free} are free: {LESS}"
            ) from None


LESS = "take fewer sequences at a time (batch_size) or shorter ones (tbptt)"


def gibibytes(n):
    return f"{n / 2**30:.2f} GiB"


machine = Gpu()  # tests put an emulator here
_own = threading.local()


@contextlib.contextmanager
def on(other):
    """This thread uses another machine."""
    before, _own.machine = getattr(_own, "machine", None), other
    try:
        yield
    finally:
        _own.machine = before


def _machine():
    return getattr(_own, "machine", None) or machine


def launch(function, grid, block, /, *args, **named):
    """Start a kernel: ``grid`` and ``block`` are ints or tuples.

    Its arguments come in order, or all by name: the kernel's own signature is the only place where their order stands.
    """
    _machine().launch(function, grid, block, _in_order(function, named) if named else args)


def launch_over(n, function, /, *args, **named):
    """Start a kernel that needs n threads."""
    if n:
        args = _in_order(function, named) if named else args
        _machine().launch(function, -(-n // FLAT_BLOCK), FLAT_BLOCK, args)


def _in_order(function, named):
    try:
        args = tuple(map(named.__getitem__, function.parameters))
    except KeyError:
        args = ()
    if len(args) != len(named):
        raise TypeError(f"a kernel takes {', '.join(function.parameters)}, got {', '.join(named)}")
    return args


_reclaimable, _lock = weakref.WeakSet(), threading.Lock()


def reclaimable(thing):
    """``thing``, which keeps arrays for later calls and gives them back when its method `clear` is called."""
    with _lock:
        _reclaimable.add(thing)
    return thing


def give_back():
    """Free all arrays that are kept for later calls and that no call is using."""
    with _lock:
        things = list(_reclaimable)
    for thing in things:
        thing.clear()


def _allocate(make, *arguments):
    try:
        return make(*arguments)
    except MemoryError:  # what was free when the call was planned has been taken: by other threads, other libraries
        give_back()
        return make(*arguments)


def upload(array):
    """A device copy of a host array, flat."""
    return _allocate(_machine().upload, np.ascontiguousarray(array).reshape(-1))


def download(array):
    """A host copy of a device array."""
    return _machine().download(array)


def overwrite(array, values):
    """Copy host values into a flat array on the device."""
    if array.size:
        _machine().overwrite(array, np.ascontiguousarray(values).reshape(-1))


def empty(size, dtype):
    """An uninitialised flat array on the device."""
    return _allocate(_machine().empty, size, dtype)


def adopt(array):
    """An array of another library on the device, flat, without a copy, and its shape; None if it is not contiguous."""
    array = _machine().adopt(array)
    flat = array.reshape(array.size) if array.flags["C_CONTIGUOUS"] else None
    return flat, tuple(array.shape)


def wait():
    """Until the device has done everything that was asked of it, by whomever."""
    _machine().wait()


def free_memory():
    """Bytes of the device that nobody uses."""
    return _machine().free_memory()


def seconds(function):
    """Time of ``function()`` on the device, by its events."""
    start, stop = cuda.event(), cuda.event()
    start.record()
    function()
    stop.record()
    stop.synchronize()
    return cuda.event_elapsed_time(start, stop) / 1e3


def describe():
    """What figures belong to: the card, its compute capability, its memory."""
    card = cuda.get_current_device()
    name = card.name.decode() if isinstance(card.name, bytes) else card.name
    return {
        "card": name,
        "compute_capability": ".".join(map(str, card.compute_capability)),
        "multiprocessors": card.MULTIPROCESSOR_COUNT,
        "memory_gib": round(cuda.current_context().get_memory_info().total / 2**30, 1),
    }
