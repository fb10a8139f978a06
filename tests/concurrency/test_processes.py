"""Models in other processes: spawned, forked and served, at any moment, with the same bits and without a deadlock."""

import multiprocessing
import os

import pytest
from support.backends import BACKENDS
from support.processes import within

BACKEND = BACKENDS[-1]
METHODS = [name for name in ("spawn", "fork", "forkserver") if name in multiprocessing.get_all_start_methods()]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

POOL = """
    import multiprocessing, sys
    import numpy as np
    from support import at_once
    from ltc_np import set_num_threads

    NAMES = {"LTC neuron-major", "CfC"}

    def digests(model_and_data):
        set_num_threads(2)
        at_once.share_among_threads()
        case = at_once.Case(*model_and_data)
        return [at_once.digest(at_once.USES[use](case)) for use in at_once.uses(case)]

    if __name__ == "__main__":
        cases = [tuple(case) for name, case in at_once.cases(sys.argv[2]).items() if name in NAMES]
        wanted = list(map(digests, cases))  # worker threads have run here
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            found = pool.map(digests, cases * 2, chunksize=1)
        print(found == wanted * 2, len(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_pool_of_processes(method, tmp_path):
    """Models are sent to other processes by pickle, and are called, trained and stepped there."""
    assert within(900, POOL, arguments=[method, BACKEND], files=tmp_path) == "True 4\n"


@pytest.mark.fuzz
def test_joblib(tmp_path):
    pytest.importorskip("joblib")
    out = within(
        900,
        """
        import sys
        import joblib
        from support import at_once

        def digests(case):
            return [at_once.digest(at_once.USES[use](case)) for use in at_once.uses(case)]

        if __name__ == "__main__":
            case = at_once.cases(sys.argv[1])["LTC neuron-major"]
            for backend in ("loky", "threading"):
                found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(digests)(case) for _ in range(3))
                print(found == [digests(case)] * 3)
        """,
        arguments=[BACKEND],
        files=tmp_path,
        LOKY_MAX_CPU_COUNT="2",
    )
    assert out == "True\n" * 2


FORKS = """
    import os, sys, threading
    import numpy as np
    from support import at_once
    from ltc_np import set_num_threads

    backend, n = sys.argv[1], int(sys.argv[2])
    at_once.share_among_threads()
    set_num_threads(3)
    cases = {name: case for name, case in at_once.cases(backend).items() if name in ("LTC neuron-major", "CfC", "LSTM")}

    def digests():
        uses = at_once.USES["call"], at_once.USES["loss and gradient"]
        return [at_once.digest(use(case)) for case in cases.values() for use in uses]

    wanted, done = digests(), threading.Event()

    def work():  # inside of kernels, in products, and holding the locks of the pool and of BLAS
        while not done.is_set():
            if digests() != wanted:
                os.write(1, b"other bits beside forks\\n")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    codes = []
    for _ in range(n):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if digests() == wanted else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    done.set()
    for thread in threads: thread.join()
    print(len(codes), set(codes))
"""


@pytest.mark.slow
@forks
def test_forks_while_other_threads_compute():
    assert within(900, FORKS, arguments=[BACKEND, 20]) == "20 {0}\n"


@forks
@pytest.mark.fuzz
def test_many_forks_while_other_threads_compute(trust):
    n = 500
    assert within(3000, FORKS, arguments=[BACKEND, n]) == f"{n} {{0}}\n"
    trust.record(
        "concurrency",
        {"forks while other threads compute, and how many of them gave other bits or never ended": f"{n:,}, 0"},
    )


@pytest.mark.slow
@forks
@pytest.mark.numba
def test_a_fork_while_another_thread_compiles(tmp_path):
    """If forks did not wait, the new process would wait for ever, since it has a copy of the compiler's lock that the
    thread holds."""
    (tmp_path / "slow.py").write_text(
        "from ltc_np.kernels.cpu.jit import kernel\n\n\n"
        "@kernel\ndef first(a):\n    for i in range(len(a)):\n        a[i] = a[i] * 2 + 1\n\n\n"
        "@kernel\ndef second(a):\n    for i in range(len(a)):\n        a[i] *= 3\n"
    )
    out = within(
        300,
        """
        import os, sys, threading
        import numpy as np
        from numba.core.compiler_lock import global_compiler_lock
        sys.path.insert(0, sys.argv[1])
        import slow

        compiling, codes = threading.Event(), []
        acquire = type(global_compiler_lock).acquire

        def note(lock):
            acquire(lock)
            if threading.current_thread() is not threading.main_thread():
                compiling.set()

        type(global_compiler_lock).acquire = type(global_compiler_lock).__enter__ = note
        thread = threading.Thread(target=slow.first, args=(np.ones(3),))
        thread.start()
        compiling.wait()
        pid = os.fork()
        if pid == 0:
            a = np.ones(3)
            slow.second(a)
            slow.first(a)
            os._exit(0 if a.tolist() == [7.0] * 3 else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        thread.join()
        """,
        arguments=[tmp_path],
        NUMBA_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert out == "0\n"


@pytest.mark.slow
@forks
@pytest.mark.numba
def test_a_fork_while_another_thread_loads_numba():
    out = within(
        300,
        """
        import os, sys, threading, time
        import numpy as np
        from ltc_np import LTCRNN, AutoNCP

        thread = threading.Thread(target=LTCRNN, args=(AutoNCP(8, 2), 2), kwargs={"seed": 0})
        thread.start()
        while "numba.core" not in sys.modules:
            time.sleep(0.001)
        pid = os.fork()
        if pid == 0:
            LTCRNN(AutoNCP(8, 2), 2, seed=0)(np.ones((2, 3, 2)))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        thread.join()
        """,
    )
    assert out == "0\n"


@pytest.mark.numba
@pytest.mark.fuzz
def test_processes_that_begin_together_with_an_empty_cache(tmp_path):
    out = within(
        900,
        """
        import multiprocessing, sys
        import numpy as np
        from support import at_once

        def first(k):
            return at_once.digest(at_once.USES["call"](at_once.cases("cpu")["LTC neuron-major"]))

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(3) as pool:
                found = pool.map(first, range(3), chunksize=1)
            print(all(one == found[0] == first(0) for one in found))
        """,
        files=tmp_path,
        NUMBA_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert out == "True\n"
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".nbc"]
