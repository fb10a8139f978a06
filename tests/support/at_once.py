"""What threads and processes do with models at the same time, and digests of the results, bit for bit.

`tests/concurrency` runs it in separate processes.
"""

import hashlib
import pathlib
import pickle
import sys
import tempfile
import threading
from typing import NamedTuple

import numpy as np

from ltc_np import (
    GRU,
    LSTM,
    LTC,
    S4D,
    Adam,
    AutoNCP,
    BatchNorm,
    Bidirectional,
    CfC,
    Dense,
    Dropout,
    FullyConnected,
    MixedMemory,
    Model,
    load,
)  # fmt: skip
from ltc_np.bench.streams import in_threads

B, T, I = 36, 7, 3  # all differ, and are large enough to be shared among threads by `share_among_threads`

_folder = tempfile.TemporaryDirectory()  # removed when the process ends


class Case(NamedTuple):
    """A model and its data."""

    model: Model
    x: np.ndarray
    y: np.ndarray
    dt: np.ndarray | None
    path: pathlib.Path  # where it may be saved


def cases(backend):
    """Models by name, so that every kind of kernels runs and every way through BLAS is taken."""
    stacks = {
        "LTC neuron-major": [LTC(AutoNCP(16, 3))],
        "LTC batch-major": [LTC(FullyConnected(32, 2), ode_unfolds=2)],
        "CfC": [CfC(24), BatchNorm(), Dense(2)],
        "LSTM": [LSTM(20), Dropout(0.3), Dense(2, "tanh")],
        "both ways": [Bidirectional(GRU(9)), Dense(2)],
        "memory": [MixedMemory(LTC(AutoNCP(8, 2)))],
        "S4D": [S4D(6), Dense(2)],
    }
    found, folder = {}, pathlib.Path(_folder.name)
    for seed, (name, layers) in enumerate(stacks.items()):
        model = Model(*layers, input_dim=I, seed=seed, backend=backend)
        rng = np.random.default_rng(seed)
        n = 3 if name == "LTC batch-major" else B
        x, y = rng.normal(size=(n, T, I)), rng.normal(size=(n, T, model.output_size))
        found[name] = Case(model, x, y, rng.uniform(0, 2, (n, T)) if model.takes_dt else None, folder / f"{seed}.npz")
    return found


def _trained(case, **options):
    """Parameters and history after two epochs of a copy."""
    twin = pickle.loads(pickle.dumps(case.model))
    history = twin.fit(
        case.x, case.y, dt=case.dt, epochs=2, batch_size=16, optimizer=Adam(1e-2), seed=1, verbose=0,
        validation={"x": case.x, "y": case.y, "dt": case.dt}, **options,
    )  # fmt: skip
    return [twin.theta, twin.buffer_vector, *history["loss"], *history["val_loss"]]


def _steps(case):
    state, found = None, []
    for t in range(T):
        elapsed = None if case.dt is None else case.dt[:, t]
        y, state = case.model.step(case.x[:, t], dt=elapsed, state=state)
        found += [y, state]
    return found


def _gradients(case):
    y, tape = case.model.forward(case.x, dt=case.dt)
    found = case.model.backward(tape, y)
    return [y, found.theta, found.x, found.h0] + ([] if case.dt is None else [found.dt])


def _file(case):
    """Save the model, all threads to the same path, and load it: the file must be whole, whichever thread was the
    last."""
    case.model.save(case.path)
    return [load(case.path, backend=case.model.backend).theta]


def _traced(case):
    found = case.model.trace(case.x[:2], dt=None if case.dt is None else case.dt[:2])
    return [found.y, *(layer.outputs for layer in found.layers)]


USES = {
    "call": lambda case: case.model(case.x, dt=case.dt, return_state=True),
    "forward and backward": _gradients,
    "loss and gradient": lambda case: case.model.loss_and_grad(case.x, case.y, dt=case.dt, dropout_seed=2),
    "predict": lambda case: [case.model.predict(case.x, dt=case.dt, batch_size=7)],
    "evaluate": lambda case: case.model.evaluate(case.x, case.y, dt=case.dt, loss="mse").values(),
    "fit": _trained,
    "trace": _traced,
    "save and load": _file,
    "step": _steps,
}


def digest(arrays):
    """A digest of the bits of arrays and numbers."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def uses(case):
    """The names of what can be done with a model."""
    return [name for name in USES if name != "step" or case.model.layer_stack.causal]


def digests(backend="auto", names=None):
    """The digest of each (case, use), computed one after another in this thread."""
    found = {}
    for name, case in cases(backend).items():
        if names is None or name in names:
            for use in uses(case):
                found[name, use] = digest(USES[use](case))
    return found


def share_among_threads():
    """From now on share all work among threads, even if it is small, so that small models are computed in this way
    too."""
    from ltc_np.base import threads

    def share(count, parallel, share=threads.share):
        return share(count, True)

    threads.share = share


def together(jobs, patience=100):
    """Run functions in threads that begin at the same moment; the first error, if there is one, is raised."""

    def work(k, barrier):
        barrier.wait(patience)
        jobs[k]()

    in_threads(work, len(jobs))


def shared_models(backend, n_threads, rounds, switch=1e-5):
    """Let threads use the same models in all ways, while another thread changes the number of threads: (calls,
    differences)."""
    from ltc_np import set_num_threads

    before = sys.getswitchinterval()
    found, wanted, differing, done, calls = cases(backend), {}, [], threading.Event(), []
    for name, case in found.items():
        for use in uses(case):
            wanted[name, use] = digest(USES[use](case))
    keys = list(wanted)

    def work(k):
        order = np.random.default_rng(k).permutation(len(keys) * rounds) % len(keys)
        for name, use in (keys[one] for one in order):
            if digest(USES[use](found[name])) != wanted[name, use]:
                differing.append((name, use))
            calls.append(1)

    def change():
        k = 0
        while not done.wait(0.003):
            k += 1
            set_num_threads(1 + k % 4)

    changer = threading.Thread(target=change)
    sys.setswitchinterval(switch)
    try:
        changer.start()
        together([lambda k=k: work(k) for k in range(n_threads)])
    finally:
        done.set()
        changer.join()
        set_num_threads(None)
        sys.setswitchinterval(before)
    return len(calls), differing
