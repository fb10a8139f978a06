"""Which steps belong to which chunk."""

import numpy as np
import pytest

from ltc_np.layers.parallel.cut import Cut, flat


@pytest.mark.parametrize("T", [1, 2, 7, 12, 13])
@pytest.mark.parametrize("chunks", [1, 2, 3, 12, 40])
def test_every_step_is_in_one_chunk(T, chunks):
    cut = Cut.of(2, T, chunks, 5)
    assert 1 <= cut.chunks <= min(chunks, T)
    assert (cut.chunks - 1) * cut.steps < T <= cut.chunks * cut.steps  # none is empty
    assert cut.early == min(5, cut.steps)
    x = np.arange(2 * T * 3.0).reshape(2, T, 3) + 1
    pieces = cut.split(x)
    assert pieces.shape == (2, cut.chunks, cut.steps, 3)
    assert np.array_equal(cut.joined(flat(pieces)), x)
    assert (pieces.reshape(2, -1, 3)[:, T:] == 0).all()


def test_where_sequences_end():
    cut, lengths = Cut.of(5, 12, 3, 2), np.array([0, 3, 4, 5, 12])
    assert cut.lengths(lengths, 0, 4).tolist() == [[0, 0, 0], [3, 0, 0], [4, 0, 0], [4, 1, 0], [4, 4, 4]]
    assert cut.lengths(lengths, -2, 2).tolist() == [[2, 0, 0], [2, 1, 0], [2, 2, 0], [2, 2, 0], [2, 2, 2]]
    assert cut.last(lengths).tolist() == [0, 0, 0, 1, 2]
    assert cut.borders(lengths).tolist() == [[False] * 2, [False] * 2, [False] * 2, [True, False], [True, True]]
