"""``python -m ltc_np bench --peers``: one training step of ltc_np, ncps, JAX and PyTorch, in one run.

Every peer runs in processes of its own, one for each thread count, which wait on their standard input and work one
at a time, so the runs of all can take turns.  A short trial decides each peer's thread count and JAX's formulation;
only the winners are timed.  Peers get ltc_np's parameters and must find its loss and gradient, or the run fails; but
PyTorch's LSTM also stands beside the LTC, as a yardstick: there it is another model.

A step is forward, gradient and Adam in float32 on data in memory, 6 unfolds, mean squared error of all N neurons'
outputs.  That of ltc_np goes through its public calls, and also clips the gradient, which the peers do not.
"""

import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from importlib import metadata, util

import numpy as np

from . import bench
from .base import threads
from .cells import LSTM, CfC

PACKAGES = {"ncps": ("torch", "ncps"), "jax": ("jax",), "lstm": ("torch",), "gru": ("torch",), "loop": ("torch",)}
# Which peers have what a case is made of.
PEERS_OF = dict.fromkeys(("tutorial", "small", "medium", "large"), ("ncps", "jax", "lstm"))
PEERS_OF |= {"cfc": ("ncps",)} | dict.fromkeys(("lstm32", "lstm64", "lstm128"), ("lstm",))
PEERS_OF |= {"gru": ("gru",)} | dict.fromkeys(("ctgru", "ctrnn", "neural_ode", "lif"), ("loop",))
# Cases in which everybody has one thread: what is asked is how good the kernels are.
ONE_THREAD = ("lstm32", "lstm64", "lstm128", "gru")
TOLERANCE = 1e-4  # float32 sums over B*T*U terms in another order; the peers differ by some 1e-6
TRIAL_RUNS = 3
PAUSE = 0.05  # seconds before another process works: OpenMP's threads spin for some milliseconds after theirs
MEMORY_CASE = "medium"

# Milliseconds of a step on a 2-core AVX-512 machine (Zen 4, 2.6 GHz) that did nothing else: medians, the faster of 1
# and 2 threads, and where several were seen the fastest.  Measured for the design of this project with Python 3.11,
# ncps 1.0.1 and `jit` + optax; runs spread by 30 %.  A peer that needs WEAK times as much was measured badly.
REFERENCE_MS = {
    "ncps": {"tutorial": 4.1, "small": 500, "medium": 690, "large": 1100, "cfc": 43},
    "jax": {"tutorial": 0.35, "small": 101, "medium": 272, "large": 257},
    "lstm": {
        **{"tutorial": 0.6, "small": 3.9, "medium": 8.8, "large": 5.9},
        **{"lstm32": 5.9, "lstm64": 9.7, "lstm128": 7.4},
    },
    "gru": {"gru": 14.8},
    "loop": {"ctgru": 104.0, "ctrnn": 45.0, "neural_ode": 154.0, "lif": 10.0},
}
WEAK = 1.3

# ------------------------------------------------------------------------------------------------ the steps
# Each builder returns the step, and a function () -> (loss, flat gradient in the order of model.theta) or None.


def ltc_np_step(model, x, y, formulation=None):
    """The product itself."""
    return bench.training_step(model, x, y), None


def _matrix(model, name, values):
    """A flat parameter as the dense (pre, post) matrix or the vector that ncps has."""
    if name.removeprefix("sensory_") not in ("w", "mu", "sigma", "erev"):
        return values
    return values.reshape(model.state_size, -1).T  # synapses are sorted by (post, pre)


def ncps_step(model, x, y, formulation=None, device="cpu", compiled=False):
    """ncps' LTC, fully connected, without input and output mappings, or its CfC; PyTorch, eager unless ``compiled``."""
    import ncps.torch

    layer = model.layers[0]
    if isinstance(layer, CfC):
        peer = ncps.torch.CfC(model.input_size, layer.units, backbone_units=layer.backbone_units)
        parts = {"backbone_{}0": "backbone.0"} | {f"{name}_{{}}": name for name in ("ff1", "ff2", "time_a", "time_b")}
        kinds = {"w": "weight", "b": "bias"}
        names = {ours.format(k): f"{theirs}.{kind}" for ours, theirs in parts.items() for k, kind in kinds.items()}
    else:
        peer = ncps.torch.LTC(
            model.input_size,
            ncps.wirings.FullyConnected(model.state_size, model.output_size),
            input_mapping=None,
            output_mapping=None,
            ode_unfolds=layer.ode_unfolds,
            epsilon=layer.epsilon,
        )
        names = {name: name for name in model.params}
    peer = peer.to(device)
    parameters = dict(peer.rnn_cell.named_parameters())
    return _torch_step(peer, x, y, model, {name: parameters[theirs] for name, theirs in names.items()}, compiled)


def lstm_step(model, x, y, formulation=None):
    """PyTorch's LSTM of the same width; beside other cells there is nothing to compare its numbers with."""
    import torch

    peer = torch.nn.LSTM(model.input_size, model.layers[0].output_size, batch_first=True)
    if not isinstance(model.layers[0], LSTM):
        return _torch_step(peer, x, y)
    torch.nn.init.zeros_(peer.bias_hh_l0)  # PyTorch adds two biases
    return _torch_step(peer, x, y, model, {"w_x": peer.weight_ih_l0, "w_h": peer.weight_hh_l0, "b": peer.bias_ih_l0})


def gru_step(model, x, y, formulation=None):
    """PyTorch's GRU; its two biases of the first two gates add up, and have the same gradient."""
    import torch

    N = model.state_size
    peer = torch.nn.GRU(model.input_size, N, batch_first=True)
    step, backward = _torch_step(peer, x, y, model, {"w_x": peer.weight_ih_l0, "w_h": peer.weight_hh_l0})
    b, b_hn = (torch.tensor(model.params[name]) for name in ("b", "b_hn"))
    peer.bias_ih_l0.data.copy_(b)
    peer.bias_hh_l0.data.copy_(torch.cat([torch.zeros(2 * N), b_hn]))

    def loss_and_grad():
        loss, weights = backward()
        return loss, np.concatenate([weights, peer.bias_ih_l0.grad.numpy(), peer.bias_hh_l0.grad.numpy()[2 * N :]])

    return step, loss_and_grad


def loop_step(model, x, y, formulation=None):
    """A loop over time in eager PyTorch, as people write it."""
    from .torch_loops import LOOPS

    peer = LOOPS[type(model.layers[0]).__name__](model)
    return _torch_step(peer, x, y, model, dict(peer.named_parameters()))


def _torch_step(peer, x, y, model=None, parameters=None, compiled=False):
    """The step, and the loss and gradient with ``model``'s values in the peer's ``parameters``, by model's names.

    Its Adam is PyTorch's fused one.
    """
    import torch

    device = next(peer.parameters()).device
    x, y = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    run = torch.compile(peer) if compiled else peer
    optimizer = torch.optim.Adam(peer.parameters(), lr=1e-3, fused=True)  # 5 to 20 % less than the default for the LSTM

    def backward():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(run(x)[0], y)
        loss.backward()
        return loss

    def step():
        backward()
        optimizer.step()

    def loss_and_grad():
        loss = backward().item()
        return loss, np.concatenate([p.grad.cpu().numpy().T.ravel() for p in ordered.values()])

    if model is None:
        return step, None
    ordered = {name: parameters[name] for name in model.params if name in parameters}
    for name, p in ordered.items():
        values = model.params[name]
        theirs = values.T if values.ndim == 2 else _matrix(model, name, values)
        p.data.copy_(torch.from_numpy(theirs.copy()))
    return step, loss_and_grad


# How the arrays of a JAX step lie, synapses as (B, post, pre) in "rows" and as (post, pre, B) in "lanes"; how the two
# sums over synapses are written; and what the backward pass recomputes: nothing, each unfold, or each time step with
# its unrolled unfolds.
FORMULATIONS = (
    "rows, sum, none",
    "rows, sum, unfold scanned",
    "rows, sum, unfold unrolled",
    "rows, einsum, unfold scanned",
    "lanes, sum, unfold unrolled",
    "lanes, einsum, unfold scanned",
    "lanes, einsum, unfold unrolled",
    "lanes, einsum, step unrolled",
)


def jax_step(model, x, y, formulation):
    """JAX: `jit` of a `lax.scan` over time, with Adam in the same program and its state updated in place."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    layout, how, recomputed = formulation.split(", ")
    rows, U, epsilon = layout == "rows", model.layers[0].ode_unfolds, model.layers[0].epsilon
    B, N, O = x.shape[0], model.state_size, model.output_size
    spread, axis, equation = (1, 2, "bij,ij->bi") if rows else (0, 1, "ijb,ij->ib")

    def constant(values):
        return values if rows else values[..., None]

    def conductances(v, w, mu, sigma, erev):
        s = jax.nn.sigmoid(constant(sigma) * (jnp.expand_dims(v, spread) - constant(mu)))
        if how == "einsum":
            return jnp.einsum(equation, s, w), jnp.einsum(equation, s, w * erev)
        a = constant(w) * s
        return a.sum(axis), (a * constant(erev)).sum(axis)

    def unfold(v, network, P, Q):
        cm, recurrent = network
        q, p = conductances(v, *recurrent)
        return (cm * v + P + p) / (cm + Q + q)

    if recomputed.startswith("unfold"):
        unfold = jax.checkpoint(unfold)

    def loss(theta, x, y):
        p = {name: theta[where].reshape(shape) for name, (where, shape) in model.layout.slices.items()}
        p |= {name: jax.nn.softplus(p[name]) for name in ("gleak", "cm", "w", "sensory_w")}
        recurrent, sensory = (
            [p[prefix + name].reshape(N, -1) for name in ("w", "mu", "sigma", "erev")] for prefix in ("", "sensory_")
        )
        network = constant(U * p["cm"]), recurrent
        leak_p, leak_q = constant(p["gleak"] * p["vleak"]), constant(p["gleak"] + epsilon)

        def step(v, x):
            q, r = conductances(x, *sensory)
            P, Q = leak_p + r, leak_q + q
            if recomputed.endswith("unrolled"):
                for _ in range(U):
                    v = unfold(v, network, P, Q)
            else:
                v = lax.scan(lambda v, _: (unfold(v, network, P, Q), None), v, None, length=U)[0]
            return v, v[:, :O] if rows else v[:O]

        if recomputed.startswith("step"):
            step = jax.checkpoint(step)
        return ((lax.scan(step, jnp.zeros((B, N) if rows else (N, B)), x)[1] - y) ** 2).mean()

    def train(state, x, y):
        theta, m, s, k = state
        value, g = jax.value_and_grad(loss)(theta, x, y)
        k, m, s = k + 1, 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        theta -= 1e-3 * (m / (1 - 0.9**k)) / (jnp.sqrt(s / (1 - 0.999**k)) + 1e-8)
        return [theta, m, s, k], value

    x, y = (jnp.asarray(a.transpose((1, 0, 2) if rows else (1, 2, 0))) for a in (x, y))
    state = [jnp.array(model.theta), *jnp.zeros((2, model.theta.size)), jnp.zeros(())]
    compiled = jax.jit(train, donate_argnums=0)

    def step():
        state[:], value = compiled(state, x, y)
        return jax.block_until_ready(value)

    def loss_and_grad():
        """Of the program that is timed: after one step of Adam, its first moment is a tenth of the gradient."""
        return float(step()), 10 * np.asarray(state[1])

    return step, loss_and_grad


STEPS = {
    "ltc_np": ltc_np_step,
    "ncps": ncps_step,
    "jax": jax_step,
    "lstm": lstm_step,
    "gru": gru_step,
    "loop": loop_step,
}


def check(what, model, x, y, loss, gradient):
    """Raise ValueError unless the loss and each array of the flat gradient are ltc_np's, relative to the largest."""
    expected_loss, expected = model.loss_and_grad(x, y)
    errors = {"loss": abs(loss - expected_loss) / abs(expected_loss)}
    for name, (where, _) in model.layout.slices.items():
        errors[name] = np.abs(gradient[where] - expected[where]).max() / np.abs(expected[where]).max()
    worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    if not errors[worst] <= TOLERANCE:
        raise ValueError(
            f"{what} must have ltc_np's loss and gradient within {TOLERANCE}, got an error of {errors[worst]:.1e} in "
            f"{worst!r}"
        )


# ------------------------------------------------------------------------------------------------ the workers


def build(name, case, formulation):
    """A peer's step for a case, checked."""
    model, x, y = bench.problem(case, "float32")
    step, loss_and_grad = STEPS[name](model, x, y, formulation)
    if loss_and_grad is not None:
        check(f"{name} ({formulation or case})", model, x, y, *loss_and_grad())
    return step


def step_memory(name, case):
    """Bytes that one step adds to this process's resident memory at its peak; None where Linux is not there to ask."""

    def resident(field):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

    model, x, y = bench.problem(case, "float32")
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
                    steps[formulation] = step, bench.calls_per_run(step)
                step, calls = steps[formulation]
                step()  # while others ran, the caches and the clock of the processor forgot this process
                answer = [bench.seconds(step, calls) for _ in range(request["runs"])]
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
            [sys.executable, "-m", "ltc_np.peers", name, str(n)],
            env=os.environ | counts | {"JAX_PLATFORMS": "cpu"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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


# ------------------------------------------------------------------------------------------------ the comparison


def left_out(name):
    """The line that says why a peer cannot run and how to get it; "" if it can."""
    missing = [package for package in PACKAGES[name] if util.find_spec(package) is None]
    return f'{name} is left out: no {" and no ".join(missing)}; pip install ".[peers]"' if missing else ""


def fastest(trials):
    """The quickest trial of each peer: {peer: trial}, trials being dicts with "peer" and "ms"."""
    found = {}
    for trial in trials:
        if trial["peer"] not in found or trial["ms"] < found[trial["peer"]]["ms"]:
            found[trial["peer"]] = trial
    return found


def is_weak(name, case, ms):
    """Whether a peer was more than `WEAK` times slower than it is known to be."""
    return ms > WEAK * REFERENCE_MS[name][case]


def compare(cases, n, runs):
    """Time the peers beside ltc_np on ``n`` threads.

    Parameters
    ----------
    cases : list of str
        Those without peers are passed over.
    n : int
    runs : int

    Returns
    -------
    dict
        ``rows``: one for each case and peer; ``trials``: what the choice was made from; ``memory_mib``: peer -> MiB
        a step adds at its peak, for ltc_np and ncps in the medium case; ``left_out``: lines; ``versions``.

    Raises
    ------
    RuntimeError
        Where a peer fails or does not compute the same numbers.
    """
    lines = {name: left_out(name) for name in PACKAGES}
    names = [name for name in PACKAGES if not lines[name]]
    cases = [case for case in cases if case in PEERS_OF]
    packages = sorted({package for name in names for package in PACKAGES[name]})
    result = {
        "left_out": [line for line in lines.values() if line],
        "versions": {package: metadata.version(package) for package in packages},
        "rows": [],
        "trials": [],
        "memory_mib": {},
    }
    if not names:
        return result
    with contextlib.ExitStack() as stack:
        counts = [k for k in (1, 2) if k <= threads.available()]
        asked = [("ltc_np", k) for k in {1, n}] + [(name, k) for name in names for k in counts]
        workers = {key: stack.enter_context(Worker(*key)) for key in asked}
        for case in cases:
            trials = []
            ours = workers["ltc_np", 1 if case in ONE_THREAD else n]
            for (name, k), worker in workers.items():
                if name not in PEERS_OF[case] or (k > 1 and case in ONE_THREAD):
                    continue
                for formulation in FORMULATIONS if name == "jax" else [None]:
                    ms = 1e3 * statistics.median(worker.ask(case, formulation, TRIAL_RUNS))
                    trials.append({"case": case, "peer": name, "threads": k, "formulation": formulation, "ms": ms})
            chosen = fastest(trials)
            seconds = {name: [] for name in ["ltc_np", *chosen]}
            for _ in range(runs):
                for name, found in seconds.items():
                    worker = ours if name == "ltc_np" else workers[name, chosen[name]["threads"]]
                    time.sleep(PAUSE)
                    found += worker.ask(case, None if name == "ltc_np" else chosen[name]["formulation"])
            ms = {name: 1e3 * statistics.median(found) for name, found in seconds.items()}
            result["trials"] += trials
            result["rows"] += [
                trial
                | {
                    "ms": ms[name],
                    "ltc_np_ms": ms["ltc_np"],
                    "ratio": ms[name] / ms["ltc_np"],
                    "reference_ms": REFERENCE_MS[name][case],
                    "weak": is_weak(name, case, ms[name]),
                }
                for name, trial in chosen.items()
            ]
    if MEMORY_CASE in cases and "ncps" in names:
        for name in ("ltc_np", "ncps"):
            with Worker(name, 1) as worker:
                memory = worker.ask(MEMORY_CASE, runs=None)
                result["memory_mib"][name] = None if memory is None else memory / 2**20
    return result


def table(result):
    """The result of `compare` as text."""
    lines = [*result["left_out"]]
    if result["rows"]:
        versions = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
        lines += [
            f"one training step in float32 beside {versions}",
            f"{'case':<10} {'ltc_np ms':>9}  {'peer':<4} {'threads':>7} {'ms':>10} {'ratio':>6}",
        ]
    for row in result["rows"]:
        marks = [row["formulation"] or "", "weak peer" if row["weak"] else ""]
        lines.append(
            f"{row['case']:<10} {row['ltc_np_ms']:>9.3f}  {row['peer']:<4} {row['threads']:>7} {row['ms']:>10.3f} "
            f"{row['ratio']:>6.1f}  {'; '.join(filter(None, marks))}".rstrip()
        )
    memory = result["memory_mib"]
    if memory and None not in memory.values():
        lines.append(
            f"a step adds to the process's peak memory ({MEMORY_CASE}): ltc_np {memory['ltc_np']:.1f} MiB, "
            f"ncps {memory['ncps']:.0f} MiB ({memory['ncps'] / memory['ltc_np']:.0f} times)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
