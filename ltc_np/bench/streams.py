"""Many streams of one model: how long a step takes, one at a time by several threads, and many in one call.

This is the load of a server: every measurement belongs to a state of its own.  A step of one stream is too small to be
shared among threads, so every thread steps streams of its own, in turn; its time includes the waiting for Python's
lock.  In one call (`Model.streams`) many streams take a step together.
"""

import threading
import time
from array import array
from typing import NamedTuple

import numpy as np

from ..base import threads
from ..model import LTCRNN
from ..network.streams import step_size
from ..wirings import AutoNCP

STREAMS, SECONDS = 1000, 5.0
UNITS, INPUTS = 19, 32  # a network of the size that drives a car in the literature
PERCENTS = (50, 90, 99, 99.9)
TOGETHER = (1, 64, 1000)  # streams in one call

_BITS = 5  # a bin is at most 1/32 wide


class Latencies:
    """How many times fall into each bin; it takes the same memory however many times are counted."""

    def __init__(self):
        self.counts, self.largest = array("q", bytes(8 * (64 << _BITS))), 0

    def add(self, nanoseconds):
        shift = max(nanoseconds.bit_length() - _BITS - 1, 0)
        self.counts[(shift << _BITS) + (nanoseconds >> shift)] += 1
        if nanoseconds > self.largest:
            self.largest = nanoseconds

    def join(self, other):
        """Add the counts of another thread."""
        for k, count in enumerate(other.counts):
            self.counts[k] += count
        self.largest = max(self.largest, other.largest)

    @property
    def count(self):
        return sum(self.counts)

    def percentile(self, percent):
        """The upper end of the bin that this share of the times reaches; nanoseconds."""
        wanted, seen = self.count * percent / 100, 0
        for k, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                shift = max((k >> _BITS) - 1, 0)
                return min(((k - (shift << _BITS)) + 1 << shift) - 1, self.largest)
        return self.largest


class Load(NamedTuple):
    """What was done: every stream of thread k has made rounds[k] steps; ``states`` (streams, K) are those after the
    last step."""

    latencies: Latencies
    rounds: list
    owned: list
    states: np.ndarray
    seconds: float


def network(dtype="float32"):
    """The model of the streams."""
    return LTCRNN(AutoNCP(UNITS, 1), INPUTS, seed=0, dtype=dtype)


def rows(dtype):
    """The inputs that all streams go through, again and again, each from a place of its own; see `row_of`."""
    return np.random.default_rng(0).standard_normal((64, INPUTS)).astype(dtype)


def row_of(stream, step):
    """Which row of inputs a stream gets in a step."""
    return (7 * stream + step) % 64


def in_threads(work, n_threads):
    """Run ``work(k, barrier)`` in so many threads.  If one fails, no thread goes on waiting at the barrier, and its
    error is raised.

    All of them share the barrier, so that they can begin at the same moment, when each of them is ready.
    """
    barrier, errors = threading.Barrier(n_threads), []

    def run(k):
        try:
            work(k, barrier)
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    # Daemons, so that Ctrl-C need not wait for them.
    workers = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(n_threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]


def load(model, streams, n_threads, seconds):
    """Step the streams by so many threads for so long."""
    x, K = list(rows(model.dtype)), model.state_size
    states = np.tile(model.initial_state(), (streams, 1))
    y = np.empty((streams, model.output_size), model.dtype)
    outs = [(y[k], states[k]) for k in range(streams)]
    owned = [range(streams * k // n_threads, streams * (k + 1) // n_threads) for k in range(n_threads)]
    rounds, latencies = [0] * n_threads, [Latencies() for _ in range(n_threads)]
    began, clock = [], time.perf_counter_ns

    def work(me, barrier):
        add, step = latencies[me].add, model.step
        step(x[0], out=(np.empty(model.output_size, model.dtype), np.empty(K, model.dtype)))  # prepares the thread
        if barrier.wait() == 0:
            began.append(clock())
        end = clock() + seconds * 1e9
        while clock() < end:
            for stream in owned[me]:
                row, out = x[row_of(stream, rounds[me])], outs[stream]
                start = clock()
                step(row, state=out[1], out=out)
                add(clock() - start)
            rounds[me] += 1

    in_threads(work, n_threads)
    for other in latencies[1:]:
        latencies[0].join(other)
    return Load(latencies[0], rounds, owned, states, (clock() - began[0]) / 1e9)


def together(model, B, streams, seconds):
    """Seconds that a stream takes of a call for B of so many streams, and of what the call's kernels take alone."""
    held, rng = model.streams(max(B, streams)), np.random.default_rng(0)
    held.open(held.capacity)
    calls = [(rng.permutation(held.capacity)[:B], rng.random(B).astype(model.dtype)) for _ in range(16)]
    x = np.resize(rows(model.dtype), (B, INPUTS))

    def call(k):
        ids, dt = calls[k % len(calls)]
        held.step(ids, x, dt=dt)

    call(0)
    kernels = model.engine.stream(step_size(B))[1].run
    found = []
    for run in (call, lambda k: kernels()):
        count, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < seconds / 2:
            run(count)
            count += 1
        found.append(taken / count / B)
    return tuple(found)


def measure(dtype, seconds=SECONDS, streams=STREAMS):
    """Rows for one thread and for as many as the library uses, one stream at a time; then of many in one call."""
    found = []
    for n in dict.fromkeys((1, threads.get_num_threads())):
        done = load(network(dtype), streams, n, seconds)
        times = {f"p{percent}_us": done.latencies.percentile(percent) / 1e3 for percent in PERCENTS}
        found.append(
            {
                **{"dtype": dtype, "streams": streams, "threads": n, "seconds": done.seconds},
                **{"steps": done.latencies.count, "steps_per_second": done.latencies.count / done.seconds},
                **times,
                "max_us": done.latencies.largest / 1e3,
            }
        )
    for B in TOGETHER:
        whole, kernels = together(network(dtype), B, streams, seconds / len(TOGETHER))
        found.append({"dtype": dtype, "together": B, "ns_per_stream": 1e9 * whole, "kernels_ns": 1e9 * kernels})
    return found


def table(found):
    """The rows as lines of text."""
    single = [row for row in found if "together" not in row]
    names = [f"p{percent}" for percent in PERCENTS] + ["max"]
    lines = [
        f"{'streams':<10} {'dtype':<8} {'threads':>7} {'steps/s':>9} " + " ".join(f"{n + ' us':>9}" for n in names)
    ]
    for row in single:
        lines.append(
            f"{row['streams']:<10} {row['dtype']:<8} {row['threads']:>7} {row['steps_per_second']:>9,.0f} "
            + " ".join(f"{row[f'{name}_us']:>9.1f}" for name in names)
        )
    for row in found:
        if "together" in row:
            lines.append(
                f"{row['together']:>5} in one call {row['dtype']:<8} {row['ns_per_stream']:>8,.0f} ns a stream, "
                f"of which the kernels {row['kernels_ns']:,.0f}"
            )
    lines.append(f"all streams step one AutoNCP({UNITS}, 1) with {INPUTS} inputs")
    return lines
