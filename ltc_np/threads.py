"""One pool of Python threads for the whole library.

Kernels and BLAS release the GIL, so plain threads run them side by side.  That takes some tens of microseconds more
per call than an OpenMP region, and is worth it: nothing is compiled twice, it works from any thread and after a fork,
and matrix cells use the same pool.  How work is cut never depends on the number of threads, only who does it.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

_state = {"threads": None, "pool": None, "workers": 0}
_lock = threading.Lock()


def _after_fork():
    """Threads do not survive a fork, and the lock may have been held by one of them."""
    global _lock
    _lock = threading.Lock()
    _state["pool"] = None


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def available():
    """Cores of this process, or ``NUMBA_NUM_THREADS`` if that is less."""
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


def _pool(n):
    with _lock:
        pool = _state["pool"]
        if pool is None or _state["workers"] < n - 1:
            pool = _state["pool"] = ThreadPoolExecutor(n - 1, thread_name_prefix="ltc_np")
            _state["workers"] = n - 1
        return pool


def share(count, parallel):
    """Threads among which `run` should share ``count`` pieces of work."""
    return min(get_num_threads(), count) if parallel else 1


def run(function, count, n):
    """Call ``function(first, last, worker)`` on n ranges that cover 0..count-1, each on a thread of its own."""
    if n <= 1:
        function(0, count, 0)
        return
    cuts = [count * k // n for k in range(n + 1)]
    futures = [_pool(n).submit(function, cuts[k], cuts[k + 1], k) for k in range(1, n)]
    function(0, cuts[1], 0)
    for future in futures:
        future.result()
