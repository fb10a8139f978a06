"""Padding is left out and put back: the numbers of every row, and nothing beside them."""

import re
import sys

import numpy as np
import pytest
from support.backends import NO_NUMBA
from support.processes import python

if NO_NUMBA:
    pytest.skip(NO_NUMBA, allow_module_level=True)

import numba

from ltc_np.kernels.cpu import padding

pytestmark = pytest.mark.xdist_group("padding")  # what is compiled here is compiled anew in every process
narrow = numba.njit(lambda wide, L, kept, lanes: padding.narrow(wide, L, kept, lanes))
widen = numba.njit(lambda kept, lanes, wide, L: padding.widen(kept, lanes, wide, L))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("count", "L"), [(1, 16), (2, 16), (7, 16), (15, 16), (16, 16), (16, 32), (19, 32), (33, 48)])
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_rows_are_kept_without_their_padding_and_made_wide_again(count, L, rows, dtype):
    wide = np.random.default_rng(0).normal(size=(rows, L)).astype(dtype)
    fence = np.full(64, np.nan, dtype)
    memory = np.concatenate([fence, np.zeros(rows * count, dtype), fence])  # of a neighbour, maybe another thread's
    kept = memory[64:-64]
    narrow(wide.ravel(), L, kept, count)
    assert np.array_equal(kept.reshape(rows, count), wide[:, :count])
    assert np.isnan(memory[:64]).all()
    assert np.isnan(memory[-64:]).all()
    memory = np.concatenate([fence, np.zeros(rows * L, dtype), fence])
    widen(kept, count, memory[64:-64], L)
    again = memory[64:-64].reshape(rows, L)
    assert np.array_equal(again[:, :count], wide[:, :count])
    assert (again[:, count:] == 0).all()
    assert np.isnan(memory[:64]).all()
    assert np.isnan(memory[-64:]).all()


@pytest.mark.slow
def test_the_kernels_may_hand_over_more_than_is_kept():
    wide, kept = np.arange(48.0), np.zeros(4)
    narrow(wide, 16, kept, 2)
    assert kept.tolist() == [0, 1, 16, 17]


GUARDED = """
    import ctypes, mmap
    import numba
    import numpy as np
    from ltc_np.kernels.cpu import padding
    narrow = numba.njit(lambda wide, L, kept, lanes: padding.narrow(wide, L, kept, lanes))
    widen = numba.njit(lambda kept, lanes, wide, L: padding.widen(kept, lanes, wide, L))
    pages = np.frombuffer(mmap.mmap(-1, 2 * mmap.PAGESIZE), np.float32)
    end = pages.size // 2
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(pages[end:].ctypes.data), mmap.PAGESIZE, 0) == 0
    for count in (1, 3, 19):
        kept, wide = pages[end - 5 * count : end], np.ones((5, 32), np.float32)
        narrow(wide.ravel(), 32, kept, count)
        widen(kept, count, wide.ravel(), 32)
    print("alive")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="uses mprotect")
def test_nothing_behind_the_last_row_is_read():
    """What is kept may end where the process's memory ends."""
    assert "alive" in python(GUARDED).stdout


def test_helpers_say_that_only_kernels_can_call_them():
    """They have no machine code for it: without the message the process would end."""
    with pytest.raises(TypeError, match=re.escape("`narrow` is a helper: only kernels can call it")):
        padding.narrow(np.ones(16), 16, np.ones(2), 2)
