"""Runs the CUDA kernels without a GPU: their own sources, block by block and barrier by barrier.

A kernel becomes a generator: ``cuda.syncthreads()`` a ``yield`` of its line, shared arrays and the indices of thread
and block arguments.  Every thread of a block goes to its next barrier before any goes on.  The generator is compiled by
Numba, so that types and rounding are those of the kernel, or is left to Python and then watched.  What this finds:

* barriers that not all threads of a block reach: `Divergence`;
* races: compiled, results that differ between the orders of `ORDERS`; watched, at the access itself: `Race`;
* memory that is read before it is written: it holds NaN, or -1, or the largest unsigned number;
* accesses out of bounds: `IndexError`.

Barriers stand in kernels, not in helpers, as statements of their own; arrays are made at the top of a kernel.
"""

import ast
import contextlib
import functools
import hashlib
import inspect
import itertools
import math
import textwrap
import types
import weakref
from pathlib import Path

import numba
import numpy as np
from numba.core.caching import FunctionCache

from ltc_np.kernels.cpu.compiler import CacheFiles
from ltc_np.kernels.cuda import device
from support import ROOT

ORDERS = ("forward", "reversed", "shuffled")
INDICES = [f"_{of}_{axis}" for of in ("threadIdx", "blockIdx", "blockDim", "gridDim") for axis in "xyz"]
# Whether kernels can be left to Python: before NumPy 2 an int and a uint64 made a float64, unlike in Numba.
AS_PYTHON = np.lib.NumpyVersion(np.__version__) >= "2.0.0"
# The relative errors that the PTX manual grants the approximate float32 instructions.
ROUGH = {device.exp2.py_func: 2**-22, device.reciprocal.py_func: 2**-23}


class Race(Exception):
    """Two threads touched one number, at least one wrote, and no barrier stood between."""


class Divergence(Exception):
    """The threads of a block did not all wait at the same barrier."""


def poisoned(size, dtype):
    """An array of a bit pattern that is NaN, -1 or the largest unsigned number."""
    array = np.empty(size, dtype)
    array.view(np.uint8)[:] = 255
    return array


_compiled_poisoned = numba.njit(poisoned)


# ------------------------------------------------------------------------------------------- the sources rewritten


class _Rewrite(ast.NodeTransformer):
    """Barriers to yields, arrays and indices to names; ``barriers`` are their lines, ``shared`` the arrays' calls."""

    def __init__(self, without):
        self.without, self.barriers, self.shared = without, [], []

    def visit_Expr(self, node):
        if ast.unparse(node) != "cuda.syncthreads()":
            return self.generic_visit(node)
        self.barriers.append(node.lineno)
        if node.lineno == self.without:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Expr(ast.Yield(ast.Constant(node.lineno))), node)

    def visit_Call(self, node):
        name = ast.unparse(node.func)
        if name == "cuda.syncthreads":
            raise SyntaxError("cuda.syncthreads() must be a statement of its own")
        if name == "cuda.local.array":
            return ast.copy_location(ast.Call(ast.Name("_local", ast.Load()), node.args, []), node)
        if name == "cuda.shared.array":
            self.shared.append(node)
            return ast.copy_location(ast.Name(f"_shared_{len(self.shared)}", ast.Load()), node)
        return self.generic_visit(node)

    def visit_Attribute(self, node):
        name = ast.unparse(node)
        for index in INDICES:
            if name == f"cuda.{index[1:].replace('_', '.')}":
                return ast.copy_location(ast.Name(index, ast.Load()), node)
        return self.generic_visit(node)


class _Math:
    """The module math, with results of the argument's type, as on a GPU."""

    def __getattr__(self, name):
        return lambda x: type(x)(getattr(math, name)(x))


def _rough(function, error):
    """The function as an instruction of the hardware computes it: float32 results off by up to ``error``."""

    def rough(x):
        y = function(x)
        real = type(y)
        if real(1) + real(1e-12) > real(1) or y == real(0) or y - y != real(0):
            return y
        return real(np.float64(y) * (1.0 + error * math.sin(1e5 * np.float64(x))))

    return rough


def _namespace(function, compiled):
    """The globals a function sees, with helpers that can be called here."""
    names = dict(function.__globals__)
    names |= {
        n: c.cell_contents for n, c in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    }
    for name in function.__code__.co_names + function.__code__.co_freevars:
        own = getattr(names.get(name), "py_func", None)
        if own is not None:
            names[name] = _helper(own, compiled)
    return names if compiled else names | {"math": _Math()}


@functools.cache
def _helper(function, compiled):
    own = types.FunctionType(function.__code__, _namespace(function, compiled), function.__name__)
    own.__defaults__ = function.__defaults__
    jit = functools.partial(numba.njit, error_model="numpy") if compiled else lambda f: f
    error = ROUGH.get(function)
    return jit(own) if error is None else jit(_rough(jit(own), error))


def called_here(helper):
    """A kernel's helper as a function of NumPy's numbers."""
    return _helper(helper.py_func, True)


_SOURCES = [Path(__file__), *sorted(p for f in ("kernels", "base") for p in (ROOT / "ltc_np" / f).rglob("*.py"))]
_SOURCE_HASH = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()


def _enclosed(function):
    """What a function, and those that it encloses, have from where they were made: numbers, by name."""
    found = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        inner = getattr(cell.cell_contents, "py_func", None)
        found.append((name, repr(cell.cell_contents) if inner is None else _enclosed(inner)))
    return tuple(found)


class _Files(CacheFiles):
    """One for each of the forms that one function is rewritten to."""

    def named_by(self, key):
        *_, enclosed = key
        return *super().named_by(key), enclosed


class _Cache(FunctionCache):
    """Numba's disk cache, keyed also by all that a rewritten function calls and encloses, which its code does not show.

    Only threads of kernels and what runs them are kept: helpers are part of them.  Numba's own files would not do: it
    writes its index first, and whoever reads that before the file behind a number is replaced gets what an older Numba,
    or an older source, had put there.
    """

    def __init__(self, function, enclosed):
        super().__init__(function)
        self.enclosed = enclosed
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        return *super()._index_key(sig, codegen), _SOURCE_HASH, self.enclosed

    def file(self, sig, codegen):
        return self._cache_file.path(self._index_key(sig, codegen))


def _compile(function, enclosed):
    """A rewritten function, compiled once for all processes."""
    dispatcher = numba.njit(function, error_model="numpy", boundscheck=True)
    with contextlib.suppress(RuntimeError):  # there is no folder to write to
        dispatcher._cache = _Cache(function, enclosed)
    return dispatcher


class _Emulated:
    """A kernel's source, rewritten and perhaps compiled."""

    def __init__(self, function, without, compiled):
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        ast.increment_lineno(tree, first - 1)
        rewrite = _Rewrite(without)
        definition = rewrite.visit(tree.body[0])
        definition.decorator_list = []
        self.arguments = [a.arg for a in definition.args.args]
        self.barriers, self.shared, self.names = rewrite.barriers, rewrite.shared, _namespace(function, compiled)
        if without is not None and without not in self.barriers:
            raise ValueError(f"no barrier in line {without} of {function.__name__}, only in {self.barriers}")
        extra = [f"_shared_{k + 1}" for k in range(len(self.shared))] + INDICES
        definition.args.args += [ast.arg(name) for name in extra]
        self.yields = any(isinstance(node, ast.Yield) for node in ast.walk(definition))
        ast.fix_missing_locations(tree)
        own = self.names | {"_local": _compiled_poisoned if compiled else poisoned}
        exec(compile(tree, inspect.getsourcefile(function), "exec"), own)
        self.thread = own[definition.name]
        if compiled:
            self.thread = _compile(self.thread, (without, _enclosed(function)))
        if compiled and not self.yields:  # all threads in one call
            given = ", ".join(self.arguments + extra[: len(self.shared)])
            indices = ", ".join(f"threads[k, {i}]" for i in range(len(INDICES)))
            name = f"all_threads_of_{definition.name}"
            text = f"def {name}({given}, threads):\n for k in range(len(threads)):\n  thread({given}, {indices})"
            own = {"thread": self.thread, "__name__": function.__module__}
            exec(compile(text, inspect.getsourcefile(function), "exec"), own)
            self.run = _compile(own[name], _enclosed(function))

    def shared_arrays(self, args):
        """Of one block, poisoned."""
        names = self.names | dict(zip(self.arguments, args, strict=True))
        return [poisoned(*(eval(ast.unparse(a), names) for a in call.args)) for call in self.shared]


_emulated = functools.cache(_Emulated)


def barriers(kernel):
    """Lines of a kernel's barriers."""
    return _emulated(kernel.py_func, None, False).barriers


def kept_in(kernel, without=None):
    """Files of the compiled threads of a kernel, one for each signature that has been used."""
    thread = _emulated(kernel.py_func, without, True).thread
    codegen = thread.targetctx.codegen()
    return [thread._cache.file(signature, codegen) for signature in thread.signatures]


# ------------------------------------------------------------------------------------------------------ execution


def shape(n):
    """Of a grid or a block: three numbers."""
    return (*((n,) if isinstance(n, int) else n), 1, 1)[:3]


def check_launch(kernel, grid, block):
    """What a driver would refuse."""
    assert all(type(n) is int and n >= 1 for n in grid + block), (kernel.py_func.__name__, grid, block)
    assert math.prod(block) <= kernel.threads, (kernel.py_func.__name__, block)
    assert block[2] <= 64 and grid[0] < 2**31 and max(grid[1:]) < 2**16, (kernel.py_func.__name__, grid, block)


def _points(shape):
    return [(x, y, z) for z, y, x in itertools.product(*map(range, reversed(shape)))]


def _arranged(items, order, rng):
    items = list(items)[:: -1 if order == "reversed" else 1]
    if order == "shuffled":
        rng.shuffle(items)
    return items


def run(kernel, grid, block, args, order="forward", *, without_barrier=None, compiled=True):
    """Launch a kernel on NumPy arrays.

    Parameters
    ----------
    order : one of `ORDERS`
        Of blocks, and of the threads of a block.
    without_barrier : int, optional
        A line of `barriers` to be left out.
    compiled : bool
        Whether Numba compiles it; else accesses are watched, slowly.
    """
    emulated = _emulated(kernel.py_func, without_barrier, compiled)
    grid, block, rng = shape(grid), shape(block), np.random.default_rng(0)
    check_launch(kernel, grid, block)
    watch = None if compiled else _Watch()
    given = args if compiled else [_Watched(a, watch) if isinstance(a, np.ndarray) else a for a in args]
    with np.errstate(all="ignore"):
        for at in _arranged(_points(grid), order, rng):
            shared = emulated.shared_arrays(args)
            threads = [np.array((*t, *at, *block, *grid), np.int32) for t in _points(block)]
            if compiled and not emulated.yields:
                emulated.run(*given, *shared, np.array(_arranged(threads, order, rng)))
                continue
            shared = shared if compiled else [_Watched(a, watch) for a in shared]
            _run_block(emulated, [*given, *shared], at, threads, order, rng, watch)


def _run_block(emulated, args, at, threads, order, rng, watch):
    """All threads of a block, from barrier to barrier."""
    waiting = []
    for k, indices in enumerate(_arranged(threads, order, rng)):
        if watch is not None:
            watch.here = (at, k, 0)
        waiting.append((k, emulated.thread(*args, *indices)))
    interval = 0
    while emulated.yields:
        stops = set()
        for k, thread in _arranged(waiting, order, rng):
            if watch is not None:
                watch.here = (at, k, interval)
            stops.add(next(thread, None))
        if len(stops) > 1:
            raise Divergence(f"threads of block {at} stopped at {sorted(map(str, stops))} (None: the end)")
        if stops == {None}:
            return
        interval += 1


class _Watch:
    """Who touched which number; ``here`` is the block, the thread, and how many barriers it has passed."""

    def __init__(self):
        self.here, self.written, self.read, self.alive = None, {}, {}, []

    def _race(self, other):
        block, thread, interval = self.here
        return other[0] != block or (other[1] != thread and other[2] == interval)

    def look(self, address, what):
        if self._race(self.written.get(address, self.here)):
            raise Race(
                f"{what} is read by {self.here} and written by {self.written[address]} (block, thread, interval)"
            )
        self.read.setdefault(address, set()).add(self.here)

    def change(self, address, what):
        for other in (self.written.get(address, self.here), *self.read.get(address, ())):
            if self._race(other):
                raise Race(f"{what} is written by {self.here} and touched by {other} (block, thread, interval)")
        self.written[address] = self.here


class _Watched:
    """A flat array whose accesses are reported."""

    def __init__(self, array, watch):
        self.array, self.watch, self.dtype, self.size = array, watch, array.dtype, array.size
        self.address = array.__array_interface__["data"][0]
        watch.alive.append(array)  # nothing else may come to lie there

    def _at(self, index):
        if not 0 <= index < self.size:
            raise IndexError(f"index {index} of {self.size} numbers")
        return self.address + int(index) * self.dtype.itemsize, f"number {index} of {self.size}"

    def __getitem__(self, index):
        self.watch.look(*self._at(index))
        return self.array[index]

    def __setitem__(self, index, value):
        self.watch.change(*self._at(index))
        self.array[index] = value


# ---------------------------------------------------------------------------------------------------- the machine


class _Allocation:
    """Memory of the device, taken until nobody refers to it."""

    def __init__(self, machine, size):
        size = -(-size // 512) * 512
        if machine.taken + size > machine.memory:
            raise OutOfMemory(f"{size} bytes of {machine.memory}, of which {machine.taken} are taken")
        machine.taken += size
        machine.peak = max(machine.peak, machine.taken)
        weakref.finalize(self, machine.give_back, size)


class OutOfMemory(MemoryError):
    """What a driver says."""


class DeviceArray:
    """What the host may do with an array on the device: take a slice, change the shape, hand it to a kernel."""

    def __init__(self, host, allocation=None):
        self.host, self.shape, self.size, self.dtype, self.flags = host, host.shape, host.size, host.dtype, host.flags
        self.allocation = allocation

    def __getitem__(self, key):
        assert isinstance(key, slice) and key.step is None, "numbers are to be downloaded together"
        return DeviceArray(self.host[key], self.allocation)

    def reshape(self, *shape):
        return DeviceArray(self.host.reshape(*shape), self.allocation)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.host, dtype)

    @property
    def __cuda_array_interface__(self):
        return self.host.__array_interface__


class Emulator:
    """In the place of `device.machine`: the host code runs on `DeviceArray` and emulated kernels.

    Parameters
    ----------
    order, without_barrier, compiled
        Of `run`; ``without_barrier`` is (kernel, line).
    memory : int
        Bytes that the device has.
    """

    def __init__(self, order="forward", *, without_barrier=None, compiled=True, memory=2**40):
        self.order, self.without_barrier, self.compiled, self.memory = order, without_barrier, compiled, memory
        self.taken = self.peak = self.waited = 0
        self.launched = {}  # kernel -> number of launches

    def launch(self, function, grid, block, args):
        self.launched[function] = self.launched.get(function, 0) + 1
        kernel, line = self.without_barrier or (None, None)
        line = line if kernel is function else None
        run(function, grid, block, self.given(args), self.order, without_barrier=line, compiled=self.compiled)

    def given(self, args):
        """Arguments as a kernel sees them; arrays of the host, and floats of Python's one size, are mistakes."""
        known = DeviceArray, int, bool, np.uint64, np.float32, np.float64
        assert all(type(a) in known for a in args), [type(a) for a in args]
        return [a.host if isinstance(a, DeviceArray) else a for a in args]

    def upload(self, array):
        return DeviceArray(array.copy(), _Allocation(self, array.nbytes))

    def download(self, array):
        return array.host.copy()

    def overwrite(self, array, values):
        assert values.dtype == array.dtype and values.shape == array.shape, (values.dtype, values.shape)
        array.host[:] = values

    def empty(self, size, dtype):
        return DeviceArray(poisoned(size, dtype), _Allocation(self, size * np.dtype(dtype).itemsize))

    def adopt(self, array):
        interface = {k: v for k, v in array.__cuda_array_interface__.items() if k != "stream"}
        return DeviceArray(np.asarray(types.SimpleNamespace(__array_interface__=interface)))

    def wait(self):
        self.waited += 1

    def give_back(self, size):
        self.taken -= size

    def free_memory(self):
        return self.memory - self.taken
