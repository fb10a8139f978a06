"""How training on several ranks scales: measured with 1 and 2 ranks of one core each, and a model for more.

    python docs/performance/scaling.py            # writes scaling.json, prints the tables of docs/performance.md
    python docs/performance/scaling.py --tables   # prints them again

Needs mpi4py and `mpiexec`.  A time is the fastest tenth of many: on a machine that has other work, the other times are
longer because of it.
"""

import datetime
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ltc_np.train.ranks.communication import FLAGS

FILE = Path(__file__).with_suffix(".json")
STEPS, SIZES, BATCHES, PER_RANK, TOTAL = 64, (344, 4096, 65536, 1 << 20), (8, 32, 128), 64, 128
# What is assumed of a usual cluster: seconds for a message, and for a byte (100 Gbit/s).
NETWORK = {"alpha": 2e-6, "beta": 1 / 12.5e9}


def fast(times):
    """The time that a tenth of all are faster than."""
    return float(np.quantile(times, 0.1))


def measured():
    """Measure on all ranks; rank 0 prints what was found."""
    from mpi4py import MPI

    import ltc_np
    from ltc_np import LTC, Adam, AutoNCP, Dense, Model
    from ltc_np.train.callbacks import Callback

    comm = MPI.COMM_WORLD
    ranks = comm.Get_size()
    ltc_np.set_num_threads(1)
    sums = {}
    for size in SIZES:
        own, all_of_it, times = np.ones(size), np.empty(size), []
        for _ in range(400 if size < 1 << 20 else 60):
            comm.Barrier()
            start = time.perf_counter()
            comm.Allreduce(own, all_of_it)
            times.append(time.perf_counter() - start)
        sums[size] = fast(np.max(comm.allgather(times), axis=0))

    class Times(Callback):
        def __init__(self):
            self.at = []

        def on_batch_end(self, step, logs):
            self.at.append(time.perf_counter())

    def step(batch):
        rng = np.random.default_rng(0)
        x, y = (rng.normal(size=(batch, STEPS, n)).astype(np.float32) for n in (8, 1))
        model = Model(LTC(AutoNCP(64, 8, seed=0)), Dense(1), input_dim=8, seed=0)
        times, options = Times(), {"epochs": 60, "batch_size": batch, "verbose": False, "seed": 0}
        model.fit(x, y, optimizer=Adam(1e-3), callbacks=times, comm=comm, **options)
        return fast(np.max(comm.allgather(np.diff(times.at)), axis=0)), model.theta.size

    strong, parameters = step(TOTAL)
    weak, _ = step(PER_RANK * ranks)
    alone = {batch: step(batch)[0] for batch in BATCHES} if ranks == 1 else None
    if comm.Get_rank() == 0:
        found = {"sums": sums, "strong": strong, "weak": weak, "alone": alone, "parameters": parameters}
        print("FOUND " + json.dumps(found))


def fitted(one, two):
    """Seconds of a step without sequences and for each sequence; of a message and of a byte."""
    batches = np.array([*map(float, one["alone"])])
    times = np.array([*one["alone"].values()])
    # Relative errors have equal weights, so that small batches count too.
    (fixed, each), *_ = np.linalg.lstsq(np.stack([1 / times, batches / times], 1), np.ones(times.size), rcond=None)
    sizes, sums = (np.array([*map(float, values)]) for values in (two["sums"], two["sums"].values()))
    (alpha, beta), *_ = np.linalg.lstsq(np.stack([1 / sums, 8 * sizes / sums], 1), np.ones(sums.size), rcond=None)
    return {"fixed": max(fixed, 0.0), "each": each, "alpha": max(alpha, 0.0) / 2, "beta": beta}


def summed(p, parameters, alpha, beta):
    """Seconds of the sum of gradients on p ranks: 2 log2 p messages, of 2 (p - 1) / p of the numbers in all."""
    return 0.0 if p == 1 else 2 * math.ceil(math.log2(p)) * alpha + 2 * (p - 1) / p * beta * 8 * (parameters + FLAGS)


def predicted(p, batch, found, alpha, beta):
    """Seconds of a step with ``batch`` sequences in all: the rank that has most, and the sum."""
    model = found["model"]
    own = math.ceil(batch / p)
    return model["fixed"] + model["each"] * own + summed(p, found["parameters"], alpha, beta)


def tables(found):
    """What was measured, what the model says of that, and what it predicts, as Markdown."""
    model = found["model"]
    here = model["alpha"], model["beta"]
    lines = ["| ranks | batch | ms a step, measured | model | speed |", "|---|---|---|---|---|"]
    for kind, batch in (("strong", lambda p: TOTAL), ("weak", lambda p: PER_RANK * p)):
        one = found["1"][kind] / batch(1)
        for p in (1, 2):
            took, said = found[str(p)][kind], predicted(p, batch(p), found, *here)
            speed = one / (took / batch(p))
            lines.append(f"| {p} ({kind}) | {batch(p)} | {1e3 * took:.2f} | {1e3 * said:.2f} | {speed:.2f} |")
    lines += ["", "| numbers | Allreduce of 2 ranks, µs, measured | model |", "|---|---|---|"]
    for size, took in found["2"]["sums"].items():
        said = 2 * model["alpha"] + model["beta"] * 8 * int(size)
        lines.append(f"| {int(size):,} | {1e6 * took:.1f} | {1e6 * said:.1f} |")
    lines += ["", "| nodes | batch | sum, µs, predicted | ms a step, predicted | speed, predicted | efficiency |"]
    lines += ["|---|---|---|---|---|---|"]
    for kind, batch in (("strong", lambda p: 1024), ("weak", lambda p: PER_RANK * p)):
        one = predicted(1, batch(1), found, **NETWORK) / batch(1)
        for p in (10, 100, 1000):
            took = predicted(p, batch(p), found, **NETWORK)
            speed = one / (took / batch(p))
            sums = 1e6 * summed(p, found["parameters"], **NETWORK)
            lines.append(
                f"| {p:,} ({kind}) | {batch(p):,} | {sums:.0f} | {1e3 * took:.2f} | {speed:,.0f} | {speed / p:.0%} |"
            )
    return "\n".join(lines)


def main():
    if "--measure" in sys.argv:
        return measured()
    if "--tables" not in sys.argv:
        from ltc_np.bench.host import in_words, machine

        found = {"machine": in_words(machine()), "load": os.getloadavg()[0]}
        found["date"] = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        for ranks in (1, 2):
            command = ["mpiexec", "-n", str(ranks), sys.executable, "-m", "mpi4py", __file__, "--measure"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
            found[str(ranks)] = json.loads(line.removeprefix("FOUND "))
        found["parameters"] = found["1"]["parameters"]
        found["model"] = fitted(found["1"], found["2"])
        FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(tables(json.loads(FILE.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
