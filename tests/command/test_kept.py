"""`evaluate --part`: the rows of a part are those of the training, however a table is sorted and has grown."""

import itertools
import json

import numpy as np
import pytest
from support.tables import change, waves, words, write_csv

from ltc_np import load
from ltc_np.command import kept, records, tables, task_data
from ltc_np.command.task import of_model

TEST = ("--part", "test", "--json", "--backend", "numpy")


def sorted_by_group(columns, order):
    """The rows of whole groups in another order."""
    rows = sorted(range(len(columns["who"])), key=lambda k: order.index(columns["who"][k]))
    return {name: [values[k] for k in rows] for name, values in columns.items()}


def rows_of(columns, rows):
    return {name: [values[k] for k in rows] for name, values in columns.items()}


def joined(*tables_):
    return {name: [value for columns in tables_ for value in columns[name]] for name in tables_[0]}


def renamed(columns, before):
    return columns | {"who": [before + who for who in columns["who"]]}


@pytest.fixture
def evaluate(trained, here, ltc):
    """Evaluates a part of changed columns: what is reported as JSON, or the error."""

    def run(model, columns, *options):
        write_csv(here / "t.csv", columns)
        status, out, err = ltc("evaluate", trained / model, here / "t.csv", *(options or TEST))
        return json.loads(out) if status == 0 else err

    return run


@pytest.fixture
def by_training(trained, ltc):
    def run(model, table):
        return json.loads(ltc("evaluate", trained / model, trained / table, *TEST)[1])

    return run


def test_groups_in_another_order_and_of_other_names_are_of_the_same_part(trained, evaluate, by_training):
    columns, wanted = words(), by_training("words.npz", "words.csv")
    assert wanted["rows"]["new"] == wanted["rows"]["missing"] == 0 and wanted["rows"]["test"] > 15
    order = list(dict.fromkeys(columns["who"]))[::-1]
    found = evaluate("words.npz", renamed(sorted_by_group(columns, order), "x"))
    assert found["rows"] == wanted["rows"]
    # the sums of the scores go over the groups in another order
    assert found["scores"] == pytest.approx(wanted["scores"], rel=1e-6)


def test_new_groups_are_of_no_part(trained, evaluate, by_training, ltc, here):
    columns, wanted = words(), by_training("words.npz", "words.csv")
    new = renamed(words(seed=1, n=9), "new")
    found = evaluate("words.npz", joined(new, columns))
    count = len(new["who"])
    assert found["scores"] == pytest.approx(wanted["scores"], rel=1e-6)
    assert found["rows"] == wanted["rows"] | {"new": count}
    _, out, _ = ltc("evaluate", trained / "words.npz", here / "t.csv", "--part", "test", "--backend", "numpy")
    assert (
        out.splitlines()[-1] == f"{count} rows of {here / 't.csv'} are in no part: new since the training, or changed"
    )


def test_one_changed_cell_takes_its_group_out(trained, evaluate, by_training):
    columns, wanted = words(), by_training("words.npz", "words.csv")
    model = load(trained / "words.npz")
    read = task_data.read(of_model(model, "m"), tables.read(str(trained / "words.csv")), parts=True)
    k = [parts.tolist() for parts in read.part_of_answer].index([2])
    first, count = int(read.records.rows[k][0]), len(read.records.rows[k])
    found = evaluate("words.npz", change(columns, b={first: 7.0}))
    assert found["rows"] == wanted["rows"] | {"test": wanted["rows"]["test"] - count, "new": count, "missing": count}
    shorter = evaluate("words.npz", rows_of(columns, [r for r in range(len(columns["who"])) if r != first]))
    assert shorter["rows"]["test"] == wanted["rows"]["test"] - count and shorter["rows"]["new"] == count - 1


@pytest.mark.parametrize("model", ["waves.npz", "drive.npz"])
def test_a_series_that_has_grown(model, trained, evaluate, by_training):
    """With a horizon too; the rows before the training may be gone."""
    columns, wanted = waves(), by_training(model, "waves.csv")
    assert wanted["rows"] == {"train": 56, "validation": 12, "test": 12, "new": 0, "missing": 0}
    longer = joined(columns, {"time": [500.0, 501.5], "power": [0.1, 0.2], "heat": [5.0, 7.0]})
    found = evaluate(model, longer)
    assert found["rows"] == wanted["rows"] | {"new": 2} and found["scores"] == wanted["scores"]
    later = evaluate(model, rows_of(longer, range(10, 82)))
    assert later["rows"] == {"train": 0, "validation": 12, "test": 12, "new": 48, "missing": 0}
    assert later["scores"] == pytest.approx(wanted["scores"], rel=0.05)  # the states come from fewer rows


def test_where_nothing_is_as_it_was_there_is_no_score(trained, evaluate):
    err = evaluate("waves.npz", waves(seed=1))
    assert "t.csv: holds none of the 12 rows that were the test part when " in err and err.count("\n") == 1
    assert err.endswith("or measure all rows with --part all\n")
    assert evaluate("waves.npz", waves(seed=1), "--json")["rows"] is None


def test_a_file_that_does_not_say_so(trained, here, ltc):
    """Of a former version: the split is made again, and one line says when that is right."""
    write_csv(here / "waves.csv", waves())
    model = load(trained / "waves.npz")
    del model.notes["parts"]
    model.save(here / "old.npz")
    new, old = (ltc("evaluate", path, "waves.csv", *TEST[:2], *TEST[3:]) for path in (trained / "waves.npz", "old.npz"))
    assert old[:2] == new[:2] and new[2] == "" and old[2].count("\n") == 1
    assert "old.npz does not say which rows of its table were for which part" in old[2]
    assert "right only if it is that table, in the same order and without new rows" in old[2]


@pytest.mark.parametrize(
    "parts", [3, {}, {"train": [], "validation": []}, *({"train": [odd], "validation": [], "test": []} for odd in (
        3, [], [0.0, 1], [0.0, 0, "a"], [0, 1, "a"], ["a", 1, "a"], [0.0, 1, 2], [0.0, 1.5, "a"],
    ))],
)  # fmt: skip
def test_notes_that_are_none(parts, trained, here, ltc):
    write_csv(here / "waves.csv", waves())
    model = load(trained / "waves.npz")
    model.notes["parts"] = parts
    model.save(here / "odd.npz")
    status, _, err = ltc("evaluate", "odd.npz", "waves.csv", "--part", "test", "--backend", "numpy")
    assert (status, err) == (
        2,
        "python -m ltc_np evaluate: odd.npz: its notes do not say which rows were for which part\n",
    )


def read_of(lengths, values, parts, times=None):
    """What `kept` reads of a table with one feature, which is the target too."""
    ends = np.cumsum([0, *lengths])
    rows = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    values = np.array(values, float)[:, None]
    table = records.Records(rows, [""] * len(rows), values, times, False, None)
    of_rows = [np.array(parts)[own] for own in rows]
    return task_data.TaskData(None, table, [], None, [], of_rows, [], values)


def blocks_of(read):
    return {name: [tuple(block) for block in blocks] for name, blocks in kept.noted(read)["parts"].items()}


def test_sequences_that_hold_the_same():
    """As many are of each part as there were, so that scores are those of the training."""
    blocks = blocks_of(read_of([2] * 5, [1, 2] * 5, [0, 0, 2, 2, 0, 0, 1, 1, 2, 2]))
    found = kept.find(blocks, read_of([2] * 7, [1, 2] * 7, [0] * 14))
    assert sorted(own[0] for own in found) == [-1, -1, 0, 0, 1, 2, 2] and all(own[0] == own[1] for own in found)


def test_a_sequence_that_begins_as_a_shorter_one_does():
    blocks = blocks_of(read_of([2, 3], [1, 2, 1, 2, 3], [0, 0, 2, 2, 2]))
    for lengths, values, wanted in (
        ([3, 2], [1, 2, 3, 1, 2], [[2, 2, 2], [0, 0]]),
        ([5], [1, 2, 3, 9, 9], [[2, 2, 2, -1, -1]]),
        ([2], [1, 3], [[-1, -1]]),
    ):
        found = kept.find(blocks, read_of(lengths, values, [0] * sum(lengths)))
        assert [own.tolist() for own in found] == wanted


def test_where_a_block_begins_counts():
    """Of equal rows, without times those with the same numbers; with times those of the same times."""
    blocks = blocks_of(read_of([6], [5] * 6, [0, 0, 0, 1, 1, 2]))
    assert kept.find(blocks, read_of([6], [5] * 6, [0] * 6))[0].tolist() == [0, 0, 0, 1, 1, 2]
    blocks = blocks_of(read_of([6], range(6), [0, 0, 0, 1, 1, 2]))
    assert kept.find(blocks, read_of([5], range(1, 6), [0] * 5))[0].tolist() == [-1] * 5
    times = np.arange(6.0)
    blocks = blocks_of(read_of([6], [5] * 6, [0, 0, 0, 1, 1, 2], times))
    found = kept.find(blocks, read_of([5], [5] * 5, [0] * 5, times[1:]))
    assert found[0].tolist() == [-1, -1, 1, 1, 2]


def test_the_target_counts():
    """A row whose target has changed is another one, though the network reads the same."""
    read = read_of([3], [1, 2, 3], [0, 0, 2])
    blocks = blocks_of(read)
    assert kept.find(blocks, read._replace(now=np.array([[1.0], [2], [4]])))[0].tolist() == [0, 0, -1]


def test_zeros_and_missing_values_are_of_one_kind():
    """A table that has been through another program has other bits in them."""
    other = np.array([np.float64(-0.0), -np.nan])
    blocks = blocks_of(read_of([2], [0.0, np.nan], [0, 0]))
    assert kept.find(blocks, read_of([2], other, [0, 0]))[0].tolist() == [0, 0]


def test_a_table_of_very_many_groups_is_not_noted(monkeypatch):
    monkeypatch.setattr(kept, "MOST", 3)
    assert kept.noted(read_of([1] * 3, [1, 2, 3], [0, 1, 2]))
    assert kept.noted(read_of([1] * 4, [1, 2, 3, 4], [0, 0, 1, 2])) == {}


def test_the_beginnings_of_many_sequences_are_hashed_once():
    """Lengths that all differ: what is hashed grows with the rows, not with rows times lengths."""
    n = 60
    read = read_of(range(1, n + 1), np.arange(n * (n + 1) // 2), np.zeros(n * (n + 1) // 2, int))
    blocks, seen = blocks_of(read), []

    class Counted:
        def __init__(self, **options):
            self.inner = real(**options)

        def update(self, content):
            seen.append(len(content))
            self.inner.update(content)

        def hexdigest(self):
            return self.inner.hexdigest()

    real, kept.hashlib.blake2b = kept.hashlib.blake2b, Counted
    try:
        assert all((own == 0).all() for own in kept.find(blocks, read))
    finally:
        kept.hashlib.blake2b = real
    assert sum(seen) <= 16 * n * (n + 1) // 2
