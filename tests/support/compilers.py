"""C compilers of this machine, and exports that run inside this process."""

import ctypes
import shutil
import subprocess

import numpy as np

FLAGS = "-std=c99 -Wall -Wextra -Werror -pedantic -Wconversion -Wshadow -Wdouble-promotion -Wundef"
WARNINGS = FLAGS.split()
HOST = [name for name in ("gcc", "clang") if shutil.which(name)]


def run(*command, cwd=None, timeout=300):
    """What a command prints; it must end well."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def status(*command):
    """With what a command ends."""
    return subprocess.run([str(part) for part in command], capture_output=True, timeout=300).returncode


class Compiled:
    """An export as a shared library: one sequence that goes on from call to call.

    Parameters
    ----------
    program : Program
        Of the exported model.
    folder, name
        Where the export is.
    compiler : str
    dtype : NumPy dtype
        Of its numbers.
    """

    def __init__(self, program, folder, name, compiler, dtype=np.float32):
        library = folder.parent / f"{folder.name}_{name}_{compiler}.so"
        run(compiler, *WARNINGS, "-O1", "-shared", "-fPIC", folder / f"{name}.c", "-o", library, "-lm")
        functions = ctypes.CDLL(str(library))
        self.reset_function, self.step_function = (getattr(functions, f"{name}_{what}") for what in ("reset", "step"))
        self.program, self.dtype = program, np.dtype(dtype)
        self.number = np.ctypeslib.as_ctypes_type(self.dtype)
        self.state = np.full(max(program.state_size, 1), np.nan, self.dtype)
        self.reset()

    def reset(self):
        """Begin a sequence."""
        self.reset_function(self._pointer(self.state))

    def step(self, x, dt=1.0):
        """The outputs of one step; NaN where it says that none fell due, and has written none."""
        x, y = np.ascontiguousarray(x, self.dtype), np.full(self.program.output_size, np.nan, self.dtype)
        time = (self.number(dt),) if self.program.takes_dt else ()
        said = self.step_function(self._pointer(self.state), self._pointer(x), *time, self._pointer(y))
        if self.program.stride > 1:
            assert said == (not np.isnan(y).all())
        return y

    def _pointer(self, array):
        return array.ctypes.data_as(ctypes.POINTER(self.number))
