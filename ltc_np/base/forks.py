"""What a fork waits for.

A new process that is forked has one thread, that of the fork, and copies of all locks as they are at that moment.  What
another thread holds then, nobody in the new process would give back.  So a fork takes the locks that stand here first,
in their order, and both processes give them back.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class _Lock(Protocol):
    def acquire(self) -> object: ...
    def release(self) -> object: ...


L = TypeVar("L", bound=_Lock)
_locks: list[_Lock] = [threading.RLock()]  # the first is of forks themselves: several threads may fork
_held: list[_Lock] = []


def wait_for(lock: L) -> L:
    """The lock, which no fork cuts off from now on.

    One that can be taken twice by its thread: the thread of the fork may hold it.  Whoever holds it may take those that
    come later here, and none that came before.
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
        _held.append(lock)


def _give_back() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_give_back, after_in_child=_give_back)
