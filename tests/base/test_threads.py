"""The pool of threads: how many there are, that every piece is done once, what happens when something goes wrong."""

import os
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from support.processes import within

from ltc_np import get_num_threads, set_num_threads
from ltc_np.base import threads


@pytest.fixture(autouse=True)
def rested():
    """Workers that have looked at all jobs of the test before: `run` gives none to a worker with `BACKLOG` of them."""
    while any(worker.inbox.qsize() for worker in threads._state["workers"]):
        time.sleep(1e-3)


@pytest.mark.parametrize("n", [1, 3, np.int64(3), np.uint8(2)])
def test_the_number_may_be_set(n):
    try:
        set_num_threads(n)
        assert get_num_threads() == n and type(get_num_threads()) is int
    finally:
        set_num_threads(None)
    assert get_num_threads() == threads.available()


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (1.0, TypeError), (True, TypeError), ("2", TypeError)])
def test_what_is_no_number_of_threads(n, error):
    with pytest.raises(error, match="`n` must be an int >= 1, got "):
        set_num_threads(n)


@pytest.fixture
def impatient():
    """Python changes threads 1,000 times as often as usual, in the middle of whatever they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_every_piece_is_done_once_however_many_callers_there_are(impatient):
    wrong = []

    def caller(count):
        for _ in range(100):
            done = np.zeros(count, int)

            def work(first, last, worker, done=done):
                if worker:
                    time.sleep(1e-4)
                done[first:last] += 1

            threads.run(work, count, 3)
            if not (done == 1).all():
                wrong.append(done)

    callers = [threading.Thread(target=caller, args=(count,)) for count in (1, 2, 7, 100)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert not wrong


def test_workers_are_as_many_as_were_needed_at_most():
    threads.run(lambda first, last, worker: None, 8, 3)
    before = threading.active_count()
    for n in (3, 2, 3) * 5:
        threads.run(lambda first, last, worker: None, 8, n)
    assert threading.active_count() == before


class Rendezvous:
    """Work of two threads, in which the helper begins before the caller goes on, and then waits for `leave`."""

    def __init__(self):
        self.began, self.leave, self.inside = threading.Event(), threading.Event(), 0

    def __call__(self, first, last, worker):
        if worker == 0:
            assert self.began.wait(30)
        else:
            self.inside += 1
            self.began.set()
            assert self.leave.wait(30)
            self.inside -= 1


@pytest.mark.parametrize("who", ["caller", "helper"])
def test_an_error_is_raised_when_nobody_works_any_more(who):
    work, began, calls = Rendezvous(), threading.Event(), []

    def fails(first, last, worker):
        calls.append(first)
        if (worker == 0) == (who == "caller"):
            began.wait(30)
            threading.Timer(0.05, work.leave.set).start()
            raise ZeroDivisionError(who)
        began.set()
        assert work.leave.wait(30)
        work.inside -= 1

    work.inside = 1
    with pytest.raises(ZeroDivisionError, match=who):
        threads.run(fails, 100, 2)
    assert work.inside == 0
    assert len(calls) == 2  # of 8 pieces: the rest is left


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals of POSIX")
def test_an_interrupt_waits_for_the_helpers():
    """Ctrl-C, again and again while the caller waits: afterwards nobody writes to its arrays."""
    out = within(
        60,
        """
        import signal, time
        from ltc_np.base import threads

        inside = []

        def work(first, last, worker):
            if worker == 0:
                while not inside:
                    time.sleep(0.001)
            else:
                inside.append(1)
                end = time.monotonic() + 0.2
                while time.monotonic() < end:
                    time.sleep(0.001)
                inside.pop()

        def press(number, frame):
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, press)
        for every in (0, 0.03):
            signal.setitimer(signal.ITIMER_REAL, 0.1, every)
            try:
                threads.run(work, 2, 2)
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
                print("interrupted", len(inside))
        """,
    )
    assert out == "interrupted 0\n" * 2


def test_a_job_that_is_done_holds_nothing_while_a_worker_is_busy():
    """It may lie in that worker's inbox for as long as the other one's piece takes."""
    slow = Rendezvous()
    holder = threading.Thread(target=threads.run, args=(slow, 2, 2))
    holder.start()
    assert slow.began.wait(30)

    class Work:
        def __call__(self, first, last, worker):
            assert worker == 0

    (worker,) = threads._workers(1)
    try:
        for _ in range(2 * threads.BACKLOG):
            work = Work()
            gone = weakref.ref(work)
            threads.run(work, 2, 2)
            del work
            assert gone() is None
            assert worker.inbox.qsize() <= threads.BACKLOG
        assert worker.inbox.qsize() > 0  # or the test would show nothing
    finally:
        slow.leave.set()
        holder.join()


def test_where_no_thread_can_be_started_the_caller_does_it_alone(monkeypatch):
    monkeypatch.setitem(threads._state, "workers", [])

    def refuse(k):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_Worker", refuse)
    found = []
    threads.run(lambda first, last, worker: found.append((first, last, worker)), 4, 2)
    assert found == [(k, k + 1, 0) for k in range(4)]


@pytest.mark.slow
def test_a_model_may_be_called_while_the_process_ends():
    """Python 3.12 and later start no threads then."""
    out = within(
        60,
        """
        import atexit
        from ltc_np.base import threads

        @atexit.register
        def last():
            threads.run(lambda first, last, worker: print(first, last), 1, 2)
        """,
    )
    assert out == "0 1\n"
