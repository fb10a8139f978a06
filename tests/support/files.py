"""Model files that are edited or damaged on purpose, what `load` may make of them, and places that take no files."""

import contextlib
import json
import os
import pathlib
import tempfile
import tracemalloc

import numpy as np
import pytest

from ltc_np import load

MOST_WORDS = 300  # of an error, behind the path


def edited(source, target, change):
    """``target`` is ``source`` after ``change(meta, content)``: the description and the arrays; without a digest."""
    with np.load(source) as file:
        content = dict(file)
    del content["digest"]
    meta = json.loads(str(content["meta"]))
    change(meta, content)
    content["meta"] = np.array(json.dumps(meta))
    with open(target, "wb") as file:
        np.savez(file, **content)


def attempt(path, backend="numpy", optimizer=None):
    """The model of a file, or None after an error, which must be the one that users are promised."""
    try:
        return load(path, backend, optimizer)
    except ValueError as error:
        words = str(error)
        assert words.startswith(f"{path}: "), words
        assert "\n" not in words, words
        assert len(words) <= len(str(path)) + MOST_WORDS, words
        return None


@contextlib.contextmanager
def memory():
    """Measures: calling what it gives returns the most bytes that were held at once since the call before."""
    tracemalloc.start()
    base = tracemalloc.get_traced_memory()[0]

    def most():
        nonlocal base
        peak = tracemalloc.get_traced_memory()[1] - base
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]
        return peak

    try:
        yield most
    finally:
        tracemalloc.stop()


@contextlib.contextmanager
def full_disk(free):
    """No file can become larger than so many bytes."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def read_only_folder():
    """A folder where nobody may write; root, who may everywhere, becomes nobody."""
    if not hasattr(os, "seteuid"):
        pytest.skip("other rights than POSIX's")
    folder, user = pathlib.Path(tempfile.mkdtemp()), os.geteuid()
    folder.chmod(0o555)
    try:
        if user == 0:
            os.seteuid(65534)
        yield folder
    finally:
        if user == 0:
            os.seteuid(0)
        folder.chmod(0o755)
        folder.rmdir()
