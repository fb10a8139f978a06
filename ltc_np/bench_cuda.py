"""``python -m ltc_np bench --backend cuda``: what a GPU makes of large batches, against its special functions' limit.

Times are those of the device's own events: a forward of data that lies there, and a whole training step as `fit` makes
it, batch from the host included.  The limit is the rate of the kernels' sigmoid in registers, two special functions
each: one an evaluation forward, two in training.
"""

import os
import platform
import statistics
import time
from functools import partial
from importlib import metadata, util

import numpy as np

from . import kernels, losses, peers
from .base import checks
from .base.workspace import Workspace
from .cells import LTC
from .model import Model
from .network.engine import Batch, Objective
from .network.sequences import Sequences
from .optim import Adam
from .wirings import AutoNCP, FullyConnected


def _dense(N):
    return FullyConnected(N, 8)


def _sparse(N):
    return AutoNCP(N, 8, sparsity_level=0.9)


# name -> (wiring, N, I, T, B)
CASES = {
    "long": (_dense, 64, 8, 1000, 1024),
    "batch": (_dense, 64, 8, 64, 1024),
    "small": (_dense, 32, 4, 100, 4096),
    "large": (_dense, 128, 16, 100, 1024),
    "sparse": (_sparse, 64, 8, 1000, 1024),
}
PEERS_CASE = "batch"  # the longest that fits a card when every intermediate result is kept, as the peers do
RATE_THREADS, RATE_REPEATS = 2**19, 2000


def sigmoid_rate(dtype, runs=5):
    """Sigmoids per second of the card, in registers: the best of ``runs``."""
    from .kernels.cuda import device, rate

    out = device.empty(RATE_THREADS, dtype)

    def run():
        device.launch_over(RATE_THREADS, rate.sigmoid_chain, RATE_REPEATS, out)

    run()
    return RATE_THREADS * RATE_REPEATS * rate.CHAINS / min(device.seconds(run) for _ in range(runs))


def problem(name, dtype):
    """A case's network, new, and its data on the host."""
    wiring, N, I, T, B = CASES[name]
    layer = LTC(wiring(N), I, input_mapping=None, output_mapping=None)
    model, rng = Model(layer, seed=0, dtype=dtype, backend="cuda"), np.random.default_rng(0)
    x = rng.standard_normal((B, T, I)).astype(dtype)
    return model, x, rng.standard_normal((B, T, model.output_size)).astype(dtype)


def forward_seconds(name, dtype, runs):
    """Time of a forward call on data that lies on the device."""
    from .kernels.cuda import device
    from .kernels.cuda.memory import Memory
    from .network.cuda import stack

    (model, x, _), (_, N, _, T, B) = problem(name, dtype), CASES[name]
    memory, net = Memory(), stack.Stack(model)
    net.load()
    net.prepare()
    given = [stack.put_steps("x", x, memory), stack.put_steps("dt", np.ones((B, T), dtype), memory)]
    given += [stack.put("steps", np.full(B, T), memory), net.put_states("h", np.zeros((B, N), dtype), memory)]

    def forward():
        net.forward(*given, T, B, False, None, memory)

    forward()
    return statistics.median(device.seconds(forward) for _ in range(runs))


def train_seconds(name, dtype, runs):
    """Time of a training step of a batch from the host."""
    from .kernels.cuda import device

    (model, x, y), (_, N, _, T, B) = problem(name, dtype), CASES[name]
    trainer = model.engine.trainer(Objective(losses.mse, None, None), Adam(1e-3), 1.0, "full", Workspace())
    trainer.load()
    sequences = Sequences(x, np.ones((B, T), dtype), np.full(B, T), None, np.zeros((B, N), dtype))
    batch = Batch(sequences, y, None, None)

    def train():
        trainer.gradient(batch, None, False, False)
        trainer.update()

    train()
    return statistics.median(device.seconds(train) for _ in range(runs))


def measure(name, dtype, rate, runs):
    """One row of the table."""
    (model, _, _), (_, N, I, T, B) = problem(name, dtype), CASES[name]
    layer = model.layers[0]
    evaluations = B * T * (layer.ode_unfolds * layer.wiring.synapse_count + layer.wiring.sensory_synapse_count)
    forward, train = forward_seconds(name, dtype, runs), train_seconds(name, dtype, runs)
    return {
        **{"case": name, "dtype": dtype, "N": N, "I": I, "T": T, "B": B, "evaluations": evaluations},
        "forward_ms": forward * 1e3,
        "train_ms": train * 1e3,
        "forward_share": evaluations / forward / rate,
        "train_share": 2 * evaluations / train / rate,
    }


def _torch_seconds(step, runs):
    import torch

    step()
    found = []
    for _ in range(runs):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        stop.record()
        stop.synchronize()
        found.append(start.elapsed_time(stop) / 1e3)
    return statistics.median(found)


def _jax_seconds(step, runs):
    step()
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        step()  # waits for the result
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def _ncps_why_not():
    """None, or why ncps cannot be measured on the card."""
    if not (util.find_spec("torch") and util.find_spec("ncps")):
        return 'no torch, or no ncps; pip install ".[peers]"'
    import torch

    return None if torch.cuda.is_available() else "this torch finds no GPU"


def _jax_why_not():
    if not util.find_spec("jax"):
        return 'no jax; pip install "jax[cuda13]"'
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of the card at once
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")  # else of some 10 bits, too rough for `peers.check`
    return None if jax.default_backend() == "gpu" else 'this jax finds no GPU; pip install "jax[cuda13]"'


def compare(runs):
    """Training steps of ncps, eager and compiled, and of JAX in its formulations, on the same card.

    A peer that fails, in whatever way, is left out with its reason; the other figures stay.
    """
    model, x, y = problem(PEERS_CASE, "float32")
    rows, left_out = [], []

    def can(name, why_not):
        try:
            reason = why_not()
        except Exception as error:  # a package that cannot be imported
            reason = checks.one_line(error)[:200]
        if reason is not None:
            left_out.append(f"{name} is left out: {reason}")
        return reason is None

    makers = {}
    if can("ncps", _ncps_why_not):
        for name, compiled in (("ncps", False), ("ncps, torch.compile", True)):
            makers[name] = partial(peers.ncps_step, device="cuda", compiled=compiled), _torch_seconds
    if can("jax", _jax_why_not):
        for formulation in peers.FORMULATIONS:
            makers[f"jax ({formulation})"] = partial(peers.jax_step, formulation=formulation), _jax_seconds
    for name, (make, seconds) in makers.items():
        try:
            step, loss_and_grad = make(model, x, y)
            peers.check(name, model, x, y, *loss_and_grad())
            rows.append({"peer": name, "ms": 1e3 * seconds(step, runs)})
        except Exception as error:
            left_out.append(f"{name} is left out: {checks.one_line(error)[:200]}")
    versions = {name: metadata.version(name) for name in ("torch", "ncps", "jax") if util.find_spec(name)}
    return {"rows": rows, "left_out": left_out, "versions": versions}


def why_not():
    """None, or why there is nothing to measure."""
    try:
        kernels.resolve("cuda")
    except ImportError as error:
        return str(error)
    from .kernels.cuda import device

    return "NUMBA_ENABLE_CUDASIM is set, and the simulator's times say nothing" if device.SIMULATED else None


def run(cases, dtypes, runs, with_peers):
    """All figures."""
    from .kernels.cuda import device

    rates = {dtype: sigmoid_rate(dtype) for dtype in dtypes}
    machine = device.describe() | {
        **{"python": platform.python_version(), "numpy": np.__version__},
        **{name: metadata.version(name) for name in ("numba", "numba-cuda") if util.find_spec(name.replace("-", "_"))},
    }
    rows = [measure(name, dtype, rates[dtype], runs) for dtype in dtypes for name in cases]
    result = {"machine": machine, "sigmoid_rate": rates, "cases": rows}
    if with_peers:
        result["peers"] = compare(runs)
    return result


def table(result):
    """The result as text."""
    rates = (f"{rate / 1e12:.2f} T sigmoids/s in {dtype}" for dtype, rate in result["sigmoid_rate"].items())
    lines = [
        ", ".join(f"{key} {value}" for key, value in result["machine"].items()),
        "limit: " + ", ".join(rates),
        "",
        f"{'case':<8} {'dtype':<8} {'N':>4} {'I':>3} {'T':>5} {'B':>5} "
        f"{'forward ms':>11} {'of limit':>8} {'train ms':>10} {'of limit':>8}",
    ]
    lines += [
        f"{row['case']:<8} {row['dtype']:<8} {row['N']:>4} {row['I']:>3} {row['T']:>5} {row['B']:>5} "
        f"{row['forward_ms']:>11.3f} {row['forward_share']:>8.0%} {row['train_ms']:>10.3f} {row['train_share']:>8.0%}"
        for row in result["cases"]
    ]
    if "peers" in result:
        ours = next((row for row in result["cases"] if row["case"] == PEERS_CASE and row["dtype"] == "float32"), None)
        lines += ["", f"one training step of the case {PEERS_CASE} in float32", *result["peers"]["left_out"]]
        for row in result["peers"]["rows"]:
            ratio = f"{row['ms'] / ours['train_ms']:>8.1f}" if ours else ""
            lines.append(f"{row['peer']:<40} {row['ms']:>10.3f} ms {ratio}")
    return "\n".join(lines)
