"""How functions that Python calls read their arguments."""

import numpy as np
import pytest


@pytest.mark.numba
def test_arrays_fit_by_every_number_that_numpy_has_for_their_type():
    """`long` and `long long` are two, of the same integers."""
    from ltc_np.kernels.aot.entry import TYPE_NUMBERS

    for kind, numbers in TYPE_NUMBERS.items():
        dtypes = [np.dtype(code) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"]]
        found = {dtype.num for dtype in dtypes if dtype == np.dtype(str(kind))}
        assert found and found <= {*numbers}
