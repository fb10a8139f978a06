"""What the processor makes of the standard cases, against its limit.

An LTC's work is one sigmoid per live synapse and unfold, two when it is trained.  So the limit is the rate at which the
kernels' own sigmoid runs over an array in cache, in all threads at once.  Every run of a case follows one of the
sigmoids, and each figure is the median of `RUNS` such pairs.
"""

import os
import platform
import subprocess
import sys
import tempfile
import tracemalloc

import numpy as np

from ..base import blas, threads
from ..cells.synaptic import SynapticCell
from ..kernels import library
from . import streams
from .cases import CASES, evaluations, problem, training_step
from .rates import RUNS, beside, sigmoids, told

STREAMS = "streams"  # the case that is no training


def measure(name, dtype, runs=RUNS):
    """One row: times of a forward call and of a whole training step."""
    case = CASES[name]
    model, x, y = problem(case, dtype)
    step = training_step(model, x, y)
    layer, (yardstick, count) = model.layers[0], sigmoids(dtype, threads.get_num_threads())
    synapses = work = None  # of cells that have no synapses
    if isinstance(layer, SynapticCell):
        synapses, work = layer.wiring.synapse_count, evaluations(layer, case)
    step()
    tracemalloc.start()
    training_step(problem(case, dtype)[0], x, y)()  # of a model with no workspace yet
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    forward, before_forward, forward_ratio = beside(lambda: model(x), yardstick, runs)
    train, before_train, train_ratio = beside(step, yardstick, runs)
    return {
        "case": name,
        "dtype": dtype,
        **{"N": case.N, "I": case.I, "T": case.T, "B": case.B},
        "synapses": synapses,
        "evaluations": work,
        "forward_ms": forward * 1e3,
        "train_ms": train * 1e3,
        "forward_share": work and work / count / forward_ratio,
        "train_share": work and 2 * work / count / train_ratio,
        "sigmoid_rates": [count / before_forward, count / before_train],
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


# The widest vectors of a level of processors, by the name that LLVM has for them.
VECTORS = {"x86-64-v4": "avx512f", "x86-64-v3": "avx2"}


# With these an OpenBLAS takes the kernels, or the sizes of tiles, of another processor: often slower ones.
BLAS_VARIABLES = "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"


def machine():
    """What the figures belong to."""
    chosen = library.chosen()
    return (_with_numba() if chosen is None else _with(chosen.level)) | {
        "threads": threads.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas.kernels_in_use(),
        "blas_forced": {name: os.environ[name] for name in BLAS_VARIABLES if name in os.environ},
    }


def _with_numba():
    import llvmlite.binding
    import numba

    features = llvmlite.binding.get_host_cpu_features()
    sets = [name for name in ("avx512f", "avx2", "neon") if features.get(name)]
    return {
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "instruction_set": sets[0] if sets else "other",
        "numba": numba.__version__,
        "kernels": f"Numba {numba.__version__}",
    }


def _with(level):
    """The same of a library, which is for Linux, and needs no Numba."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cpu": cpu, "instruction_set": VECTORS[level], "numba": None, "kernels": f"kernels compiled for {level}"}


def in_words(m):
    """What `machine` found, as a line of text."""
    return (
        f"{m['cpu']}, {m['instruction_set']}, {m['threads']} threads, Python {m['python']}, NumPy {m['numpy']}, "
        f"{m['kernels']}, {'another BLAS' if m['blas'] is None else 'OpenBLAS for ' + m['blas']}"
    )


def run(cases, dtypes, runs, say):
    """All figures; ``say`` is told each row when it is measured."""
    rows = []
    for name, dtype in ((name, dtype) for dtype in dtypes for name in cases if name != STREAMS):
        rows.append(measure(name, dtype, runs))
        say(told(rows[-1]))
    found = {"machine": machine(), "cases": rows}
    if STREAMS in cases:
        say(f"{STREAMS}: {(1 + len({1, threads.get_num_threads()})) * len(dtypes) * streams.SECONDS:.0f} s")
        found[STREAMS] = [row for dtype in dtypes for row in streams.measure(dtype)]
    say("start of a new process, with an empty and with a filled cache")
    return found | {"start": start_times()}


def table(result):
    """The result as text."""
    lines = [in_words(result["machine"])]
    if forced := result["machine"]["blas_forced"]:
        lines.append(
            f"warning: {' and '.join(f'{name}={value}' for name, value in forced.items())} in the environment may make "
            "products of matrices slower (CfC, LSTM, GRU): unset this before you compare"
        )
    for dtype in dict.fromkeys(row["dtype"] for row in result["cases"]):
        rates = [rate / 1e9 for row in result["cases"] if row["dtype"] == dtype for rate in row["sigmoid_rates"]]
        lines.append(f"limit: {min(rates):.2f} to {max(rates):.2f} G sigmoids/s of all threads together in {dtype}")
    lines += [
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
    if result.get(STREAMS):
        lines += ["", *streams.table(result[STREAMS])]
    start = result["start"]
    lines += [
        "",
        f"import {start['import_s']:.2f} s, first gradient after {start['cold_s']:.1f} s with an empty cache, "
        f"{start['warm_s']:.1f} s with a filled one",
        "train: loss_and_grad, clipping and Adam by the public calls; of limit: the part of the time that sigmoids "
        "alone would take, one for each synapse and unfold, two in training, at the rate measured beside each run; "
        "every figure is the median of the runs; MiB: what the arrays of one training step take",
    ]
    return "\n".join(lines)
