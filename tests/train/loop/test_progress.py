"""What a training shows of itself."""

import io
import re
import sys
import types

import numpy as np
import pytest
from support.time_by_hand import Time

from ltc_np import LTCRNN, SGD, AutoNCP, Checkpoints
from ltc_np.train.loop.clock import Clock
from ltc_np.train.loop.progress import Bar, Lines, Plain, Silent, check_verbose, progress


@pytest.mark.parametrize(
    ("verbose", "kind"),
    [
        (False, Silent),
        (True, Bar),
        (0, Silent),
        (1, Bar),
        (2, Lines),
        ("auto", Bar),
        (np.True_, Bar),
        (np.int64(2), Lines),
    ],
)
def test_verbose_as_others_have_it(verbose, kind):
    pytest.importorskip("tqdm")
    display = progress(Clock(3), check_verbose(verbose))
    display.close()
    assert type(display) is kind


def run(epochs, verbose, seconds=1.0, validation_every=None):
    """What a display writes for some epochs of this length."""
    time = Time()
    clock = Clock(epochs, time)
    display = progress(clock, verbose)
    for epoch in range(epochs):
        time.now += seconds
        clock.epoch()
        display.epoch(epoch, {"loss": 0.5 / (epoch + 1)} | ({"val_loss": 1.0} if epoch % 2 else {}))
    display.close()


def test_a_line_an_epoch(capsys):
    run(4, 2)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/4  loss 0.5  ETA 3 s",
        "epoch 2/4  loss 0.25  val_loss 1  ETA 2 s",
        "epoch 3/4  loss 0.1667  ETA 1 s",
        "epoch 4/4  loss 0.125  val_loss 1  4.0 s",
    ]


def test_about_ten_lines_without_tqdm(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    run(200, 1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == [f"{k}/200" for k in range(20, 201, 20)]
    assert lines[0].endswith("ETA 180 s") and lines[-1].endswith("200.0 s")
    run(200, 1, seconds=0.01)  # at most one each half second, and the last
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == [
        "60/200",
        "120/200",
        "180/200",
        "200/200",
    ]
    assert isinstance(progress(Clock(3), 1), Plain)


def test_the_bar_has_the_clock_s_time(monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(tqdm, "tqdm", lambda **options: tqdm.std.tqdm(**options, mininterval=0, file=written))
    run(3, 1)
    shown = written.getvalue().split("\r")
    assert any("1/3" in part and "ETA 2 s  loss 0.5" in part for part in shown)
    assert "3/3" in shown[-1] and "val_loss" not in shown[-1]


def test_a_training_that_goes_on_says_from_where(tmp_path, capfd, monkeypatch):
    """Epochs are counted from the beginning of the training, as in `History.epoch`."""
    x = np.random.default_rng(0).normal(size=(8, 5, 1))
    model = LTCRNN(AutoNCP(8, 1), 1, seed=0)

    def fit(epochs, **options):
        model.fit(x, x, epochs=epochs, seed=0, checkpoint=Checkpoints(tmp_path, resume=True), **options)
        lines = capfd.readouterr().err.splitlines()
        return [line for line in lines if "compiling" not in line]

    assert [line.split("  ")[0] for line in fit(2, verbose=2)] == ["epoch 1/2", "epoch 2/2"]
    first, *lines = fit(4, verbose=2)
    assert re.fullmatch(rf"ltc_np: goes on from {tmp_path}/\S+\.npz, after 2 epochs", first)
    assert [line.split("  ")[0] for line in lines] == ["epoch 3/4", "epoch 4/4"]
    lines = LTCRNN(AutoNCP(8, 1), 1, seed=0).fit(x, x, epochs=range(3, 5), verbose=2) and capfd.readouterr().err
    assert [line.split("  ")[0] for line in lines.splitlines()] == ["epoch 4/5", "epoch 5/5"]
    tqdm = pytest.importorskip("tqdm")
    written = io.StringIO()

    class Bar(tqdm.std.tqdm):
        def __init__(self, **options):
            super().__init__(**options, mininterval=0, file=written)

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    fit(6, verbose=1)
    assert "4/6" in written.getvalue().split("\r")[1] and "6/6" in written.getvalue().split("\r")[-1]


def test_a_training_that_shows_nothing_leaves_it_to_others_to_tell_of_compiling(monkeypatch, capfd):
    """`kernels/cpu/waiting.py` tells a terminal, unless `fit` has said that it does."""
    x, asked = np.zeros((2, 3, 1)), []
    model = LTCRNN(AutoNCP(8, 1), 1, seed=0)
    announced = type(model.engine).announced
    monkeypatch.setattr(type(model.engine), "announced", lambda own, tell: asked.append(tell) or announced(own, tell))
    for verbose, count in ((0, 0), (False, 0), (2, 1)):
        model.fit(x, x, epochs=1, verbose=verbose)
        assert len(asked) == count


def test_one_epoch_that_nobody_asked_for_is_said(capfd):
    x = np.random.default_rng(0).normal(size=(8, 5, 1))

    def fit(**options):
        LTCRNN(AutoNCP(8, 1), 1, seed=0).fit(x, x, **options)
        return capfd.readouterr().err.splitlines()

    said = "ltc_np: this was one epoch, which is the default; epochs=100 trains for longer"
    assert fit(verbose=2)[-1] == fit()[-1] == said
    assert said not in fit(epochs=1, verbose=2) and fit(verbose=False) == []


def test_fit_shows_what_it_is_asked_for(capfd, monkeypatch):
    x = np.random.default_rng(0).normal(size=(8, 5, 1))

    def fit(**options):
        LTCRNN(AutoNCP(8, 1), 1, seed=0).fit(x, x, epochs=3, optimizer=SGD(0.1), **options)
        return capfd.readouterr().err

    assert fit(verbose=0) == fit(verbose=False) == ""
    assert [line.split("  ")[0] for line in fit(verbose=2).splitlines()] == [f"epoch {k}/3" for k in (1, 2, 3)]
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace())  # one without what is looked for in it
    for verbose in (1, True, "auto"):
        assert "epoch 3/3" in fit(verbose=verbose)
