"""Kernels that come compiled: a shared library for each level of processors, called without Numba.

``python -m ltc_np build-kernels`` (`ltc_np.kernels.aot`) writes the libraries and a manifest into `FOLDER`.  One is
loaded only from there, only if it was made of the very sources that lie beside it, and only after its checksum was
compared.  How its kernels are called is told in `calls`.
"""

import contextlib
import ctypes
import functools
import hashlib
import json
import os
import pathlib
import platform
import sys
from typing import NamedTuple

from ..base import checks
from . import calls
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
    if not calls.introduce(functions):
        raise _Unusable("arrays of this Python and NumPy are laid out in another way")
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
    return calls.function(name, entry, function)


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
