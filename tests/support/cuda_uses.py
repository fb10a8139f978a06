"""Everything that `ltc_np` can ask of a GPU, once each: for tests that look at all kernels, whatever they compute."""

import ast
import contextlib
from pathlib import Path
from unittest import mock

import numpy as np

from ltc_np import L1L2, LTC, AdamW, AutoNCP, Dense, FullyConnected, Model, RandomWiring, optim
from ltc_np.kernels.codes import SOLVERS
from ltc_np.kernels.cuda import device, rate

ACTIVATIONS = (None, "relu", "tanh", "sigmoid", "silu", "gelu", "lecun_tanh")


class OnDevice:
    """A NumPy array that another library would hold on the device."""

    def __init__(self, array):
        self.array, self.__cuda_array_interface__ = array, array.__array_interface__


@contextlib.contextmanager
def installed(machine):
    """The host code uses this machine."""
    with mock.patch.object(device, "machine", machine), mock.patch.object(device, "why_not", lambda: None):
        yield


def kernel_names():
    """Names of all kernels, from the sources."""
    for path in Path(device.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", ())]
            if any(d == "kernel" or d.startswith("kernel(") for d in decorators) and node.name != "_nothing":
                yield node.name


def _finite(*arrays):
    assert all(np.isfinite(a).all() for a in arrays if a is not None)


def _run(model, B, T):
    """Both directions, with arrays of the host and of a device, with dt and lengths of all kinds."""
    rng = np.random.default_rng(0)
    x, dt = rng.normal(size=(B, T, model.input_size)).astype(model.dtype), rng.uniform(0, 1, (B, T)).astype(model.dtype)
    ragged = np.arange(B, 0, -1) % (T + 1)
    ragged[0], ragged[B // 2] = T, 0 if B > 1 else T
    for wrap in (np.asarray, OnDevice):
        for sequences, lengths, memory in ((True, ragged, "full"), (False, None, "low"), (True, ragged, "low")):
            y, tape = model.forward(wrap(x), dt=wrap(dt), lengths=lengths, return_sequences=sequences, memory=memory)
            d, d_state = (rng.normal(size=n).astype(model.dtype) for n in (y.shape, (B, model.state_size)))
            g = model.backward(tape, wrap(d), wrap(d_state))
            _finite(y, g.theta, g.x, g.h0, g.dt)
        _finite(*model(wrap(x), return_state=True))


def _train(B, T, dtype, target=None, **options):
    """One step of `fit`."""
    rng = np.random.default_rng(0)
    model = Model(
        LTC(FullyConnected(3, 2), input_dim=3, ode_unfolds=2),
        Dense(2),
        seed=0,
        dtype=dtype,
        backend="cuda",
    )
    target = np.full((B, T, 2), 0.5, dtype) if target is None else target
    model.fit(rng.normal(size=(B, T, 3)), target, epochs=1, batch_size=B, seed=0, verbose=False, **options)
    _finite(model.theta)


def use_everything(dtype, sizes, T=3):
    """Calls that need every kernel, in all its forms; ``sizes`` are pairs of units and sequences."""
    for N, B in sizes:
        for wiring in (FullyConnected(N, 2), AutoNCP(N, 2), RandomWiring(3, 2, N, seed=1)):
            layer = LTC(wiring, input_dim=3, ode_unfolds=2, check_stability="off")
            _run(Model(layer, Dense(2), seed=0, dtype=dtype, backend="cuda"), B, T)
    N, B = sizes[0]
    for solver in SOLVERS:
        layer = LTC(FullyConnected(N, 2), input_dim=3, solver=solver, ode_unfolds=2, check_stability="off")
        _run(Model(layer, seed=0, dtype=dtype, backend="cuda"), B, T)
    layers = [Dense(2, activation, input_dim=2) for activation in ACTIVATIONS]
    _run(
        Model(LTC(FullyConnected(N, 2), input_dim=3, ode_unfolds=1), *layers, seed=0, dtype=dtype, backend="cuda"), B, T
    )
    two = (
        LTC(FullyConnected(N, 2), input_dim=3, ode_unfolds=1),
        LTC(FullyConnected(N + 1, 2), input_dim=2, ode_unfolds=1),
    )
    _run(Model(*two, seed=0, dtype=dtype, backend="cuda"), B, T)
    for optimizer in (optim.Adam(0.1), AdamW(0.1), optim.SGD(0.1), optim.RMSprop(0.1)):
        _train(B, T, dtype, optimizer=optimizer, clip_norm=1.0)
    for loss in ("mse", "mae", "huber", "binary_cross_entropy"):
        _train(B, T, dtype, loss=loss, sample_weight=np.ones((B, T)))
    _train(
        B, T, dtype, np.zeros((B, T), np.int64), loss="cross_entropy", class_weight=[1.0, 2.0], penalty=L1L2(0.1, 0.1)
    )
    device.launch_over(8, rate.sigmoid_chain, 2, device.empty(device.FLAT_BLOCK, dtype))
