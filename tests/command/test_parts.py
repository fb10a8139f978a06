"""Units of time, parts of groups, baselines, measures and the sentence about them, each by itself."""

import itertools

import numpy as np
import pytest

from ltc_np import LTCRNN, FullyConnected
from ltc_np.command import baselines, records, roles, scores, split, tables, train
from ltc_np.command.columns import Column
from ltc_np.command.task import Task, of_model

NUMBERS = Task(features=("a",), target=("y",))
WORDS = Task(features=("a",), target=("w",), group="g", every_step=False, labels=("no", "yes"), by="group")


@pytest.mark.parametrize("name", ["s", "min", "h", "d"])
def test_units(name):
    letter = {"s": "s", "min": "m", "h": "h", "d": "D"}[name]
    assert roles.unit(name, True, []) == np.timedelta64(1, letter) / np.timedelta64(1, "s")


def of_groups(words):
    n = len(words)
    return records.Records([np.array([k]) for k in range(n)], [str(k) for k in range(n)], np.zeros((n, 1)), *[None] * 3)


def test_parts_of_groups():
    """Each part has its share of every class, other seeds draw other groups, and rare classes are in the test too."""
    words = ["no"] * 80 + ["yes"] * 20
    found = [np.concatenate(split.of_rows(WORDS.replace(seed=seed), of_groups(words), words)) for seed in (0, 0, 1)]
    for where in found:
        assert [(where[:80] == part).sum() for part in range(3)] == [56, 12, 12]
        assert [(where[80:] == part).sum() for part in range(3)] == [14, 3, 3]
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()


def test_words_of_a_task_that_nobody_has_written_for():
    """A new way to split or to fill must not be taken for one that is there."""
    with pytest.raises(ValueError, match="`by` must be .*group.*, got 'new'"):
        split.of_rows(NUMBERS.replace(by="new"), of_groups(["?"] * 9), [])
    table = tables.Table(None, {"a": Column("a", np.zeros(3), str)})
    with pytest.raises(KeyError, match="new"):
        records.inputs(NUMBERS.replace(missing="new", first=(0.0,)), table, records.read(table, NUMBERS))


def test_the_most_frequent_class_of_the_training():
    """What the test holds does not count."""
    y, where = np.array([0.0, 1, 1, 0, 0, 0]), np.array([0, 0, 0, 2, 2, 2])
    found = baselines.of(WORDS, of_groups(["?"] * 6), [np.ones((2, 1))] * 6, y, where, y)
    assert "always yes" in found and (found["always yes"].argmax(1) == 1).all()


def test_the_last_rows_of_a_group_have_no_target():
    """Two rows later: of five rows three have one, of one row none."""
    task = Task(features=("a",), target=("y",), group="g", horizon=2, by="group")
    found = parts_of(task, of_rows(5, 1, 4), [None] * 10)
    part = [own[0] for own in found if len(own) > 2]
    assert [own.tolist() for own in found] == [[part[0]] * 3 + [-1] * 2, [-1], [part[1]] * 2 + [-1] * 2]
    assert set(part) <= {split.TRAIN, split.VALIDATION, split.TEST}


def test_windows_of_the_training_end_with_it():
    """Where windows and their distance fit, the newest row is in one; rows that are fewer than a window are one."""
    ends = {(n, hop): [(cut.start, cut.stop) for cut in split._cuts(n, 4, hop)] for n in (3, 4, 10) for hop in (2, 3)}
    assert ends[10, 2] == [(0, 4), (2, 6), (4, 8), (6, 10)] and ends[10, 3] == [(0, 4), (3, 7), (6, 10)]
    assert ends[4, 2] == [(0, 4)] and ends[3, 2] == [(0, 3)]


@pytest.mark.parametrize("rare", ["a", "z"])
def test_the_only_group_of_a_class_stays_in_the_training(rare):
    """Whether its class comes first or last in their order."""
    words = [rare] + ["often"] * 9
    for seed in range(5):
        where = split.of_rows(WORDS.replace(seed=seed), of_groups(words), words)
        assert (where[0] == split.TRAIN).all()


@pytest.mark.parametrize(
    ("n", "shares", "test"), [(20, (0.1, 0.3), (6, 2)), (4, (0.1, 0.1), (1, 1)), (3, (0.4, 0.2), (1, 1))]
)
def test_every_part_has_a_group(n, shares, test):
    """As many as its share says, which for validation and test differ; one if that is none."""
    task = NUMBERS.replace(group="g", by="group", every_step=False, validation=shares[0], test=shares[1])
    where = np.array(parts_of(task, of_groups([""] * n), [""] * n))
    assert ((where == split.TEST).sum(), (where == split.VALIDATION).sum()) == test


def test_parts_by_time():
    """By hand: of 20 rows 14 are of the training, 3 of the validation, 3 of the test; what counts is the target's."""
    (where,) = parts_of(NUMBERS, of_rows(20), [])
    assert where.tolist() == [0] * 14 + [1] * 3 + [2] * 3
    (where,) = parts_of(NUMBERS.replace(horizon=2), of_rows(20), [])
    assert where.tolist() == [0] * 12 + [1] * 3 + [2] * 3 + [-1] * 2
    (where,) = parts_of(NUMBERS.replace(horizon=13), of_rows(20), [])
    assert where.tolist() == [0] + [1] * 3 + [2] * 3 + [-1] * 13
    with pytest.raises(ValueError, match="has 20 rows, too few .*, with 14 before the first target"):
        parts_of(NUMBERS.replace(horizon=14), of_rows(20), [])


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
    assert split.windows(lengths, window, hop) == wanted


def test_a_window_is_no_longer_than_the_longest_sequence():
    with pytest.raises(ValueError, match="--window must be at most 30, .* got 31"):
        split.windows([30, 10], 31, None)


@pytest.mark.parametrize(("warm_up", "begin"), [(0, 14), (3, 11), (50, 0)])
def test_the_validation_begins_some_rows_before(warm_up, begin):
    """Rows that have no targets there; the targets themselves, which others read too, stay as they are."""
    x, dt, y = np.arange(20.0)[:, None], np.arange(20.0) + 0.5, np.arange(20.0)[:, None] + 100
    where = parts_of(NUMBERS, of_rows(20), [])
    found = split.validation(NUMBERS, [x], [dt], [y], where, warm_up)
    assert found.x[0][:, 0].tolist() == list(range(begin, 17))
    assert found.dt[0].tolist() == [k + 0.5 for k in range(begin, 17)]
    np.testing.assert_array_equal(found.y[0][:, 0], [np.nan] * (14 - begin) + [114, 115, 116])
    assert y[:, 0].tolist() == list(range(100, 120))


def parts_of(task, found, words):
    """The part of each answer, of those of the rows."""
    return split.of_answers(task, split.of_rows(task, found, words))


def of_rows(*lengths):
    """Sequences one after the other, with a target at every row."""
    ends = np.cumsum((0, *lengths))
    rows = [np.arange(*own) for own in itertools.pairwise(ends)]
    return records.Records(rows, [str(k) for k in range(len(rows))], np.zeros((ends[-1], 1)), *[None] * 3)


def linear(task, rows, x, y, where):
    """The outputs of the linear baseline."""
    found = baselines.of(task, rows, x, y, where, y)
    (name,) = (name for name in found if name.startswith("linear"))
    return found[name]


def test_a_linear_function_of_a_long_table(monkeypatch):
    """However many rows are looked at in one go, also where they do not divide the rows of a sequence."""
    rng = np.random.default_rng(0)
    x, y = [rng.normal(size=(n, 2)) for n in (20, 9, 7)], rng.normal(size=(36, 1))
    where = rng.integers(0, 3, 36)
    wanted = linear(NUMBERS, of_rows(20, 9, 7), x, y, where)
    for rows in (1, 7, 10):
        monkeypatch.setattr(baselines, "AT_ONCE", rows)
        np.testing.assert_allclose(linear(NUMBERS, of_rows(20, 9, 7), x, y, where), wanted, rtol=1e-9)


@pytest.mark.parametrize("wanted", [np.mean, np.std, lambda v, axis: v[0], lambda v, axis: v[-1]])
def test_a_linear_function_of_whole_sequences(wanted):
    """It knows mean, spread and both ends: each is found again but for what the penalty takes, 1 of 160."""
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(rng.integers(5, 9), 2)) for _ in range(200)]
    y = np.array([wanted(v, axis=0)[1:] for v in x])
    task = NUMBERS.replace(every_step=False, group="g", by="group")
    where = np.where(np.arange(200) < 160, split.TRAIN, split.TEST)
    error = linear(task, of_groups([""] * 200), x, y, where) - y
    assert error[160:].std() < 0.02 * y.std()


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 2.0**31), (2.0**-40, 0.0), (2.0**40, 0.0)])
def test_a_linear_function_does_not_depend_on_units(factor, offset):
    """Such as seconds since 1970, or farads.  2**31 + x keeps 21 binary digits behind the point."""
    rng = np.random.default_rng(0)
    x, y, where = rng.normal(size=(60, 1)), rng.normal(size=(60, 1)), rng.integers(0, 3, 60)
    wanted = linear(NUMBERS, of_rows(60), [x], y, where)
    found = linear(NUMBERS, of_rows(60), [factor * x + offset], y, where)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 if offset else 1e-12)


@pytest.mark.parametrize("before", [0.0, 0.3, -1e6])
def test_a_column_that_was_constant_says_nothing(before):
    rng = np.random.default_rng(0)
    x, y, where = rng.normal(size=(60, 1)), rng.normal(size=(60, 1)), np.where(np.arange(60) < 50, 0, 2)
    wanted = linear(NUMBERS, of_rows(60), [x], y, where)
    constant = np.where(where == split.TRAIN, before, before + 50)[:, None]
    found = linear(NUMBERS, of_rows(60), [np.concatenate([x, constant], axis=1)], y, where)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


def test_a_column_says_as_much_in_any_unit():
    rng = np.random.default_rng(0)
    x, y, where = rng.normal(size=(60, 1)), rng.normal(size=(60, 1)), np.where(np.arange(60) < 50, 0, 2)
    wanted = linear(NUMBERS, of_rows(60), [x], y, where)
    np.testing.assert_allclose(linear(NUMBERS, of_rows(60), [1e-6 * x], y, where), wanted, rtol=1e-9)


def test_the_value_now_is_the_last_one_that_is_known():
    """Before the first one it is the mean; of classes too."""
    now = np.array([np.nan, 4, np.nan, 7, np.nan, np.nan])
    y, where = np.array([4.0, np.nan, 7.0, np.nan, np.nan, np.nan]), np.zeros(6, int)
    task = NUMBERS.replace(horizon=1)
    found = baselines.of(task, of_rows(6), [np.ones((6, 1))], y[:, None], where, now[:, None])["the value now"]
    assert found[:, 0].tolist() == [5.5, 4, 4, 7, 7, 7]
    of_classes = task.replace(labels=("no", "yes"))
    now, y = (now == 7) + 0 * now, (y == 7) + 0 * y
    found = baselines.of(of_classes, of_rows(6), [np.ones((6, 1))], y, where, now)["the value now"]
    assert found.tolist() == [[0.5, 0.5], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]


def test_measures_are_of_their_targets():
    """Errors 3, -1 of the first target, whose spread is 2; 2, 2 of the second."""
    truth = np.array([[0.0, 10.0], [4.0, 30.0], [9.0, 9.0]])
    guess = np.array([[3.0, 12.0], [3.0, 32.0], [0.0, 0.0]])
    found = scores.score(NUMBERS.replace(target=("a", "b")), guess, truth, np.array([True, True, False]))
    wanted = {"rmse of a": 5**0.5, "rmse of b": 2, "mae of a": 2, "mae of b": 2, "r2 of a": 1 - 10 / 8,
              "r2 of b": 1 - 8 / 200}  # fmt: skip
    assert list(found) == list(wanted)
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize(
    "larger, own, others, said",
    [
        (False, 1.0, (3.0, 2.0), "better than the best baseline, `b`"),
        (False, 2.5, (3.0, 2.0), "WORSE than the best baseline, `b`"),
        (False, 2.0, (3.0, 2.0), "as good as `b`"),
        (True, 4.0, (3.0, 2.0), "better than the best baseline, `a`"),
        (True, 2.5, (3.0, 2.0), "WORSE than the best baseline, `a`"),
        (True, 3.0, (3.0, 2.0), "as good as `a`"),
    ],
)
def test_the_verdict_is_of_the_test_part(larger, own, others, said):
    """Of the parts before it everything is the other way round."""
    values = {"net": own, "a": others[0], "b": others[1]}
    found = {who: [{"m": -value}, {"m": -value}, {"m": value}] for who, value in values.items()}
    assert train.verdict(found, "m", larger) == f"on the test part net is {said}"
    assert train.verdict(found | {who: [None] * 3 for who in "ab"}, "m", larger).endswith("no answers to judge by")


def test_shares_that_leave_no_training_are_of_no_task():
    model = LTCRNN(FullyConnected(2, 1), 1, seed=0, backend="numpy")
    for test, right in ((0.25, True), (0.75, False), (0.5, False)):
        model.notes = NUMBERS.replace(validation=0.5, test=test).notes()
        if right:
            assert of_model(model, "m").test == test
        else:
            with pytest.raises(ValueError, match="do not say which columns"):
                of_model(model, "m")


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (np.array([5, 3], np.uint8), [5, 3]),  # whose difference, as they are, would be 254
        (np.array([-100, 100], np.int8), [-100, 100]),
        (np.array([False, True]), [0, 1]),
        (np.array([2**63, 0], np.uint64), [2.0**63, 0.0]),
        (np.array(["3", "9223372036854775808"], object), [3.0, 2.0**63]),
        (np.array(["1700000000000000001"], object), [1700000000000000001]),
    ],
)
def test_differences_of_times_are_exact(cells, wanted):
    times, dates = Column("time", cells, "in row {}".format).times()
    assert not dates and times.tolist() == wanted
    assert times.dtype == (np.int64 if type(wanted[0]) is int else np.float64)


def test_a_first_line_of_very_many_names(tmp_path):
    """It took time in the square of them: these would take minutes."""
    path, names = tmp_path / "wide.csv", [f"c{k}" for k in range(50_000)]
    path.write_text(",".join(names) + "\n" + ",".join(["1"] * 50_000) + "\n")
    assert [*tables.read(str(path)).columns] == names
    path.write_text(",".join([*names, "c7"]) + "\n")
    with pytest.raises(ValueError, match="wide.csv: has two columns `c7`"):
        tables.read(str(path))


def test_words_of_numbers():
    for cells, wanted in (([1.0, 2.0, np.nan], ["1", "2", None]), ([1.0, np.inf, np.nan], ["1.0", "inf", None])):
        assert Column("who", np.array(cells), "in row {}".format).words() == wanted


def test_what_python_alone_reads_as_a_number_is_text():
    """1_000 may be a name; what people write as numbers is one, with spaces too."""
    column = Column("who", np.array(["1_000", "2_000"], object), "in row {}".format)
    assert column.is_text() and column.words() == ["1_000", "2_000"]
    assert not Column("who", np.array(["1e3", " -2.5 ", "NA", "inf"], object), "in row {}".format).is_text()


def test_parts_of_answers():
    """An answer at a row is of the part of its target; one for a sequence needs all rows of it in one part."""
    parts = [np.array(own) for own in ([0, 0, 1, 2, -1], [2])]
    found = split.of_answers(NUMBERS.replace(horizon=2), parts)
    assert [own.tolist() for own in found] == [[1, 2, -1, -1, -1], [-1]]
    assert [own.tolist() for own in split.of_answers(NUMBERS, parts)] == [own.tolist() for own in parts]
    assert [int(own) for own in split.of_answers(WORDS, [np.array(own) for own in ([1, 1], [0, 0, -1], [2])])] == [
        1,
        -1,
        2,
    ]
