"""A line on standard error that tells a waiting user that kernels are being compiled.

It is printed once in a process, after the process has compiled for a second in all, and only where a user can see
it: in a terminal or a notebook.  Functions such as `fit` tell their users themselves, or have been asked to be silent.
They use `compiler.announce`, and once one of them has been told of a compilation, the line is not printed any more.
"""

import contextlib
import sys
import time

PATIENCE = 1.0  # seconds, of all kernels together
LINE = "ltc_np: compiling kernels for this processor, now {name} (once; usually 5 to 15 s in all)"


def _watched():
    """Whether a user sees what is written to standard error."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())


class Waiting:
    """Adds up the time that this process spends on compiling, and prints the line when it is `PATIENCE`.

    Numba holds a lock while it compiles a kernel with the helpers and the other kernels that this one calls, so only
    one thread compiles at a time.  `pipeline` enters `compiling` for each kernel, and calls `look` before each longer
    piece of work on it.  Only then is the clock read: no thread has to watch it.

    Parameters
    ----------
    now : callable
        Returns seconds, counted from any moment.
    watched : callable
        Returns whether there is a user who would see the line.
    """

    def __init__(self, now=time.monotonic, watched=_watched):
        self._now, self._watched = now, watched
        self._spent, self._name, self._began, self._told = 0.0, None, 0.0, False

    @contextlib.contextmanager
    def compiling(self, name):
        """A context in which the kernel called ``name`` is compiled, alone or inside of another one that calls it."""
        outer, self._name = self._name, name
        if outer is None:
            self._began = self._now()
        self.look()
        try:
            yield
        finally:
            self._name = outer
            if outer is None:
                self._spent += self._now() - self._began

    def look(self):
        """Print the line if a kernel is being compiled, and compiling has taken long enough."""
        if self._told or self._name is None or self._spent + self._now() - self._began < PATIENCE:
            return
        self.told()
        if self._watched():
            print(LINE.format(name=self._name), file=sys.stderr, flush=True)

    def told(self):
        """Never print the line from now on: the user knows."""
        self._told = True


waiting = Waiting()
