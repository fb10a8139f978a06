"""Arrays on the device that one caller reuses from call to call."""

import numpy as np

from ...cells.base import Workspace
from .device import cuda, empty, kernel, launch_over

u = np.uint64


class Memory(Workspace):
    """`ltc_np.cells.base.Workspace` of arrays on the device."""

    def array(self, name, size, dtype):
        held = self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            self._arrays[name] = None  # freed before its successor is made
            held = self._arrays[name] = empty(size, dtype)
        return held if held.size == size else held[:size]

    def zeros(self, name, size, dtype):
        """An array of zeros."""
        array = self.array(name, size, dtype)
        launch_over(size, fill, array, array.dtype.type(0))
        return array


def memory_of(workspace):
    """The memory that belongs to a workspace, or a new one."""
    return workspace.kept("cuda", 0, Memory)


def gibibytes(n):
    return f"{n / 2**30:.2f} GiB"


@kernel
def fill(array, value):
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(array.size):
        array[k] = value
