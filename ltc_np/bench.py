"""``python -m ltc_np bench``: what this machine makes of the standard cases, against the limit of its processor.

An LTC's work is one sigmoid per live synapse and unfold, two when it is trained.  So the limit is the rate at which the
kernels' own sigmoid runs over an array in cache, times the threads.  Everything is measured in one run; each figure is
the median of `RUNS` runs, the limit the best of 20.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc

import numpy as np

from .base import threads
from .cells import CTGRU, CTRNN, GRU, LSTM, LTC, CfC, NeuralODE, SpikingLIF
from .model import Model
from .optim import Adam, clip_by_global_norm
from .wirings import AutoNCP, FullyConnected

RUNS = 20


def _dense(N, I):
    return LTC(FullyConnected(N), I, input_mapping=None, output_mapping=None)


def _sparse(N, I):
    return LTC(AutoNCP(N, 8, sparsity_level=0.9), I, input_mapping=None, output_mapping=None)


def _ctrnn(N, I):
    return CTRNN(N, I, solver="euler")


def _neural_ode(N, I):
    # Weights so small that rounding does not grow over 100 units of time: the usual ones make the dynamics chaotic.
    return NeuralODE(N, I, init={"w_h": (-0.05, 0.05)})


# name -> (layer of N units and I inputs, N, I, T, B)
CASES = {
    "tutorial": (_dense, 8, 2, 3, 32),
    "small": (_dense, 32, 4, 100, 64),
    "medium": (_dense, 64, 8, 64, 64),
    "large": (_dense, 128, 16, 32, 32),
    "sparse": (_sparse, 64, 8, 64, 64),
    "cfc": (CfC, 32, 4, 100, 64),
    "lif": (SpikingLIF, 32, 4, 100, 64),
    "lstm32": (LSTM, 32, 4, 100, 64),
    "lstm64": (LSTM, 64, 8, 64, 64),
    "lstm128": (LSTM, 128, 16, 32, 32),
    "gru": (GRU, 32, 4, 100, 64),
    "ctgru": (CTGRU, 32, 4, 100, 64),
    "ctrnn": (_ctrnn, 32, 4, 100, 64),
    "neural_ode": (_neural_ode, 32, 4, 100, 64),
}


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


def median_seconds(function, runs=RUNS):
    """Median time of one call over ``runs`` runs."""
    calls = calls_per_run(function)
    return statistics.median(seconds(function, calls) for _ in range(runs))


def sigmoid_rate(dtype):
    """Sigmoids per second of one core, over 4,096 numbers in cache: the best of 20."""
    from .kernels.cpu.rate import sigmoid_sum

    x, row = np.linspace(-8, 8, 4096).astype(dtype), np.zeros(4)
    sigmoid_sum(x, row, 1)
    best = np.inf
    for _ in range(20):
        start = time.perf_counter()
        sigmoid_sum(x, row, 1000)
        best = min(best, time.perf_counter() - start)
    return 1000 * x.size / best


def problem(name, dtype):
    """A case's network, new, and its data: model, x (B, T, I), y (B, T, O)."""
    make, N, I, T, B = CASES[name]
    model = Model(make(N, I), seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((B, T, I)).astype(dtype)
    return model, x, rng.standard_normal((B, T, model.output_size)).astype(dtype)


def training_step(model, x, y):
    """A function that trains one step through the public calls."""
    optimizer = Adam(1e-3)

    def step():
        _, grad = model.loss_and_grad(x, y)
        clip_by_global_norm(grad, 1.0)
        optimizer.step(model, grad)

    return step


def measure(name, dtype, rate, runs=RUNS):
    """One row: times of a forward call and of a whole training step."""
    _, N, I, T, B = CASES[name]
    model, x, y = problem(name, dtype)
    step = training_step(model, x, y)
    layer, limit = model.layers[0], rate * threads.get_num_threads()
    synapses = evaluations = None  # of cells that have no synapses
    if isinstance(layer, LTC):
        synapses = layer.wiring.synapse_count
        evaluations = B * T * (layer.ode_unfolds * synapses + layer.wiring.sensory_synapse_count)
    step()
    tracemalloc.start()
    training_step(problem(name, dtype)[0], x, y)()  # of a model with no workspace yet
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    forward, train = median_seconds(lambda: model(x), runs), median_seconds(step, runs)
    return {
        "case": name,
        "dtype": dtype,
        "N": N,
        "I": I,
        "T": T,
        "B": B,
        "synapses": synapses,
        "evaluations": evaluations,
        "forward_ms": forward * 1e3,
        "train_ms": train * 1e3,
        "forward_share": evaluations and evaluations / forward / limit,
        "train_share": evaluations and 2 * evaluations / train / limit,
        "memory_mib": memory / 2**20,
    }


_START = """
import time; start = time.perf_counter()
import ltc_np; imported = time.perf_counter() - start
import numpy as np
model = ltc_np.LTCRNN(ltc_np.FullyConnected(8), 2, seed=0)
model.loss_and_grad(np.zeros((32, 3, 2)), np.zeros((32, 3, 8)))
print(imported, time.perf_counter() - start)
"""


def start_times():
    """Seconds to import, and to the first gradient with an empty and with a filled cache, in new processes."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        found = []
        for _ in range(2):
            out = subprocess.run(
                [sys.executable, "-c", _START], env=environment, capture_output=True, text=True, check=True
            )
            found.append([float(v) for v in out.stdout.split()])
    return {"import_s": found[1][0], "cold_s": found[0][1], "warm_s": found[1][1]}


def machine():
    """What the figures belong to."""
    import llvmlite.binding
    import numba

    features = llvmlite.binding.get_host_cpu_features()
    sets = [name for name in ("avx512f", "avx2", "neon") if features.get(name)]
    return {
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "instruction_set": sets[0] if sets else "other",
        "threads": threads.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def table(result):
    """The result as text."""
    m, rates = result["machine"], result["sigmoid_rate"]
    lines = [
        f"{m['cpu']}, {m['instruction_set']}, {m['threads']} threads, Python {m['python']}, NumPy {m['numpy']}, "
        f"Numba {m['numba']}",
        "limit: " + ", ".join(f"{rate / 1e9:.2f} G sigmoids/s a core in {dtype}" for dtype, rate in rates.items()),
        "",
        f"{'case':<10} {'dtype':<8} {'N':>4} {'I':>3} {'T':>4} {'B':>3} {'synapses':>8} "
        f"{'forward ms':>10} {'of limit':>8} {'train ms':>9} {'of limit':>8} {'MiB':>6}",
    ]
    for row in result["cases"]:
        wired = row["synapses"] is not None
        synapses = row["synapses"] if wired else "-"
        forward, train = (f"{row[key]:.0%}" if wired else "-" for key in ("forward_share", "train_share"))
        lines.append(
            f"{row['case']:<10} {row['dtype']:<8} {row['N']:>4} {row['I']:>3} {row['T']:>4} {row['B']:>3} "
            f"{synapses:>8} {row['forward_ms']:>10.3f} {forward:>8} {row['train_ms']:>9.3f} {train:>8} "
            f"{row['memory_mib']:>6.1f}"
        )
    start = result["start"]
    lines += [
        "",
        f"import {start['import_s']:.2f} s, first gradient after {start['cold_s']:.1f} s with an empty cache, "
        f"{start['warm_s']:.1f} s with a filled one",
        "train: loss_and_grad, clipping and Adam by the public calls; limit: one sigmoid an evaluation forward, two "
        "in training, on all threads; MiB: what the arrays of one training step take",
    ]
    if "peers" in result:
        from . import peers

        lines += ["", peers.table(result["peers"])]
    return "\n".join(lines)


def main(argv=None):
    """Run the benchmark and print it."""
    from . import bench_cuda

    parser = argparse.ArgumentParser(prog="python -m ltc_np bench", description=__doc__.split("\n")[0].replace("`", ""))
    parser.add_argument("--threads", type=int, metavar="N", help="threads to use; default: all cores")
    parser.add_argument("--backend", choices=("cpu", "cuda"), default="cpu", help="default: %(default)s")
    kinds = f"{' '.join(CASES)}, of which the first five are LTCs; of cuda: {' '.join(bench_cuda.CASES)}; default: all"
    parser.add_argument("--cases", nargs="+", choices={**CASES, **bench_cuda.CASES}, metavar="CASE", help=kinds)
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "float64"), default=["float32", "float64"], help="default: both"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=RUNS,
        metavar="N",
        help="runs behind each figure, which is their median; default: %(default)s",
    )
    parser.add_argument(
        "--peers", action="store_true", help="time ncps, JAX and PyTorch as well, those that are installed"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args(argv)
    if args.runs < 1:
        parser.error("--runs must be at least 1")
    if args.threads is not None and args.threads < 1:
        parser.error("--threads must be at least 1")
    known = bench_cuda.CASES if args.backend == "cuda" else CASES
    cases = args.cases or list(known)
    if not set(cases) <= set(known):
        parser.error(f"--cases of {args.backend} are {' '.join(known)}, got {' '.join(cases)}")
    if args.backend == "cuda":
        reason = bench_cuda.why_not()
        if reason is not None:
            parser.error(reason)
        result = bench_cuda.run(cases, args.dtypes, args.runs, args.peers)
        print(json.dumps(result, indent=1) if args.json else bench_cuda.table(result))
        return
    from . import kernels

    if kernels.resolve("auto") != "cpu":
        parser.error("the benchmark is of the cpu backend, which needs a working numba")
    threads.set_num_threads(args.threads)
    rates = {dtype: sigmoid_rate(dtype) for dtype in args.dtypes}
    rows = [measure(name, dtype, rates[dtype], args.runs) for dtype in args.dtypes for name in cases]
    result = {"machine": machine(), "sigmoid_rate": rates, "cases": rows, "start": start_times()}
    if args.peers:
        from . import peers

        result["peers"] = peers.compare(cases, threads.get_num_threads(), args.runs)
    print(json.dumps(result, indent=1) if args.json else table(result))
