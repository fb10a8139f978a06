"""Arrays on the device that one caller reuses from call to call."""

import numpy as np

from .device import cuda, empty, kernel, launch_over, reclaimable

u = np.uint64
MOST_KEPT = 256  # names of `Memory.kept`, which may hold sizes of calls


class Memory:
    """What `ltc_np.base.workspace.Workspace` is on the host."""

    def __init__(self):
        self._arrays, self._kept = {}, {}

    def array(self, name, size, dtype):
        """An uninitialised flat array; the next call with this name may hand out the same memory."""
        dtype, held = np.dtype(dtype), self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            del held  # freed before its successor is made
            self._arrays.pop(name, None)
            held = self._arrays[name] = empty(size, dtype)
        return held if held.size == size else held[:size]

    def zeros(self, name, size, dtype):
        """The same, filled with 0."""
        array = self.array(name, size, dtype)
        launch_over(size, fill, array, array.dtype.type(0))
        return array

    def clear(self):
        """Give all arrays back that no call is using."""
        self._kept.pop("granted", None)
        for name, array in list(self._arrays.items()):
            if isinstance(array, Memory):
                array.clear()
            else:
                self._arrays.pop(name, None)

    def kept(self, name, key, make):
        """What ``make()`` returned when this name last came with this key."""
        held = self._kept.get(name)
        if held is None or held[0] != key:
            if len(self._kept) > MOST_KEPT:
                self._kept.clear()
            held = self._kept[name] = key, make()
        return held[1]

    def child(self, name):
        """The memory of one layer of a stack."""
        return self._arrays.setdefault(name, Memory())


def memory_of(workspace):
    """The memory that belongs to a workspace of the host, or a new one."""
    return workspace.kept("cuda", 0, (lambda: reclaimable(Memory())) if workspace.keeps else Memory)


def forget(workspace, memory):
    """Give back, after a call, what its workspace will not hand out again."""
    if not workspace.keeps:
        memory.clear()


@kernel
def fill(array, value):
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(array.size):
        array[k] = value
