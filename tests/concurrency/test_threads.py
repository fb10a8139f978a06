"""Models used from many threads: each gets the bits of a single thread, whatever the others do."""

import subprocess
import sys

import pytest
from support.backends import BACKENDS
from support.processes import within

BACKEND = BACKENDS[-1]

SHARED = """
    import sys
    from support import at_once
    at_once.share_among_threads()
    calls, differing = at_once.shared_models(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print(calls, sorted(set(differing)))
"""


@pytest.mark.slow
def test_models_are_shared_while_the_number_of_threads_changes():
    """Four threads make all calls of seven models, `step`, and `fit` of copies; Python changes threads 500 times as
    often as usual."""
    calls, differing = within(900, SHARED, arguments=[BACKEND, 4, 1]).split(" ", 1)
    assert int(calls) == 4 * 62
    assert differing == "[]\n"


@pytest.mark.fuzz
def test_models_are_shared_for_long(trust):
    threads, rounds = 8, 20
    calls, differing = within(3000, SHARED, arguments=[BACKEND, threads, rounds]).split(" ", 1)
    assert int(calls) == threads * rounds * 62
    assert differing == "[]\n"
    trust.record(
        "concurrency",
        {"calls of shared models by 8 threads, and how many of them gave other bits": f"{int(calls):,}, 0"},
    )


@pytest.mark.slow
def test_a_tape_may_be_used_by_several_threads_at_once():
    out = within(
        900,
        """
        import sys
        from support import at_once

        for name, case in at_once.cases(sys.argv[1]).items():
            y, tape = case.model.forward(case.x, dt=case.dt)
            def gradients(found):
                g = case.model.backward(tape, y)
                found.append(at_once.digest([g.theta, g.x, g.h0]))
            wanted, found = [], []
            gradients(wanted)
            at_once.together([lambda: gradients(found)] * 4)
            if found != wanted * 4: print(name)
        """,
        arguments=[BACKEND],
    )
    assert out == ""


def test_parameters_that_change_and_come_back_are_noticed():
    """What a thread keeps prepared belongs to one version of the parameters, even if they change while it prepares."""
    import numpy as np

    from ltc_np import LTCRNN, AutoNCP

    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=BACKEND)
    x, theta = np.ones((4, 3)), model.theta.copy()
    want = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=BACKEND)(x)
    version = model.parameter_version

    def another_thread_writes():
        found = version()
        model.theta[:] = 0.5
        return found

    vars(model)["parameter_version"] = another_thread_writes  # between the version and what is prepared of it
    model(x)
    del vars(model)["parameter_version"]
    model.theta[:] = theta
    assert np.array_equal(model(x), want)


@pytest.mark.numba
@pytest.mark.fuzz
def test_the_first_compilation_in_several_threads(tmp_path):
    """Threads compile the same kernels and different ones, with an empty cache; each kernel is compiled once."""
    out = within(
        900,
        """
        import numpy as np
        from support import at_once
        from ltc_np import LSTM, LTC, AutoNCP, Model

        x = np.random.default_rng(0).normal(size=(40, 5, 3))

        def model(k):
            layer = LTC(AutoNCP(8, 2)) if k % 2 else LSTM(9)
            return Model(layer, input_dim=3, seed=k, dtype=("float32", "float64")[k // 2 % 2], backend="cpu")

        def use(k):
            found[k] = model(k)(x)

        found = {}
        at_once.together([lambda k=k: use(k) for k in range(8)])
        from ltc_np.kernels.cpu import ltc_neuron_major, lstm
        for kernel in (ltc_neuron_major.forward, lstm._forward):
            print(sum(kernel.stats.cache_misses.values()), len(kernel.signatures))
        print(all(np.array_equal(found[k], model(k)(x)) for k in range(8)))
        """,
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    # The LTC's for two types of numbers, each in tiles of pairs of vectors and of one: 40 sequences are 32 and 8.
    assert out == "4 4\n2 2\nTrue\n"


@pytest.mark.slow
def test_models_that_are_the_first_in_several_threads_warn_once():
    out = within(
        900,
        """
        import pathlib, time, warnings
        from support import at_once
        from ltc_np import LTCRNN, AutoNCP
        from ltc_np.kernels import library

        library.FOLDER = pathlib.Path("nowhere")
        caught = []
        def show(message, *rest):
            caught.append(str(message))
            time.sleep(0.1)  # in which the other threads come here too

        warnings.showwarning = show
        warnings.simplefilter("always")
        models = []
        at_once.together([lambda: models.append(LTCRNN(AutoNCP(8, 2), 3, seed=0)) for _ in range(6)])
        print(len(models), len(caught), "no working numba" in caught[0])
        """,
        NUMBA_DISABLE_JIT="1",
        LTC_NP_KERNELS="auto",
    )
    assert out == "6 1 True\n"


@pytest.mark.slow
def test_threads_that_come_and_go_leave_nothing():
    """A thread keeps prepared parameters, buffers of streams, and a workspace, until it ends."""
    out = within(
        900,
        """
        import gc, sys, threading, tracemalloc
        import numpy as np
        from ltc_np import LTCRNN, AutoNCP

        x, y = np.ones((3, 4, 2)), np.ones((3, 4, 2))
        model = LTCRNN(AutoNCP(8, 2), 2, seed=0, backend=sys.argv[1])

        def work():
            model(x); model.step(x[0, 0]); model.step(x[:, 0]); model.loss_and_grad(x, y)

        def threads(n):
            for _ in range(n):
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        threads(20)
        before = threads(20)
        print((threads(100) - before) // 100, threading.active_count())
        """,
        arguments=[BACKEND],
    )
    leak, count = map(int, out.split())
    assert leak < 64  # bytes for each thread; what a thread keeps takes thousands
    assert count == 1


@pytest.mark.slow
def test_the_process_ends_while_threads_compute():
    """The threads are daemons of a program that ends: it does not crash, and does not wait for them."""
    program = """
        import sys, threading, time
        import numpy as np
        from support import at_once
        from ltc_np import LTCRNN, FullyConnected

        at_once.share_among_threads()
        model, x = LTCRNN(FullyConnected(16, 2), 2, seed=0, backend=sys.argv[1]), np.ones((200, 50, 2))
        model(x)
        began = threading.Semaphore(0)

        def work():
            while True:
                model(x)
                began.release()

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(6):
            began.acquire()
        print("the end")
    """
    for _ in range(3):
        assert within(900, program, arguments=[BACKEND]) == "the end\n"


# ------------------------------------------------------------------------------------------------ without a GIL


def free_threaded():
    """(an interpreter without a GIL that has NumPy, None), or (None, the reason)."""
    reasons = []
    for python in (sys.executable, "python3.14t", "python3.15t"):
        code = "import sys, numpy; print(getattr(sys, '_is_gil_enabled', lambda: True)())"
        try:
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
        except FileNotFoundError:
            reasons.append(f"there is no {python}")
            continue
        if done.stdout.strip() == "False":
            return python, None
        reasons.append(f"{python} has a GIL" if done.returncode == 0 else f"{python} has no NumPy")
    return None, "; ".join(reasons)


@pytest.mark.elsewhere
@pytest.mark.slow
def test_without_a_gil():
    """The same on free-threaded CPython: with Numba where it has it, else with NumPy."""
    python, reason = free_threaded()
    if python is None:
        pytest.skip(reason)
    out = within(
        900,
        """
        import sys
        from ltc_np import kernels
        from support import at_once

        backend = kernels.resolve("auto")
        at_once.share_among_threads()
        calls, differing = at_once.shared_models(backend, 4, 1)
        print(calls, sorted(set(differing)), sys._is_gil_enabled())
        """,
        python=python,
        PYTHON_GIL="0",
    )
    assert out == f"{4 * 62} [] False\n"
