"""Locks that a fork waits for, so that a new process never finds one of them taken.

A forked process has only one thread, and copies of all locks as they are at that moment.  If another thread held a
lock, nobody in the new process would ever give it back.  So a fork first takes the locks that are listed here, in their
order, and afterwards both processes give them back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar


class _Lock(Protocol):
    def acquire(self) -> object: ...
    def release(self) -> object: ...


L = TypeVar("L", bound=_Lock)
_locks: list[_Lock] = [threading.RLock()]  # the first one lets only one thread fork at a time


class _Held(threading.local):
    """The locks that this thread has taken for a fork: when it has given back the first, another thread takes them."""

    def __init__(self) -> None:
        self.locks: list[_Lock] = []


_held = _Held()


def wait_for(lock: L) -> L:
    """Return the lock, after adding it to those that every fork waits for.

    It must be one that a thread can take twice, since the thread that forks may hold it already.  A thread that holds
    it may take locks that were added later, but none that were added before.
    """
    _locks.append(lock)
    return lock


def afterwards(function: Callable[[], None]) -> None:
    """Call ``function()`` in every process that is forked, when it holds no lock any more."""
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=function)


def _take() -> None:
    for lock in _locks:
        lock.acquire()
        _held.locks.append(lock)


def _give_back() -> None:
    while _held.locks:
        _held.locks.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_give_back, after_in_child=_give_back)
