"""Units of time, baselines, measures and the sentence about them, each by itself."""

import numpy as np
import pytest
from support.tables import of_groups, of_rows

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


@pytest.mark.slow
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
