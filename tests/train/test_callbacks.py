"""The callbacks of the library: when they stop, lower, save and write, and what they refuse."""

import csv
import errno
import math
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from support.files import full_disk, read_only_folder

from ltc_np import (
    LTCRNN,
    SGD,
    AutoNCP,
    Checkpoint,
    CosineDecay,
    CSVLogger,
    EarlyStopping,
    ReduceLROnPlateau,
    TensorBoard,
    Validation,
    load,
    metrics,
)  # fmt: skip

MODES = {"loss": "min"} | {name: metrics.get(name).mode for name in metrics.METRICS} | {"own": None}
MODES |= {f"val_{name}": mode for name, mode in MODES.items()}


def sines(n=24, T=8):
    t = np.linspace(0, 3, n)[:, None] + 0.4 * np.arange(T + 1)
    return np.sin(t[:, :-1, None]), np.sin(t[:, 1:, None])


def small():
    return LTCRNN(AutoNCP(8, 1), 1, seed=0)


def epochs(stopping, values, name="val_loss"):
    """How many epochs a training with these values goes on for."""
    stopping.measured = {name: MODES[name]}
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        if stopping.on_epoch_end(epoch, {name: value}):
            return epoch + 1
    return len(values)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [("val_loss", "min"), ("r2", "max"), ("val_r2", "max"), ("val_accuracy", "max"), ("f1", "max"), ("mae", "min")],
)
def test_the_metric_says_what_is_better(monitor, mode):
    rising, falling = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    better, worse = (rising, falling) if mode == "max" else (falling, rising)
    assert epochs(EarlyStopping(1, monitor), better, monitor) == 4
    assert epochs(EarlyStopping(1, monitor), worse, monitor) == 2


def test_a_metric_that_does_not_say_what_is_better_needs_a_mode():
    with pytest.raises(ValueError, match='"min" or "max" to monitor \'val_own\', since that metric does not say'):
        epochs(EarlyStopping(1, "val_own"), [1.0], "val_own")
    assert epochs(EarlyStopping(1, "val_own", mode="max"), [0.1, 0.2, 0.1], "val_own") == 3
    assert epochs(EarlyStopping(1, "val_own", mode="min"), [0.1, 0.2, 0.1], "val_own") == 2
    assert epochs(EarlyStopping(1, "val_r2", mode="min"), [0.1, 0.2, 0.1], "val_r2") == 2  # if somebody wants it


def test_patience_of_0_is_one_of_1():
    for values, wanted in (([3.0, 2.0, 1.0], 3), ([3.0, 3.0, 1.0], 2), ([3.0, 2.0, 4.0], 3)):
        assert epochs(EarlyStopping(0), values) == epochs(EarlyStopping(1), values) == wanted


def test_what_is_not_finite_is_never_better():
    nan, inf = float("nan"), float("inf")
    assert epochs(EarlyStopping(2, "val_own", mode="max"), [nan, inf, 1.0], "val_own") == 2
    assert epochs(EarlyStopping(3, "val_own", mode="max"), [nan, inf, 1.0, nan, nan, nan, 2.0], "val_own") == 6


def test_patience_counts_epochs_without_an_improvement_in_a_row():
    assert epochs(EarlyStopping(2), [3.0, 4.0, 2.0, 3.0, 3.0, 1.0]) == 5
    assert epochs(EarlyStopping(3), [3.0, 4.0, 2.0, 3.0, 3.0, 1.0]) == 6


def test_an_improvement_by_no_more_than_min_delta_does_not_count():
    assert epochs(EarlyStopping(1, min_delta=0.5), [4.0, 3.5, 3.0]) == 2
    assert epochs(EarlyStopping(1, min_delta=0.5), [4.0, 3.25, 2.5]) == 3
    assert epochs(EarlyStopping(1, "r2", min_delta=0.5), [0.0, 0.5, 1.5], "r2") == 2


def test_a_second_training_begins_anew():
    """Neither the best value nor the epochs waited are those of the first one."""
    stopping = EarlyStopping(2)
    assert epochs(stopping, [1.0, 2.0]) == 2
    assert epochs(stopping, [9.0, 8.0, 7.0]) == 3
    assert epochs(stopping, [1.0, 2.0]) == 2
    assert epochs(stopping, [float("nan"), 2.0, 1.0]) == 3


def test_epochs_in_which_nothing_was_measured_are_not_waited_for():
    stopping = EarlyStopping(1)
    stopping.measured = {"val_loss": "min"}
    stopping.on_train_begin()
    assert not stopping.on_epoch_end(0, {"val_loss": 1.0})
    assert not stopping.on_epoch_end(1, {"loss": 1.0})
    assert stopping.on_epoch_end(2, {"val_loss": 1.0})


# ------------------------------------------------------------------------------------------------ a learning rate


class Rates:
    """What `ReduceLROnPlateau` asks of an optimiser."""

    def __init__(self, lr):
        self.lr = lr


def rates(values, lr=1.0, **options):
    """The learning rate after each epoch with these values of the loss."""
    callback = ReduceLROnPlateau(**{"monitor": "val_loss"} | options)
    callback.measured, callback.optimizer = {"val_loss": "min", "val_r2": "max"}, Rates(lr)
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {} if value is None else {callback.monitor: value})
        found.append(callback.optimizer.lr)
    return found


def test_the_learning_rate_falls_where_nothing_improves():
    half = {"factor": 0.5}
    assert rates([3, 2, 2, 2, 2, 2], patience=2, **half) == [1, 1, 1, 0.5, 0.5, 0.25]
    assert rates([3, 2, 2, 1, 1, 2], patience=2, **half) == [1, 1, 1, 1, 1, 0.5]
    assert rates([3, 3, 3], patience=1, **half) == rates([3, 3, 3], patience=0, **half) == [1, 0.5, 0.25]
    assert rates([3, None, 3, None, 3], patience=2, **half) == [1, 1, 1, 1, 0.5]  # epochs without validation
    assert rates([0, 1, 1, 1], patience=1, monitor="val_r2", **half) == [1, 1, 0.5, 0.25]
    assert rates([0, 1, 1, 1], patience=1, monitor="val_r2", mode="min", **half) == [1, 0.5, 0.25, 0.125]
    assert rates([4, 3.5, 3], patience=1, min_delta=0.5, **half) == [1, 0.5, 0.5]  # the first is 0.5 less, the next 1
    assert rates([3, 3, 3, 3, 3], patience=1, cooldown=2, **half) == [1, 0.5, 0.5, 0.5, 0.25]


def test_the_learning_rate_falls_no_lower_than_it_may():
    assert rates([3] * 5, patience=1, factor=0.5, min_lr=0.3) == [1, 0.5, 0.3, 0.3, 0.3]
    assert rates([3] * 3, patience=1, factor=0.5, min_lr=2.0) == [1, 1, 1]  # it does not rise
    assert rates([3] * 3, lr=5e-324, patience=1) == [5e-324] * 3  # it is not 0


def test_a_training_with_a_falling_learning_rate():
    x, y = sines()
    optimizer, seen = SGD(0.1), []
    history = small().fit(
        x, y, epochs=9, optimizer=optimizer, validation=(x, -y), verbose=0, seed=0,
        callbacks=[ReduceLROnPlateau(2, factor=0.1), lambda epoch, logs: seen.append(optimizer.lr)],
    )  # fmt: skip
    assert history.best_epoch == 0  # what is learned makes this worse
    assert seen == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5])
    with pytest.raises(
        ValueError, match="a number as its learning rate for ReduceLROnPlateau, got the schedule Cosine"
    ):
        small().fit(x, y, optimizer=SGD(CosineDecay(0.1, 9)), callbacks=ReduceLROnPlateau(2, monitor="loss"), verbose=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": -1}, "`patience` must be an int >= 0, got -1"),
        ({"patience": 1.5}, "`patience` must be an int >= 0, got 1.5"),
        ({"patience": "val_loss"}, "`patience` must be an int >= 0, got 'val_loss'"),
        ({"factor": 1.0}, r"`factor` must be a finite number in \(0, 1\), got 1.0"),
        ({"factor": 0}, r"`factor` must be a finite number in \(0, 1\), got 0"),
        ({"cooldown": -1}, "`cooldown` must be an int >= 0, got -1"),
        ({"min_lr": -1}, "`min_lr` must be a finite number >= 0, got -1"),
        ({"min_delta": "x"}, "`min_delta` must be a finite number >= 0, got 'x'"),
        ({"mode": "up"}, "`mode` must be one of 'auto', 'min', 'max', got 'up'"),
    ],
)
def test_bad_arguments_of_a_falling_learning_rate(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        ReduceLROnPlateau(**options)


# ------------------------------------------------------------------------------------------------------ checkpoints


def test_only_the_best_is_saved(tmp_path):
    x, y = sines()
    best = Checkpoint(tmp_path / "{epoch}.npz", save_best_only=True, monitor="val_r2")
    model = small()
    history = model.fit(
        x, y, epochs=8, optimizer=SGD(0.2), validation=(x[:5], -y[:5] + 1), metrics="r2", verbose=0, seed=0,
        callbacks=best,
    )  # fmt: skip
    values = history["val_r2"]
    better = [k for k in range(8) if values[k] > max(values[:k], default=-math.inf)]
    assert 1 <= len(better) < 8  # it becomes worse
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{k + 1}.npz" for k in better]
    saved = load(tmp_path / f"{better[-1] + 1}.npz")
    assert saved.evaluate(x[:5], -y[:5] + 1, metrics="r2")["r2"] == pytest.approx(max(values), rel=1e-6)
    assert saved.trained.epochs == better[-1] + 1


def test_the_best_is_that_of_the_epochs_looked_at(tmp_path):
    checkpoint = Checkpoint(tmp_path / "{epoch}.npz", every=2, save_best_only=True, monitor="loss")
    checkpoint.measured, checkpoint.model, checkpoint.optimizer = {"loss": "min"}, small(), SGD(0.1)
    checkpoint.on_train_begin()
    for epoch, value in enumerate([1.0, 5.0, 2.0, 4.0, 3.0, 4.5, 0.0]):
        checkpoint.on_epoch_end(epoch, {"loss": value})
        checkpoint.on_epoch_done(epoch, {"loss": value})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2.npz", "4.npz"]


@pytest.mark.parametrize(("kind", "suffix"), [(Checkpoint, "npz"), (CSVLogger, "csv")])
def test_a_folder_that_takes_no_file_is_noticed_before_the_first_epoch(kind, suffix, tmp_path):
    x, y = sines()
    model = small()
    model.fit(x, y, callbacks=kind(tmp_path / "a"), verbose=0)  # loads all modules, which another user might not read
    before = model.theta.copy()
    with pytest.raises(FileNotFoundError, match="`path` must lie in an existing folder, got .*none"):
        model.fit(x, y, callbacks=kind(tmp_path / "none" / f"a.{suffix}"), verbose=0)
    with pytest.raises(IsADirectoryError, match="`path` must be a file, got the folder"):
        model.fit(x, y, callbacks=kind(tmp_path), verbose=0)
    with read_only_folder() as folder:
        path = folder / f"a{{epoch}}.{suffix}"
        with pytest.raises(PermissionError) as caught:
            model.fit(x, y, callbacks=kind(path), verbose=0)
    assert str(caught.value) == f"`path` must lie in a folder that takes new files, got {path}: Permission denied"
    assert np.array_equal(model.theta, before)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_named_by_the_path_of_the_checkpoint(tmp_path):
    (x, y), model, path = sines(), small(), tmp_path / "m.npz"
    model.fit(x, y, callbacks=Checkpoint(path), verbose=0)
    with full_disk(1000), pytest.raises(OSError) as caught:
        model.fit(x, y, callbacks=Checkpoint(path), verbose=0)
    assert str(caught.value) == f"[Errno {errno.EFBIG}] File too large; nothing was written: '{path}'"
    assert [file.name for file in tmp_path.iterdir()] == ["m.npz"]
    load(path)


# ------------------------------------------------------------------------------------------------------------ tables


def rows(path, **options):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, **options))


def test_a_table_of_what_was_measured(tmp_path):
    x, y = sines()
    path, model = tmp_path / "log.csv", small()
    history = model.fit(
        x,
        y,
        epochs=5,
        metrics=["mae"],
        validation=Validation((x, y), every=2),
        callbacks=CSVLogger(path),
        verbose=0,
    )
    header, *lines = rows(path)
    assert header == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    wanted = history.table()
    assert list(wanted) == header
    for k, column in enumerate(header):
        found = [math.nan if line[k] == "" else float(line[k]) for line in lines]
        np.testing.assert_array_equal(found, wanted[column])  # every digit
    model.fit(x, y, epochs=1, callbacks=CSVLogger(path, separator=";"), verbose=0)
    assert [len(line) for line in rows(path, delimiter=";")] == [2, 2]  # another training, another table


def test_a_resumed_training_goes_on_with_its_table(tmp_path):
    x, y = sines()
    path, model = tmp_path / "log.csv", small()
    model.fit(x, y, epochs=4, callbacks=CSVLogger(path), verbose=0)
    four = path.read_text()
    lines = four.splitlines()
    for rest in ("", "".join(f"{k},0.5\n" for k in range(4, 20)), "4,0.", "4\n", "x,0.5\n"):  # what may have been left
        path.write_text(four + rest)
        model.trained = model.trained._replace(epochs=4)
        model.fit(x, y, epochs=range(4, 5), callbacks=CSVLogger(path), verbose=0)
        assert path.read_text().splitlines()[:-1] == lines
        assert rows(path)[-1][0] == "4"
    path.write_text("\n".join(lines)[:-3])  # killed while it wrote the last number
    model.trained = model.trained._replace(epochs=4)
    model.fit(x, y, epochs=range(4, 5), callbacks=CSVLogger(path), verbose=0)
    assert [line[0] for line in rows(path)] == ["epoch", "0", "1", "2", "4"]
    path.unlink()
    model.fit(x, y, epochs=range(5, 6), callbacks=CSVLogger(path), verbose=0)
    assert [line[0] for line in rows(path)] == ["epoch", "5"]
    before = path.read_text()
    with pytest.raises(ValueError, match="`path` must hold a table of epoch,loss,mae to resume from, .* begins with"):
        model.fit(x, y, epochs=range(6, 7), metrics="mae", callbacks=CSVLogger(path), verbose=0)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (b"epoch,loss\n0,\xff\n", "is damaged: 'utf-8' codec can't decode"),
        (b"\xff\xfeepoch,loss\n", "is damaged: 'utf-8' codec can't decode"),
        (b'"' + b"x" * 200_000 + b'"\n', "is damaged: field larger than field limit"),
        (b"\xc2\xb2\n", "begins with"),
    ],
)
def test_a_table_that_is_damaged_is_left_alone(damaged, words, tmp_path):
    x, y = sines()
    path, model = tmp_path / "log.csv", small()
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"^`path` must hold a table .*log.csv {words}"):
        model.fit(x, y, epochs=range(2, 3), callbacks=CSVLogger(path), verbose=0)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("number", ["\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_a_number_of_an_epoch_that_is_none(number, tmp_path):
    x, y = sines()
    path, model = tmp_path / "log.csv", small()
    path.write_text(f"epoch,loss\n0,0.5\n{number},0.5\n", encoding="utf-8")
    model.fit(x, y, epochs=range(2, 3), callbacks=CSVLogger(path), verbose=0)
    assert [line[0] for line in rows(path)] == ["epoch", "0", "2"]


def test_a_table_is_on_disk_after_every_epoch(tmp_path):
    path, lengths = tmp_path / "log.csv", []
    x, y = sines()
    small().fit(
        x, y, epochs=3, callbacks=[CSVLogger(path), lambda epoch, logs: lengths.append(len(rows(path)))], verbose=0
    )
    assert lengths == [2, 3, 4]


@pytest.mark.parametrize("separator", ["", ";;", '"', "\n", None, 3])
def test_a_separator_is_one_character(separator):
    with pytest.raises(ValueError, match="`separator` must be one character"):
        CSVLogger("log.csv", separator=separator)


# ------------------------------------------------------------------------------------------------------ TensorBoard


def events(folder):
    """Scalars of all event files of a folder, as (tag, step, value), read from the records' own bytes."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        content, at = path.read_bytes(), 0
        while at < len(content):  # length (8 bytes), its checksum (4), the record, its checksum (4)
            (size,) = struct.unpack("<Q", content[at : at + 8])
            event = Event.FromString(content[at + 12 : at + 12 + size])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            at += 16 + size
    return found


def test_what_is_measured_is_written_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    x, y = sines()
    model = small()
    history = model.fit(
        x, y, epochs=3, validation=Validation((x, y), every=2), callbacks=TensorBoard(tmp_path / "a"), verbose=0
    )
    wanted = [("loss", k, history["loss"][k]) for k in range(3)]
    wanted += [("val_loss", k, v) for k, v in zip(history.val_epoch, history["val_loss"], strict=True)]
    found = events(tmp_path / "a")
    assert sorted(e[:2] for e in found) == sorted(e[:2] for e in wanted)
    assert [e[2] for e in sorted(found)] == pytest.approx([e[2] for e in sorted(wanted)], rel=1e-6)  # float32


class Writer:
    """Stands in for the writer of tensorboardX."""

    def __init__(self, folder, purge_step=None):
        self.calls = [("open", folder, purge_step)]
        Writer.last = self

    def add_scalar(self, *scalar):
        self.calls.append(scalar)

    def flush(self):
        self.calls.append("flush")

    def close(self):
        self.calls.append("close")


def test_a_resumed_training_takes_the_place_of_its_epochs_in_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Writer))
    x, y = sines()
    model = small()
    history = model.fit(x, y, epochs=1, callbacks=TensorBoard("runs"), verbose=0)
    assert Writer.last.calls == [("open", "runs", None), ("loss", history["loss"][0], 0), "flush", "close"]
    history = model.fit(x, y, epochs=range(1, 2), callbacks=TensorBoard("runs"), verbose=0)
    assert Writer.last.calls == [("open", "runs", 1), ("loss", history["loss"][0], 1), "flush", "close"]


def test_without_tensorboard_x_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'`TensorBoard` needs tensorboardX: pip install "ltc-np\[tensorboard\]"'):
        TensorBoard("runs")
    with pytest.raises(TypeError, match="`folder` must be a str or Path, got 3"):
        TensorBoard(3)
