"""One pool of Python threads for the whole library.

Kernels and BLAS release the GIL, so plain threads run them side by side.  That takes some tens of microseconds more
per call than an OpenMP region, and is worth it: nothing is compiled twice, it works from any thread and after a fork,
and matrix cells use the same pool.  How work is cut never depends on the number of threads, only who does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

from . import checks, forks
from .calls import with_signature_hints

# Jobs that may wait for one worker.  So many can come while it is busy with a long piece of another caller.
BACKLOG = 100

_state: dict[str, Any] = {"threads": None, "workers": []}
_lock = forks.wait_for(threading.RLock())


def _without_workers():
    _state["workers"] = []  # threads do not survive a fork


forks.afterwards(_without_workers)


def available() -> int:
    """Cores that this process may use, at most ``NUMBA_NUM_THREADS``.

    One variable sets the threads of this library and of a user's own functions in Numba, so it is read whether Numba is
    there or not.  A value that is no number of threads is left to Numba, which refuses it.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    value = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(cores, int(value)) if value.isdigit() and int(value) > 0 else cores


def get_num_threads() -> int:
    """Threads that large calls use: the cores of this process, or ``NUMBA_NUM_THREADS`` if that is less."""
    return _state["threads"] or available()


@with_signature_hints
def set_num_threads(n: int | None) -> None:
    """Use ``n`` threads from now on; results have the same bits for every n.

    Parameters
    ----------
    n : int >= 1, or None for the default
    """
    n = None if n is None else checks.integer("n", n)
    with _lock:
        _state["threads"] = n


@contextlib.contextmanager
def at_most(n: int) -> Iterator[None]:
    """A context in which large calls use at most ``n`` threads, unless `set_num_threads` was called."""
    before = _state["threads"]
    if before is None:
        _state["threads"] = min(n, available())
    try:
        yield
    finally:
        _state["threads"] = before


def cores() -> tuple[str, frozenset[int]]:
    """The machine of this process, by a name that no other has, and the cores that it may use."""
    try:
        numbers = os.sched_getaffinity(0)
    except AttributeError:  # macOS, Windows
        numbers = set(range(os.cpu_count() or 1))
    return platform.node(), frozenset(numbers)


def part_of_cores(everyone: list[tuple[str, frozenset[int]]], k: int) -> int:
    """Threads for process ``k`` of several; ``everyone`` has the `cores` of each.  A core that p of them may use counts
    as 1/p.

    So processes that are bound to cores of their own use all of these cores, and the others share the machine.
    """
    machine, own = everyone[k]
    users = [each for name, each in everyone if name == machine]
    parts = sum(1 / sum(core in each for each in users) for core in own)
    return max(1, int(parts + 1e-9))  # four quarters may add up to a little less than 1


class _Job:
    """Pieces of work that several threads take in turn.  They are counted under a lock, which also works without a
    GIL."""

    def __init__(self, function, count, n):
        pieces = min(count, 4 * n)
        self._function, self._n_pieces = function, pieces
        self._cuts = [count * k // pieces for k in range(pieces + 1)]
        self._lock, self._taken, self._busy = threading.Lock(), 0, 0
        self._ended = SimpleQueue()  # wakes the caller when a helper has ended a piece
        self.errors = []

    def _take(self, helper):
        """The number of a piece that nobody else has taken, or None."""
        with self._lock:
            piece = self._taken
            if piece == self._n_pieces:
                return None
            self._taken += 1
            self._busy += helper
            return piece

    def _work(self, piece, worker):
        self._function(self._cuts[piece], self._cuts[piece + 1], worker)

    def lead(self):
        """Work on pieces in the thread of the caller, until none is left."""
        while (piece := self._take(False)) is not None:
            self._work(piece, 0)

    def help(self, worker):
        """Work on pieces in another thread, until none is left."""
        while (piece := self._take(True)) is not None:
            try:
                self._work(piece, worker)
            except BaseException as error:  # handed to the caller, who raises it
                self.errors.append(error)
                self._leave()
            finally:
                with self._lock:
                    self._busy -= 1
                self._ended.put(None)

    def _leave(self):
        """Let nobody take the pieces that are left."""
        with self._lock:
            self._taken = self._n_pieces

    def finish(self):
        """Wait until no helper is at work, since it might still write to the caller's arrays."""
        try:
            self._leave()
            while self._busy:
                self._ended.get()
        finally:
            if self._busy:  # Ctrl-C, or another handler of signals that raises
                self.finish()
            self._function = None  # it holds arrays, and this job may still lie in the inbox of a busy worker


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
            job.help(self.k)
            job = None  # a sleeping worker keeps nothing alive


def _workers(n):
    """Up to n workers.  There are fewer if the system starts no more threads, or if Python is about to end."""
    with _lock:
        workers = _state["workers"]
        with contextlib.suppress(RuntimeError):
            while len(workers) < n:
                workers.append(_Worker(len(workers) + 1))
        return workers[:n]


try:
    _current_core = ctypes.CDLL(None).sched_getcpu
except (AttributeError, OSError, TypeError):  # not Linux
    _current_core = None


def _bind(thread, cores):
    with contextlib.suppress(OSError):  # the cores of the process may just have changed
        os.sched_setaffinity(thread, cores)


def _other_cores(n):
    """(cores of this process, n of them other than the one this thread runs on), (None, []) where that is unknown.

    A sleeping thread is often woken on the core of the thread that wakes it, although another is idle, and stays there
    for several steps.
    """
    if _current_core is None:
        return None, []
    cores = os.sched_getaffinity(0)
    others = sorted(cores - {_current_core()})
    return (cores, others[:n]) if len(others) >= n else (None, [])


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
    job, (cores, others) = _Job(function, count, n), _other_cores(n - 1)
    try:
        for k, worker in enumerate(_workers(n - 1)):
            if worker.inbox.qsize() >= BACKLOG:
                continue
            if others:
                _bind(worker.native_id, others[k : k + 1])
            worker.inbox.put((job, cores))
        job.lead()
    finally:
        job.finish()
    if job.errors:
        raise job.errors[0]
