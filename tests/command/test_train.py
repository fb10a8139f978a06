"""What `train` makes of tables: times, windows, missing values, kinds of files; and what it leaves."""

import json
import pathlib
import re
import signal
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from support.tables import SMALL, change, waves, words, write_csv

from ltc_np import ensemble, load
from ltc_np.command import baselines, pieces, split, tables, task_data, train
from ltc_np.command.task import of_model
from ltc_np.data import forward_fill
from ltc_np.layers import Conv1D, Hold
from ltc_np.losses import Mixture
from ltc_np.recipe import Recipe
from ltc_np.train.loop.run import Run

WAVES = ["--target", "heat", "--time", "time"]


def trained_on(ltc, columns, *options, name="table", more=()):
    """The model of a training on a table, and its report."""
    write_csv(pathlib.Path(f"{name}.csv"), columns)
    status, out, err = ltc("train", f"{name}.csv", "--out", f"{name}.npz", "--force", "--json", *options, *SMALL, *more)
    assert status == 0, err
    return load(f"{name}.npz"), json.loads(out)


def test_the_same_table_in_every_kind_of_file(here, ltc):
    model, _ = trained_on(ltc, waves(), *WAVES)
    np.savez("table2.npz", **{name: np.array(values) for name, values in waves().items()})
    assert ltc("train", "table2.npz", "--out", "other.npz", *WAVES, *SMALL)[0] == 0
    assert (load("other.npz").theta == model.theta).all()
    text = (here / "table.csv").read_text()
    (here / "semicolons.csv").write_text("\ufeff" + text.replace(",", ";").replace("\n", "\r\n"), encoding="utf-8")
    assert ltc("train", "semicolons.csv", "--out", "other.npz", "--force", *WAVES, *SMALL)[0] == 0
    assert (load("other.npz").theta == model.theta).all()


def test_parquet(here, ltc):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = waves() | {"word": ["a", "b"] * 40}
    parquet.write_table(pyarrow.table(columns), "table.parquet")
    assert ltc("train", "table.parquet", "--out", "m.npz", "--ignore", "word", *WAVES, *SMALL)[0] == 0
    model, _ = trained_on(ltc, waves(), *WAVES)
    assert (load("m.npz").theta == model.theta).all()
    assert ltc("predict", "m.npz", "table.parquet", "--out", "p.parquet")[0] == 0
    assert ltc("predict", "m.npz", "table.parquet", "--out", "p.npz")[0] == 0
    found = parquet.read_table("p.parquet")
    assert (found["predicted_heat"].to_numpy() == np.load("p.npz")["predicted_heat"]).all()


def test_without_pyarrow_the_line_says_what_to_install(here, ltc, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (here / "table.parquet").write_bytes(b"PAR1")
    status, out, err = ltc("train", "table.parquet", "--out", "m.npz", *WAVES)
    assert (status, out) == (2, "")
    assert err == 'python -m ltc_np train: reading table.parquet needs pyarrow: pip install "ltc-np[cli]"\n'


def test_dates_are_elapsed_times(here, ltc):
    """Hours from one row to the next, as dates and as numbers: the same training, if the unit is an hour in both."""
    hours = np.cumsum(np.random.default_rng(3).integers(1, 9, 80))
    dates = [str(np.datetime64("2024-02-27T22:00:00") + np.timedelta64(int(h), "h")).replace("T", " ") for h in hours]
    by_number, _ = trained_on(ltc, waves() | {"time": hours.tolist()}, *WAVES, "--time-unit", "1")
    by_date, _ = trained_on(ltc, waves() | {"time": dates}, *WAVES, "--time-unit", "h", name="dates")
    assert (by_number.theta == by_date.theta).all()
    assert by_date.notes["table"]["unit"] == 3600 and by_date.notes["table"]["dates"]
    usual, _ = trained_on(ltc, waves() | {"time": dates}, *WAVES, name="usual")
    first = np.diff(hours[:56], prepend=2 * hours[0] - hours[1])
    assert usual.notes["table"]["unit"] == 3600 * np.median(first)
    assert ltc("predict", "dates.npz", "dates.csv", "--out", "p.csv")[0] == 0
    assert (here / "p.csv").read_text().splitlines()[1].startswith(f"{dates[0]},")


def test_missing_values(here, ltc):
    table = change(waves(), power={0: None, 3: None, 4: "nan", 79: None}, heat={10: None, 70: "NA"})
    power = np.array([np.nan if v is None or v == "nan" else v for v in table["power"]], float)[:, None]
    mean = power[np.arange(56)][~np.isnan(power[:56])].mean()
    for how in ("fill", "mask"):
        model, report = trained_on(ltc, table, *WAVES, "--missing", how, name=how)
        notes = model.notes["table"]
        assert notes["first"] == pytest.approx([mean])
        read = task_data.read(of_model(model, "m"), tables.read(f"{how}.csv"), parts=True)
        filled = forward_fill(power, dt=read.dt[0], first=notes["first"])
        wanted = filled.values if how == "fill" else np.concatenate(filled, axis=1)
        assert (read.x[0] == wanted).all() and model.input_size == wanted.shape[1]
        assert report["answers"] == {"train": 56, "validation": 12, "test": 12}
        assert ltc("predict", f"{how}.npz", f"{how}.csv", "--out", f"{how}_p.csv")[0] == 0
    # what is missing in the target is not compared with anything
    _, out, _ = ltc("evaluate", "fill.npz", "fill.csv", "--part", "test", "--json")
    y = load("fill.npz")(forward_fill(power, first=[mean]).values, dt=read.dt[0])[68:, 0]
    heat = np.array([np.nan if v in (None, "NA") else v for v in table["heat"]], float)[68:]
    known = ~np.isnan(heat)
    assert known.sum() == 11
    wanted = np.sqrt(((y[known].astype(float) - heat[known]) ** 2).mean())
    assert json.loads(out)["scores"]["rmse"] == pytest.approx(wanted, rel=1e-6)


def test_windows(here, ltc):
    """The windows are those of the training rows, and each is a sequence of `fit`."""
    assert pieces.choose_windows([56], None, None) == (14, 1)
    assert pieces.choose_windows([5000], None, None) == (64, 19)
    assert pieces.choose_windows([100000], None, None) == (64, 32)
    assert pieces.choose_windows([20] * 30, None, None) == (None, 1)
    assert pieces.choose_windows([56], 20, 7) == (20, 7)
    model, report = trained_on(ltc, waves(), *WAVES, "--window", "20", "--hop", "7")
    assert report["answers"]["train"] == 56
    task = of_model(model, "m")
    read = task_data.read(task, tables.read("table.csv"), parts=True)
    found = pieces.training(read, 20, 7)
    assert [len(x) for x in found.x] == [20] * 6  # from 0, 7, ..., 35 of 56 rows
    for k, (x, dt, y) in enumerate(zip(found.x, found.dt, found.y, strict=True)):
        rows = slice(7 * k, 7 * k + 20)
        assert (x == read.x[0][rows]).all() and (dt == read.dt[0][rows]).all() and (y == read.y[0][rows]).all()
    held = pieces.validation(read, 20)
    assert len(held.x[0]) == 20 + 12 and np.isnan(held.y[0][:20]).all()
    assert (held.y[0][20:, 0] == np.array(waves()["heat"])[56:68]).all()


@pytest.mark.slow
def test_every_group_is_cut_by_time_or_stays_whole(here, ltc):
    table = {name: values * 5 for name, values in waves(n=40).items()}
    table["who"] = [f"g{k // 40}" for k in range(200)]
    order = np.random.default_rng(0).permutation(5)
    mixed = np.argsort([order[k // 40] + 5 * (k % 40) for k in range(200)])  # rows of groups between each other
    table = {name: [values[k] for k in mixed] for name, values in table.items()}
    for by, counts in (("time", [5 * 28, 5 * 6, 5 * 6]), ("group", [3 * 40, 40, 40])):
        _, report = trained_on(ltc, table, *WAVES, "--group", "who", "--split", by)
        assert list(report["answers"].values()) == counts
    # all groups are alike, so answers are too, in the rows where they stand in the table
    assert ltc("predict", "table.npz", "table.csv", "--out", "p.npz")[0] == 0
    with np.load("p.npz") as found:
        assert found["who"].tolist() == table["who"]
        values = {who: found["predicted_heat"][found["who"] == who] for who in set(table["who"])}
    assert all((own == values["g0"]).all() for own in values.values())


@pytest.mark.slow
def test_several_targets_and_cells(here, ltc):
    columns = waves() | {"two": [2 * v + 1 for v in waves()["heat"]]}
    options = ["--target", "heat,two", "--time", "time", "--horizon", "1"]
    for cell in ("gru", "ltc"):
        model, report = trained_on(ltc, columns, *options, "--model", cell)
        assert model.output_size == 2 and model.input_size == 3
        assert set(report["scores"]["mean"]["test"]) == {
            f"{kind} of {name}" for kind in ("rmse", "mae", "r2") for name in ("heat", "two")
        }
    assert ltc("predict", "table.npz", "table.csv", "--out", "p.csv")[1].endswith("predicted_heat, predicted_two\n")


def test_classes_at_every_row(here, ltc):
    columns = waves() | {"state": ["hot" if v > 0 else "cold" for v in waves()["heat"]]}
    model, report = trained_on(ltc, columns, "--target", "state", "--features", "power", "--balanced")
    assert model.return_sequences and model.notes["table"]["labels"] == ["cold", "hot"]
    assert report["scores"]["linear, of 8 rows"]["test"]["accuracy"] > 0.5
    assert "cross_entropy" not in report["scores"]["linear, of 8 rows"]["test"]
    assert ltc("predict", "table.npz", "table.csv", "--out", "p.csv")[0] == 0


def test_numbers_for_whole_groups(here, ltc):
    columns = words(n=90)
    columns["slope"] = [{"down": -1.5, "flat": 0, "up": 1.5}[word] for word in columns.pop("word")]
    model, report = trained_on(ltc, columns, "--target", "slope", "--group", "who", "--time", "t")
    assert not model.return_sequences
    assert report["scores"]["linear, of means, spreads, ends"]["test"]["r2"] > 0.8
    assert report["answers"] == {"train": 62, "validation": 14, "test": 14}


@pytest.mark.slow
def test_convolutions_of_whole_groups(here, ltc):
    """In front of the cell, beside the line that is there by default; where rows get answers, all are kept."""
    columns = words()
    model, report = trained_on(ltc, columns, "--target", "word", "--group", "who", "--conv-layers", "2")
    (held,) = (layer for layer in model.layers[1].layers if isinstance(layer, Hold))
    assert held.stride == 1 and [layer.stride for layer in held.layers[:2]] == [2, 2]
    assert report["shortcut"]["reads"] == "summaries"
    assert ltc("predict", "table.npz", "table.csv", "--out", "p.csv")[0] == 0
    written = (here / "p.csv").read_text().splitlines()
    assert len(written) == 1 + len(set(columns["who"])) and "nan" not in " ".join(written)
    model, _ = trained_on(ltc, waves(), *WAVES, "--conv-layers", "2")
    convolutions = [layer for layer in model.layers[1].layers if isinstance(layer, Conv1D)]
    assert [(layer.stride, layer.dilation) for layer in convolutions] == [(1, 1), (1, 2)]
    status, _, err = ltc(
        "train", "table.csv", "--out", "m.npz", *WAVES, *SMALL, "--conv-layers", "1", "--ensemble", "2"
    )
    assert status == 2 and "--ensemble must be 1 with --conv-layers, got 2" in err


def test_a_group_that_convolutions_leave_no_step_of_is_refused(here, ltc):
    """By all that answers: without an output the first of the classes would be its answer."""
    columns = words()
    settings = ("--target", "word", "--group", "who", "--conv-layers", "2", "--shortcut", "none")
    trained_on(ltc, columns, *settings)
    write_csv(here / "short.csv", {name: values[:-3] for name, values in columns.items()})
    kept = len(columns["who"]) - columns["who"].index(columns["who"][-1]) - 3
    assert 0 < kept < 4
    said = f"every group must have at least 4 rows, .* got 1 of {len(set(columns['who']))} .* shortest with {kept}:"
    for line in (
        ["train", "short.csv", "--out", "m.npz", *settings, *SMALL],
        ["evaluate", "table.npz", "short.csv"],
        ["predict", "table.npz", "short.csv", "--out", "p.csv"],
    ):
        status, _, err = ltc(*line)
        assert status == 2 and re.search(said, err)
    assert not (here / "p.csv").exists() and not (here / "m.npz").exists()


def test_densities(here, ltc):
    """`train`, `evaluate` and `predict` with the numbers of the model; a missing target has no likelihood."""
    columns = change(waves(), heat={3: None, 70: None})
    line = [*WAVES, "--components", "2", "--missing", "fill"]
    model, report = trained_on(ltc, columns, *line)
    status, out, _ = ltc("evaluate", "table.npz", "table.csv", "--json", "--backend", "numpy")
    found = json.loads(out)["scores"]
    assert status == 0 and list(found) == ["log_likelihood", "rmse", "mae", "r2"]
    assert report["scores"]["ltc, 4 units"]["test"].keys() == found.keys()
    assert ltc("predict", "table.npz", "table.csv", "--out", "p.npz", "--backend", "numpy")[0] == 0
    answers = np.load("p.npz")
    heat, power, t = (np.array(columns[name], float) for name in ("heat", "power", "time"))
    dt = np.diff(t, prepend=2 * t[0] - t[1])
    dt /= np.median(dt[:56])
    known = ~np.isnan(heat)
    mixture = Mixture.of(model(np.stack([power], axis=1), dt=dt))
    np.testing.assert_allclose(answers["predicted_heat"], mixture.mean()[:, 0], rtol=1e-5)
    np.testing.assert_allclose(answers["95%_heat"], mixture.quantiles(0.95)[:, 0].ravel(), rtol=1e-5)
    assert (answers["5%_heat"] < answers["predicted_heat"]).all()
    for k in (0, 1):
        np.testing.assert_allclose(answers[f"share_{k + 1}"], np.exp(mixture.log_pi[:, k]), rtol=1e-5)
        np.testing.assert_allclose(answers[f"mean_{k + 1}_heat"], mixture.mu[:, k, 0], rtol=1e-5)
        np.testing.assert_allclose(answers[f"deviation_{k + 1}_heat"], np.exp(mixture.log_sigma[:, k, 0]), rtol=1e-5)
    assert {column.dtype.name for name, column in answers.items() if "heat" in name} == {"float32"}  # as the network's
    wanted = mixture.log_likelihood(np.where(known, heat, 0)[:, None])[known].mean()
    assert found["log_likelihood"] == pytest.approx(wanted, rel=1e-5)
    error = answers["predicted_heat"][known] - heat[known]
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)


def test_densities_are_judged_by_their_likelihood(here, ltc):
    """Beside one normal density, one around a line, and a kernel density; here of a target that is 1 or -1."""
    rng = np.random.default_rng(0)
    y = rng.choice([-1.0, 1.0], 200) + 0.05 * rng.normal(size=200)
    write_csv(here / "two.csv", {"x": rng.normal(size=200).tolist(), "y": y.tolist()})
    line = ["train", "two.csv", "--target", "y", "--out", "two.npz", "--components", "2"]
    status, out, error = ltc(*line, *SMALL, "--epochs", "12", "--learning-rate", "0.1", "--json")
    assert status == 0, error
    scores_ = {who: list(parts.values()) for who, parts in json.loads(out)["scores"].items()}
    told = train.verdict(scores_, "log_likelihood", True)
    assert told == "on the test part ltc, 4 units is better than the best baseline, `kernel density of the targets`"
    found = {who: parts["test"]["log_likelihood"] for who, parts in json.loads(out)["scores"].items()}
    network, normal, linear, kernel = found.values()
    assert [*found][1:] == [
        "mean, normal around it",
        "linear, of 8 rows, normal around it",
        "kernel density of the targets",
    ]
    known, test = y[:140], y[170:]  # 0.7, 0.15, 0.15

    def likelihood(mean, deviation):
        return -0.5 * ((test - mean) / deviation) ** 2 - np.log(deviation * (2 * np.pi) ** 0.5)

    assert normal == pytest.approx(likelihood(known.mean(), known.std()).mean())
    some = known[:: 1 + 140 // baselines.KERNELS]
    each = [likelihood(one, known.std() * len(some) ** (-1 / 5)) for one in some]
    assert kernel == pytest.approx(np.log(np.mean(np.exp(each), axis=0)).mean())
    assert network > kernel > normal and abs(linear - normal) < 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ensemble", "2"], "--ensemble must be left out with --components"),
        (["--shortcut", "ridge"], "--shortcut must be left out with --components"),
        (["--task", "classes"], "--components needs a target that is numbers"),
    ],
)
def test_what_is_no_density(options, words, here, ltc):
    write_csv(pathlib.Path("table.csv"), waves())
    status, _, err = ltc("train", "table.csv", "--out", "m.npz", *WAVES, *SMALL, "--components", "2", *options)
    assert status == 2 and words in err and not pathlib.Path("m.npz").exists()


def test_classes_that_are_numbers(here, ltc):
    columns = words()
    columns["word"] = [{"down": 10, "flat": 9, "up": 2}[word] for word in columns["word"]]
    model, _ = trained_on(ltc, columns, "--target", "word", "--group", "who", "--task", "classes")
    assert model.notes["table"]["labels"] == ["2", "9", "10"]


def test_baselines(here, ltc):
    """Against the same numbers made another way."""
    _, report = trained_on(ltc, waves(), *WAVES, "--horizon", "2")
    heat = np.array(waves()["heat"])
    test = slice(68, 80)
    mean, now = heat[2:56].mean(), heat[66:78]
    found = {name: parts["test"] for name, parts in report["scores"].items()}
    assert found["mean"]["rmse"] == pytest.approx(np.sqrt(((heat[test] - mean) ** 2).mean()))
    assert found["the value now"]["rmse"] == pytest.approx(np.sqrt(((heat[test] - now) ** 2).mean()))
    t = np.array(waves()["time"])
    dt = np.diff(t, prepend=2 * t[0] - t[1])
    x = np.stack([waves()["power"], waves()["heat"], dt], 1)
    rows = np.stack([x[np.maximum(np.arange(80) - lag, 0)] for lag in range(8)], 1)
    columns = rows.reshape(80, 24)
    train = columns[:54]
    z = (columns - train.mean(0)) / train.std(0)
    y = heat[2:56]
    # ridge regression as least squares with rows added
    tall = np.concatenate([z[:54], np.eye(24)]), np.concatenate([y - y.mean(), np.zeros(24)])
    guess = z[66:78] @ np.linalg.lstsq(*tall, rcond=None)[0] + y.mean()
    assert found["linear, of 8 rows"]["rmse"] == pytest.approx(np.sqrt(((heat[test] - guess) ** 2).mean()), rel=1e-6)


def test_the_seed_decides(here, ltc):
    first, _ = trained_on(ltc, waves(), *WAVES)
    again, _ = trained_on(ltc, waves(), *WAVES)
    other, _ = trained_on(ltc, waves(), *WAVES, "--seed", "1")
    assert (first.theta == again.theta).all() and not (first.theta == other.theta).all()


def test_every_hyperparameter_is_an_option(here, ltc):
    """Each reaches the recipe under its name."""
    from ltc_np.base.command_line import Parser
    from ltc_np.command import options
    from ltc_np.recipe import Recipe

    given = {"cell": "cfc", "units": 5, "wiring": "ncp", "ode_unfolds": 2, "time_constants": (0.5, 4.0),
             "backbone_units": 24, "conv_layers": 3, "mixed_memory": True, "bidirectional": True, "readout": "last",
             "readout_units": 6, "dropout": 0.25, "input_dropout": 0.125, "shortcut": None, "standardize": False,
             "clip_inputs": None, "learning_rate": 0.5, "schedule": "constant", "weight_decay": 0.125,
             "clip_norm": None, "epochs": 7, "batch_size": 3}  # fmt: skip
    assert set(given) | {"ensemble"} == set(Recipe.names())  # which has no convolutions
    line = []
    for name, value in given.items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            line.append(option if value else option.replace("--", "--no-"))
        else:
            text = {None: "none", (0.5, 4.0): "0.5,4"}.get(value, str(value))
            line += [option, text]
    parser = Parser("train", "")
    options.add_recipe(parser)
    assert options.of_recipe(parser.parse_args(line)) == Recipe(**given)
    assert options.of_recipe(parser.parse_args([])) == Recipe()
    assert options.of_recipe(parser.parse_args(["--ensemble", "2"])) == Recipe(ensemble=2)
    for word in ("auto", "convolutions"):
        assert options.of_recipe(parser.parse_args(["--shortcut", word])) == Recipe(shortcut=word)
    assert options.of_recipe(parser.parse_args(["--epochs", "auto"])) == Recipe()
    assert options.of_recipe(parser.parse_args(["--clip-inputs", "4.5"])) == Recipe(clip_inputs=4.5)
    assert "Neurons of the cell. default: 32" in " ".join(parser.format_help().split())


@pytest.mark.slow
@pytest.mark.parametrize("labels", [False, True])
def test_a_line_beside_the_network(here, ltc, labels):
    """Numbers that are a line of the last rows, or which of them are above the middle."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    heat = np.convolve(a, [0.5, -1.0, 2.0])[:600] + 0.01 * rng.normal(size=600)
    known = np.where(heat > 0, "warm", "cold") if labels else heat
    columns, asked = {"time": range(600), "a": a, "heat": known}, [*WAVES, "--window", "16"]
    more = ["--balanced"] if labels else []
    plain, before = trained_on(ltc, columns, *asked, "--shortcut", "none", more=more)
    both, found = trained_on(ltc, columns, *asked, more=more, name="both")  # "auto", as estimators
    what = "accuracy" if labels else "rmse"
    assert [next(iter(report["scores"])) for report in (found, before)] == ["ltc, 4 units and a line", "ltc, 4 units"]
    error, of_plain = (next(iter(report["scores"].values()))["test"][what] for report in (found, before))
    assert error > 0.95 > of_plain if labels else error < 0.05 < of_plain
    assert before["shortcut"] == {} and found["shortcut"]["share"] < 0.5
    assert "Line(" in repr(both) and both.notes.keys() == plain.notes.keys()


@pytest.mark.slow
def test_patience(here, ltc):
    """The training ends N epochs after the best one, with the weights of that one."""
    line = [*WAVES, "--schedule", "constant", "--learning-rate", "0.3"]
    whole, long = trained_on(ltc, waves(), *line, more=["--epochs", "40"])
    assert long["epochs"] == 40
    val = whole.notes["history"]["measured"]["val_loss"]
    for patience in (1, 3):
        best = [k for k in range(40) if val[k] < min(val[:k], default=np.inf)]
        last = next(k for k in range(40) if k - max(b for b in best if b <= k) == patience)
        assert 2 * patience < last < 39 or patience == 1
        model, report = trained_on(ltc, waves(), *line, "--patience", patience, more=["--epochs", "40"])
        assert report["epochs"] == last + 1 and report["best_epoch"] == last - patience  # counted from 0
        assert model.notes["history"]["measured"]["val_loss"] == val[: last + 1]
        assert min(val[: last + 1]) == val[report["best_epoch"]]
        _, out, _ = ltc(
            "train",
            "table.csv",
            "--out",
            "again.npz",
            *line,
            "--patience",
            patience,
            *SMALL,
            "--epochs",
            "40",
            "--force",
        )
        assert f"; {last + 1} epochs in " in out and f"best after {last + 1 - patience}\n" in out


def test_evaluate_has_the_parts_of_train(here, ltc):
    """Whatever the order of classes is: 10 is after 9 as a number, and before it as text; and some have none."""
    columns = words()
    columns["word"] = [{"down": 10, "flat": 9, "up": 2}[word] for word in columns["word"]]
    columns = change(columns, word={k: None for k, who in enumerate(columns["who"]) if who in ("g2", "g9")})
    line = ["--target", "word", "--group", "who", "--task", "classes", "--missing", "fill", "--answer", "sequence"]
    _, report = trained_on(ltc, columns, *line)
    network = next(iter(report["scores"].values()))
    for part in ("train", "validation", "test"):
        status, out, _ = ltc("evaluate", "table.npz", "table.csv", "--part", part, "--json", "--backend", "numpy")
        assert status == 0 and json.loads(out)["scores"] == network[part]


def test_the_training_is_that_of_the_recipe(here, ltc):
    """Rows by hand: windows of 20 from every 7th row, elapsed times in units of their median, 20 rows to warm up."""
    model, _ = trained_on(ltc, waves(), *WAVES, "--window", "20", "--hop", "7", "--seed", "3", "--shortcut", "none")
    t, power, heat = (np.array(waves()[name]) for name in ("time", "power", "heat"))
    dt = np.diff(t, prepend=2 * t[0] - t[1])
    dt /= np.median(dt[:56])
    cuts = [slice(k, k + 20) for k in range(0, 37, 7)]
    held = heat[36:68].copy()
    held[:20] = np.nan
    recipe = Recipe(units=4, ode_unfolds=1, epochs=2)
    duration = np.mean([dt[cut].sum() for cut in cuts])
    own = recipe.model(1, 1, steps=20, every_step=True, numbers=True, duration=duration, seed=3, backend="numpy")
    history = recipe.fit(
        own, np.stack([power[cut] for cut in cuts])[..., None], np.stack([heat[cut] for cut in cuts])[..., None],
        sequences=6, dt=np.stack([dt[cut] for cut in cuts]), loss="mse", seed=3, missing="ignore",
        validation={"x": power[None, 36:68, None], "y": held[None, :, None], "dt": dt[None, 36:68]},
    )  # fmt: skip
    assert (model.theta == own.theta).all()
    assert model.notes["history"]["measured"]["val_loss"] == history["val_loss"]


def test_a_sequence_that_is_validated_warms_up_as_long_as_the_longest_of_training(here, ltc):
    """Without windows: 8 sequences of 40 rows, the first 28 of which train, so that all 28 come before the next 6."""
    columns = {name: values * 8 for name, values in waves(n=40).items()} | {"who": [f"g{k // 40}" for k in range(320)]}
    trained_on(ltc, columns, *WAVES, "--group", "who", "--split", "time", "--shortcut", "none")
    model = load("table.npz", backend="numpy")
    read = task_data.read(of_model(model, "m"), tables.read("table.csv"), parts=True)
    heat = np.array(waves(n=40)["heat"])[28:34]
    guess = model(np.stack(read.x)[:, :34], dt=np.stack(read.dt)[:, :34])[:, 28:, 0]
    measured = model.notes["history"]["measured"]["val_loss"][model.notes["history"]["best_epoch"]]
    assert measured == pytest.approx(((guess - heat) ** 2).mean(), rel=1e-5)


def test_balanced_classes_weigh_the_same(here, ltc):
    """As `fit` has it for sequences one by one: rare classes count more than often ones."""
    columns = words(n=60)
    columns["word"] = ["flat" if word == "up" else word for word in columns["word"]]
    line = ["--target", "word", "--group", "who", "--balanced", "--shortcut", "none"]
    model, _ = trained_on(ltc, columns, *line)
    task = of_model(model, "m")
    read = task_data.read(task, tables.read("table.csv"), parts=True)
    parts = [
        [k for k, own in enumerate(read.part_of_answer) if own == part] for part in (split.TRAIN, split.VALIDATION)
    ]
    (x, y), held = ([[read.x[k] for k in own], np.array([read.y[k] for k in own], int)] for own in parts)
    recipe = Recipe(units=4, ode_unfolds=1, epochs=2)
    steps = np.mean([len(own) for own in x])
    thetas = []
    for weight in ("balanced", None):
        own = recipe.model(3, 2, steps=steps, every_step=False, numbers=False, seed=0, backend="numpy")
        recipe.fit(own, x, y, sequences=len(x), loss="cross_entropy", class_weight=weight, seed=0,
                   validation={"x": held[0], "y": held[1]})  # fmt: skip
        thetas.append(own.theta)
    assert (model.theta == thetas[0]).all() and not (model.theta == thetas[1]).all()


def test_a_training_that_is_terminated_goes_on(here, ltc, monkeypatch):
    """By SIGTERM, as on a cluster: a checkpoint is left, no model; the same command with --resume ends as without."""
    whole, _ = trained_on(ltc, waves(), *WAVES)
    command = "train", "table.csv", "--out", "m.npz", "--checkpoint", "run", *WAVES, *SMALL
    inner = Run.step

    def terminated(self, batch, place, step, **others):
        if step == 2:
            signal.raise_signal(signal.SIGTERM)
        return inner(self, batch, place, step, **others)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", terminated)
        status, out, err = ltc(*command)
    assert (status, out) == (130, "") and not (here / "m.npz").exists()
    assert "terminated after " in err and err.endswith("; no model was written, and --resume goes on from run\n")
    status, out, err = ltc(*command)
    assert (status, out) == (2, "") and "--checkpoint run holds checkpoints: give --resume, or another folder" in err
    status, out, err = ltc("train", "table.csv", "--out", "m.npz", "--resume", *WAVES, *SMALL)
    assert (status, out) == (2, "") and "--resume needs the folder to go on from: --checkpoint DIR" in err
    status, out, err = ltc("train", "table.csv", "--out", "m.npz", "--checkpoint", "", *WAVES, *SMALL)
    assert (status, out) == (2, "") and "--checkpoint must be a folder, got ''" in err
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    status, out, err = ltc("train", "table.csv", "--out", "m.npz", "--checkpoint", "~/run", *WAVES, *SMALL)
    assert (status, out) == (2, "") and "--checkpoint ~/run holds checkpoints: give --resume, or another folder" in err
    status, out, err = ltc(*command, "--resume", "--weight-decay", "0.5")
    assert (status, out) == (2, "") and "optimizer.weight_decay 0.01 (now 0.5): give these, or another folder" in err
    status, out, err = ltc(*command, "--resume", "--missing", "fill")  # there is none missing: x is the same
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert "--resume must go on with the same question and table, got run/step-0000000" in err
    assert err.endswith("with missing 'error' (now 'fill'), first [] (now [" + err.rpartition("[")[2])
    table = (here / "table.csv").read_text()
    write_csv(here / "table.csv", change(waves(), heat={79: 1.0}))  # the test's last row: `fit` does not see it
    status, out, err = ltc(*command, "--resume")
    assert (status, out) == (2, "") and err.endswith("npz with other rows, or rows in another order or part\n")
    (here / "table.csv").write_text(table)
    assert ltc(*command, "--resume")[0] == 0
    assert (load("m.npz").theta == whole.theta).all()


def test_files_of_other_names_are_no_checkpoints(here, ltc):
    """As for `fit`: a folder that holds only such files is taken, without --resume."""
    write_csv(here / "table.csv", waves())
    (here / "run").mkdir()
    (here / "run" / "step-1.npz").write_text("mine")
    command = "train", "table.csv", "--out", "m.npz", "--checkpoint", "run", *WAVES, *SMALL
    assert ltc(*command)[0] == 0
    assert len(list((here / "run").iterdir())) > 1


@pytest.fixture
def pressed(monkeypatch, ltc):
    """Trains on waves.csv, with Ctrl-C before each of some steps: (exit status, standard output, standard error)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    inner = Run.step
    write_csv(pathlib.Path("waves.csv"), waves())

    def run(*steps, times=1, options=()):
        def stopped(self, batch, place, step, **others):
            for _ in range(times if step in steps else 0):
                signal.raise_signal(signal.SIGINT)
            return inner(self, batch, place, step, **others)

        with monkeypatch.context() as patch:
            patch.setattr(Run, "step", stopped)
            return ltc("train", "waves.csv", "--out", "m.npz", *WAVES, *SMALL, "--window", "14", *options)

    yield run
    signal.signal(signal.SIGINT, before)


KEPT = ["--checkpoint", "run"]
STEPS = 3  # of an epoch: 43 windows of 14 of 56 rows, in batches of 16


def test_ctrl_c_in_the_first_epoch_leaves_no_model(here, pressed):
    """There is nothing to report; with checkpoints the training goes on where it was."""
    status, out, err = pressed(1)
    assert (status, out) == (130, "") and not (here / "m.npz").exists()
    assert err.splitlines()[-1] == "interrupted before the first epoch was done; nothing was written"
    status, out, err = pressed(1, options=KEPT)
    assert (status, out) == (130, "") and not (here / "m.npz").exists()
    told = "interrupted before the first epoch was done; no model was written, and --resume goes on from run"
    assert err.splitlines()[-1] == told
    assert [path.name for path in (here / "run").iterdir()] == ["step-00000002.npz"]
    assert pressed(options=[*KEPT, "--resume"])[0] == 0
    resumed = load("m.npz").theta
    assert pressed(options=["--force"])[0] == 0
    assert (load("m.npz").theta == resumed).all()


@pytest.mark.parametrize("options", [[], KEPT], ids=["alone", "checkpoints"])
def test_ctrl_c_in_a_later_epoch_is_reported(options, here, pressed):
    """The model of the epochs that are done is written, and the report says that more were asked for."""
    status, out, _ = pressed(STEPS, options=options)
    assert status == 0 and load("m.npz").notes["history"]["epoch"] == [0]
    told = "interrupted after 1 epoch and a part of the next one"
    assert (told + ("; --resume --force goes on from run" if options else "")) in out.splitlines()
    report = json.loads(pressed(STEPS, options=["--checkpoint", "other"] * bool(options) + ["--force", "--json"])[1])
    assert (report["stopped"], report["resume"]) == (told, "other" if options else None)
    assert "interrupted" not in pressed(options=[*options, "--force", *["--resume"] * bool(options)])[1]
    assert load("m.npz").notes["history"]["epoch"] == [0, 1]


def test_a_second_ctrl_c_says_what_is_left(here, pressed):
    status, out, err = pressed(STEPS, times=2)
    assert (status, out) == (130, "") and err.endswith("train: stopped; nothing was written\n")
    status, out, err = pressed(STEPS, times=2, options=KEPT)
    assert (status, out) == (130, "") and not (here / "m.npz").exists()
    assert err.endswith("train: stopped; no model was written, and --resume goes on from run\n")
    assert list((here / "run").iterdir())


def test_a_checkpoint_is_asked_as_a_model(here, ltc, pressed):
    """It says which columns it reads; it has no learning curve, which comes with the model."""
    assert pressed(options=KEPT)[0] == 0
    path = f"run/step-{2 * STEPS:08d}.npz"
    x, dt = (
        np.array(waves()["power"])[:, None],
        task_data.read(of_model(load("m.npz"), "m"), tables.read("waves.csv"), False).dt,
    )
    assert ltc("predict", path, "waves.csv", "--out", "p.npz", "--backend", "numpy")[0] == 0
    assert (np.load("p.npz")["predicted_heat"] == load(path, backend="numpy")(x, dt=dt[0])[:, 0]).all()
    assert ltc("evaluate", path, "waves.csv", "--backend", "numpy")[0] == 0
    status, _, err = ltc("plot", path, "--what", "learning", "--out", "p.png")
    assert status == 2 and "step-00000006.npz: is a checkpoint, which holds no learning curve: take the file" in err


@pytest.mark.slow
def test_an_ensemble_beside_a_line_is_read_by_the_other_commands(here, ltc):
    _, told = trained_on(ltc, waves(), *WAVES, "--ensemble", "2")
    assert told["shortcut"]["share"] < 1
    for command in ("predict", "evaluate"):
        more = ["--out", "p.csv"] if command == "predict" else []
        status, _, error = ltc(command, "table.npz", "table.csv", "--backend", "numpy", *more)
        assert status == 0, error
    pytest.importorskip("matplotlib")
    for what, of in (("wiring", []), ("states", ["table.csv"]), ("time-constants", ["table.csv"])):
        status, _, error = ltc("plot", "table.npz", *of, "--what", what, "--out", f"{what}.png")
        assert status == 0, error


@pytest.mark.slow
def test_an_ensemble_is_one_file(here, ltc, monkeypatch):
    """Which the other commands read as any model; side by side or not, it is the same."""
    model, told = trained_on(ltc, waves(), *WAVES, "--ensemble", "2", "--shortcut", "none")
    alone, _ = trained_on(ltc, waves(), *WAVES, "--shortcut", "none", name="alone")
    first, second = ensemble.members(model)
    assert np.array_equal(first.theta, alone.theta) and not np.array_equal(second.theta, alone.theta)
    assert next(iter(told["scores"])) == "ltc, 4 units, 2 networks" and told["parameters"] == 2 * alone.theta.size
    assert ltc("predict", "table.npz", "table.csv", "--out", "p.csv", "--backend", "numpy")[0] == 0
    assert ltc("evaluate", "table.npz", "table.csv", "--backend", "numpy")[0] == 0
    called = []
    monkeypatch.setattr(train, "need", lambda package, *words: called.append(package) or joblib)
    joblib = SimpleNamespace(
        Parallel=lambda n_jobs: called.append(n_jobs) or (lambda calls: [call() for call in calls]),
        delayed=lambda function: lambda one: partial(function, one),
    )
    again, _ = trained_on(ltc, waves(), *WAVES, "--ensemble", "2", "--shortcut", "none", "--jobs", "3", name="again")
    assert called == ["joblib", 3] and np.array_equal(again.theta, model.theta)
    for options, told in (
        (("--ensemble", "2", "--checkpoint", "run"), "--checkpoint must be left out for an --ensemble"),
        (("--ensemble", "0"), "--ensemble must be an int >= 1, got 0"),
        (("--jobs", "0"), "`--jobs` must be an int >= 1, got 0"),
    ):
        status, _, err = ltc("train", "table.csv", "--out", "m.npz", *WAVES, *SMALL, *options)
        assert status == 2 and told in err, err


def test_an_ensemble_of_classes_answers_by_the_mean_of_probabilities(here, ltc):
    options = "--target", "word", "--group", "who", "--ensemble", "2"
    model, _ = trained_on(ltc, words(), *options)
    x = np.ones((3, 5, model.input_size))
    p = np.mean([one.predict_proba(x) for one in ensemble.members(model)], axis=0)
    np.testing.assert_allclose(model.predict_proba(x), p, rtol=1e-5)
