"""The number of threads."""

import numpy as np
import pytest

from ltc_np import get_num_threads, set_num_threads
from ltc_np.base import threads


@pytest.mark.parametrize("n", [1, 3, np.int64(3), np.uint8(2)])
def test_the_number_may_be_set(n):
    try:
        set_num_threads(n)
        assert get_num_threads() == n and type(get_num_threads()) is int
    finally:
        set_num_threads(None)
    assert get_num_threads() == threads.available()


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (1.0, TypeError), (True, TypeError), ("2", TypeError)])
def test_what_is_no_number_of_threads(n, error):
    with pytest.raises(error, match="`n` must be an int >= 1, got "):
        set_num_threads(n)
