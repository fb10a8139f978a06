"""Numba's threading layers: this library has threads of its own, so they make no difference, whatever functions of a
user do."""

import functools
import os
import subprocess
import sys

import pytest
from support.processes import within

LAYERS = ("omp", "tbb", "workqueue")

pytestmark = [pytest.mark.numba, pytest.mark.fuzz]

PROGRAM = """
    import sys, threading
    import numba
    import numpy as np
    from support import at_once

    @numba.njit(parallel=True, cache=True)
    def total(a):
        found = 0.0
        for i in numba.prange(a.size):
            found += a[i] * a[i]
        return found

    if __name__ == "__main__":
        at_once.share_among_threads()
        names, a = {"LTC neuron-major", "LTC batch-major", "CfC", "S4D"}, np.ones(200_000)
        done, sums = threading.Event(), []

        def own():  # one thread: the workqueue knows no more, and ends the process
            while not done.is_set():
                sums.append(total(a))

        total(a)
        thread = threading.Thread(target=own)
        thread.start()
        found = []
        at_once.together([lambda: found.append(at_once.digests("cpu", names)) for _ in range(2)])
        done.set()
        thread.join()
        print(numba.threading_layer(), len(sums) > 0, set(sums) == {200_000.0}, found[0] == found[1])
        print(sorted(found[0].items()))
"""


@functools.cache
def why_not(layer):
    code = """if True:
        import numba
        import numpy as np
        @numba.njit(parallel=True)
        def fill(a):
            for i in numba.prange(a.size):
                a[i] = i
        fill(np.ones(100))
        print(numba.threading_layer())
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
    )  # fmt: skip
    return None if done.stdout.strip() == layer else f"no layer {layer} here: {done.stderr.strip().splitlines()[-1:]}"


def skip_without(layer):
    reason = why_not(layer)
    if reason is not None:
        assert layer != "workqueue", reason  # Numba brings this one
        pytest.skip(reason)


@functools.cache
def alone():
    """The digests from a process in which nothing else runs."""
    return within(
        900,
        """
        from support import at_once
        at_once.share_among_threads()
        print(sorted(at_once.digests("cpu", {"LTC neuron-major", "LTC batch-major", "CfC", "S4D"}).items()))
        """,
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_the_layer_makes_no_difference_and_functions_of_a_user_run_beside(layer, tmp_path):
    skip_without(layer)
    first, digests = within(900, PROGRAM, files=tmp_path, NUMBA_THREADING_LAYER=layer).split("\n", 1)
    assert first == f"{layer} True True True"
    assert digests == alone()


@pytest.mark.parametrize("layer", LAYERS)
def test_after_a_fork_of_a_process_whose_own_functions_have_run(layer, tmp_path):
    """GNU's OpenMP ends a forked process that runs such functions again; this library works there all the same."""
    skip_without(layer)
    out = within(
        900,
        """
        import os
        import numba
        import numpy as np
        from support import at_once

        @numba.njit(parallel=True)
        def twice(a):
            for i in numba.prange(a.size):
                a[i] *= 2

        at_once.share_among_threads()
        case = at_once.cases("cpu")["LTC neuron-major"]
        wanted = at_once.digest(at_once.USES["loss and gradient"](case))
        twice(np.ones(1000))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if at_once.digest(at_once.USES["loss and gradient"](case)) == wanted else 1)
        print(numba.threading_layer(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        files=tmp_path,
        NUMBA_THREADING_LAYER=layer,
    )
    assert out == f"{layer} 0\n"
