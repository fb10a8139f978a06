"""One pool of Python threads for the whole library.

Kernels and BLAS release the GIL, so plain threads run them side by side.  That takes some tens of microseconds more
per call than an OpenMP region, and is worth it: nothing is compiled twice, it works from any thread and after a fork,
and matrix cells use the same pool.  How work is cut never depends on the number of threads, only who does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import threading
from queue import SimpleQueue
from typing import Any

from . import checks
from .calls import explained

_state: dict[str, Any] = {"threads": None, "workers": []}
_lock = threading.Lock()


def _after_fork() -> None:
    """Threads do not survive a fork, and the lock may have been held by one of them."""
    global _lock
    _lock = threading.Lock()
    _state["workers"] = []


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def available() -> int:
    """Cores that this process may use, at most ``NUMBA_NUM_THREADS``."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    value = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(cores, int(value)) if value.isdigit() and int(value) > 0 else cores


def get_num_threads() -> int:
    """Threads that large calls use: the cores of this process, or ``NUMBA_NUM_THREADS`` if that is less."""
    return _state["threads"] or available()


@explained
def set_num_threads(n: int | None) -> None:
    """Use ``n`` threads from now on; results have the same bits for every n.

    Parameters
    ----------
    n : int >= 1, or None for the default
    """
    n = None if n is None else checks.integer("n", n)
    with _lock:
        _state["threads"] = n


class _Job:
    """Pieces of work that several threads take in turn."""

    def __init__(self, function, count, n):
        pieces = min(count, 4 * n)
        self.function, self.n_pieces = function, pieces
        self.cuts = [count * k // pieces for k in range(pieces + 1)]
        self._tickets = itertools.count()  # next() of it is atomic
        self.done = SimpleQueue()  # of pieces that others have done: None or an error

    def take(self):
        """The number of a piece that nobody else has taken, or None."""
        piece = next(self._tickets)
        return piece if piece < self.n_pieces else None

    def work(self, piece, worker):
        self.function(self.cuts[piece], self.cuts[piece + 1], worker)


class _Worker(threading.Thread):
    """A thread that helps with jobs, one after another."""

    def __init__(self, k):
        super().__init__(name=f"ltc_np-{k}", daemon=True)
        self.k, self.inbox = k, SimpleQueue()
        self.start()

    def run(self):
        while True:
            job, cores = self.inbox.get()
            if cores is not None:
                _bind(0, cores)  # placed is placed; from here on the scheduler may do as it likes
            while (piece := job.take()) is not None:
                try:
                    job.work(piece, self.k)
                except BaseException as error:  # handed to the caller, who raises it
                    job.done.put(error)
                else:
                    job.done.put(None)
            job = None  # a sleeping worker keeps nothing alive


def _workers(n):
    with _lock:
        workers = _state["workers"]
        workers += [_Worker(k) for k in range(len(workers) + 1, n + 1)]
        return workers[:n]


try:
    _current_core = ctypes.CDLL(None).sched_getcpu
except (AttributeError, OSError, TypeError):  # not Linux
    _current_core = None


def _bind(thread, cores):
    with contextlib.suppress(OSError):  # the cores of the process may just have changed
        os.sched_setaffinity(thread, cores)


def _places(n):
    """(cores of this process, n of them other than the one this thread runs on), or None where that is unknown.

    A sleeping thread is often woken on the core of the thread that wakes it, although another is idle, and stays there
    for several steps.
    """
    if _current_core is None:
        return None
    cores = os.sched_getaffinity(0)
    others = sorted(cores - {_current_core()})
    return (cores, others[:n]) if len(others) >= n else None


def share(count, parallel):
    """Threads among which `run` should share ``count`` pieces of work."""
    return min(get_num_threads(), count) if parallel else 1


def run(function, count, n):
    """Call ``function(first, last, worker)`` on ranges that cover 0..count-1, up to n at a time.

    ``worker`` is the number of the thread, 0..n-1.  Nobody waits for a thread that has not begun: on a busy machine the
    caller does its share.
    """
    if n <= 1:
        function(0, count, 0)
        return
    job, places = _Job(function, count, n), _places(n - 1)
    for k, worker in enumerate(_workers(n - 1)):
        if places is not None:
            _bind(worker.native_id, places[1][k : k + 1])
        worker.inbox.put((job, None if places is None else places[0]))
    others, errors = job.n_pieces, []
    while (piece := job.take()) is not None:
        others -= 1
        if not errors:  # after an error the rest is taken and left
            try:
                job.work(piece, 0)
            except BaseException as error:
                errors.append(error)
    # Nobody may still be writing to the caller's arrays.
    errors += [error for error in (job.done.get() for _ in range(others)) if error is not None]
    if errors:
        raise errors[0]
