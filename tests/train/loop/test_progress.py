"""What a training shows of itself, and what it says about the time that is left."""

import io
import sys
import time
import types

import numpy as np
import pytest

from ltc_np import LTCRNN, SGD, AutoNCP, Callback
from ltc_np.train.loop.clock import Clock
from ltc_np.train.loop.progress import Bar, Lines, Plain, Silent, check_verbose, progress


class Time:
    """A clock that moves by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def after(clock, time, *epochs):
    """The time that is left after epochs of these lengths."""
    for seconds in epochs:
        time.now += seconds
        clock.epoch()
    return clock.left


def test_the_time_that_is_left_is_that_of_the_epochs_to_come():
    time = Time()
    assert after(Clock(10, time), time, 2.0) == pytest.approx(9 * 2.0)
    assert after(Clock(10, time), time, 2.0, 1.0) == pytest.approx(8 * 1.0)  # the first is slower: caches, kernels
    assert after(Clock(10, time), time, 2.0, 1.0, 4.0) == pytest.approx(7 * 2.5)
    assert after(Clock(2, time), time, 2.0, 1.0) == 0


@pytest.mark.numba
def test_compiling_is_left_out():
    from numba.core import event

    clock, seconds = Clock(5), []
    with clock.without_compiling():
        clock.compiling = (lambda measured: lambda: seconds.append(measured()) or seconds[-1])(clock.compiling)
        with event.trigger_event("numba:compiler_lock"), event.trigger_event("numba:compiler_lock"):
            start = clock.elapsed
            while clock.elapsed < start + 0.05:
                pass
        clock.epoch()
        left = clock.left
    assert 0.05 <= seconds[-1] <= clock.elapsed  # once, though one is in the other
    assert left == pytest.approx(4 * clock.first)
    assert clock.first <= clock.elapsed - 0.05
    with event.trigger_event("numba:compiler_lock"):
        pass
    assert clock.compiling() == seconds[-2]  # afterwards nothing is measured


@pytest.mark.numba
def test_fit_leaves_compiling_out(capfd):
    from numba.core import event

    x = np.random.default_rng(0).normal(size=(8, 5, 1))

    class Compiles(Callback):
        def on_batch_end(self, step, logs):
            if step == 0:
                with event.trigger_event("numba:compiler_lock"):
                    time.sleep(1)

    LTCRNN(AutoNCP(8, 1), 1, seed=0).fit(x, x, epochs=11, callbacks=Compiles(), verbose=2)
    first = next(line for line in capfd.readouterr().err.splitlines() if line.startswith("epoch 1/11"))
    assert int(first.split()[-2]) < 10 * 1


@pytest.mark.parametrize("missing", [True, False])
def test_without_numba_nothing_is_measured(missing, monkeypatch):
    """Where it cannot be imported, or has not been: then it is not for this."""
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    if missing:
        monkeypatch.setitem(sys.modules, "numba", None)
    clock = Clock(3)
    with clock.without_compiling():
        assert clock.compiling() == 0.0
    assert sys.modules.get("numba") is None


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
