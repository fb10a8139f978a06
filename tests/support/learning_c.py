"""Exports that learn, run inside this process."""

import ctypes
import re

import numpy as np

from . import compilers

# What C leaves undefined ends the process.
UNDEFINED = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
# Its second file: the bytes of both structures.
SIZES = """
#include "net.h"
int net_sizes(int of_readout);
int net_sizes(int of_readout)
{
    return of_readout ? (int)sizeof(net_readout) : (int)sizeof(net_state);
}
"""


class Learns:
    """An export `net` as a shared library, with one readout; sequences are arrays, which `begin` gives.

    Parameters
    ----------
    folder : Path
    compiler : str
    dtype : NumPy dtype
        Of its numbers.

    Attributes
    ----------
    readout : (n,) array
        What NAME_readout holds: weights, and what the rule keeps.
    state_bytes, readout_bytes : int
        As the compiler has them.
    """

    def __init__(self, folder, compiler=None, dtype=np.float32):
        compiler = compiler or compilers.HOST[0]
        library = folder.parent / f"{folder.name}_{compiler}.so"
        source = folder.parent / f"{folder.name}_sizes.c"
        source.write_text(SIZES)
        flags = [*compilers.WARNINGS, *UNDEFINED, f"-I{folder}", "-O1", "-shared", "-fPIC"]
        compilers.run(compiler, *flags, source, folder / "net.c", "-o", library, "-lm")
        self.functions, self.dtype = ctypes.CDLL(str(library)), np.dtype(dtype)
        self.number = np.ctypeslib.as_ctypes_type(self.dtype)
        macros = {
            name: int(n) for name, n in re.findall(r"#define NET_(\w+) (-?\d+)\n", (folder / "net.h").read_text())
        }
        self.takes_dt, self.outputs, self.features = (macros[name] for name in ("TAKES_DT", "OUTPUTS", "FEATURES"))
        self.state_bytes, self.readout_bytes = (self.functions.net_sizes(k) for k in (0, 1))
        self.readout = self._numbers(self.readout_bytes)
        self.functions.net_deploy(self._pointer(self.readout))

    def _numbers(self, size):
        values = np.zeros(size // self.dtype.itemsize, self.dtype)
        values[:] = np.nan if self.dtype.kind == "f" else 12345  # what nobody has set
        return values

    def _pointer(self, array):
        return array.ctypes.data_as(ctypes.POINTER(self.number))

    @property
    def weights(self):
        """(O, F + 1), a view."""
        F = self.features + 1
        return self.readout[: self.outputs * F].reshape(self.outputs, F)

    def begin(self):
        """The state of a new sequence."""
        state = self._numbers(self.state_bytes)
        self.functions.net_reset(self._pointer(state))
        return state

    def step(self, state, x, dt=None):
        """The answer to one step, which changes the state."""
        x, y = np.ascontiguousarray(x, self.dtype), self._numbers(self.outputs * self.dtype.itemsize)
        time = (self.number(dt),) if self.takes_dt else ()
        arguments = (self._pointer(array) for array in (state, self.readout, x))
        self.functions.net_step(*arguments, *time, self._pointer(y))
        return y

    def learn(self, state, target):
        """What NAME_learn returns; it changes the readout."""
        target = np.ascontiguousarray(target, self.dtype)
        return self.functions.net_learn(*(self._pointer(array) for array in (self.readout, state, target)))
