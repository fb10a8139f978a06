"""What is compiled ahead: every kernel by its symbol, and nothing that tells in which folder."""

import json

import pytest
from support import ROOT
from support.backends import NO_CARD
from support.processes import python

from ltc_np.kernels.signatures import SIGNATURES


@pytest.mark.slow
@pytest.mark.skipif(NO_CARD is not None, reason=f"needs Numba: {NO_CARD}")
def test_kernels_and_what_they_call_say_no_folder():
    """Also copies of a sweep for one cell, which are in no module."""
    code = """
        import json
        from ltc_np.kernels.aot import dispatchers
        dispatchers.forget_folders()
        found = dispatchers.dispatchers()
        sweep = found["ltc_neuron_major.forward"].py_func.__globals__
        functions = [kernel.py_func for kernel in found.values()]
        functions += [value.py_func for value in sweep.values() if hasattr(value, "py_func")]
        print(json.dumps([list(found), sorted({function.__code__.co_filename for function in functions})]))
    """
    names, files = json.loads(python(code, LTC_NP_KERNELS="numba").stdout)
    assert names == sorted(SIGNATURES)
    assert files and all(name.startswith("ltc_np/kernels/cpu/") and (ROOT / name).is_file() for name in files)
