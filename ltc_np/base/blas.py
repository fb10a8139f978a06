"""The threads of NumPy's BLAS.

Matrix cells cut a batch into blocks of sequences and share them among this library's own threads.  OpenBLAS starts
threads of its own from products of about 10^6 multiplications on, lets only one caller have them at a time, and may
add in another order with them.  So while blocks are worked on it is told to use one; where NumPy comes with another
BLAS, or on Windows, nothing is done.
"""

import contextlib
import ctypes
import threading

import numpy as np

from . import forks, threads

# Rows of a product that one thread takes at a time, and multiplications (about 0.2 ms) from which others help.
ROWS, PARALLEL_PRODUCTS = 256, 10_000_000
# Multiplications of a product that OpenBLAS shares with none of its threads in any case: its own limits are 9,216 for a
# vector and 262,144 for matrices.
SERIAL_PRODUCTS = 8_192

_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")
_lock = forks.wait_for(threading.RLock())
_state = {"users": 0, "threads": 1}


def _functions():
    """Of NumPy's OpenBLAS: get and set the number of threads, and what names its kernels; None for another BLAS."""
    try:
        from numpy._core import _multiarray_umath as module
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as module
    try:
        library = ctypes.CDLL(module.__file__)  # a search for a name goes on to the libraries this one needs
    except (OSError, TypeError, AttributeError):
        return None
    for name in _NAMES:
        with contextlib.suppress(AttributeError):
            return tuple(library[name.format(what)] for what in ("get_num_threads", "set_num_threads", "get_corename"))
    return None


_openblas = _functions()


def _without_users():
    """Nobody in a new process is inside `one_thread`."""
    if _state["users"] and _state["threads"] > 1:
        _openblas[1](_state["threads"])
    _state["users"] = 0


forks.afterwards(_without_users)


@contextlib.contextmanager
def one_thread():
    """The time in which products run on the thread that asks for them; may be entered by several threads at once."""
    if _openblas is None:
        yield
        return
    get, set_, _ = _openblas
    with _lock:
        if _state["users"] == 0:
            _state["threads"] = get()
            if _state["threads"] > 1:
                set_(1)
        _state["users"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["users"] -= 1
            if _state["users"] == 0 and _state["threads"] > 1:
                set_(_state["threads"])


def kernels_in_use():
    """The processor that OpenBLAS has taken its kernels for, such as "SkylakeX"; None for another BLAS."""
    if _openblas is None:
        return None
    name = _openblas[2]
    name.restype = ctypes.c_char_p
    return name().decode()


def product(a, b):
    """a @ b of matrices, rows of it shared among this library's threads; how they are cut does not depend on those."""
    if a.shape[0] <= ROWS and a.size * b.shape[1] <= SERIAL_PRODUCTS:
        return np.dot(a, b)
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    blocks = -(-a.shape[0] // ROWS)

    def run(first, last, worker):
        for k in range(first, last):
            rows = slice(k * ROWS, (k + 1) * ROWS)
            np.dot(a[rows], b, out=out[rows])

    with one_thread():
        threads.run(run, blocks, threads.share(blocks, a.size * b.shape[1] > PARALLEL_PRODUCTS))
    return out
