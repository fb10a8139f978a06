"""The files that machine code of the CPU's kernels is made of, and their hashes: code of other sources is never run."""

import functools
import hashlib
import pathlib

_HERE = pathlib.Path(__file__).parent
# The last four for their coefficients and numbers.
SOURCES = [
    *sorted((_HERE / "cpu").glob("*.py")),
    _HERE.parent / "base/activations.py",
    _HERE.parent / "base/polynomials.py",
    _HERE / "codes.py",
    _HERE / "numpy/ssm.py",
]
# Of a library of compiled kernels: also who writes its functions, and who calls them.
LIBRARY_SOURCES = [
    *SOURCES,
    _HERE / "calls.py",
    _HERE / "library.py",
    _HERE / "signatures.py",
    *sorted((_HERE / "aot").glob("*.py")),
]


@functools.cache
def source_hash():
    """SHA-256 of the names and the content of `SOURCES`, as hexadecimal digits."""
    return _hash(SOURCES)


@functools.cache
def library_hash():
    """The same of `LIBRARY_SOURCES`."""
    return _hash(LIBRARY_SOURCES)


def _hash(paths):
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()
