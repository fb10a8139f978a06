"""How long a training will take."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator


class Clock:
    """Tells the time that is left, from the epochs done so far.

    Compiling is left out.  So is the first epoch as soon as there is a second: it loads kernels and fills caches.

    Parameters
    ----------
    epochs : int
        How many there will be.
    now : callable
        Seconds from anywhere.
    before : int
        Epochs that were done before, in another call of `fit`; displays count them too.

    Attributes
    ----------
    done : int
        Epochs that were counted.
    start, first : float
        The time at the beginning, and what the first epoch took, without compiling.
    compiling : callable
        Seconds that compiling has taken so far.
    """

    epochs: int
    now: Callable[[], float]
    before: int
    done: int
    start: float
    first: float
    compiling: Callable[[], float]

    def __init__(self, epochs: int, now: Callable[[], float] = time.monotonic, before: int = 0) -> None:
        self.epochs, self.now, self.before, self.done = epochs, now, before, 0
        self.start, self.compiling, self.first = now(), lambda: 0.0, 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since training began, compiling included."""
        return self.now() - self.start

    def epoch(self) -> None:
        """Count an epoch."""
        self.done += 1
        if self.done == 1:
            self.first = self._busy()

    def _busy(self) -> float:
        return self.elapsed - self.compiling()

    @property
    def left(self) -> float:
        """Seconds until all epochs are done; asked after at least one."""
        mean = self.first if self.done == 1 else (self._busy() - self.first) / (self.done - 1)
        return mean * (self.epochs - self.done)

    @contextlib.contextmanager
    def without_compiling(self) -> Iterator[None]:
        """A context in which what Numba needs for compiling is measured, so that it can be left out."""
        if sys.modules.get("numba") is None:
            yield
            return
        from numba.core import event

        timer = event.TimingListener()
        self.compiling = lambda: timer.duration if timer.done else 0.0
        with event.install_listener("numba:compiler_lock", timer):
            yield
