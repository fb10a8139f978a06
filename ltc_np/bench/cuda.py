"""What a GPU makes of large batches, against its special functions' limit.

Times are those of the device's own events: a forward of data that lies there, and a whole training step as `fit` makes
it, batch from the host included.  The limit is the rate of the kernels' sigmoid in registers, two special functions
each: one an evaluation forward, two in training.
"""

import platform
import statistics
from importlib import metadata, util

import numpy as np

from .. import kernels, losses
from ..base.workspace import Workspace
from ..network.engine import Batch, Objective
from ..network.sequences import Sequences
from ..optim import Adam
from ..optim.clip import Clip
from .cases import CARD_CASES, evaluations
from .cases import problem as problem_of
from .peers import card
from .rates import card_sigmoid_rate, told

PEERS_CASE = "batch"  # the longest that fits a card when every intermediate result is kept, as the peers do


def problem(name, dtype):
    """A case's network on the card, new, and its data on the host: sequences and targets."""
    case = CARD_CASES[name]
    model, x, y = problem_of(case, dtype, "cuda")
    dt, h0 = np.ones((case.B, case.T), dtype), np.zeros((case.B, case.N), dtype)
    return model, Sequences(x, dt, np.full(case.B, case.T), None, h0), y


def forward_seconds(name, dtype, runs):
    """Time of a forward call on data that lies on the device."""
    from ..kernels.cuda import device
    from ..kernels.cuda.memory import Memory
    from ..network.cuda.host_arrays import HostCall
    from ..network.cuda.stack import DeviceStack

    model, sequences, _ = problem(name, dtype)
    memory, stack = Memory(), DeviceStack(model)
    stack.parameters.load(model.theta, model.buffer_vector)
    stack.prepare()
    given = HostCall(sequences).put(stack, memory)

    def forward():
        stack.forward(*given, None, memory)

    forward()
    return statistics.median(device.seconds(forward) for _ in range(runs))


def train_seconds(name, dtype, runs):
    """Time of a training step of a batch from the host."""
    from ..kernels.cuda import device

    model, sequences, y = problem(name, dtype)
    trainer = model.engine.trainer(Objective(losses.mse, None, None), Adam(1e-3), Clip(1.0), "full", Workspace())
    trainer.load()
    batch = Batch(sequences, y, None, None)

    def train():
        trainer.gradient(batch, None, False, False)
        trainer.update()

    train()
    return statistics.median(device.seconds(train) for _ in range(runs))


def measure(name, dtype, rate, runs):
    """One row of the table."""
    case = CARD_CASES[name]
    work = evaluations(case.layer(case.N, case.I), case)
    forward, train = forward_seconds(name, dtype, runs), train_seconds(name, dtype, runs)
    return {
        **{"case": name, "dtype": dtype, "N": case.N, "I": case.I, "T": case.T, "B": case.B, "evaluations": work},
        "forward_ms": forward * 1e3,
        "train_ms": train * 1e3,
        "forward_share": work / forward / rate,
        "train_share": 2 * work / train / rate,
    }


def why_not():
    """None, or why there is nothing to measure."""
    try:
        kernels.resolve("cuda")
    except ImportError as error:
        return str(error)
    from ..kernels.cuda import device

    return "NUMBA_ENABLE_CUDASIM is set, and the simulator's times say nothing" if device.SIMULATED else None


def run(cases, dtypes, runs, with_peers, say):
    """All figures; ``say`` is told each row when it is measured."""
    from ..kernels.cuda import device

    rates = {dtype: card_sigmoid_rate(dtype) for dtype in dtypes}
    machine = device.describe() | {
        **{"python": platform.python_version(), "numpy": np.__version__},
        **{name: metadata.version(name) for name in ("numba", "numba-cuda") if util.find_spec(name.replace("-", "_"))},
    }
    rows = []
    for name, dtype in ((name, dtype) for dtype in dtypes for name in cases):
        rows.append(measure(name, dtype, rates[dtype], runs))
        say(told(rows[-1]))
    result = {"machine": machine, "sigmoid_rate": rates, "cases": rows}
    if with_peers:
        result["peers"] = card.compare(*problem(PEERS_CASE, "float32"), runs)
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
