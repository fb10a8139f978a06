"""Arrays that are used again from call to call."""

import numpy as np

from ltc_np.base.workspace import Fresh, Workspace, arrays

DTYPE = np.dtype(np.float32)


def test_named_arrays_have_their_shapes_and_begin_at_a_cache_line():
    made = arrays(DTYPE, z=(3, 2, 5), c=(7,), empty=(0, 4))
    assert {name: array.shape for name, array in vars(made).items()} == {"z": (3, 2, 5), "c": (7,), "empty": (0, 4)}
    for array in (made.z, made.c):
        assert array.dtype == DTYPE
        assert array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
    assert not np.shares_memory(made.z, made.c)


def test_what_is_kept_is_that_of_the_last_key():
    workspace, fresh = Workspace(), Fresh()

    def kept(name, n, where=workspace):
        return where.kept(name, n, lambda: arrays(DTYPE, z=(n, 2)))

    first = kept("forward", 3)
    assert kept("forward", 3) is first
    assert kept("backward", 3) is not first
    assert kept("forward", 3) is first
    assert kept("forward", 4).z.shape == (4, 2)
    assert kept("forward", 3) is not first
    assert kept("forward", 3, fresh) is not kept("forward", 3, fresh)
