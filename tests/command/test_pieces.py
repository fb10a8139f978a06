"""What `fit` is given of a table: which rows, and which targets with them."""

import numpy as np
import pytest

from ltc_np.command import pieces
from ltc_np.command.task import Task
from ltc_np.command.task_data import TaskData

NUMBERS = Task(features=("a",), target=("y",))
WORDS = Task(features=("a",), target=("w",), group="g", every_step=False, labels=("no", "yes"), by="group")


def data_of(task, part_of_answer, lengths=None, y=None):
    """Sequences whose values tell where they come from: 100 k + row of sequence k; elapsed times of half as much."""
    lengths = lengths or [len(parts) for parts in part_of_answer]
    x = [100.0 * k + np.arange(n)[:, None] for k, n in enumerate(lengths)]
    y = y or [values + 1000 for values in x]
    parts = [np.array(parts) for parts in part_of_answer]
    return TaskData(task, None, x, [values[:, 0] / 2 for values in x], y, [], parts, None)


@pytest.mark.parametrize(
    ("lengths", "window", "hop", "wanted"),
    [
        ([512] * 8, None, None, (None, 1)),  # so many, and not too long: whole
        ([100] * 7, None, None, (25, 2)),  # a quarter, and 256 windows of 700 rows
        ([100] * 7 + [513], None, None, (64, 4)),
        ([3000] * 2, None, None, (64, 23)),
        ([20_000], None, None, (64, 32)),  # windows lap by half at least
        ([7], None, None, (2, 1)),
        ([2], None, None, (None, 1)),
        ([30, 10], 30, None, (30, 1)),
        ([300, 900], 10, None, (10, 4)),
        ([30, 10], 4, 7, (4, 7)),
    ],
)
def test_windows_that_nobody_asked_for(lengths, window, hop, wanted):
    assert pieces.choose_windows(lengths, window, hop) == wanted


def test_a_window_is_no_longer_than_the_longest_sequence():
    with pytest.raises(ValueError, match="--window must be at most 30, .* got 31"):
        pieces.choose_windows([30, 10], 31, None)


def test_sequences_that_do_not_train_do_not_count_for_windows():
    """Seven of them train, which are few."""
    assert pieces.choose_windows([100] * 7 + [0] * 3, None, None) == (25, 2)


def test_a_hop_without_a_window_is_a_mistake():
    with pytest.raises(AssertionError, match="a hop needs a window"):
        pieces.choose_windows([20] * 30, None, 3)


def test_windows_of_the_training_end_with_it():
    """Where windows and their distance fit, the newest row is in one; rows that are fewer than a window are one."""
    ends = {(n, hop): [(cut.start, cut.stop) for cut in pieces._cuts(n, 4, hop)] for n in (3, 4, 10) for hop in (2, 3)}
    assert ends[10, 2] == [(0, 4), (2, 6), (4, 8), (6, 10)] and ends[10, 3] == [(0, 4), (3, 7), (6, 10)]
    assert ends[4, 2] == [(0, 4)] and ends[3, 2] == [(0, 3)]


def test_windows_and_their_targets():
    """Of 9 training rows of the first sequence and 5 of the last; 8 is in no window, for another hop does not fit."""
    data = data_of(NUMBERS, [[0] * 9 + [1] * 2, [2] * 3, [0] * 5 + [1, -1]])
    found = pieces.training(data, 4, 2)
    firsts = [0, 2, 4, 200]
    assert [x[:, 0].tolist() for x in found.x] == [[first + row for row in range(4)] for first in firsts]
    assert [dt.tolist() for dt in found.dt] == [[(first + row) / 2 for row in range(4)] for first in firsts]
    assert [y[:, 0].tolist() for y in found.y] == [[1000 + first + row for row in range(4)] for first in firsts]


def test_windows_of_a_sequence_with_one_answer_share_it():
    data = data_of(WORDS, [[0], [1]], lengths=(7, 7), y=[1.0, 0.0])
    found = pieces.training(data, 3, 2)
    assert [x[0, 0] for x in found.x] == [0, 2, 4] and found.y.tolist() == [1.0] * 3


def test_sequences_without_the_part_are_left_out():
    """The second trains and the third is validated, whole; there are no times where the data have none."""
    data = data_of(WORDS, [[2], [0], [1], [-1]], lengths=(3, 4, 2, 5), y=[7.0, 8.0, 9.0, 6.0])._replace(dt=None)
    for found, k, target in ((pieces.training(data, None, 1), 1, 8.0), (pieces.validation(data, 1), 2, 9.0)):
        assert len(found.x) == 1 and (found.x[0] == data.x[k]).all()
        assert found.dt is None and found.y.tolist() == [target]


@pytest.mark.parametrize(("warm_up", "begin"), [(0, 14), (3, 11), (50, 0)])
def test_the_validation_begins_some_rows_before(warm_up, begin):
    """Rows that have no targets there; the targets themselves, which others read too, stay as they are."""
    data = data_of(NUMBERS, [[0] * 14 + [1] * 3 + [2] * 3])
    found = pieces.validation(data, warm_up)
    assert found.x[0][:, 0].tolist() == list(range(begin, 17))
    assert found.dt[0].tolist() == [k / 2 for k in range(begin, 17)]
    np.testing.assert_array_equal(found.y[0][:, 0], [np.nan] * (14 - begin) + [1014, 1015, 1016])
    assert data.y[0][:, 0].tolist() == list(range(1000, 1020))


def test_how_many_rows_the_training_reads():
    """With an answer at each row as many as train; else all or none."""
    assert pieces.training_rows_of_each(data_of(NUMBERS, [[0, 0, 1, 2, -1], [1, 2], [0]])) == [2, 0, 1]
    assert pieces.training_rows_of_each(data_of(WORDS, [[0], [1], [-1]], lengths=(4, 3, 2))) == [4, 0, 0]
