"""What a training says about the time that is left."""

import sys
import time

import numpy as np
import pytest
from support.time_by_hand import Time

from ltc_np import LTCRNN, AutoNCP, Callback
from ltc_np.train.loop.clock import Clock


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


@pytest.mark.slow
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
