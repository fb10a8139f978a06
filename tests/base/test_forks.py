"""Locks that a fork waits for."""

import os
import threading

import pytest
from support.processes import within

from ltc_np.base import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_a_lock_is_handed_through():
    lock = threading.RLock()
    try:
        assert forks.wait_for(lock) is lock
    finally:
        forks._locks.remove(lock)


@pytest.mark.slow
def test_the_new_process_has_no_lock_that_nobody_gives_back():
    """Of several threads that fork, while another one holds the locks most of the time."""
    out = within(
        60,
        """
        import os, sys, threading, time
        from ltc_np.base import forks

        sys.setswitchinterval(1e-6)  # another thread goes on between any two operations
        locks = [forks.wait_for(threading.RLock()) for _ in range(2)]
        done, codes, first = threading.Event(), [], threading.Event()

        def hold():
            while not done.is_set():
                with locks[0], locks[1]:
                    first.set()
                    time.sleep(0.002)

        def taken(lock):
            found = []
            other = threading.Thread(target=lambda: found.append(lock.acquire(timeout=1)))
            other.start()
            other.join()
            return found[0]

        def fork():
            for _ in range(10):
                pid = os.fork()
                if pid == 0:
                    os._exit(0 if all(map(taken, locks)) else 1)
                codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        holder = threading.Thread(target=hold)
        holder.start()
        first.wait()
        forkers = [threading.Thread(target=fork) for _ in range(3)]
        for one in forkers: one.start()
        for one in forkers: one.join()
        done.set()
        holder.join()
        print(codes == [0] * 30, all(map(taken, locks)), forks._held.locks)
        """,
    )
    assert out == "True True []\n"


@pytest.mark.slow
def test_what_a_new_process_begins_with():
    out = within(
        60,
        """
        import os
        from ltc_np.base import forks, threads

        threads.run(lambda first, last, worker: None, 4, 2)
        forks.afterwards(lambda: os.write(1, b"afterwards "))
        assert threads._state["workers"]
        pid = os.fork()
        if pid == 0:
            os.write(1, b"without workers\\n" if threads._state["workers"] == [] else b"with workers\\n")
            os._exit(0)
        os.waitpid(pid, 0)
        """,
    )
    assert out == "afterwards without workers\n"
