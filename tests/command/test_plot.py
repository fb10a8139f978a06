"""Pictures from the command line: what is in the files, and what they are drawn of."""

import numpy as np
import pytest
from support.tables import SMALL, waves, write_csv

from ltc_np import load
from ltc_np.command import pictures, plot, tables, task_data
from ltc_np.command.task import Task, of_model

pyplot = pytest.importorskip("matplotlib.pyplot")
image = pytest.importorskip("matplotlib.image")


@pytest.mark.slow
def test_kinds_of_files(trained, here, ltc):
    beginnings = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for kind, beginning in beginnings.items():
        status, out, err = ltc("plot", trained / "waves.npz", trained / "waves.csv", "--out", f"p.{kind}")
        assert (status, err) == (0, "") and out.startswith(f"p.{kind}: predictions of ")
        assert (here / f"p.{kind}").read_bytes().startswith(beginning)


@pytest.mark.slow
@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("waves", ["waves.csv", "--last", "20"]),
        ("words", ["words.csv"]),
        ("drive", ["waves.csv", "--what", "states"]),
        ("drive", ["waves.csv", "--what", "time-constants", "--last", "30"]),
        ("words", ["words.csv", "--what", "states", "--group", "g7"]),
        ("waves", ["--what", "wiring"]),
        ("words", ["--what", "learning"]),
    ],
    ids=str,
)
def test_pictures(model, options, trained, here, ltc):
    options = [trained / option if str(option).endswith(".csv") else option for option in options]
    status, _, err = ltc("plot", trained / f"{model}.npz", *options, "--out", "p.png")
    assert (status, err) == (0, "")
    pixels = image.imread(here / "p.png")
    height, width = pixels.shape[:2]
    assert abs(width - 16 / 2.54 * 200) < 2 and height > 400
    drawn = (pixels[..., :3].min(-1) < 0.9).mean()
    assert 0.005 < drawn < 0.9  # something, on white; a map of colours fills its axes


def test_forecasts_stand_where_they_are_about(trained):
    """The answer at a row is drawn H rows later, the last ones after the table's end; parts are marked."""
    model = load(trained / "waves.npz")
    task = of_model(model, "m")
    read = task_data.read(task, tables.read(str(trained / "waves.csv")), parts=True)
    found = task_data.outputs(model, read.x, read.dt)
    figure, ax = pyplot.subplots()
    pictures.answers(read, found)(ax)
    truth, guess, *marks = (line.get_xydata() for line in ax.get_lines())
    heat, t = np.array(waves()["heat"]), np.array(waves()["time"])
    assert len(truth) == len(guess) == 82
    assert (truth[:80, 1] == heat).all() and np.isnan(truth[80:, 1]).all()
    assert np.isnan(guess[:2, 1]).all() and (guess[2:, 1] == found[0][:, 0]).all()
    assert (guess[:80, 0] == t).all() and (np.diff(guess[79:, 0]) > 0).all()
    assert [mark[0, 0] for mark in marks] == [t[56], t[68]]
    assert [text.get_text().strip() for text in ax.texts] == ["validation", "test"]
    pyplot.close(figure)


def test_the_counts_of_classes(trained):
    model = load(trained / "words.npz")
    read = task_data.read(of_model(model, "m"), tables.read(str(trained / "words.csv")), parts=False)
    found = task_data.outputs(model, read.x, read.dt)
    figure, ax = pyplot.subplots()
    pictures.answers(read, found)(ax)
    counts = np.array([int(text.get_text()) for text in ax.texts]).reshape(3, 3)
    guess = np.array(found).argmax(1)
    assert counts.tolist() == [
        [int(((guess == j) & (np.array(read.y) == i)).sum()) for j in range(3)] for i in range(3)
    ]
    pyplot.close(figure)


@pytest.mark.slow
def test_train_draws_beside_its_model(here, ltc):
    write_csv(here / "waves.csv", waves())
    options = [option for option in SMALL if option != "--no-picture"]
    line = ["train", "waves.csv", "--target", "heat", "--time", "time", *options]
    assert ltc(*line, "--out", "m.npz")[0] == 0
    assert sorted(path.name for path in here.iterdir()) == ["m.npz", "m.png", "waves.csv"]
    status, _, err = ltc(*line, "--out", "other.npz", "--picture", "m.png")
    assert status == 2 and "--picture: m.png is there already: give --force" in err
    assert sorted(path.name for path in here.iterdir()) == ["m.npz", "m.png", "waves.csv"]
    assert ltc(*line, "--out", "other.npz", "--picture", "p.svg")[0] == 0
    assert sorted(path.name for path in here.iterdir()) == ["m.npz", "m.png", "other.npz", "p.svg", "waves.csv"]


def test_a_full_disk_takes_the_picture_not_the_model(here, ltc, monkeypatch):
    """What the training has brought is written first and reported; the error says what is there."""
    from ltc_np.base import files

    write_csv(here / "waves.csv", waves())
    options = [option for option in SMALL if option != "--no-picture"]
    put, seen = files.put, []

    def full(content, file):
        seen.append(file.name)
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        put(content, file)

    monkeypatch.setattr(files, "put", full)
    status, out, err = ltc("train", "waves.csv", "--target", "heat", *options, "--features", "power", "--out", "m.npz")
    assert status == 2 and len(seen) == 2 and out.endswith("m.npz: 107 parameters\n")
    told = "m.npz is written, but without its picture: m.png: No space left on device"
    assert err == f"python -m ltc_np train: {told}\n"
    assert sorted(path.name for path in here.iterdir()) == ["m.npz", "waves.csv"] and load("m.npz").notes["history"]


def test_states_of_the_last_rows_are_those_of_the_whole_sequence(trained):
    """The trace begins in the state in which the rows before have left the network."""
    model = load(trained / "drive.npz", backend="numpy")
    read = task_data.read(of_model(model, "m"), tables.read(str(trained / "waves.csv")), parts=False)
    whole, end = (plot.trace(model, read, 0, last) for last in (1000, 30))
    assert end.x.shape == (30, 1) and whole.x.shape == (80, 1)
    np.testing.assert_allclose(end.layers[1].state, whole.layers[1].state[-30:], rtol=1e-6)
    assert np.abs(whole.layers[1].state[:30] - end.layers[1].state).max() > 1e-3


def drawn_answers(read, outputs):
    """The axes that `answers` has drawn in."""
    figure, ax = pyplot.subplots()
    pictures.answers(read, outputs)(ax)
    pyplot.close(figure)
    return ax


def test_dates_stand_where_matplotlib_has_them(here):
    dates = np.datetime64("2024-02-28T18:00:00") + np.cumsum([0, 5, 13, 29]) * np.timedelta64(1, "h")
    write_csv(here / "d.csv", {"t": dates.tolist(), "a": [1.0, 2, 3, 4], "y": [4.0, 3, 2, 1]})
    task = Task(features=("a",), target=("y",), time="t", dates=True)
    read = task_data.read(task, tables.read("d.csv"), parts=False)
    ax = drawn_answers(read, [np.zeros((4, 1))])
    wanted = pytest.importorskip("matplotlib.dates").date2num(dates)
    np.testing.assert_allclose(ax.get_lines()[0].get_xdata(), wanted, rtol=0, atol=1e-9)  # 0.1 ms


def test_numbers_of_groups_stand_over_the_truth(here):
    columns = {"g": ["a", "a", "b", "c"], "x": [1.0, 2, 3, 4], "y": [5.0, 5, 7, 9], "z": [1.0, 1, 2, 3]}
    write_csv(here / "g.csv", columns)
    task = Task(features=("x",), target=("y", "z"), group="g", every_step=False, by="group")
    outputs = np.array([[50.0, 10.0], [70.0, 20.0], [90.0, 30.0]])
    ax = drawn_answers(task_data.read(task, tables.read("g.csv"), parts=False), list(outputs))
    y, z, line = (line.get_xydata().tolist() for line in ax.get_lines())
    assert (y, z) == ([[5, 50], [7, 70], [9, 90]], [[1, 10], [2, 20], [3, 30]])
    assert line == [[1, 1], [9, 9]] and (ax.get_xlabel(), ax.get_ylabel()) == ("true", "predicted")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["y", "z", "as it is"]


ODD = "_$_2023_$\x1b[31m"  # mathematics that is none, a name that matplotlib hides, and an escape sequence


def odd_task(**changes):
    return Task(features=(f"x{ODD}",), target=(f"y{ODD}", ODD), time=f"t{ODD}", group=f"g{ODD}", **changes)


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        (odd_task(), [np.ones((2, 2))] * 2),
        (odd_task(every_step=False, by="group"), np.ones((2, 2))),
        (odd_task(every_step=False, by="group", labels=(f"1{ODD}", ODD)).replace(target=(f"y{ODD}",)), np.eye(2)),
    ],
    ids=["over time", "one answer each", "classes"],
)
def test_names_of_a_table_are_no_mathematics(task, outputs, here):
    """A picture in which one were would be an error when it is drawn."""
    classes = task.labels is not None
    columns = {f"g{ODD}": [ODD, ODD, "b", "b"], f"t{ODD}": [1, 2, 1, 2], f"x{ODD}": [1, 2, 3, 4]}
    columns |= {f"y{ODD}": [ODD, ODD, f"1{ODD}", f"1{ODD}"] if classes else [5, 5, 7, 7], ODD: [0, 0, 1, 1]}
    write_csv(here / "odd.csv", columns)
    ax = drawn_answers(task_data.read(task, tables.read("odd.csv"), parts=False), list(outputs))
    ax.figure.canvas.draw()
    legend = [] if ax.get_legend() is None else ax.get_legend().get_texts()
    shown = [t.get_text() for t in (ax.xaxis.label, ax.yaxis.label, *legend, *ax.get_xticklabels())]
    odd = [text for text in shown if "2023" in text]
    assert len(odd) > 1 and all(r"\$_2023_\$\x1b[31m" in text for text in odd)


def test_names_of_a_table_in_other_pictures(trained, here, ltc):
    """Of the states and of the wiring; and a whole training with such names."""
    columns = dict(zip((f"t{ODD}", f"x{ODD}", ODD), waves(n=30).values(), strict=True))
    write_csv(here / "odd.csv", columns)
    options = [option for option in SMALL if option != "--no-picture"]
    line = ["train", "odd.csv", "--target", ODD, "--time", f"t{ODD}", "--out", "odd.npz", "--picture", "odd.svg"]
    status, out, err = ltc(*line, *options)
    assert (
        (status, err) == (0, "") and r"\nrmse of _$_2023_$\x1b[31m ".replace(r"\n", "\n") in out and "\x1b" not in out
    )
    for what in (["odd.csv", "--what", "states"], ["--what", "wiring"]):
        status, _, err = ltc("plot", "odd.npz", *what, "--out", "p.svg", "--force")
        assert (status, err) == (0, "")
