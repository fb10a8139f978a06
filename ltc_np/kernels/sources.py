"""The files that machine code of the CPU's kernels is made of, and their hash: code of other sources is never run."""

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


@functools.cache
def source_hash():
    """SHA-256 of the names and the content of `SOURCES`, as hexadecimal digits."""
    return hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in SOURCES)).hexdigest()
