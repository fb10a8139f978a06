"""The files that machine code of the CPU's kernels is made of, and their hashes: code of other sources is never run."""

import functools
import hashlib
import os
import pathlib

_HERE = pathlib.Path(__file__).parent


def _modules(folder):
    """The files that Python can import from a folder, without those that editors and others keep beside them."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(".py") and entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):  # in a zip file
        return []
    return [folder / name for name in sorted(names) if name.removesuffix(".py").isidentifier()]


# Kernels take coefficients, numbers and formulas from the single files.
SOURCES = [
    *_modules(_HERE / "cpu"),
    _HERE.parent / "base/activations.py",
    _HERE.parent / "base/blas.py",
    _HERE.parent / "base/layout.py",
    _HERE.parent / "base/polynomials.py",
    _HERE / "codes.py",
    _HERE / "losses.py",
    _HERE / "numpy/linoss.py",
    _HERE / "numpy/ssm.py",
]
# Of a library of compiled kernels: also who writes its functions, and who calls them.
LIBRARY_SOURCES = [
    *SOURCES,
    _HERE / "calls.py",
    _HERE / "library.py",
    _HERE / "signatures.py",
    *_modules(_HERE / "aot"),
]


@functools.cache
def source_hash():
    """SHA-256 of the names and the content of `SOURCES`, as hexadecimal digits."""
    return _hash(SOURCES)


@functools.cache
def library_hash():
    """The same of `LIBRARY_SOURCES`."""
    _first_stamps()  # before the files are read, so that what is changed meanwhile is noticed
    return _hash(LIBRARY_SOURCES)


def library_sources_changed():
    """Whether one of `LIBRARY_SOURCES` is not what `library_hash` has read; one that was only touched is the same."""
    stamps = _stamps(LIBRARY_SOURCES)
    return stamps != _first_stamps() and (stamps is None or _hash(LIBRARY_SOURCES) != library_hash())


class Missing(OSError):
    """A source is not there as a file: the package lies in a zip file, or has compiled modules only."""


def _hash(paths):
    try:
        return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(
            f"the sources of the kernels must be files, to compare machine code with them, and {error.filename} is not "
            "there; install the package as a folder with its .py files"
        ) from None


@functools.cache
def _first_stamps():
    return _stamps(LIBRARY_SOURCES)


def _stamps(paths):
    """What the system says of files, and says differently when somebody writes to one; None if one is not there."""
    try:
        return [(told.st_mtime_ns, told.st_ctime_ns, told.st_size) for told in map(os.stat, paths)]
    except FileNotFoundError:
        return None
