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
    x = np.arange(2 * T * 3.0).reshape(2, T, 3) + 1
    pieces = cut.split(x)
    assert pieces.shape == (2, cut.chunks, cut.steps, 3)
    assert np.array_equal(cut.joined(flat(pieces)), x)
    assert (pieces.reshape(2, -1, 3)[:, T:] == 0).all()


def test_where_sequences_end():
    cut, lengths = Cut.of(5, 12, 3, 2), np.array([0, 3, 4, 5, 12])
    assert cut.lengths(lengths).tolist() == [[0, 0, 0], [3, 0, 0], [4, 0, 0], [4, 1, 0], [4, 4, 4]]
    assert cut.last(lengths).tolist() == [0, 0, 0, 1, 2]
    assert cut.borders(lengths).tolist() == [[False] * 2, [False] * 2, [False] * 2, [True, False], [True, True]]


@pytest.mark.parametrize("early", [1, 3, 4, 6, 20])
def test_windows_before_and_behind_the_borders(early):
    """As many steps as there are, in the sequence and in what is valid of it."""
    T, lengths = 11, np.array([0, 3, 5, 8, 9, 11])
    cut = Cut.of(len(lengths), T, 3, early)
    x = np.arange(len(lengths) * T * 1.0).reshape(len(lengths), T, 1)
    pieces = cut.split(x)
    first, valid = cut.before(lengths)
    windows = cut.windows(pieces, first).reshape(len(lengths), cut.chunks - 1, early)
    for (row, border), steps in np.ndenumerate(valid):
        end = (border + 1) * cut.steps
        begin = max(end - early, 0)
        assert np.array_equal(windows[row, border, :steps], x[row, begin : min(end, lengths[row]), 0])
    first, valid = cut.behind(lengths)
    windows = cut.windows(pieces, first).reshape(len(lengths), cut.chunks - 1, early)
    for (row, border), steps in np.ndenumerate(valid):
        begin = (border + 1) * cut.steps
        assert np.array_equal(windows[row, border, :steps], x[row, begin : min(begin + early, lengths[row]), 0])
