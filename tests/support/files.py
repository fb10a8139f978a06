"""Model files that are edited or damaged on purpose, what `load` may make of them, and places that take no files."""

import contextlib
import json
import os
import pathlib
import shutil
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
def rights_count(path):
    """A time in which nobody may write to a path that is protected: root, who may everywhere, becomes nobody."""
    if not hasattr(os, "seteuid"):
        pytest.skip("other rights than POSIX's")
    user = os.geteuid()
    if os.access(path, os.W_OK):
        try:
            os.seteuid(65534)
        except PermissionError:
            pytest.skip("root may write everywhere here, and may not become another user")
    try:
        yield
    finally:
        os.seteuid(user)


@contextlib.contextmanager
def read_only_folder():
    """A folder where nobody may write."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    try:
        with rights_count(folder):
            yield folder
    finally:
        folder.chmod(0o755)
        folder.rmdir()


def copy_folder(source, target):
    """A copy that can be written to, as the checkout may not, without what was compiled; its path."""
    without = shutil.ignore_patterns("__pycache__", "libraries")
    shutil.copytree(source, target, ignore=without, copy_function=shutil.copyfile)
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o755)
    return target
