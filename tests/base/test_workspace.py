"""Arrays that are used again from call to call."""

import numpy as np
import pytest

from ltc_np.base.workspace import Fresh, Workspace

DTYPE = np.dtype(np.float32)


@pytest.mark.parametrize("kind", [Workspace, Fresh])
def test_named_arrays_have_their_shapes_and_begin_at_a_cache_line(kind):
    made = kind().arrays("forward", DTYPE, z=(3, 2, 5), c=(7,), empty=(0, 4))
    assert {name: array.shape for name, array in vars(made).items()} == {"z": (3, 2, 5), "c": (7,), "empty": (0, 4)}
    for array in (made.z, made.c):
        assert array.dtype == DTYPE
        assert array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
    assert not np.shares_memory(made.z, made.c)


def test_named_arrays_are_those_of_the_last_call_while_dtype_and_shapes_are():
    workspace = Workspace()
    first = workspace.arrays("forward", DTYPE, z=(3, 2))
    assert workspace.arrays("forward", DTYPE, z=(3, 2)) is first
    assert workspace.arrays("backward", DTYPE, z=(3, 2)) is not first
    assert workspace.arrays("forward", DTYPE, z=(3, 2)) is first
    assert workspace.arrays("forward", np.dtype(np.float64), z=(3, 2)).z.dtype == np.float64
    assert workspace.arrays("forward", DTYPE, z=(2, 3)).z.shape == (2, 3)
    assert workspace.arrays("forward", DTYPE, z=(3, 2)) is not first
    fresh = Fresh()
    assert fresh.arrays("forward", DTYPE, z=(3, 2)) is not fresh.arrays("forward", DTYPE, z=(3, 2))
