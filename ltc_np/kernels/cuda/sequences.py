"""Sequences on the device: time first, and how long each is."""

from typing import NamedTuple

import numpy as np

from .device import cuda, kernel, launch_over

u = np.uint64


@kernel
def blank(y, steps, B, n):
    """Zeros in y (T, B, n) where a sequence has ended."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(y.size) and k // (n * B) >= u(steps[k // n % B]):
        y[k] = y.dtype.type(0)


class DeviceSequences(NamedTuple):
    """A batch on the device, flat arrays.

    Attributes
    ----------
    x : (T, B, I)
    dt : (T, B)
        0 behind a sequence's end.
    steps : (B,) int64
        Valid steps.
    T, B : int
    ragged : bool
        Whether some may end before T.
    """

    x: object
    dt: object
    steps: object
    T: int
    B: int
    ragged: bool

    @property
    def samples(self):
        """Steps of all sequences."""
        return self.T * self.B

    def blank(self, y):
        """Zeros in y (T, B, n) where a sequence has ended."""
        if self.ragged:
            launch_over(y.size, blank, y, self.steps, u(self.B), u(y.size // self.samples))
