"""Ranks as threads of this process: a communicator without MPI, for tests of what ranks say to each other.

Only one of them runs at a time, until it waits for the others.  So it does not matter what threads share.
"""

import copy
import threading

import numpy as np


class Aborted(BaseException):
    """A rank has called `Abort`."""


class _Job:
    """What the ranks of one `run` share; the rank that runs holds the lock ``turn``."""

    def __init__(self):
        self.turn, self.aborted = threading.Condition(), None

    def check(self):
        if self.aborted is not None:
            raise Aborted(self.aborted)


class _Group:
    """What the ranks of one communicator have given so far: {number of the call: {rank: value}}."""

    def __init__(self):
        self.calls, self.children = {}, {}


class Threads:
    """A communicator of one rank; see `Communicator` of `ltc_np.base.types`."""

    def __init__(self, job, size, rank, group):
        self.job, self.size, self.rank, self.group, self.call = job, size, rank, group, 0

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return self.size

    def _give(self, value):
        self.job.check()
        given = self.group.calls.setdefault(self.call, {})
        given[self.rank] = copy.deepcopy(value)
        self.call += 1
        self.job.turn.notify_all()
        return given

    def _exchanged(self, value):
        given = self._give(value)
        while len(given) < self.size:
            self.job.turn.wait()
            self.job.check()
        return [copy.deepcopy(given[rank]) for rank in range(self.size)]

    def Dup(self):
        number = self.call
        self._exchanged(None)
        group = self.group.children.setdefault(number, _Group())
        return Threads(self.job, self.size, self.rank, group)

    def Free(self):
        self._exchanged(None)

    def allgather(self, value, /):
        return self._exchanged(value)

    def bcast(self, value, root, /):
        return self._exchanged(value)[root]

    def gather(self, value, root, /):
        found = self._exchanged(value)
        return found if self.rank == root else None

    def Allreduce(self, send, receive, /):
        receive[:] = np.sum(self._exchanged(send), axis=0)

    def Ibarrier(self):
        given, turn, size = self._give(None), self.job.turn, self.size

        class Request:
            def Test(self):
                turn.wait(0.001)  # others may come
                return len(given) == size

        return Request()

    def Abort(self, code, /):
        self.job.aborted = code
        self.job.turn.notify_all()
        raise Aborted(code)


def run(size, function):
    """What ``function(comm)`` gave, or raised, on each of ``size`` ranks."""
    job, group, found = _Job(), _Group(), [None] * size

    def work(rank):
        with job.turn:
            try:
                found[rank] = function(Threads(job, size, rank, group))
            except BaseException as error:  # the test looks at it
                found[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
