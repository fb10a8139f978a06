"""Kernels that come compiled: a shared library for each level of processors, called without Numba.

``python -m ltc_np build-kernels`` (`ltc_np.kernels.aot`) writes the libraries and a manifest into `FOLDER`.  One is
loaded only from there, only if it was made of the very sources that lie beside it, and only after its checksum was
compared.  The manifest says both of each level, so levels can be built one after the other.  How its kernels are called
is told in `calls`.
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

from ..base import checks, files
from . import calls
from .signatures import of_address
from .sources import Missing, library_hash, library_sources_changed

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


class Unusable(Exception):
    """Why no library is used, in a few words."""


class Library(NamedTuple):
    """A library that is loaded: its level, its path, and what `ctypes` made of it.

    ``passed_over`` has the better levels that this processor could run, with the reason why they are not used.
    """

    level: str
    path: pathlib.Path
    functions: ctypes.PyDLL
    passed_over: str | None = None


@functools.cache
def _found():
    """(the library, None), or (None, why there is none)."""
    word = choice()
    if word in ("numba", "numpy"):
        return None, f"{VARIABLE} is {word}"
    try:
        return _load(tuple(LEVELS) if word in ("auto", "library") else (word,)), None
    except _REASONS as error:
        return None, _in_words(error)


# Why a library is not used: `Unusable`, or the system refuses something, or a function is missing.
_REASONS = (Unusable, OSError, ValueError, AttributeError, MemoryError)


def _in_words(error):
    return str(error) if isinstance(error, (Unusable, Missing)) else checks.one_line(error)


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
    """The `Library` of the first of these levels that can be used."""
    entries = read_manifest(FOLDER)
    if entries is None:
        raise Unusable(ABSENT)
    if not has_levels():
        raise Unusable("they are for CPython on Linux and x86-64")
    there = [k for k in levels if k in entries]
    if not there:
        raise Unusable(f"this installation has none for {' or '.join(levels)}")
    features = _features()
    fitting = [k for k in there if features.issuperset(LEVELS[k].split())]
    if not fitting:
        raise Unusable(f"this processor has not the features of {' or '.join(there)}")
    faults = {}
    for level in fitting:
        path = FOLDER / f"{level}.so"
        try:
            functions = _functions(path, entries[level])
        except _REASONS as error:
            faults[level] = _in_words(error)
        else:
            return Library(level, path, functions, ", ".join(f"{k} ({why})" for k, why in faults.items()) or None)
    raise Unusable("; ".join(dict.fromkeys(faults.values())))


def _functions(path, entry):
    """What `ctypes` makes of a library that is what the manifest says of it."""
    if entry["sources"] != library_hash():
        raise Unusable("they were made of other sources; `python -m ltc_np build-kernels` makes them anew")
    if hashlib.sha256(_content(path)).hexdigest() != entry["sha256"]:
        raise Unusable(f"{path.name} is damaged: its checksum does not match")
    if _older_one_is_loaded(path):
        raise Unusable(f"this process has loaded an older {path.name} before: start a new one")
    functions = ctypes.PyDLL(str(path))
    if not calls.introduce(functions):
        raise Unusable("arrays of this Python and NumPy are laid out in another way")
    return functions


def read_manifest(folder):
    """What a folder's manifest says of each level: a dict with ``"sources"``, their hash, and ``"sha256"``.

    None if there is no manifest; `Unusable` if it is damaged.
    """
    try:
        entries = json.loads(_content(folder / MANIFEST))["libraries"]
        return {level: _entry(of_level) for level, of_level in entries.items()}
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise Unusable("the package lies in a file, and libraries must lie in a folder: unpack it") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Unusable(f"{MANIFEST} is damaged") from None


def _entry(of_level):
    if isinstance(of_level, str):  # as it was when all levels had to be of the same sources
        return {"sources": None, "sha256": of_level}
    if not {"sources", "sha256"} <= of_level.keys():
        raise LookupError
    return of_level


def _content(path):
    """The bytes of a file; an OSError for a pipe, which may never send any, as for a file that is missing."""
    files.check_readable(path, path.name)
    return path.read_bytes()


def _older_one_is_loaded(path):
    """Whether this process has loaded a file of this name that is no longer there: the loader would give it again.

    That is so where a library was built anew, and all modules of the package were imported anew.
    """
    try:
        ctypes.PyDLL(str(path), mode=os.RTLD_NOLOAD)
    except OSError:
        return False  # nothing of this name is loaded
    gone = f" {os.path.realpath(path)} (deleted)\n"  # as Linux names what is mapped
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        return any(line.endswith(gone) for line in lines)


def _features():
    """The features of the first processor, by the names of Linux, which knows what it has switched off itself."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("flags"):
                    return set(line.partition(":")[2].split())
    except OSError as error:
        raise Unusable(f"the features of this processor cannot be read: {checks.one_line(error)}") from None
    return set()


def symbol(function):
    """What a kernel is called in a library: its module's name and its own."""
    own = function.__qualname__
    return own if "." in own else f"{function.__module__.rpartition('.')[2]}.{own}"


def kernel(function):
    """The machine code for this function, which must be one of the package: names of others may be the same."""
    name, own = symbol(function), function.__module__.partition(".")[0] == __name__.partition(".")[0]
    if own and library_sources_changed():
        raise ImportError(
            "the sources of the kernels have changed since this process has loaded the machine code that was made of "
            f"them: start a new process; while you work on kernels, set {VARIABLE}=numba"
        )
    entry = getattr(chosen().functions, name, None) if own else None
    if entry is None:
        raise ImportError(
            f"the compiled kernels of this package have no `{name}` of {function.__module__}; set {VARIABLE}=numba, "
            "which compiles kernels of your own too"
        )
    return calls.function(name, entry, function)


@functools.cache
def _telling(name):
    """The function of a library that tells where the code of a kernel lies."""
    own = of_address(name)
    return calls.function(own, getattr(chosen().functions, own), _telling)


def address(kernel, args):
    """Where the machine code lies that a kernel has for these arguments; see `ltc_np.kernels.cpu.native`."""
    return _telling(kernel.__self__.name)(*args)


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
