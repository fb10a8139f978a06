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
int net_sizes(int of_learnt);
int net_sizes(int of_learnt)
{
    return of_learnt ? (int)sizeof(@learnt) : (int)sizeof(net_state);
}
"""


class Learns:
    """An export `net` as a shared library, with one of what learns; sequences are arrays, which `begin` gives.

    Parameters
    ----------
    folder : Path
    compiler : str
    dtype : NumPy dtype
        Of its numbers.

    Attributes
    ----------
    learnt : (n,) array
        What NAME_readout or NAME_network holds: weights, and what the rule or the optimiser keeps.
    state_bytes, learnt_bytes : int
        As the compiler has them.
    """

    def __init__(self, folder, compiler=None, dtype=np.float32):
        compiler = compiler or compilers.HOST[0]
        library = folder.parent / f"{folder.name}_{compiler}.so"
        source = folder.parent / f"{folder.name}_sizes.c"
        header = (folder / "net.h").read_text()
        self.macros = {name: int(n) for name, n in re.findall(r"#define NET_(\w+) (-?\d+)\n", header)}
        source.write_text(SIZES.replace("@learnt", "net_network" if "PARAMETERS" in self.macros else "net_readout"))
        flags = [*compilers.WARNINGS, *UNDEFINED, f"-I{folder}", "-O1", "-shared", "-fPIC"]
        compilers.run(compiler, *flags, source, folder / "net.c", "-o", library, "-lm")
        self.functions, self.dtype = ctypes.CDLL(str(library)), np.dtype(dtype)
        self.number = np.ctypeslib.as_ctypes_type(self.dtype)
        self.takes_dt, self.outputs = self.macros["TAKES_DT"], self.macros["OUTPUTS"]
        self.state_bytes, self.learnt_bytes = (self.functions.net_sizes(k) for k in (0, 1))
        self.learnt = self._numbers(self.learnt_bytes)
        self.deploy()

    def _numbers(self, size):
        values = np.zeros(size // self.dtype.itemsize, self.dtype)
        values[:] = np.nan if self.dtype.kind == "f" else 12345  # what nobody has set
        return values

    def deploy(self):
        """Forget what was learnt."""
        self.functions.net_deploy(self._pointer(self.learnt))

    def _pointer(self, array):
        return array.ctypes.data_as(ctypes.POINTER(self.number))

    @property
    def weights(self):
        """Those of a readout, (O, F + 1), a view."""
        F = self.macros["FEATURES"] + 1
        return self.learnt[: self.outputs * F].reshape(self.outputs, F)

    @property
    def theta(self):
        """Those of a network, (P,), a view."""
        return self.learnt[: self.macros["PARAMETERS"]]

    @property
    def gradient(self):
        """The last one that a network was told, (P,), a view."""
        return self.learnt[-self.macros["PARAMETERS"] :]

    def begin(self):
        """The state of a new sequence."""
        state = self._numbers(self.state_bytes)
        self.reset(state)
        return state

    def reset(self, state):
        """Let a sequence begin anew."""
        self.functions.net_reset(self._pointer(state))

    def get(self):
        """Parameters (P,) of a network, as it says them."""
        theta = self._numbers(self.theta.nbytes)
        self.functions.net_get(self._pointer(self.learnt), self._pointer(theta))
        return theta

    def set(self, theta):
        """What NAME_set returns."""
        theta = np.ascontiguousarray(theta, self.dtype)
        return self.functions.net_set(self._pointer(self.learnt), self._pointer(theta))

    def step(self, state, x, dt=None):
        """The answer to one step, which changes the state."""
        x, y = np.ascontiguousarray(x, self.dtype), self._numbers(self.outputs * self.dtype.itemsize)
        time = (self.number(dt),) if self.takes_dt else ()
        arguments = (self._pointer(array) for array in (state, self.learnt, x))
        self.functions.net_step(*arguments, *time, self._pointer(y))
        return y

    def learn(self, state, target):
        """What NAME_learn returns; it changes what is learnt."""
        target = np.ascontiguousarray(target, self.dtype)
        return self.functions.net_learn(*(self._pointer(array) for array in (self.learnt, state, target)))
