"""Libraries of compiled kernels for tests: a real one with a few kernels, and files that only look like one."""

import hashlib
import importlib
import json
import shutil
import sys
from functools import partial

import pytest

from ltc_np.kernels import library
from ltc_np.kernels.sources import library_hash
from support.backends import NO_CARD

# Quick to compile; together they take every kind of argument but None.
KERNELS = ("cfc.activate", "lrc._pack", "rate.multiply_add_chains", "sgd.change", "sgd.step")


def body(kernel):
    """The function of Python that a kernel was made of, by Numba or for a library."""
    return kernel.py_func if hasattr(kernel, "py_func") else kernel.__self__.py_func


def manifest(contents, /, **changed):
    """The manifest of the content of libraries by their level, as bytes; what is ``changed`` is so for each of them."""
    entries = {
        level: {"sources": library_hash(), "sha256": hashlib.sha256(content).hexdigest()} | changed
        for level, content in contents.items()
    }
    return json.dumps({"libraries": entries}, indent=2).encode()


def write(folder, libraries):
    """The files of an installation."""
    for level, content in libraries.items():
        (folder / f"{level}.so").write_bytes(content)
    (folder / library.MANIFEST).write_bytes(manifest(libraries))


def real(folder):
    """Fill the folder with a library of `KERNELS` at least for this processor: that of this installation, or a new one.

    A test that asks for it is skipped, with the reason, where there is neither.
    """
    if library.chosen() is not None:
        write(folder, {library.chosen().level: library.chosen().path.read_bytes()})
        return
    levels = [k for k in library.LEVELS if library._features().issuperset(library.LEVELS[k].split())]
    linker = shutil.which("cc")
    if sys.platform != "linux" or not levels:
        pytest.skip("compiled kernels are for Linux, and for processors from x86-64-v3 on")
    if NO_CARD or linker is None:
        pytest.skip("this installation has no compiled kernels, and no Numba or no C compiler called cc to make some")
    command = importlib.import_module("ltc_np.kernels.aot.command")
    command.build(levels[:1], folder, linker, partial(print, file=sys.stderr), KERNELS)
