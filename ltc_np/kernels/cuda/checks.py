"""`ltc_np.base.checks` for arrays on the device."""

import numpy as np

from ...base import checks
from . import sums
from .device import cuda, download, empty, kernel, launch_over

u = np.uint64


@kernel
def count_outside(values, low, high, partial):
    """partial (values.size / FLUSH, rounded up), float64: how many of FLUSH values are not between low and high."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(partial.size):
        count = partial.dtype.type(0)
        for n in range(k * u(sums.FLUSH), min((k + u(1)) * u(sums.FLUSH), u(values.size))):
            inside = values[u(n)] >= low and values[u(n)] <= high  # NaN is not
            count += partial.dtype.type(0 if inside else 1)
        partial[k] = count


def finite(name, values, least=-np.inf):
    """`ltc_np.base.checks.finite`, and >= ``least``."""
    real, limit = values.dtype.type, checks.largest(values.dtype)
    partial = empty(-(-values.size // sums.FLUSH), np.float64)
    launch_over(
        partial.size, count_outside, values=values, low=real(max(least, -limit)), high=real(limit), partial=partial
    )
    outside = int(download(partial).sum())
    if outside:
        rule = f"finite in {values.dtype} (at most {limit:.1e})" + (f" and >= {least}" if least > -np.inf else "")
        raise ValueError(f"`{name}` must be {rule}, got {outside} values that are not")
