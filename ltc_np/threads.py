"""One pool of Python threads for the whole library.

Kernels and BLAS release the GIL, so plain threads run them side by side.  That takes some tens of microseconds more
per call than an OpenMP region, and is worth it: nothing is compiled twice, it works from any thread and after a fork,
and matrix cells use the same pool.  How work is cut never depends on the number of threads, only who does it.
"""

import contextlib
import ctypes
import os
import threading
from queue import SimpleQueue

_state = {"threads": None, "workers": []}
_lock = threading.Lock()


def _after_fork():
    """Threads do not survive a fork, and the lock may have been held by one of them."""
    global _lock
    _lock = threading.Lock()
    _state["workers"] = []


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def available():
    """Cores that this process may use, at most ``NUMBA_NUM_THREADS``."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    value = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(cores, int(value)) if value.isdigit() and int(value) > 0 else cores


def get_num_threads():
    """Threads that large calls use: the cores of this process, or ``NUMBA_NUM_THREADS`` if that is less."""
    return _state["threads"] or available()


def set_num_threads(n):
    """Use ``n`` threads from now on; results have the same bits for every n.

    Parameters
    ----------
    n : int >= 1, or None for the default
    """
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise ValueError(f"`n` must be an int >= 1 or None, got {n!r}")
    with _lock:
        _state["threads"] = n


class _Worker(threading.Thread):
    """A thread that calls what it is handed, one thing after another."""

    def __init__(self, k):
        super().__init__(name=f"ltc_np-{k}", daemon=True)
        self.inbox = SimpleQueue()
        self.start()

    def run(self):
        while True:
            function, first, last, k, cores, done = self.inbox.get()
            if cores is not None:
                _bind(0, cores)  # placed is placed; from here on the scheduler may do as it likes
            try:
                function(first, last, k)
            except BaseException as error:  # handed to the caller, who raises it
                done.put(error)
            else:
                done.put(None)
            function = done = None  # a sleeping worker keeps nothing alive


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
    """Call ``function(first, last, worker)`` on n ranges that cover 0..count-1, each on a thread of its own."""
    if n <= 1:
        function(0, count, 0)
        return
    cuts = [count * k // n for k in range(n + 1)]
    places, done = _places(n - 1), SimpleQueue()
    for k, worker in enumerate(_workers(n - 1), 1):
        cores = None
        if places is not None:
            cores = places[0]
            _bind(worker.native_id, places[1][k - 1 : k])
        worker.inbox.put((function, cuts[k], cuts[k + 1], k, cores, done))
    errors = []
    try:
        function(0, cuts[1], 0)
    finally:  # nobody may still be writing to the caller's arrays
        errors += [error for error in (done.get() for _ in range(n - 1)) if error is not None]
    if errors:
        raise errors[0]
