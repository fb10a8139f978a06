"""Columns of text as inputs, and columns of times that are no inputs or have equal times."""

import json

import numpy as np
import pytest
from support.tables import SMALL, change, waves, write_csv

from ltc_np import load

TRAIN = ["train", "t.csv", "--target", "heat", "--time", "time", "--out", "m.npz", *SMALL]


@pytest.fixture
def table(here):
    """Waves with a column of text, whose last rows, of the test part, hold a word that those of the training do not."""
    columns = waves() | {"kind": ["b", "a", "", "c"] * 19 + ["a", "new", "new", "c"]}
    write_csv(here / "t.csv", columns)
    return columns


def test_words_are_inputs(table, here, ltc):
    """What the network reads is written here once more: a number, and whether the cell is a, b or c."""
    status, out, err = ltc(*TRAIN, "--missing", "fill")
    assert status == 0
    assert "column kind is text, read as 3 inputs, 1 where it is the word and else 0: a, b, c\n" in out
    assert "2 cells of column `kind` hold words that the training part has not, such as 'new'" in err
    model = load("m.npz")
    assert model.notes["table"]["words"] == {"kind": ["a", "b", "c"]}
    rows = np.array([[float(kind == word) for word in "abc"] for kind in table["kind"]])
    empty = np.flatnonzero([kind == "" for kind in table["kind"]])
    rows[empty] = rows[empty - 1]
    x = np.column_stack([table["power"], rows])
    dt = np.diff(table["time"], prepend=2 * table["time"][0] - table["time"][1]) / model.notes["table"]["unit"]
    assert ltc("predict", "m.npz", "t.csv", "--out", "p.npz", "--backend", "numpy")[0] == 0
    with np.load("p.npz") as found:
        np.testing.assert_allclose(found["predicted_heat"], model(x, dt=dt)[:, 0], rtol=1e-5, atol=1e-6)
    lines = ltc("info", "m.npz")[1]
    assert [f"feature: {name}:" in lines for name in ("power", "kind = a", "kind = b", "kind = c")] == [True] * 4
    status, out, _ = ltc("evaluate", "m.npz", "t.csv", "--part", "test", "--json")
    assert status == 0 and json.loads(out)["rows"] == {
        "train": 56,
        "validation": 12,
        "test": 12,
        "new": 0,
        "missing": 0,
    }


def test_an_empty_cell_of_text_is_missing(table, ltc):
    status, out, err = ltc(*TRAIN)
    assert (status, out) == (2, "") and "column `kind` must hold a value in every row, got 19 missing" in err


@pytest.mark.parametrize("words", [None, [], {"power": None}, {"power": [1]}, {"other": ["a"]}, {"kind": []}])
def test_words_of_strangers(words, table, ltc):
    assert ltc(*TRAIN, "--missing", "fill")[0] == 0
    model = load("m.npz", backend="numpy")
    model.notes = {"table": model.notes["table"] | {"words": words}}
    model.save("m.npz")
    status, _, err = ltc("evaluate", "m.npz", "t.csv")
    assert status == 2 and "m.npz: its notes do not say which columns the model reads" in err


@pytest.mark.parametrize("name", ["time", "Date", "timestamp"])
def test_a_column_that_is_called_as_times_are(name, here, ltc):
    columns = waves()
    write_csv(here / "t.csv", {name: columns.pop("time"), **columns})
    hint = f"column `{name}` was read as a feature: --time {name} if it says when rows were observed"
    without = [*TRAIN[:4], "--out", "m.npz", *SMALL]
    assert hint in ltc(*without)[2]
    for more in (("--time", name), ("--ignore", name)):
        status, _, err = ltc(*without, *more, "--force")
        assert (status, err) == (0, "")


@pytest.mark.parametrize("grouped", [False, True])
def test_a_column_that_rises_may_be_the_time(grouped, here, ltc):
    """In every row, of groups in every row but their first ones; what stays the same once is no time."""
    columns = waves(n=60)
    hours = columns.pop("time")
    if grouped:
        columns["who"], hours = [k % 3 for k in range(60)], [t - 100 * (k % 3) for k, t in enumerate(hours)]
    flat = [hours[0], hours[0], hours[0], hours[0], *hours[4:]]
    write_csv(here / "t.csv", {"hour": hours, "flat": flat, **columns})
    line = ["train", "t.csv", "--target", "heat", *(["--group", "who"] if grouped else []), "--out", "m.npz", *SMALL]
    status, out, err = ltc(*line)
    assert status == 0 and err.count("rises from row to row") == 1
    hint = (
        "column `hour` rises from row to row and was read as a feature: --time hour if it says when rows were observed"
    )
    assert hint in err and "--ignore hour if it numbers them" in err
    group = "; group who" if grouped else ""
    assert out.startswith(
        f"columns: target heat; features hour, flat, power{group}; no time, so every row comes one step after the one "
        "before\n"
    )
    roles = {"target": ["heat"], "features": ["hour", "flat", "power"]} | ({"group": ["who"]} if grouped else {})
    assert json.loads(ltc(*line, "--force", "--json")[1])["roles"] == roles
    for more, told in (
        (["--time", "hour"], f"target heat; features flat, power; time hour{group}"),
        (["--ignore", "hour"], f"target heat; features flat, power{group}; not read hour; no time"),
        (["--features", "hour,power"], f"target heat; features hour, power{group}; not read flat; no time"),
    ):
        status, out, err = ltc(*line, *more, "--force")
        assert (status, err) == (0, "") and out.startswith(f"columns: {told}")


def test_a_target_that_rises_is_not_the_time(here, ltc):
    """A forecast reads it, and --time must be another column."""
    columns = waves(n=60)
    write_csv(here / "t.csv", {"power": columns["power"], "date": columns["time"]})
    line = ["train", "t.csv", "--target", "date", "--horizon", "1", "--out", "m.npz", *SMALL]
    assert ltc(*line)[::2] == (0, "")


def test_dates_of_arrays_may_be_the_time(here, ltc):
    np.savez("t.npz", day=np.datetime64("2024-01-01") + np.arange(60), heat=waves(n=60)["heat"])
    status, _, err = ltc("train", "t.npz", "--target", "heat", "--out", "m.npz", *SMALL)
    assert status == 2 and "such as '2024-01-01' in row 0: leave it out with --ignore day, or --time day" in err


def test_classes_are_no_feature_of_their_forecast(here, ltc):
    """Numbers are: their last value is known, while a word of the target is read by nothing."""
    columns = waves(n=60)
    columns["state"] = ["on" if heat > 0 else "off" for heat in columns["heat"]]
    write_csv(here / "t.csv", columns)
    line = ["train", "t.csv", "--time", "time", "--horizon", "1", "--out", "m.npz", *SMALL]
    told = ltc(*line, "--target", "state")[1]
    assert told.startswith("columns: target of classes state; features power, heat; time time\n")
    told = ltc(*line, "--target", "heat", "--ignore", "state", "--force")[1]
    assert told.startswith("columns: target heat; features power, heat; time time; not read state\n")
    told = ltc(*line, "--target", "heat", "--force")[1]
    assert told.startswith("columns: target heat; features power, heat; categories state; time time\n")


def test_equal_times_are_told_of(here, ltc):
    """An elapsed time of 0: the row is an input of the network that hears it for no time."""
    columns = waves()
    t = columns["time"]
    write_csv(here / "t.csv", change(columns, time={9: t[8], 30: t[29]}))
    status, _, err = ltc(*TRAIN)
    assert status == 0
    told = "column `time` has the time of the row before in 2 rows, first '9.07' in line 11: an elapsed time of 0 was"
    assert err.count(told) == 1
    unit = load("m.npz").notes["table"]["unit"]
    write_csv(here / "u.csv", change(columns, time={k: t[k - k % 3] for k in range(80)}))  # most steps are 0
    assert ltc("train", "u.csv", *TRAIN[2:], "--force")[0] == 0
    assert unit < load("m.npz").notes["table"]["unit"] < 4 * unit
