"""Commands that go well: what they write and say agrees with the library and with numbers computed here."""

import contextlib
import csv
import io
import json
import os
import platform
import re
import subprocess
import sys
import types
import warnings
from importlib import metadata

import numpy as np
import pytest
from support import ROOT
from support.files import read_only_folder
from support.tables import SMALL, waves, words, write_csv

import ltc_np
from ltc_np import LTCRNN, Adam, AutoNCP, Model, SpikingLIF, kernels, load
from ltc_np.base import command_line
from ltc_np.command import COMMANDS, USAGE, split, tables, task, task_data
from ltc_np.kernels import library, versions
from ltc_np.online import Learner


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
        columns = "time, time_of_target" if horizon else "time"
        told = f"columns: target heat; features {', '.join(sorted(features)[::-1])}; time time\n"
        assert out == f"{told}{name}.csv: 80 rows of {columns}, predicted_{target}\n"
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
    of_a, of_b = (model.notes.pop("parts") for model in (a, b))
    assert seen == also and a.notes == b.notes
    assert [name for name in of_a if of_a[name] != of_b[name]] == ["test"]


def test_test_groups_do_not_reach_the_weights(here, ltc):
    columns = words()
    write_csv(here / "a.csv", columns)
    options = ["--target", "word", "--group", "who", *SMALL]
    assert ltc("train", "a.csv", "--out", "a.npz", *options)[0] == 0
    read = task_data.read(task.of_model(load("a.npz"), "a.npz"), tables.read("a.csv"), parts=True)
    kept = {who for who, part in zip(read.records.names, read.part_of_answer, strict=True) if part == split.TEST}
    assert len(kept) == 4  # of 24
    for column in ("a", "b"):
        columns[column] = [99.0 if who in kept else v for who, v in zip(columns["who"], columns[column], strict=True)]
    write_csv(here / "b.csv", columns)
    assert ltc("train", "b.csv", "--out", "b.npz", *options)[0] == 0
    a, b = load("a.npz"), load("b.npz")
    assert (a.theta == b.theta).all() and (a.buffer_vector == b.buffer_vector).all()


def test_info_says_what_is_asked(trained, ltc):
    status, out, err = ltc("info", trained / "waves.npz")
    assert (status, err) == (0, "")
    model = load(trained / "waves.npz")
    for words_of_it in (
        f"{model.layout.size} parameters",
        "target: heat, 2 rows later (numbers)",
        "time: time (numbers), an elapsed time of 1 is ",
        "split by time: 0.15 for validation, 0.15 for the test, seed 0",
        "trained for 2 epochs with mse",
        "2 inputs, 1 output at every step; reads elapsed times",
    ):
        assert words_of_it in out, words_of_it
    for name in ("power", "heat"):
        column = np.array(rows_of(trained / "waves.csv")[name], float)[:54]
        windows = np.concatenate([column[k : k + 13] for k in range(42)])  # a quarter of the 54 rows, from each on
        assert f"feature: {name}: mean {windows.mean():.4g}, spread {windows.std():.4g}" in out
    found = json.loads(ltc("info", trained / "words.npz", "--json")[1])
    assert found["notes"]["table"]["labels"] == ["down", "flat", "up"]
    assert found["parameters"] == load(trained / "words.npz").theta.size
    assert found["buffers"]["0.mean"] == load(trained / "words.npz").buffers["0.mean"].tolist()


def test_info_of_any_model(here, ltc):
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend="numpy")
    model.save("m.npz")
    status, out, _ = ltc("info", "m.npz")
    assert status == 0 and "3 inputs, 2 outputs at every step; reads elapsed times" in out and "target" not in out
    assert "float32\n" in out and "backend" not in out  # a file has none
    model.freeze("w")
    model.save("frozen.npz")
    out = ltc("info", "frozen.npz")[1]
    assert "float32\nfrozen: w\ntime constants at rest: LTC " in out


@pytest.mark.slow
def test_info_of_the_machine(ltc, capsys):
    status, out, err = ltc("info")
    assert (status, err) == (0, "")
    found = dict(line.split(": ", 1) for line in out.splitlines())
    assert found == {name: str(value) for name, value in json.loads(ltc("info", "--json")[1]).items()}
    assert (found["ltc_np"], found["NumPy"]) == (ltc_np.__version__, np.__version__)
    assert found["Python"].endswith(platform.python_version()) and found["threads"] == str(ltc_np.get_num_threads())
    there = {each.name.lower(): each.version for each in metadata.distributions()}
    for name in ("numba", "scikit-learn", "pandas"):
        assert (name in there) == (f"{name} {there.get(name)}" in found["packages"].split(", "))
    ltc_np.show_versions()
    assert capsys.readouterr().out == out and versions.versions().keys() == found.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what there is not
        model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    assert found["kernels"].startswith("NumPy (slow)" if model.backend == "numpy" else model.kernels)


@pytest.mark.parametrize(
    ("level", "no_numba", "words"),
    [
        ("x86-64-v3", None, "compiled, x86-64-v3"),
        (
            None,
            None,
            "Numba 9.8 compiles them on first use; kernels that come compiled are not used: they are damaged",
        ),
        (None, "no Numba", "NumPy (slow): no Numba"),
    ],
)
def test_info_says_which_kernels_run(level, no_numba, words, monkeypatch, ltc):
    monkeypatch.setattr(library, "choice", lambda: "auto")
    found = None if level is None else library.Library(level, None, None)
    monkeypatch.setattr(library, "chosen", lambda: found)
    monkeypatch.setattr(library, "why_not", lambda: "they are damaged")
    monkeypatch.setattr(kernels, "_why_not_cpu", lambda: no_numba)
    monkeypatch.setitem(sys.modules, "numba", types.SimpleNamespace(__version__="9.8"))
    status, out, _ = ltc("info")
    assert status == 0 and f"kernels: {words}\n" in out
    assert kernels.in_words("cpu") == words and kernels.in_words("cuda") == "numba.cuda"
    assert LTCRNN(AutoNCP(8, 2), 3, seed=0, backend="numpy").kernels == "NumPy"
    monkeypatch.setattr(library, "choice", lambda: "x86-64-v4")
    asked = "none; LTC_NP_KERNELS asks for x86-64-v4, which cannot be had: no Numba"
    assert kernels.in_words("cpu") == (asked if no_numba == "no Numba" else words)
    status, out, _ = ltc("info")  # what is asked for by name and is not there is no good answer
    assert status == (1 if no_numba == "no Numba" else 0) and f"kernels: {kernels.in_words('cpu')}\n" in out
    assert ltc("info", "--json")[0] == status
    monkeypatch.setattr(library, "choice", lambda: "numpy")
    assert ltc("info")[0] == 0


def test_info_names_a_better_library_that_is_not_used(monkeypatch, ltc):
    found = library.Library("x86-64-v3", None, None, "x86-64-v4 (it is damaged)")
    monkeypatch.setattr(library, "chosen", lambda: found)
    assert "kernels: compiled, x86-64-v3; not used: x86-64-v4 (it is damaged)\n" in ltc("info")[1]


@pytest.mark.slow
def test_gradcheck(trained, here, ltc):
    for name in ("drive", "words"):
        status, out, err = ltc("gradcheck", trained / f"{name}.npz", "--steps", "3")
        assert (status, err) == (0, "") and "within the tolerance 1e-05" in out
    # No difference is exact: with a tolerance that nothing can have the answer is no, which is another thing than 2.
    status, out, err = ltc("gradcheck", trained / "drive.npz", "--tolerance", "1e-300", "--json")
    assert (status, err) == (1, "")
    found = json.loads(out)
    assert not found["right"] and max(found["errors"].values()) < 1e-5
    assert {"x", "h0", "dt"} <= set(found["errors"])
    Model(SpikingLIF(3, input_dim=2), seed=0, backend="numpy").save("spikes.npz")
    status, _, err = ltc("gradcheck", "spikes.npz")
    assert status == 2 and "surrogate" in err


def test_a_training_that_diverges_is_answer_1(here, ltc):
    write_csv(here / "a.csv", waves())
    options = [*SMALL, "--learning-rate", "1e30", "--no-standardize", "--clip-norm", "none", "--epochs", "20"]
    status, out, err = ltc("train", "a.csv", "--target", "heat", "--out", "m.npz", *options)
    assert (status, out) == (1, ""), err
    assert err.count("\n") == 1 and "the training diverged, loss nan" in err
    assert err.endswith("lower --learning-rate or set --clip-norm\n")
    assert [path.name for path in here.iterdir()] == ["a.csv"]


def test_files_are_replaced_with_force_only(trained, here, ltc):
    line = ["predict", trained / "drive.npz", trained / "waves.csv", "--out", "p.csv"]
    assert ltc(*line)[0] == 0
    before = (here / "p.csv").read_bytes()
    (here / "p.csv").write_text("mine")
    assert ltc(*line)[0] == 2 and (here / "p.csv").read_text() == "mine"
    assert ltc(*line, "--force")[0] == 0 and (here / "p.csv").read_bytes() == before


def test_help_teaches_by_example(ltc):
    assert ltc("--help") == (0, USAGE, "")
    for command in COMMANDS:
        assert f"  {command} " in USAGE
        status, out, _ = ltc(command, "--help")
        assert status == 0 and "example" in out and f"python -m ltc_np {command} " in out
    status, out, err = ltc()
    assert (status, out, err) == (2, "", USAGE)


def test_help_of_a_command_and_the_version(ltc):
    assert ltc("help") == (0, USAGE, "")
    assert ltc("help", "predict") == ltc("predict", "--help")
    assert ltc("help", "trian")[0] == 2
    assert ltc("--version") == (0, f"ltc_np {ltc_np.__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_quiet(command, ltc):
    assert "--quiet" in ltc(command, "--help")[1]


def test_tables_through_pipes(trained, here, ltc, monkeypatch):
    """`-` is CSV of standard input and output; then the report goes to standard error."""
    text = (trained / "waves.csv").read_bytes()

    def piped(*arguments):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        return ltc(*arguments)

    assert ltc("predict", trained / "drive.npz", trained / "waves.csv", "--out", "p.csv")[0] == 0
    status, out, err = piped("predict", trained / "drive.npz", "-", "--out", "-")
    assert (status, out) == (0, (here / "p.csv").read_text())
    assert err == "columns: target heat; features power; time time\n-: 80 rows of time, predicted_heat\n"
    assert piped("predict", trained / "drive.npz", "-", "--out", "-", "--json")[1] == out
    file, pipe = (
        run("evaluate", trained / "drive.npz", of) for run, of in ((ltc, trained / "waves.csv"), (piped, "-"))
    )
    assert file == pipe
    assert piped("train", "-", "--target", "heat", "--time", "time", "--out", "m.npz", *SMALL)[0] == 0
    assert load("m.npz").layers == load(trained / "drive.npz").layers
    assert {path.name for path in here.iterdir()} == {"p.csv", "m.npz"}
    text = b"time,power,heat\n1,2\n"
    assert piped("evaluate", trained / "drive.npz", "-")[2].count("standard input: every line must have 3 cells") == 1
    text = b""
    assert piped("evaluate", trained / "drive.npz", "-")[2].count("standard input: is empty") == 1


@pytest.mark.slow
def test_help_loads_numpy_only_and_commands_are_loaded_one_by_one():
    """The help needs no command, and no command another library before it is used."""
    code = """if True:
        import sys
        from ltc_np.command import COMMANDS, main, main_of
        main(["--help"])
        assert not [m for m in sys.modules if m.startswith("ltc_np.command.")], "help"
        for command in COMMANDS:
            main_of(command)
        others = ("numba", "matplotlib", "pandas", "pyarrow", "tqdm", "torch", "sklearn")
        print([m for m in others if m in sys.modules])
    """
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.slow
def test_a_reader_that_has_enough(trained):
    """`... | head -1` ends a command without a word."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    info = [sys.executable, "-u", "-m", "ltc_np", "info", "waves.npz", "--json"]
    first = subprocess.Popen(info, cwd=trained, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first.stdout.readline()
    first.stdout.close()
    assert first.stderr.read() == ""
    first.stderr.close()
    first.wait()


@pytest.mark.parametrize("file", ["m", pytest.param("m.js", marks=pytest.mark.tools("clang", "wasm-ld"))])
def test_exports_report_as_json(file, trained, here, ltc):
    status, out, err = ltc("export", trained / "drive.npz", file, "--json")
    assert (status, err) == (0, "") and f"{file}: " in json.loads(out)["report"]


def test_convert_reports_as_json(here, ltc):
    LTCRNN(AutoNCP(8, 2), 3, seed=0, backend="numpy").save("m.npz")
    status, out, _ = ltc("convert", "m.npz", "m.safetensors", "--json")
    assert status == 0 and json.loads(out)["file"] == "m.safetensors"


def test_a_folder_without_the_right_to_write(trained, here, ltc):
    with read_only_folder() as folder:
        for line in (
            ["train", trained / "waves.csv", "--target", "heat", *SMALL, "--out", folder / "m.npz"],
            ["predict", trained / "drive.npz", trained / "waves.csv", "--out", folder / "p.csv"],
        ):
            status, out, err = ltc(*line)
            assert (status, out) == (2, "") and err.count("\n") == 1
            assert "--out must lie in a folder that takes new files" in err and "Permission denied" in err
        assert not [*folder.iterdir()]


def test_text_that_a_spreadsheet_would_run_is_told_of(here, ltc):
    """It is written as it is, so that a program reads the names that the model has; numbers are no formulas."""
    odd = '=HYPERLINK("http://x","y")'
    columns = words()
    names = {"down": odd, "flat": "-x", "up": "@SUM(1)"}
    columns["word"] = ['"' + names[word].replace('"', '""') + '"' for word in columns["word"]]
    columns["who"] = ["-" + who[1:] for who in columns["who"]]  # which are numbers
    write_csv(here / "t.csv", columns)
    assert ltc("train", "t.csv", "--target", "word", "--group", "who", "--out", "m.npz", *SMALL)[0] == 0
    for path in ("p.csv", "p.npz"):
        status, _, err = ltc("predict", "m.npz", "t.csv", "--out", path, "--backend", "numpy")
        found = tables.read(path)
        assert status == 0 and set(found.columns["predicted_word"].words()) <= set(names.values())
        assert list(found.columns)[-3:] == [f"probability_{name}" for name in sorted(names.values())]
        first = found.columns["predicted_word"].words()[0]
        line = f"24 cells of the table may be run as formulas by a spreadsheet, such as {first!r}"
        assert err == (
            f"python -m ltc_np predict: {line}: import it there as text, or write .npz or .parquet\n"
            if path == "p.csv"
            else ""
        )


@pytest.mark.parametrize("text", [" =1+1", "\t@SUM(1)", "=1"])
def test_a_formula_may_stand_behind_blanks(text):
    with pytest.warns(RuntimeWarning, match="1 cell of the table may be run as formulas"):
        tables.written("t.csv", {"a": np.array(["", " ", "-1", text], object)})


@pytest.mark.parametrize("kind", ["tsv", "tab"])
def test_tables_with_tabs(kind, here, ltc):
    """In such a file only tabs are between cells; whoever reads one gets one.  A file .txt is read as a file of CSV."""
    names = ["a,b", "c;d;e", "y"]
    lines = ["\t".join(names), *("\t".join(f"{k + n / 10}" for n in range(3)) for k in range(40))]
    (here / f"t.{kind}").write_text("\n".join(lines))
    assert [*tables.read(f"t.{kind}").columns] == names
    assert ltc("train", f"t.{kind}", "--target", "y", "--out", "m.npz", "--ignore", "a,b", *SMALL)[0] == 0
    assert ltc("predict", "m.npz", f"t.{kind}", "--out", f"p.{kind}")[0] == 0
    assert (here / f"p.{kind}").read_text().startswith("row\tpredicted_y\n0\t")
    write_csv(here / "t.txt", {"a": [1, 2]})
    assert tables.read("t.txt").columns["a"].cells.tolist() == ["1", "2"]


def test_what_is_missing_is_an_empty_cell():
    """So that it is read as such again."""
    columns = {"a": np.array([1.5, np.nan]), "b": np.array(["2024-01-01", "NaT"], "datetime64[D]"), "c": np.arange(2)}
    assert tables.written("t.csv", columns) == b"a,b,c\n1.5,2024-01-01,0\n,,1\n"


def test_numbers_that_were_given_are_shown_to_the_digit(here, ltc):
    write_csv(here / "t.csv", waves(n=60))
    given = ["--time-unit", "31557600.25", "--validation", "0.1234567"]
    assert ltc("train", "t.csv", "--target", "heat", "--time", "time", *given, "--out", "m.npz", *SMALL)[0] == 0
    out = ltc("info", "m.npz")[1]
    assert "time: time (numbers), an elapsed time of 1 is 31557600.25 of time" in out
    assert "split by time: 0.1234567 for validation, 0.15 for the test" in out
    assert command_line.digits(100 * 0.29) == "29" and command_line.digits(99.99995) == "99.99995"


def test_inputs_far_from_those_of_the_training_are_told_of(here, ltc):
    write_csv(here / "t.csv", waves())
    assert ltc("train", "t.csv", "--target", "heat", "--time", "time", "--out", "m.npz", *SMALL)[0] == 0
    write_csv(here / "far.csv", waves() | {"power": [100 * value for value in waves()["power"]]})
    for table, count in (("t.csv", 0), ("far.csv", 1)):
        for line in (["predict", "m.npz", table, "--out", "p.csv", "--force"], ["evaluate", "m.npz", table]):
            assert ltc(*line)[2].count("many values of input 0 are more than 5 standard deviations") == count


def test_a_time_zone_of_parquet_is_told_of(here):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for zone, said in (("Europe/Berlin", "column `t` has the time zone Europe/Berlin: its dates are"), ("UTC", "")):
        times = arrow.array(np.array(["2024-06-01T12"], "datetime64[ns]")).cast(arrow.timestamp("ns", zone))
        parquet.write_table(arrow.table({"t": times}), "t.parquet")
        with pytest.warns(RuntimeWarning, match=said) if said else contextlib.nullcontext():
            assert str(tables.read("t.parquet").columns["t"].cells[0]).startswith("2024-06-01T12:00:00.0")


def test_parquet_may_have_two_columns_of_one_name(here):
    """Which pyarrow writes, and this library cannot name."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_arrays([arrow.array([1.0, 2.0])] * 3, ["a", "b", "a"]), "t.parquet")
    with pytest.raises(ValueError, match="t.parquet: has two columns `a`: give each a name of its own"):
        tables.read("t.parquet")


def test_of_a_learners_file_the_learnt_weights_are_meant(trained, here, ltc):
    """By every command that asks what a network does; standard error says so."""
    model = load(trained / "drive.npz", backend="numpy")
    learner = Learner(model, Adam(0.05))
    for x in np.random.default_rng(0).normal(size=(5, model.input_size)):
        learner.predict(x, dt=1.0)
        learner.learn(np.full(model.output_size, 3.0))
    learner.save(here / "learner.npz")
    learner.network().save(here / "learnt.npz")
    table = trained / "waves.csv"
    for command in (
        ("info", "--json"),
        ("evaluate", table, "--json"),
        ("predict", table, "--out", "-"),
        ("export", "c"),
    ):
        found = {}
        for name in ("learner.npz", "learnt.npz"):
            status, found[name], told = ltc(
                command[0], name, *command[1:], *(["--force"] if "--out" in command else [])
            )
            assert status == 0 and ("its learnt weights are taken" in told) == (name == "learner.npz")
            if command[0] == "export":
                found[name] = (here / "c" / "model.c").read_text()
            found[name] = re.sub(r'learner\.npz|learnt\.npz|"bytes": \d+', "", found[name])
        assert found["learner.npz"] == found["learnt.npz"]
