"""Commands that go well: what they write and say agrees with the library and with numbers computed here."""

import csv
import json

import numpy as np
import pytest
from support.tables import SMALL, waves, words, write_csv

from ltc_np import load


def rows_of(path):
    """Columns of a file of CSV, name -> list of text."""
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def sequence(names, folder, table="waves"):
    """Features of all rows, (T, I) float32."""
    columns = rows_of(folder / f"{table}.csv")
    return np.stack([np.array(columns[name], float) for name in names], axis=1)


def steps(folder, horizon):
    """Elapsed times of waves.csv in units of their median over the rows of the training.

    It has the targets of the first 56 of 80 rows, so with a horizon it reads fewer.
    """
    t = np.array(rows_of(folder / "waves.csv")["time"], float)
    dt = np.diff(t, prepend=2 * t[0] - t[1])
    return dt / np.median(dt[: 56 - horizon])


def test_predictions_are_those_of_the_model_to_the_bit(trained, here, ltc):
    for name, features, horizon in (("drive", ["power"], 0), ("waves", ["power", "heat"], 2)):
        target = "heat"
        status, out, err = ltc("predict", trained / f"{name}.npz", trained / "waves.csv", "--out", f"{name}.csv")
        assert (status, err) == (0, ""), err
        assert out == f"{name}.csv: 80 rows of time, predicted_{target}\n"
        found = rows_of(f"{name}.csv")
        assert found["time"] == rows_of(trained / "waves.csv")["time"]
        y = load(trained / f"{name}.npz")(sequence(features, trained), dt=steps(trained, horizon))
        assert (np.array(found[f"predicted_{target}"]).astype(np.float32) == y[:, 0]).all()
        ltc("predict", trained / f"{name}.npz", trained / "waves.csv", "--out", f"{name}.npz")
        with np.load(f"{name}.npz") as same:
            assert same[f"predicted_{target}"].dtype == np.float32 and (same[f"predicted_{target}"] == y[:, 0]).all()


def test_evaluate_agrees_with_numbers_computed_by_hand(trained, here, ltc):
    y = load(trained / "waves.npz")(sequence(["power", "heat"], trained), dt=steps(trained, 2))[:, 0].astype(float)
    heat = sequence(["heat"], trained)[:, 0]
    # The answer at row t is about row t + 2; rows 68 to 79 are the last 15 %.
    for part, first, last in (("all", 2, 80), ("train", 2, 56), ("validation", 56, 68), ("test", 68, 80)):
        status, out, err = ltc("evaluate", trained / "waves.npz", trained / "waves.csv", "--part", part, "--json")
        assert (status, err) == (0, "")
        error = y[first - 2 : last - 2] - heat[first:last]
        spread = ((heat[first:last] - heat[first:last].mean()) ** 2).sum()
        found = json.loads(out)["scores"]
        assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
        assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-9)
        assert found["r2"] == pytest.approx(1 - (error**2).sum() / spread, rel=1e-9)


def test_classes_of_groups(trained, here, ltc):
    assert ltc("predict", trained / "words.npz", trained / "words.csv", "--out", "said.csv")[0] == 0
    found, table = rows_of("said.csv"), rows_of(trained / "words.csv")
    groups = list(dict.fromkeys(table["who"]))
    assert found["who"] == groups
    model = load(trained / "words.npz")
    x = sequence(["a", "b"], trained, "words")
    rows = {who: [k for k, name in enumerate(table["who"]) if name == who] for who in groups}
    logits = model.predict([x[own] for own in rows.values()], dt=[np.ones(len(own)) for own in rows.values()])
    labels = ["down", "flat", "up"]
    assert found["predicted_word"] == [labels[k] for k in logits.argmax(1)]
    chances = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    for k, label in enumerate(labels):
        np.testing.assert_allclose(np.array(found[f"probability_{label}"], float), chances[:, k], rtol=2e-6)
    truth = [table["word"][own[0]] for own in rows.values()]
    right = [a == b for a, b in zip(found["predicted_word"], truth, strict=True)]
    _, out, _ = ltc("evaluate", trained / "words.npz", trained / "words.csv", "--json")
    scores = json.loads(out)["scores"]
    assert scores["accuracy"] == pytest.approx(np.mean(right))
    own = [chances[k, labels.index(word)] for k, word in enumerate(truth)]
    assert scores["cross_entropy"] == pytest.approx(-np.mean(np.log(own)), rel=1e-6)


def test_the_test_part_does_not_reach_the_weights(here, ltc):
    """By time: whatever the last 15 % hold, the training is the same, and so are its scores."""
    columns = waves()
    found = []
    for name in ("as it is", "changed"):
        if name == "changed":
            for column in ("power", "heat"):
                columns[column][68:] = [1000.0 * k for k in range(12)]
            columns["time"][68:] = [columns["time"][67] + 100.0 * (k + 1) for k in range(12)]
        write_csv(here / f"{name}.csv", columns)
        options = ["--target", "heat", "--time", "time", "--horizon", "2", "--out", f"{name}.npz", "--json", *SMALL]
        status, out, _ = ltc("train", f"{name}.csv", *options)
        assert status == 0
        scores = json.loads(out)["scores"]
        found.append(
            (load(f"{name}.npz"), [{part: s[part] for part in ("train", "validation")} for s in scores.values()])
        )
        assert scores["mean"]["test"]["rmse"] > 0
    (a, seen), (b, also) = found
    assert (a.theta == b.theta).all() and (a.buffer_vector == b.buffer_vector).all()
    assert seen == also and a.notes == b.notes


def test_test_groups_do_not_reach_the_weights(here, ltc):
    columns = words()
    write_csv(here / "a.csv", columns)
    options = ["--target", "word", "--group", "who", *SMALL]
    assert ltc("train", "a.csv", "--out", "a.npz", *options)[0] == 0
    kept = {who for who, part in parts_of_groups(here, ltc).items() if part == "test"}
    assert len(kept) == 4  # of 24
    for column in ("a", "b"):
        columns[column] = [99.0 if who in kept else v for who, v in zip(columns["who"], columns[column], strict=True)]
    write_csv(here / "b.csv", columns)
    assert ltc("train", "b.csv", "--out", "b.npz", *options)[0] == 0
    a, b = load("a.npz"), load("b.npz")
    assert (a.theta == b.theta).all() and (a.buffer_vector == b.buffer_vector).all()


def parts_of_groups(here, ltc):
    """Group -> part, by what `evaluate` says of a.npz on tables that lack a group's answers."""
    from ltc_np.command import asked, tables, task

    model = load("a.npz")
    read = asked.read(task.of_model(model, "a.npz"), tables.read("a.csv"), parts=True)
    return {
        who: ("train", "validation", "test")[int(part)]
        for who, part in zip(read.records.names, read.where, strict=True)
    }
