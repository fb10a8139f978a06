"""How a training step of one process scales with its threads: measured with one and two, and a model for more.

    python docs/performance/cores.py    # prints the table of docs/performance.md; half a minute, on an idle machine

A step runs its kernels on pieces of the batch (tiles of sequences, or rows of the gradient), which threads take in
turn; NumPy alone does the rest.  With one thread every piece is timed, and the rest is what is left.  So the
model has no number that is fitted: a step of n threads takes the rest, for every kernel ceil(pieces / n) times as long
as a piece, and the time to wake n - 1 threads, each as long as a second thread takes today.
"""

import math
import time
from typing import NamedTuple

import numpy as np

from ltc_np import set_num_threads
from ltc_np.base import threads
from ltc_np.bench.cases import CASES, problem, training_step
from ltc_np.bench.host import in_words, machine

SMALL = CASES["small"]
MEASURED = {
    "LTC, 32 neurons, 64 sequences": SMALL,
    "LTC, 32 neurons, 1,024 sequences": SMALL._replace(B=1024),
    "LTC, 128 neurons, 32 sequences": CASES["large"],
    "LSTM, 128 units, 32 sequences": CASES["lstm128"],
    "CfC, 32 units, 64 sequences": CASES["cfc"],
}
THREADS, RUNS = (4, 16, 64), 15


class Step(NamedTuple):
    """Seconds of a step of one thread, and its kernels: how many pieces each, and seconds of all of them."""

    seconds: float
    kernels: list

    def with_threads(self, n, waking):
        """Seconds of a step of n threads, by the model."""
        alone = self.seconds - sum(seconds for _, seconds in self.kernels)
        shared = (math.ceil(pieces / min(n, pieces)) * seconds / pieces for pieces, seconds in self.kernels)
        woken = sum(min(n, pieces) - 1 for pieces, _ in self.kernels)
        return alone + sum(shared) + waking * woken


def seconds(step, n):
    """Seconds that a step takes with n threads: the median."""
    set_num_threads(n)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def taken_apart(step):
    """A `Step` of one thread: the run of `RUNS` whose time is the median."""
    set_num_threads(1)
    original, kernels, found = threads.run, [], []

    def run(function, count, n):
        start = time.perf_counter()
        original(function, count, n)
        kernels.append((count, time.perf_counter() - start))

    threads.run = run
    try:
        for _ in range(RUNS):
            kernels.clear()
            start = time.perf_counter()
            step()
            found.append(Step(time.perf_counter() - start, kernels.copy()))
    finally:
        threads.run = original
    return sorted(found)[RUNS // 2]


def waking():
    """Seconds that a call with nothing to do takes for two threads."""
    times = []
    for _ in range(300):
        start = time.perf_counter()
        threads.run(lambda first, last, worker: None, 2, 2)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main():
    print(in_words(machine()))
    second = waking()
    print(f"a second thread is woken in {1e6 * second:.0f} µs")
    print("| step of | pieces | ms, one thread | not in kernels | two threads: speed | by the model | "
          + " | ".join(f"{n}" for n in THREADS) + " |\n" + "|---" * (6 + len(THREADS)) + "|")  # fmt: skip
    for name, case in MEASURED.items():
        model, x, y = problem(case, "float32")
        step = training_step(model, x, y)
        for n in (1, 2):
            seconds(step, n)  # compiles, and makes the arrays of both
        one, two, apart = seconds(step, 1), seconds(step, 2), taken_apart(step)
        speeds = [apart.seconds / apart.with_threads(n, second) for n in (2, *THREADS)]
        rest = 1 - sum(seconds for _, seconds in apart.kernels) / apart.seconds
        pieces = sorted({pieces for pieces, _ in apart.kernels})
        cells = [name, " and ".join(map(str, pieces)), f"{1e3 * one:.2f}", f"{rest:.1%}", f"{one / two:.2f}"]
        print(f"| {' | '.join([*cells, *(f'{speed:.1f}' for speed in speeds)])} |")


if __name__ == "__main__":
    main()
