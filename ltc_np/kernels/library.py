"""Kernels that come compiled: a shared library for each level of processors, called without Numba.

``python -m ltc_np build-kernels`` (`ltc_np.kernels.aot`) writes the libraries and a manifest into `FOLDER`.  One is
loaded only from there, only if it was made of the very sources that lie beside it, and only after its checksum was
compared.

A library has one function for each kernel.  It takes the tuple of a call's arguments, compares their types with those
that it has code for, reads the addresses, sizes and numbers itself, releases the GIL, and runs the code: less than a
microsecond, where `ctypes` would need twenty to turn every size and stride into a word.  What it has to know about
Python is written into its table ``ltc_np_python`` when it is loaded: the addresses of some functions of Python's
stable interface, and where an array has its address and sizes, which NumPy's binary interface fixes.
"""

import contextlib
import ctypes
import functools
import hashlib
import json
import os
import pathlib
import pickletools
import platform
import sys
from typing import NamedTuple

import numpy as np

from ..base import checks
from .sources import library_hash

FOLDER = pathlib.Path(__file__).parent / "libraries"
MANIFEST = "manifest.json"
VARIABLE = "LTC_NP_KERNELS"

_V3 = "avx avx2 bmi1 bmi2 f16c fma abm movbe cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
# What Linux calls the features of a level of the x86-64 psABI; the best level first.
LEVELS = {
    "x86-64-v4": f"{_V3} avx512f avx512bw avx512cd avx512dq avx512vl",
    "x86-64-v3": _V3,
}
CHOICES = ("auto", "library", *LEVELS, "numba", "numpy")

# What ``ltc_np_python`` has, in this order: addresses of functions, and then what Python and NumPy say at run time.
PYTHON_FUNCTIONS = (
    "PyTuple_Size",
    "PyTuple_GetItem",
    "PyLong_AsLongLong",
    "PyFloat_AsDouble",
    "PyErr_Occurred",
    "PyErr_Clear",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
)
HEAD_SIZE, ARRAY_TYPE, NONE = "bytes of an object's head", "numpy.ndarray", "None"
TABLE = (*PYTHON_FUNCTIONS, HEAD_SIZE, ARRAY_TYPE, NONE)
# What a function of a library returns: this, or 0, or the address of what Numba tells about an exception.
NO_CODE = 1


@functools.cache
def choice():
    """What the environment variable says at the first call: one of `CHOICES`."""
    word = os.environ.get(VARIABLE) or "auto"
    if word not in CHOICES:
        raise ValueError(f"the environment variable {VARIABLE} must be one of {', '.join(CHOICES)}, got {word!r}")
    return word


ABSENT = "this installation has none"


class _Unusable(Exception):
    """Why no library is used, in a few words."""


class Library(NamedTuple):
    """A library that is loaded: its level, its path, and what `ctypes` made of it."""

    level: str
    path: pathlib.Path
    functions: ctypes.PyDLL


@functools.cache
def _found():
    """(the library, None), or (None, why there is none)."""
    word = choice()
    if word in ("numba", "numpy"):
        return None, f"{VARIABLE} is {word}"
    try:
        return _load(tuple(LEVELS) if word in ("auto", "library") else (word,)), None
    except _Unusable as error:
        return None, str(error)
    except (OSError, ValueError, AttributeError, MemoryError) as error:  # the system refuses, or a function is missing
        return None, checks.one_line(error)


def has_levels():
    """Whether this Python and this machine are of the kind that libraries are made for."""
    machine = sys.platform, platform.machine(), sys.implementation.name
    return machine == ("linux", "x86_64", "cpython")


def chosen():
    """The `Library` of this process, decided at the first call; None if there is none."""
    return _found()[0]


def why_not():
    """Why `chosen` is None, in a few words."""
    return _found()[1]


def _load(levels):
    try:
        content = (FOLDER / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise _Unusable(ABSENT) from None
    if not has_levels():
        raise _Unusable("they are for CPython on Linux and x86-64")
    sources, checksums = _read(content)
    if sources != library_hash():
        raise _Unusable("they were made of other sources; `python -m ltc_np build-kernels` makes them anew")
    there, features = [k for k in levels if k in checksums], _features()
    if not there:
        raise _Unusable(f"this installation has none for {' or '.join(levels)}")
    fitting = [k for k in there if features.issuperset(LEVELS[k].split())]
    if not fitting:
        raise _Unusable(f"this processor has not the features of {' or '.join(there)}")
    path = FOLDER / f"{fitting[0]}.so"
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksums[fitting[0]]:
        raise _Unusable(f"{path.name} is damaged: its checksum does not match")
    functions = ctypes.PyDLL(str(path))
    _introduce(functions)
    return Library(fitting[0], path, functions)


def _read(content):
    """What a manifest says: the hash of the sources, and the checksum of each library by its level."""
    try:
        manifest = json.loads(content)
        return manifest["sources"], dict(manifest["libraries"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _Unusable(f"{MANIFEST} is damaged") from None


def _features():
    """The features of the first processor, by the names of Linux, which knows what it has switched off itself."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    return set()


def _introduce(functions):
    """Fill in the table of what the library has to know about Python, and try it on a call."""
    words = {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in PYTHON_FUNCTIONS}
    words |= {HEAD_SIZE: object.__basicsize__, ARRAY_TYPE: id(np.ndarray), NONE: id(None)}
    (ctypes.c_int64 * len(TABLE)).in_dll(functions, "ltc_np_python")[:] = [words[name] for name in TABLE]
    probe = functions.ltc_np_probe
    probe.restype, probe.argtypes = ctypes.c_int64, (ctypes.py_object,)
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    if probe((array, (7, 0.5), None)) != array.ctypes.data + 2 + 3 + 7 or array[1, 2] != 0.5:
        raise _Unusable("arrays of this Python and NumPy are laid out in another way")


class Function:
    """A kernel of the library, called like the function of Python that it was made of."""

    def __init__(self, entry, function):
        entry.restype, entry.argtypes = ctypes.c_int64, (ctypes.py_object,)
        self._entry, self.py_func = entry, function
        functools.update_wrapper(self, function)

    def __call__(self, *args):
        result = self._entry(args)
        if result:
            self._explain(result, args)

    def _explain(self, result, args):
        if result == NO_CODE:
            plain = _plain(args)
            result = self._entry(plain)
            _nothing_was_written(plain, args)
            if result == 0:
                return
        name = self.py_func.__qualname__
        if result == NO_CODE:
            raise TypeError(
                f"the compiled kernel `{name}` has no code for arguments of these types: {_types(args)}; please report "
                f"it, and set {VARIABLE}=numba or {VARIABLE}=numpy meanwhile"
            )
        raise ValueError(_message(result) or f"the kernel `{name}` refused its arguments")


def _plain(args):
    """Arguments with plain arrays: no `numpy.memmap` nor another class, and copies of those that are not `_usable`."""
    return tuple(_plain(a) if isinstance(a, tuple) else _plain_array(a) for a in args)


def _plain_array(value):
    if not isinstance(value, np.ndarray):
        return value
    return np.asarray(value) if _usable(value) else np.array(value)


def _usable(array):
    """Whether compiled kernels can read and write an array where it is."""
    return array.flags.writeable and array.flags.aligned


def _nothing_was_written(plain, args):
    """Refuse a call that has written to the copy of an array."""
    for copy, given in zip(plain, args, strict=True):
        if isinstance(given, tuple):
            _nothing_was_written(copy, given)
        elif isinstance(given, np.ndarray) and not _usable(given) and copy.tobytes() != given.tobytes():
            raise ValueError("a kernel cannot write to an array that is read-only or not aligned")


def _types(args):
    parts = (
        _types(a) if isinstance(a, tuple) else f"{a.dtype}{list(a.shape)}" if isinstance(a, np.ndarray) else repr(a)
        for a in args
    )
    return f"({', '.join(parts)})"


def _message(address):
    """The words of an exception, from what Numba keeps of it: an address and a size, of a pickle with a text inside.

    It is looked through and not loaded.
    """
    kept, size = ctypes.c_void_p.from_address(address).value, ctypes.c_int32.from_address(address + 8).value
    texts = [text for _, text, _ in pickletools.genops(ctypes.string_at(kept, size)) if isinstance(text, str)]
    return next((text for text in texts if "must be" in text), None)


def symbol(function):
    """What a kernel is called in a library: its module's name and its own."""
    own = function.__qualname__
    return own if "." in own else f"{function.__module__.rpartition('.')[2]}.{own}"


def kernel(function):
    """The machine code for this function, which must be one of the package: names of others may be the same."""
    name, own = symbol(function), function.__module__.partition(".")[0] == __name__.partition(".")[0]
    entry = getattr(chosen().functions, name, None) if own else None
    if entry is None:
        raise ImportError(
            f"the compiled kernels of this package have no `{name}` of {function.__module__}; set {VARIABLE}=numba, "
            "which compiles kernels of your own too"
        )
    return Function(entry, function)


def helper(function):
    """The function as it is: only kernels call it, and they have its code."""
    return function


def inlined(function):
    """The same."""
    return function


def intrinsic(function):
    """The same."""
    return function


def table(function):
    """The function as it is, for callers in Python."""
    return function


def announce(function):
    """Nothing is compiled, so ``function`` is never called."""
    return contextlib.nullcontext()
