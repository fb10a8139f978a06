"""Fingerprints of the numbers: hashes of outputs, states, gradients and short trainings, through the public API only.

    python tests/support/fingerprint.py before.json          # at the commit before a change of the inside
    python tests/support/fingerprint.py after.json           # after it
    python tests/support/fingerprint.py --compare before.json after.json

Hashes belong to one machine and one set of libraries: BLAS, the vector units and NumPy all have their say.
Runs in the root of a checkout.
"""

import argparse
import contextlib
import hashlib
import json
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np

sys.path[:0] = [str(Path.cwd()), str(Path.cwd() / "tests")]

import ltc_np
from ltc_np import (
    BPTT,
    CTGRU,
    CTRNN,
    GRU,
    L1L2,
    LSTM,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AdamW,
    AutoNCP,
    Bidirectional,
    CfC,
    CfCRNN,
    Dense,
    Dropout,
    FullyConnected,
    InputMapping,
    MixedMemory,
    Model,
    NeuralODE,
    Random,
    RandomWiring,
    Residual,
    RMSprop,
    SpikingLIF,
    WiredCfC,
    from_config,
)


def layers():
    """Name -> layers of a model with 2 inputs."""
    yield "LTC sparse", [LTC(AutoNCP(8, 3), input_dim=2)]
    dense = FullyConnected(5, 3)
    yield (
        "LTC dense",
        [LTC(dense, input_dim=2, ode_unfolds=3, positivity="clip", input_mapping=None, output_mapping="linear")],
    )
    yield "LTC tutorial", [LTC(RandomWiring(2, 3, 6, seed=0), epsilon=0.0)]
    yield "LTC 32", [LTC(FullyConnected(32, 4), input_dim=2)]
    yield "LTC exponential", [LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=3, solver="exponential")]
    yield "LTC euler", [LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=5, solver="euler", init={"cm": 3.0})]
    yield "LTC rk4", [LTC(FullyConnected(6, 3), input_dim=2, ode_unfolds=4, solver="rk4", init={"cm": 3.0})]
    yield "LTC time constants", [LTC(AutoNCP(8, 3), input_dim=2, init={"time_constants": (1, 50)})]
    yield "CfC", [CfC(5, input_dim=2, backbone_units=17)]
    yield (
        "CfC no gate",
        [
            CfC(
                2,
                input_dim=2,
                mode="no_gate",
                variant="keras",
                backbone_units=7,
                backbone_layers=2,
                backbone_activation="silu",
            )
        ],
    )
    yield "CfC paper", [CfC(18, input_dim=2, variant="paper", backbone_layers=0)]
    yield (
        "CfC dropout",
        [CfC(4, input_dim=2, backbone_units=5, backbone_layers=2, backbone_activation="gelu", backbone_dropout=0.5)],
    )
    yield (
        "CfC pure",
        [CfC(3, input_dim=2, mode="pure", backbone_units=6, backbone_activation="tanh", init={"w_tau": (0.2, 0.5)})],
    )
    yield (
        "CfC pure paper",
        [
            CfC(
                17,
                input_dim=2,
                mode="pure",
                variant="paper",
                backbone_units=6,
                backbone_activation="relu",
                init={"w_tau": -0.4},
            )
        ],
    )
    yield "WiredCfC", [WiredCfC(AutoNCP(8, 3), input_dim=2)]
    yield "WiredCfC strict", [WiredCfC(AutoNCP(8, 2), input_dim=2, strict=True, variant="paper")]
    yield (
        "WiredCfC pure",
        [WiredCfC(Random(5, 2, 0.5), input_dim=2, strict=True, mode="pure", init={"recurrent_w_tau": 0.3})],
    )
    yield "LSTM", [LSTM(5, input_dim=2)]
    yield "LSTM 20", [LSTM(20, input_dim=2, forget_bias=0.0, init={"b": (-0.5, 0.5)})]
    yield "GRU", [GRU(5, input_dim=2, init={"b_hn": (-0.5, 0.5)})]
    yield "GRU 20", [GRU(20, input_dim=2)]
    yield "CTGRU", [CTGRU(5, input_dim=2)]
    yield "CTGRU after", [CTGRU(18, input_dim=2, scales=3, decay="after", tau_min=0.1, tau_ratio=2.0)]
    yield "CTRNN", [CTRNN(5, input_dim=2)]
    yield (
        "CTRNN euler",
        [CTRNN(2, input_dim=2, solver="euler", ode_unfolds=3, activation="sigmoid", check_stability="warn")],
    )
    yield (
        "CTRNN rk4",
        [CTRNN(17, input_dim=2, solver="rk4", ode_unfolds=2, activation="gelu", init={"tau": (0.5, 2.0)})],
    )
    yield "CTRNN alone", [CTRNN(4, input_dim=2, global_feedback=False, activation="silu")]
    yield "NeuralODE", [NeuralODE(5, input_dim=2, ode_unfolds=2)]
    yield "NeuralODE euler", [NeuralODE(3, input_dim=2, solver="euler", activation="lecun_tanh")]
    yield (
        "SpikingLIF",
        [SpikingLIF(18, input_dim=2, tau=2.0, refractory=0.7, surrogate="arctan", init={"b": (1.0, 3.0)})],
    )
    yield (
        "SpikingLIF recurrent",
        [
            SpikingLIF(
                3,
                input_dim=2,
                recurrent=True,
                reset="subtract",
                refractory=0.4,
                tau=2.0,
                slope=3.0,
                init={"b": (2.0, 4.0)},
            )
        ],
    )
    yield "SpikingLIF relaxed", [SpikingLIF(4, input_dim=2, recurrent=True, reset=-0.2, threshold=0.8, relaxed=True)]
    yield "MixedMemory", [MixedMemory(LTC(FullyConnected(5, 3), input_dim=2, ode_unfolds=2))]
    yield "MixedMemory keras", [MixedMemory(LTC(AutoNCP(6, 2), input_dim=6, ode_unfolds=3), "keras", 0.5, input_dim=2)]
    yield "MixedMemory CfC", [MixedMemory(CfC(4, input_dim=2, backbone_units=5))]
    yield "Bidirectional", [Bidirectional(LTC(AutoNCP(6, 2), input_dim=2, ode_unfolds=2))]
    yield (
        "Bidirectional CfC",
        [Bidirectional(CfC(3, input_dim=2, backbone_units=5, backbone_layers=2, backbone_dropout=0.5), "sum")],
    )
    yield "Bidirectional LSTM", [Bidirectional(LSTM(3, input_dim=2))]
    yield (
        "Residual",
        [Residual(LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2), Dropout(0.3), Dense(2, "tanh"))],
    )
    yield "InputMapping", [InputMapping("linear", input_dim=2), LSTM(3, input_dim=2)]
    for name in (None, "relu", "tanh", "sigmoid", "silu", "gelu", "lecun_tanh"):
        yield f"Dense {name}", [Dense(3, name, input_dim=2)]
    yield (
        "stack",
        [
            LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=2),
            Dropout(0.5, input_dim=3),
            GRU(4, input_dim=3),
            Dense(3, input_dim=4),
        ],
    )
    yield (
        "stack of LTC",
        [LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=2), LTC(FullyConnected(4, 2), input_dim=3, ode_unfolds=2)],
    )


def digest(*values):
    found = hashlib.sha256()
    for value in values:
        array = np.asarray(0.0 if value is None else value)
        found.update(f"{array.dtype.name}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def plain_data(B, T, I, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, dt = rng.normal(size=(B, T, I)), rng.uniform(0, 0.6, (B, T))
    dt[0, T // 2] = 0
    return x.astype(dtype), dt.astype(dtype)


def of_calls(model, B, T, seed=0):
    """Hashes of every public call."""
    dtype, rng = model.dtype, np.random.default_rng(seed + 1)
    x, dt = plain_data(B, T, model.input_size, dtype, seed)
    h0 = (0.3 * rng.normal(size=(B, model.state_size))).astype(dtype)
    d_state = rng.normal(size=(B, model.state_size)).astype(dtype)
    dt = dt if model.takes_dt else None
    ragged = np.arange(B, 0, -1) % (T + 1)
    ragged[0] = T
    found = {}
    for what, lengths in (("full", None), ("ragged", ragged)):
        y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
        found[f"{what} y"], found[f"{what} state"] = digest(y), digest(state)
        d_y = rng.normal(size=y.shape).astype(dtype)
        for memory in ("full", "low"):
            y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0, memory=memory)
            g = model.backward(tape, d_y, d_state)
            found[f"{what} {memory} y"] = digest(y)
            for name, value in (("theta", g.theta), ("x", g.x), ("h0", g.h0), ("dt", g.dt)):
                found[f"{what} {memory} d_{name}"] = digest(value)
        y, tape = model.forward(x, dt=0.3 if model.takes_dt else None, lengths=lengths, return_sequences=False,
                                dropout_seed=7)  # fmt: skip
        g = model.backward(tape, d_y[:, 0])
        found[f"{what} last"] = digest(y, g.theta, g.x, g.h0, g.dt)
        loss, grad = model.loss_and_grad(x, d_y, dt=dt, lengths=lengths, l1=0.01, l2={next(iter(model.params)): 0.1})
        found[f"{what} loss"] = digest(loss, grad)
    y, tape = model.forward(x[0], dt=None if dt is None else dt[0], h0=h0[0])
    g = model.backward(tape, d_y[0], d_state[0])
    found["single"] = digest(y, g.theta, g.x, g.h0, g.dt)
    if all(layer.causal for layer in model.layers):
        state = h0
        for t in range(min(3, T)):
            y, state = model.step(x[:, t], dt=None if dt is None else dt[:, t], state=state)
        found["step"] = digest(y, state)
    found["predict"] = digest(model.predict(x, dt=dt, lengths=ragged, batch_size=2))
    return found


def of_training(make, B, T, loss="mse", classes=False, **options):
    model = make()
    x, dt = plain_data(B, T, model.input_size, model.dtype, 3)
    rng = np.random.default_rng(5)
    shape = (B, T, model.output_size) if model.return_sequences else (B, model.output_size)
    y = rng.integers(0, model.output_size, shape[:-1]) if classes else rng.uniform(0, 1, shape)
    if model.takes_dt:
        options["dt"] = dt
    history = model.fit(x, y, loss=loss, seed=0, verbose=False, **options)
    found = {"theta": digest(model.theta), "loss": digest(history["loss"])}
    if "val_loss" in history:
        found["val_loss"] = digest(history["val_loss"])
    return found


def trainings(backend, dtype, I=2):
    """Name -> hashes of short trainings."""
    options = {"seed": 0, "dtype": dtype, "backend": backend}
    lengths = np.array([6, 2, 5, 0, 6, 3, 1, 6, 4])

    def ltc(**more):
        return lambda: Model(LTC(AutoNCP(8, 3), input_dim=I, ode_unfolds=2), Dense(2), **options, **more)

    optimizers = (Adam(1e-2), AdamW(1e-2), SGD(0.1, 0.9, nesterov=True), RMSprop(1e-2, momentum=0.5))
    for optimizer in optimizers:
        yield type(optimizer).__name__, of_training(ltc(), 9, 6, epochs=2, batch_size=4, optimizer=optimizer,
                                                    clip_norm=0.5)  # fmt: skip
    for loss in ("mae", "huber", "binary_cross_entropy"):
        yield loss, of_training(ltc(), 9, 6, loss, epochs=2, batch_size=4, lengths=lengths, penalty=L1L2(l2=0.01),
                                sample_weight=np.linspace(0.5, 2, 9))  # fmt: skip
    yield "cross_entropy", of_training(ltc(), 9, 6, "cross_entropy", True, epochs=2, batch_size=4, metrics=["accuracy"],
                                       class_weight=[1.0, 2.0], lengths=lengths)  # fmt: skip
    yield "last", of_training(ltc(return_sequences=False), 9, 6, epochs=2, batch_size=4, lengths=lengths)
    yield "tbptt", of_training(ltc(), 9, 6, epochs=2, batch_size=4, tbptt=BPTT(2, memory="low"), lengths=lengths)
    x, dt = plain_data(4, 6, I, dtype, 8)
    yield (
        "validation",
        of_training(ltc(), 9, 6, epochs=3, batch_size=4, validation={"x": x, "y": x @ np.ones((I, 2)), "dt": dt}),
    )

    def frozen():
        model = ltc()()
        model.freeze("0.w", "1.bias")
        return model

    yield "frozen", of_training(frozen, 9, 6, epochs=2, batch_size=4)


def each_layer_trains(backend, dtype):
    for name, stack in layers():

        def made(stack=stack):
            return Model(*stack, seed=1, dtype=dtype, backend=backend)

        yield name, of_training(made, 7, 4, epochs=2, batch_size=3, optimizer=Adam(1e-2))


def emulated():
    """The card, as the tests' emulator runs it."""
    try:
        from support.emulator import Emulator
    except ImportError:
        from cuda_emulator import Emulator
    try:
        from ltc_np.kernels.cuda import device
    except ImportError:
        from ltc_np.network.cuda import device

    class OnDevice:
        def __init__(self, array):
            self.array, self.__cuda_array_interface__ = array, array.__array_interface__

    @contextlib.contextmanager
    def card():
        with mock.patch.object(device, "machine", Emulator()), mock.patch.object(device, "why_not", lambda: None):
            yield

    with card():
        for dtype in ("float32", "float64"):
            for name, stack in layers():
                if name.startswith(("LTC", "stack of LTC")) and name != "LTC 32":
                    for more, tail in (("", []), (" Dense", [Dense(2, "tanh", input_dim=stack[-1].output_size)])):
                        model = Model(*stack, *tail, seed=1, dtype=dtype, backend="cuda")
                        yield f"cuda {dtype} {name}{more}", of_calls(model, 3, 4)
                if name in ("Bidirectional", "Residual", "MixedMemory", "stack"):
                    model = Model(*stack, seed=1, dtype=dtype, backend="cuda")
                    yield f"cuda {dtype} layerwise {name}", of_calls(model, 3, 4)
            for name, found in trainings("cuda", dtype):
                yield f"cuda {dtype} training {name}", found
            model = Model(
                LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=2),
                Dense(2),
                seed=1,
                dtype=dtype,
                backend="cuda",
            )
            x, dt = plain_data(3, 4, 2, dtype)
            y, tape = model.forward(OnDevice(x), dt=OnDevice(dt), lengths=[4, 0, 2])
            d_y = OnDevice(np.ones((3, 4, 2), dtype))
            g = model.backward(tape, d_y)
            yield f"cuda {dtype} device arrays", {"all": digest(*map(np.asarray, (y, g.theta, g.x, g.h0, g.dt)))}


def everything():
    for dtype in ("float32", "float64"):
        for backend in ("numpy", "cpu"):
            for name, stack in layers():
                model = Model(*stack, seed=1, dtype=dtype, backend=backend)
                yield f"{backend} {dtype} {name}", of_calls(model, 3, 5)
                if backend == "cpu":
                    yield f"{backend} {dtype} {name} many", of_calls(model, 70, 3)
            for name, found in each_layer_trains(backend, dtype):
                yield f"{backend} {dtype} layer trains {name}", found
            for name, found in trainings(backend, dtype):
                yield f"{backend} {dtype} training {name}", found
    for name, model in (
        ("LTCRNN", LTCRNN(RandomWiring(2, 2, 8, seed=0), 2, 8, 2, seed=0)),
        ("LTCRNN memory", LTCRNN(AutoNCP(8, 2), 2, mixed_memory=True, proj_size=3, seed=0)),
        ("CfCRNN", CfCRNN(8, input_dim=2, proj_size=2, seed=0)),
        ("config", from_config({"cell": "ltc", "units": 8, "input_dim": 2, "output_dim": 2}, seed=0)),
    ):
        yield f"{name}", of_calls(model, 3, 5)
    for B in (1, 300, 1100):  # one lane, many tiles, more tiles than gradient rows
        for dtype in ("float32", "float64"):
            yield f"cpu {dtype} LTC {B}", of_calls(Model(LTC(AutoNCP(8, 3), input_dim=2), seed=1, dtype=dtype), B, 2)
            yield f"cpu {dtype} CTRNN {B}", of_calls(Model(CTRNN(5, input_dim=2), seed=1, dtype=dtype), B, 2)
    yield from emulated()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", help="JSON file to write")
    parser.add_argument("--compare", nargs=2, metavar="FILE", help="two files; exits with 1 if a hash differs")
    parser.add_argument("--only", default="", help="only configurations whose name has this in it")
    args = parser.parse_args()
    if args.compare:
        before, after = (json.loads(Path(name).read_text()) for name in args.compare)
        if args.only:
            before, after = ({k: v for k, v in d.items() if args.only in k} for d in (before, after))
        names = [n for n in before if n in after] if args.only else sorted({*before, *after})
        different = [
            f"{name}: {key}"
            for name in names
            for key in sorted({*before.get(name, {"": 0}), *after.get(name, {"": 0})})
            if before.get(name, {}).get(key) != after.get(name, {}).get(key)
        ]
        print(*different, sep="\n")
        count = sum(map(len, before.values()))
        print(f"{len(before)} configurations, {count} hashes, {len(different)} differ")
        return bool(different)
    warnings.simplefilter("ignore")
    found = {}
    for name, hashes in everything():
        found[name] = hashes
        print(name, file=sys.stderr)
    Path(args.output).write_text(json.dumps(found, indent=1))
    print(f"{ltc_np.__file__}: {len(found)} configurations, {sum(map(len, found.values()))} hashes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
