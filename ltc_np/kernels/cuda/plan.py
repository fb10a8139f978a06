"""What a call will take of the device's memory: it is rehearsed on a device that only counts.

A rehearsal is the call itself, its host code run once without data and without a launch, so the sizes of arrays stand
in one place and the count is that of the call.
"""

import functools

import numpy as np

from .device import LESS, free_memory, gibibytes, give_back, on
from .memory import Memory

SMALL, LARGE = 512, 2**21  # granules of allocations, and of those that are larger


class _Allocation:
    """Bytes that are taken until nobody refers to them."""

    def __init__(self, counter, size):
        self.counter, self.size = counter, -(-size // SMALL) * SMALL if size < LARGE else -(-size // LARGE) * LARGE
        counter.taken += self.size
        counter.peak = max(counter.peak, counter.taken)

    def __del__(self):
        self.counter.taken -= self.size


class _Counted:
    """A flat array of which nothing is known but its size."""

    def __init__(self, size, dtype, allocation):
        self.size, self.dtype, self._allocation = size, np.dtype(dtype), allocation

    def __getitem__(self, key):
        return _Counted(len(range(*key.indices(self.size))), self.dtype, self._allocation)

    def reshape(self, *shape):
        return self


class _Counter:
    """A device that launches nothing and counts bytes; see `ltc_np.kernels.cuda.device.machine`."""

    def __init__(self):
        self.taken = self.peak = 0

    def launch(self, function, grid, block, args):
        pass

    def upload(self, array):
        return self.empty(array.size, array.dtype)

    def download(self, array):
        return np.zeros(array.size, array.dtype)

    def overwrite(self, array, values):
        pass

    def empty(self, size, dtype):
        return _Counted(size, dtype, _Allocation(self, size * np.dtype(dtype).itemsize))


def peak(call):
    """The most bytes that ``call()`` has on the device at one time."""
    counter = _Counter()
    with on(counter):
        call()
    return counter.peak


def choose(call, keep, B, T, key, memory):
    """What to keep of a call that takes it: ``keep``, or ``"low"`` instead of ``"full"`` where only that fits.

    Parameters
    ----------
    call : function (keep, memory)
        To be rehearsed; with its backward pass, if there will be one.
    keep : None, "low" or "full"
    B, T : int
    key : tuple
        What else the sizes of the arrays depend on.
    memory : Memory
        What the call will use.  What is kept for later calls, by whomever, is given back where that is needed.

    Raises
    ------
    MemoryError
        Nothing fits.
    """

    def needs(what):
        return peak(lambda: call(what, Memory()))

    def look():
        for what in ("full", "low") if keep == "full" else (keep,):
            needed = memory.kept(("peak", what, B, T, key), None, functools.partial(needs, what))
            if needed <= free_memory():
                return what
            give_back()
            if needed <= free_memory():
                return what
        raise MemoryError(
            f"{B} sequences of {T} steps need {gibibytes(needed)} on the GPU, of which {gibibytes(free_memory())} are "
            f"free: {LESS}"
        )

    return memory.kept("granted", (keep, B, T, key), look)
