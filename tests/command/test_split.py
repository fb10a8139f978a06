"""Which rows and answers train a network, choose its best weights and judge it."""

import numpy as np
import pytest
from support.tables import of_groups, of_rows

from ltc_np.command import split
from ltc_np.command.task import Task

NUMBERS = Task(features=("a",), target=("y",))
WORDS = Task(features=("a",), target=("w",), group="g", every_step=False, labels=("no", "yes"), by="group")


def parts_of(task, found, words):
    """The parts of the answers, of those of the rows."""
    return split.of_answers(task, split.of_rows(task, found, words))


def test_parts_by_time():
    """By hand: of 20 rows 14 are of the training, 3 of the validation, 3 of the test; what counts is the target's."""
    (parts,) = parts_of(NUMBERS, of_rows(20), [])
    assert parts.tolist() == [0] * 14 + [1] * 3 + [2] * 3
    (parts,) = parts_of(NUMBERS, of_rows(30), [])  # 25.5 rows are 26
    assert parts.tolist() == [0] * 21 + [1] * 5 + [2] * 4
    (parts,) = parts_of(NUMBERS.replace(horizon=2), of_rows(20), [])
    assert parts.tolist() == [0] * 12 + [1] * 3 + [2] * 3 + [-1] * 2
    (parts,) = parts_of(NUMBERS.replace(horizon=13), of_rows(20), [])
    assert parts.tolist() == [0] + [1] * 3 + [2] * 3 + [-1] * 13
    with pytest.raises(ValueError, match="has 20 rows, too few .*, with 14 before the first target"):
        parts_of(NUMBERS.replace(horizon=14), of_rows(20), [])


def test_the_last_rows_of_a_group_have_no_target():
    """Two rows later: of five rows three have one, of one row none."""
    task = Task(features=("a",), target=("y",), group="g", horizon=2, by="group")
    found = parts_of(task, of_rows(5, 1, 4), [None] * 10)
    part = [own[0] for own in found if len(own) > 2]
    assert [own.tolist() for own in found] == [[part[0]] * 3 + [-1] * 2, [-1], [part[1]] * 2 + [-1] * 2]
    assert set(part) <= {split.TRAIN, split.VALIDATION, split.TEST}


def test_parts_of_answers():
    """An answer at a row is of the part of its target; one for a sequence needs all rows of it in one part."""
    parts = [np.array(own) for own in ([0, 0, 1, 2, -1], [2])]
    found = split.of_answers(NUMBERS.replace(horizon=2), parts)
    assert [own.tolist() for own in found] == [[1, 2, -1, -1, -1], [-1]]
    assert [own.tolist() for own in split.of_answers(NUMBERS, parts)] == [own.tolist() for own in parts]
    rows = [np.array(own) for own in ([1, 1], [0, 0, -1], [2])]
    assert [own.tolist() for own in split.of_answers(WORDS, rows)] == [[1], [-1], [2]]


def test_parts_of_groups():
    """Each part has its share of every class, other seeds draw other groups, and rare classes are in the test too."""
    words = ["no"] * 80 + ["yes"] * 20
    found = [np.concatenate(split.of_rows(WORDS.replace(seed=seed), of_groups(words), words)) for seed in (0, 0, 1)]
    for parts in found:
        assert [(parts[:80] == part).sum() for part in range(3)] == [56, 12, 12]
        assert [(parts[80:] == part).sum() for part in range(3)] == [14, 3, 3]
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()


@pytest.mark.parametrize("rare", ["a", "z"])
def test_the_only_group_of_a_class_stays_in_the_training(rare):
    """Whether its class comes first or last in their order."""
    words = [rare] + ["often"] * 9
    for seed in range(5):
        parts = split.of_rows(WORDS.replace(seed=seed), of_groups(words), words)
        assert (parts[0] == split.TRAIN).all()


@pytest.mark.parametrize(
    ("n", "shares", "test"), [(20, (0.1, 0.3), (6, 2)), (4, (0.1, 0.1), (1, 1)), (3, (0.4, 0.2), (1, 1))]
)
def test_every_part_has_a_group(n, shares, test):
    """As many as its share says, which for validation and test differ; one if that is none."""
    task = NUMBERS.replace(group="g", by="group", every_step=False, validation=shares[0], test=shares[1])
    parts = np.array(parts_of(task, of_groups([""] * n), [""] * n))
    assert ((parts == split.TEST).sum(), (parts == split.VALIDATION).sum()) == test


def test_the_training_reads_the_first_rows():
    """What is cut off are the last ones, so rows of the training behind others are a mistake of the library."""
    with pytest.raises(AssertionError, match="reads the first rows"):
        split.training_rows(NUMBERS, np.array([1, 0, 0]), 3)


def test_a_group_has_the_class_of_its_last_row():
    """Only the last rows say "rare", of four groups of twelve: a fourth of validation and test is of that class."""
    records = of_rows(*[3] * 12)
    labels = ["often"] * 36
    for k in (1, 4, 6, 9):
        labels[3 * k + 2] = "rare"
    task = WORDS.replace(validation=0.25, test=0.25)
    for seed in range(3):
        parts = [own[0] for own in split.of_rows(task.replace(seed=seed), records, labels)]
        assert sorted(parts[k] for k in (1, 4, 6, 9)) == [0, 0, 1, 2]
