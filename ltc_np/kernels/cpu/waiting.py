"""The line that says why a first call takes long, once a process, to somebody who waits for it.

It comes after a second of compiling, on standard error, if that is a terminal or belongs to a notebook.  It does not
come where a function of `compiler.announce` was called: `fit` says so itself, or was asked to be silent.
"""

import contextlib
import sys
import time

PATIENCE = 1.0  # seconds of compiling, those of several kernels together
LINE = "ltc_np: compiling kernels for this processor, now {name} (once; usually 5 to 15 s in all)"


def _watched():
    """Whether somebody sees what is written to standard error."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())


class Waiting:
    """Counts the seconds that this process compiles.

    Numba compiles one kernel at a time, under a lock, and with it the helpers that it calls.  Who begins one of these
    calls `look`, so that no thread is needed to watch the time.

    Parameters
    ----------
    now : callable
        Seconds from anywhere.
    watched : callable
        Whether there is somebody to tell.
    """

    def __init__(self, now=time.monotonic, watched=_watched):
        self._now, self._watched = now, watched
        self._spent, self._name, self._began, self._told = 0.0, None, 0.0, False

    @contextlib.contextmanager
    def compiling(self, name):
        """A context in which the kernel called ``name`` is compiled."""
        self._name, self._began = name, self._now()
        self.look()
        try:
            yield
        finally:
            self._spent += self._now() - self._began
            self._name = None

    def look(self):
        """Say what is compiled if it has taken long enough, inside `compiling`."""
        if self._told or self._name is None or self._spent + self._now() - self._began < PATIENCE:
            return
        self.told()
        if self._watched():
            print(LINE.format(name=self._name), file=sys.stderr, flush=True)

    def told(self):
        """Say nothing from now on."""
        self._told = True


waiting = Waiting()
