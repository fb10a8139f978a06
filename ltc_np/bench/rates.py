"""How long a call takes, and what a processor or a card does in a second."""

import statistics
import time

import numpy as np

from ..base import threads
from ..kernels.codes import VECTOR_BYTES

RUNS = 20  # behind each figure, unless another number is asked for
CARD_THREADS, CARD_REPEATS = 2**19, 2000


def calls_per_run(function, least=0.02):
    """How many calls a run needs to take ``least`` seconds; calls it twice."""
    function()
    start = time.perf_counter()
    function()
    return max(1, int(least / max(time.perf_counter() - start, 1e-7)))


def seconds(function, calls):
    """Time of one call, from one run of ``calls``."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def processor_seconds(function, runs=RUNS):
    """The least processor time of a call of one thread, which others on the machine disturb less than a clock."""
    return min(times(function, runs, time.thread_time))


def times(function, runs, clock=time.perf_counter):
    """What each of so many calls takes, by a clock; a call before them is not counted."""
    function()
    found = []
    for _ in range(runs):
        start = clock()
        function()
        found.append(clock() - start)
    return found


def beside(function, yardstick, runs=RUNS):
    """Median times of a call of a function, and of the yardstick, and of how many times longer the first takes.

    Their runs take turns, since what a processor shared with others does in a second may change by a third in minutes.
    """
    calls, of_yardstick = calls_per_run(function), calls_per_run(yardstick)
    pairs = [(seconds(yardstick, of_yardstick), seconds(function, calls)) for _ in range(runs)]
    times = [statistics.median(column) for column in zip(*pairs, strict=True)]
    return times[1], times[0], statistics.median(taken / known for known, taken in pairs)


def told(row):
    """A measured row in a line, for who waits for the table."""
    return f"{row['case']} {row['dtype']}: {row['forward_ms']:.3f} ms forward, {row['train_ms']:.3f} ms a training step"


def sigmoids(dtype, n_threads, repeats=1000):
    """A function in which each of the threads sums sigmoids of 4,096 numbers in cache, and how many it computes."""
    from ..kernels.cpu.rate import sigmoid_sum

    x, rows = np.linspace(-8, 8, 4096).astype(dtype), np.zeros((n_threads, 8))  # a cache line each

    def part(first, last, worker):
        for k in range(first, last):
            sigmoid_sum(x, rows[k], repeats)

    return lambda: threads.run(part, n_threads, n_threads), n_threads * repeats * x.size


def multiply_add_rate(dtype):
    """Multiply-adds per second of all threads together, in registers: the best of 20."""
    from ..kernels.cpu.rate import MULTIPLY_ADDS, multiply_add_chains

    x, n, repeats = np.full(VECTOR_BYTES // np.dtype(dtype).itemsize, 0.5, dtype), threads.get_num_threads(), 200_000
    row = np.zeros((n, 4))

    def run(first, last, worker):
        for k in range(first, last):
            multiply_add_chains(x, row[k], repeats)

    multiply_add_chains(x, row[0], 1)
    best = np.inf
    for _ in range(20):
        start = time.perf_counter()
        threads.run(run, n, n)
        best = min(best, time.perf_counter() - start)
    return n * repeats * MULTIPLY_ADDS * x.size / best


def card_sigmoid_rate(dtype, runs=5):
    """Sigmoids per second of the card, in registers: the best of ``runs``."""
    from ..kernels.cuda import device, rate

    out = device.empty(CARD_THREADS, dtype)

    def run():
        device.launch_over(CARD_THREADS, rate.sigmoid_chain, CARD_REPEATS, out)

    run()
    return CARD_THREADS * CARD_REPEATS * rate.CHAINS / min(device.seconds(run) for _ in range(runs))
