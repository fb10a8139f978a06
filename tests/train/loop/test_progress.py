"""What a training shows of itself."""

import io
import sys
import types

import numpy as np
import pytest
from support.time_by_hand import Time

from ltc_np import LTCRNN, SGD, AutoNCP
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
