"""The backends that can be had where the tests run; tests/conftest.py skips what needs another one."""

from ltc_np import kernels


def _why_no_numba():
    try:
        kernels.resolve("cpu")
    except ImportError as error:
        return str(error)
    return None


NO_NUMBA = _why_no_numba()  # the reason, or None where Numba works
BACKENDS = ("numpy",) if NO_NUMBA else ("numpy", "cpu")
