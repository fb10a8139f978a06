"""Sequences in files of NumPy, as models take them, and elapsed times in a column: what comes of them, and mistakes."""

import json

import numpy as np
import pytest
from support.tables import SMALL, write_csv

from ltc_np import load
from ltc_np.command import arrays, split, tables, task_data
from ltc_np.command.task import of_model

B, T = 20, 9


def sequences(I=2, seed=0):
    """Slopes at irregular times, of unequal length; padding holds NaN, which nothing may read."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, T + 1, B)
    dt = rng.uniform(0.2, 2.0, (B, T))
    slope = rng.uniform(-1, 1, B)
    x = slope[:, None, None] * dt.cumsum(1)[:, :, None] * np.arange(1, I + 1) + 0.1 * rng.standard_normal((B, T, I))
    padding = np.arange(T) >= lengths[:, None]
    x[padding], dt[padding] = np.nan, np.nan
    return {"x": x, "dt": dt, "lengths": lengths, "y": slope}


def train(ltc, given, *options, name="m"):
    np.savez(f"{name}_data.npz", **given)
    line = ["train", f"{name}_data.npz", "--target", "y", "--out", f"{name}.npz", "--json", *options, *SMALL]
    status, out, err = ltc(*line)
    assert status == 0, err
    return load(f"{name}.npz"), json.loads(out)


def clean(given):
    """Padding that a model can read: what it holds has no effect."""
    return np.nan_to_num(given["x"]), np.nan_to_num(given["dt"])


def test_answers_are_those_of_the_model_for_the_arrays(here, ltc):
    given = sequences()
    model, report = train(ltc, given)
    assert report["answers"] == {"train": 14, "validation": 3, "test": 3}  # sequences
    assert not model.return_sequences and model.takes_dt and model.input_size == 2
    x, dt = clean(given)
    y = model.predict(x, dt=dt, lengths=given["lengths"])
    assert ltc("predict", "m.npz", "m_data.npz", "--out", "p.npz")[0] == 0
    with np.load("p.npz") as found:
        assert found["sequence"].tolist() == list(range(B))
        assert (found["predicted_y"] == y[:, 0]).all()
    status, out, _ = ltc("evaluate", "m.npz", "m_data.npz", "--json")
    wanted = np.sqrt(((y[:, 0].astype(float) - given["y"]) ** 2).mean())
    assert status == 0 and json.loads(out)["scores"]["rmse"] == pytest.approx(wanted, rel=1e-9)
    # what is to be answered needs no target
    np.savez("new.npz", **{name: given[name][:3] for name in ("x", "dt", "lengths")})
    assert ltc("predict", "m.npz", "new.npz", "--out", "p3.npz")[0] == 0
    with np.load("p3.npz") as found:
        assert (found["predicted_y"] == y[:3, 0]).all()


def test_whole_sequences_are_kept_for_the_test(here, ltc):
    given = sequences()
    model, _ = train(ltc, given, name="a")
    read = task_data.read(of_model(model, "m"), tables.read("a_data.npz"), parts=True)
    kept = [k for k, part in enumerate(read.part_of_answer) if part == split.TEST]
    assert len(kept) == 3 and [len(x) for x in read.x] == given["lengths"].tolist()
    for name in ("x", "y", "dt"):
        given[name][kept] = 50.0
    again, _ = train(ltc, given, name="b")
    assert (again.theta == model.theta).all() and (again.buffer_vector == model.buffer_vector).all()


def test_the_same_rows_as_a_table(here, ltc):
    """A file of CSV with groups and a column of elapsed times: the same training."""
    given = sequences()
    model, _ = train(ltc, given)
    valid = [(b, t) for b in range(B) for t in range(given["lengths"][b])]
    columns = {"who": [f"s{b}" for b, _ in valid]}
    columns |= {f"x{i}": [float(given["x"][b, t, i]) for b, t in valid] for i in range(2)}
    columns |= {"wait": [float(given["dt"][at]) for at in valid], "y": [float(given["y"][b]) for b, _ in valid]}
    write_csv(here / "t.csv", columns)
    line = ["train", "t.csv", "--target", "y", "--group", "who", "--dt", "wait", *SMALL]
    assert ltc(*line, "--out", "t.npz")[0] == 0
    assert (load("t.npz").theta == model.theta).all()
    assert load("t.npz").notes["table"]["unit"] == 1.0
    # another unit of time is another training, with elapsed times divided by it
    assert ltc(*line, "--time-unit", "2", "--out", "u.npz")[0] == 0
    read = task_data.read(of_model(load("u.npz"), "u"), tables.read("t.csv"), parts=True)
    assert (read.dt[0] == given["dt"][0, : given["lengths"][0]] / 2).all()
    assert "elapsed times: wait, of which 2 is 1" in ltc("info", "u.npz")[1]


def test_answers_at_every_step(here, ltc):
    given = sequences()
    given["y"] = np.stack([np.nancumsum(given["x"][..., 0], 1), given["x"][..., 1]], axis=2)
    model, report = train(ltc, given)
    n = int(given["lengths"].sum())
    assert model.return_sequences and model.output_size == 2 and sum(report["answers"].values()) == n
    x, dt = clean(given)
    y = model.predict(x, dt=dt, lengths=given["lengths"])
    assert ltc("predict", "m.npz", "m_data.npz", "--out", "p.npz")[0] == 0
    valid = np.arange(T) < given["lengths"][:, None]
    with np.load("p.npz") as found:
        assert list(found) == ["sequence", "dt", "predicted_y_0", "predicted_y_1"]
        assert (found["sequence"] == np.nonzero(valid)[0]).all() and (found["dt"] == given["dt"][valid]).all()
        assert all((found[f"predicted_y_{k}"] == y[valid][:, k]).all() for k in (0, 1))


def test_shapes(here):
    """(B, T) of one feature is told from a table by `dt` or `lengths`; (B,) and (B, k) stand at every step."""
    given = sequences(I=1)
    x = given["x"][..., 0]
    for beside in ({"dt": given["dt"]}, {"lengths": given["lengths"]}):
        np.savez("s.npz", x=x, y=given["y"], **beside)
        table = tables.read("s.npz")
        assert table.sequences and [*table.columns] == ["sequence", "x", "y", *(n for n in beside if n == "dt")]
        valid = np.arange(T) < beside.get("lengths", np.full(B, T))[:, None]
        np.testing.assert_array_equal(table.columns["x"].cells, x[valid])
        assert (table.columns["y"].cells == given["y"][np.nonzero(valid)[0]]).all()
    np.savez("s.npz", x=x, y=given["y"])
    assert not tables.read("s.npz").sequences and tables.read("s.npz").rows == B
    np.savez("s.npz", x=x[..., None], y=np.ones((B, 2)), who=np.arange(B), step=np.zeros((B, T)))
    table = tables.read("s.npz")
    assert [*table.columns] == ["sequence", "x_0", "y_0", "y_1", "who", "step"] and table.rows == B * T
    assert table.named("y", "--target") == ("y_0", "y_1")
    assert table.columns["x_0"].place(T + 2) == "in sequence 1, step 2"


@pytest.mark.slow
def test_labels_and_pictures(here, ltc):
    given = sequences()
    for y, options in ((np.where(given["y"] > 0, "up", "down"), []), ((given["y"] > 0) + 3, ["--task", "classes"])):
        model, report = train(ltc, given | {"y": y}, *options, name=f"m{len(options)}")
        assert model.notes["table"]["labels"] == sorted({str(v) for v in y})
        assert sum(report["answers"].values()) == B
    pytest.importorskip("matplotlib")
    for what in ("predictions", "states"):
        assert ltc("plot", "m0.npz", "m0_data.npz", "--what", what, "--out", f"{what}.png")[0] == 0


def test_time_in_a_picture_is_the_sum_of_elapsed_times(here, ltc):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from ltc_np.command import pictures

    given = sequences()
    given["y"] = np.nancumsum(given["x"][..., 0], 1)
    model, _ = train(ltc, given)
    read = task_data.read(of_model(model, "m"), tables.read("m_data.npz"), parts=False)
    figure, ax = pyplot.subplots()
    pictures.answers(read, task_data.outputs(model, read.x, read.dt), "3")(ax)
    n = given["lengths"][3]
    np.testing.assert_allclose(ax.get_lines()[1].get_xdata(), given["dt"][3, :n].cumsum(), rtol=1e-12)
    assert ax.get_xlabel() == "sum of dt, sequence 3"
    pyplot.close(figure)


GOOD = sequences()


def changed(name, at, value):
    array = GOOD[name].copy()
    array[at] = value
    return {name: array}


# What is wrong in a file, or in the options; and what the line says.
MISTAKES = {
    "unequal": ({"y": GOOD["y"][:5]}, [], f"bad.npz: the arrays must be ({B}, ...), the sequences of `x`, got `y` of"),
    "scalar dt": ({"dt": np.array(0.1)}, [], "got `dt` of shape ()"),
    "four axes": ({"y": np.zeros((B, T, 1, 1))}, [], "got `y` of shape (20, 9, 1, 1)"),
    "other steps": ({"y": np.zeros((B, T - 1, 2))}, [], "`y` must be (20, 9, k), the steps of `x`, got shape (20, 8,"),
    "too long": (
        changed("lengths", 4, T + 1),
        [],
        "`lengths` must be from 1 to 9, the steps of `x`, got 10 of sequence",
    ),
    "no step": (changed("lengths", 0, 0), [], "`lengths` must be from 1 to 9, the steps of `x`, got 0 of sequence 0"),
    "lengths of floats": ({"lengths": GOOD["lengths"] * 1.0}, [], "`lengths` must be (20,) whole numbers, got shape"),
    "lengths for steps": ({"lengths": np.ones((B, T), int)}, [], "whole numbers, got shape (20, 9), dtype int64"),
    "missing x": (
        changed("x", (2, 1, 0), np.nan),
        [],
        "column `x_0` must hold a value in every row, got 1 missing, the",
    ),
    "its place": (changed("x", (2, 1, 0), np.nan), [], "the first in sequence 2, step 1"),
    "infinite x": (changed("x", (2, 1, 0), np.inf), [], "must hold finite numbers, got 'inf' in sequence 2, step 1"),
    "negative dt": (changed("dt", (7, 2), -0.5), [], "`dt` must hold an elapsed time >= 0 in every row, got '-0.5' in"),
    "missing dt": (changed("dt", (7, 2), np.nan), [], "got 'nan' in sequence 7, step 2"),
    "no time": ({"dt": np.zeros((B, T))}, [], "column `dt` must hold an elapsed time > 0 in some row, got only 0"),
    "complex": ({"x": GOOD["x"] * 1j}, [], "column `x_0` must hold numbers, dates or text, got dtype complex128"),
    "objects": ({"y": np.array([{}] * B, object)}, [], "damaged: y.npy has an unknown header: objects of Python"),
    "its name": ({"sequence": np.arange(B)}, [], "no array may be named `sequence`"),
    "two names": ({"x_0": GOOD["y"]}, [], "has two columns `x_0`"),
    "no sequence": ({name: values[:0] for name, values in GOOD.items()}, [], "bad.npz: has no rows"),
    "two sequences": ({name: values[:2] for name, values in GOOD.items()}, [], "needs at least 3 groups, got 2"),
    "group": ({}, ["--group", "y"], "--group must not be given for bad.npz, whose arrays are sequences, got y"),
    "time and dt": ({}, ["--dt", "dt", "--time", "x_0"], "--time and --dt must not be given both, got x_0 and dt"),
    "dt in features": ({}, ["--features", "x,dt"], "--features must not name --time, --dt or --group, got `dt`"),
    "target is dt": ({}, ["--target", "dt"], "--dt must be another column than --target, got `dt` for both"),
    "no such array": ({}, ["--target", "z"], "bad.npz: no column `z` for --target: it has `sequence`, `x_0`, `x_1`"),
    "unit": ({}, ["--time-unit", "h"], "--time-unit must be a number > 0, got h"),
    "split by time": ({}, ["--split", "time"], "--split time needs an answer at every row"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name, here, ltc):
    wrong, options, words = MISTAKES[name]
    np.savez("bad.npz", **(GOOD | wrong))
    status, out, err = ltc("train", "bad.npz", "--target", "y", "--out", "m.npz", *options, *SMALL)
    assert (status, out) == (2, ""), err
    assert err.startswith("python -m ltc_np train: ") and err.count("\n") == 1 and words in err, err
    assert [path.name for path in here.iterdir()] == ["bad.npz"]


def test_other_files_for_the_model(here, ltc):
    train(ltc, GOOD, name="m")
    for given, words in (
        ({"x": GOOD["x"]}, "no column `dt` for the model's --dt"),
        (
            {"x": GOOD["x"][..., :1], "dt": GOOD["dt"]},
            "`x_1` for the model's --features: did you mean `x_0`?",
        ),
        ({"x": np.zeros((B, T))}, "for the model's --"),
    ):
        np.savez("other.npz", **given)
        status, out, err = ltc("predict", "m.npz", "other.npz", "--out", "p.csv")
        assert (status, out) == (2, "") and err.count("\n") == 1 and words in err, err
        assert not (here / "p.csv").exists()


def test_arrays_that_are_no_sequences():
    assert not arrays.are_sequences({"y": np.zeros((2, 3, 4))})
    assert not arrays.are_sequences({"x": np.zeros(3), "lengths": np.ones(3, int)})
    assert not arrays.are_sequences({"x": np.zeros((3, 4)), "dt": np.zeros(3)})
