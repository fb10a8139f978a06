"""Matrices as lists of what is not 0, or whole."""

import numpy as np
import pytest

from ltc_np.export.c.rows import Rows


@pytest.mark.parametrize("shape", [(1, 5), (4, 5), (3, 20)])
def test_a_matrix_takes_the_smaller_room(shape, rng):
    """4 bytes a number; in a list 1 more for its column and 1 for the end of each row; whole where it is equal."""
    size, places = np.prod(shape), rng.permutation(np.prod(shape))
    for live in range(size + 1):
        weights = np.zeros(size)
        weights[places[:live]] = rng.uniform(1, 2, live)
        rows = Rows.of_matrix(weights.reshape(shape))
        assert rows.is_full == (5 * live + shape[0] >= 4 * size)
        again = np.zeros(shape)
        for n in range(rows.count):
            own = slice(rows.start[n], rows.start[n + 1])
            again[n, rows.columns[own]] = rows.values[own]
        np.testing.assert_array_equal(again.ravel(), weights)
