"""The backends that can be had where the tests run; tests/conftest.py skips what needs another one."""

import os

from ltc_np import kernels
from ltc_np.kernels import library


def _use_no_stale_library():
    """Where sources have changed since a library was built, say that it is not used; else every process warns of it."""
    reason = library.why_not()
    if library.choice() != "auto" or reason in (None, library.ABSENT):
        return None
    library._found.cache_clear()
    library.choice.cache_clear()
    os.environ[library.VARIABLE] = "numpy" if kernels._why_not_numba() else "numba"
    return reason


def _why_no_kernels():
    try:
        kernels.resolve("cpu")
    except ImportError as error:
        return str(error)
    return None


def _kernels():
    if NO_KERNELS:
        return "NumPy's only"
    return f"compiled for {library.chosen().level}" if library.chosen() else "compiled by Numba"


NOT_USED = _use_no_stale_library()  # why a library that is there is not used
NO_KERNELS = _why_no_kernels()  # the reason, or None where there are kernels for the CPU
# The same where it is Numba that compiles them, in this process.
NO_NUMBA = NO_KERNELS or ("kernels come compiled here; LTC_NP_KERNELS=numba" if library.chosen() else None)
NO_CARD = kernels._why_not_numba()  # the same where there is an emulated GPU, which only Numba can compile for
BACKENDS = ("numpy",) if NO_KERNELS else ("numpy", "cpu")
KERNELS = _kernels()
