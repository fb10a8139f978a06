"""Processes that run one peer's steps on demand: ``python -m ltc_np.bench.peers.worker PEER THREADS``."""

import gc
import json
import os
import subprocess
import sys

import numpy as np

from ...base import threads
from ..cases import CASES, problem
from ..rates import calls_per_run, seconds
from .steps import STEPS, build


def step_memory(name, case):
    """Bytes that one step adds to this process's resident memory at its peak; None where Linux is not there to ask."""

    def resident(field):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

    model, x, y = problem(CASES[case], "float32")
    # One time step first: libraries are loaded and kernels compiled, but no array of the sequences' size exists.
    STEPS[name](model, np.ascontiguousarray(x[:, :1]), np.ascontiguousarray(y[:, :1]))[0]()
    step = STEPS[name](model, x, y)[0]
    gc.collect()
    try:
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")  # the peak starts again at what is resident now
        before = resident("VmRSS")
        step()
        return resident("VmHWM") - before
    except OSError:
        return None


def serve(name, n):
    """A worker's life: answer the requests of `Worker.ask`, one JSON object a line."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    threads.set_num_threads(n)
    case, steps = None, {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["runs"] is None:
                answer = step_memory(name, request["case"])
            else:
                if request["case"] != case:
                    case, steps = request["case"], {}
                formulation = request["formulation"]
                if formulation not in steps:
                    step = build(name, case, formulation)
                    steps[formulation] = step, calls_per_run(step)
                step, calls = steps[formulation]
                step()  # while others ran, the caches and the clock of the processor forgot this process
                answer = [seconds(step, calls) for _ in range(request["runs"])]
            answers.write(json.dumps({"answer": answer}) + "\n")
        except Exception as error:  # everything is the parent's to report
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        answers.flush()


class Worker:
    """A process that runs one peer's steps with ``n`` threads; a context manager."""

    def __init__(self, name, n):
        self.name, self.threads = name, n
        # NPROC is the size of XLA's thread pool.
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), str(n))
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, name, str(n)],
            env=os.environ | counts | {"JAX_PLATFORMS": "cpu"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for who asks, and ends this process without a traceback of its own
        )

    def ask(self, case, formulation=None, runs=1):
        """Seconds of one step in each of ``runs`` runs; with ``runs=None`` the memory of a step in bytes."""
        self.process.stdin.write(json.dumps({"case": case, "formulation": formulation, "runs": runs}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        reply = json.loads(line) if line else {"error": "its process ended"}
        if "error" in reply:
            raise RuntimeError(f"peer {self.name} failed on case {case!r}: {reply['error']}")
        return reply["answer"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
