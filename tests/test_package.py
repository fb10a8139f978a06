"""The package as a whole: what importing loads, names, threads, layout."""

import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ltc_np
from ltc_np import get_num_threads, set_num_threads
from ltc_np.base import threads
from ltc_np.base.layout import Entry, Layout
from ltc_np.base.threads import run, share

PACKAGE = pathlib.Path(ltc_np.__file__).parent


def test_importing_loads_neither_numba_nor_matplotlib():
    code = (
        "import sys, ltc_np; "
        "others = ('numba', 'llvmlite', 'matplotlib', 'tqdm', 'mpi4py', 'torch', 'jax', 'ncps', 'sklearn'); "
        "print([m for m in others if m in sys.modules])"
    )
    assert run_in_new_process(code) == "[]"


def test_importing_loads_nothing_that_few_programs_need():
    code = (
        "import sys, numpy; before = {*sys.modules}; import ltc_np; "
        "few = ('ltc_np.analysis', 'ltc_np.plot', 'ltc_np.simplify', 'pathlib'); "
        "print([m for m in {*sys.modules} - before if m.startswith(few)])"
    )
    assert run_in_new_process(code) == "[]"


NAMED_FIRST = {
    "a folder": "import ltc_np; ltc_np.plot.wiring",
    "a function": "import ltc_np; ltc_np.solver_error",
    "a module": "import ltc_np.gradcheck; ltc_np.gradcheck.check",
    "all names": "from ltc_np import *; gradcheck.check, simplify.prune",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", NAMED_FIRST)
def test_what_few_programs_need_is_loaded_when_it_is_named(what):
    run_in_new_process(NAMED_FIRST[what])


def run_in_new_process(code):
    """What it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    return done.stdout.strip()


def test_public_names():
    assert sorted(ltc_np.__all__) == sorted(set(ltc_np.__all__))
    for name in ltc_np.__all__:
        assert hasattr(ltc_np, name), name
    assert {*ltc_np.__all__, "__version__"} <= {*dir(ltc_np)}
    with pytest.raises(AttributeError, match=r"^module 'ltc_np' has no attribute 'Sequential'$"):
        ltc_np.Sequential  # noqa: B018
    assert ltc_np.__version__.count(".") == 2


def test_threads_are_checked_and_restored():
    assert get_num_threads() >= 1
    set_num_threads(3)
    assert get_num_threads() == 3
    for bad, error in ((0, ValueError), (1.5, TypeError), (True, TypeError), ("2", TypeError)):
        with pytest.raises(error, match="`n` must be an int >= 1, got"):
            set_num_threads(bad)
    set_num_threads(None)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_ranges_cover_the_work_once_and_errors_come_back(n_threads):
    set_num_threads(n_threads)
    try:
        for count in (1, 2, 7, 16):
            done = []
            n = share(count, True)
            assert n == min(n_threads, count)
            assert share(count, False) == 1
            run(lambda first, last, worker, done=done: done.append((worker, first, last)), count, n)
            assert {worker for worker, _, _ in done} <= set(range(n))
            assert sorted(k for _, first, last in done for k in range(first, last)) == list(range(count))

        def fail(first, last, worker):
            if last == 16:
                raise RuntimeError("from a thread")

        with pytest.raises(RuntimeError, match="from a thread"):
            run(fail, 16, share(16, True))

        # An error comes out only when nobody works on the caller's arrays any more.
        begun, ended = [], []

        def slow(first, last, worker):
            begun.append(first)
            time.sleep(0.02)
            ended.append(first)
            if worker == 0:
                raise KeyError("from the caller")

        with pytest.raises(KeyError, match="from the caller"):
            run(slow, 16, share(16, True))
        assert sorted(begun) == sorted(ended)
    finally:
        set_num_threads(None)


def test_nobody_waits_for_a_thread_that_has_not_begun():
    set_num_threads(2)
    try:
        run(lambda *_: time.sleep(0.01), 8, share(8, True))  # there is a worker
        (worker,) = threads._workers(1)
        held = threading.Event()
        worker.inbox.put((HeldJob(held), None))
        done = []
        run(lambda first, last, worker: done.append((first, worker)), 8, share(8, True))
        assert sorted(done) == [(k, 0) for k in range(8)]
    finally:
        held.set()
        set_num_threads(None)


class HeldJob:
    """Keeps a worker busy until an event."""

    def __init__(self, event):
        self.event = event

    def help(self, worker):
        self.event.wait(10)


def test_layout():
    layout = Layout(
        (
            Entry("a", (2, 3), (0.0, 1.0), positivity="softplus"),
            Entry("b", (2,), 0.5, positivity="softplus", decay=True),
            Entry("c", (), 2.0, trainable=False, lr_scale=0.1),
            Entry("d", (2,), lambda rng, shape: -np.ones(shape), positivity="clip", bound=0.25),
        )
    )
    assert layout.size == 11
    theta = layout.initial(np.random.default_rng(0), np.float64)
    assert theta[6:].tolist() == [0.5, 0.5, 2, -1, -1]
    values = layout.effective(theta)
    np.testing.assert_allclose(values[:8], np.log1p(np.exp(theta[:8])), rtol=1e-15)
    assert values[8:].tolist() == [2, 0.25, 0.25]
    d = layout.d_effective(values, np.ones(11))
    np.testing.assert_allclose(d[:8], 1 / (1 + np.exp(-theta[:8])), rtol=1e-15)
    assert (d[8:] == 1).all()
    layout.project(theta)
    assert theta[9:].tolist() == [0.25, 0.25]
    assert layout.trainable.tolist() == [True] * 8 + [False] + [True] * 2
    assert layout.decay.sum() == 2
    assert layout.lr_scale.tolist() == [1] * 8 + [0.1] + [1] * 2
    assert list(Layout.join([layout, layout]).slices) == [f"{k}.{n}" for k in (0, 1) for n in "abcd"]
    # Far from zero: no overflow, no zero.
    extreme = np.array([-1e4, 1e4] * 5 + [0.0], np.float32)
    values = layout.effective(extreme)
    assert np.isfinite(values).all()
    assert (values[:8] > 0).all()
    with pytest.raises(ValueError, match="`positivity` must be one of"):
        Layout((Entry("a", (1,), positivity="relu"),))
    with pytest.raises(ValueError, match="'a' twice"):
        Layout((Entry("a", (1,)), Entry("a", (1,))))


def test_the_former_name_of_replace_warns():
    entry = Entry("w", (2, 3), init=(0, 1), positivity="softplus", decay=True)
    with pytest.warns(FutureWarning, match=r"Entry.replace\(...\)"):
        old = entry.but(name="v", init=2.0)
    assert old == entry.replace(name="v", init=2.0) != entry
    assert (old.name, old.shape, old.init, old.positivity, old.decay) == ("v", (2, 3), 2.0, "softplus", True)


def test_a_layout_of_any_size_takes_no_room():
    """So that what a file describes can be compared with what it holds."""
    layout = Layout((Entry("w", (2**40, 2**40)), Entry("b", (3,), trainable=False)))
    assert layout.size == 2**80 + 3
    assert layout.slices["b"] == (slice(2**80, 2**80 + 3), (3,))
