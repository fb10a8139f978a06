"""Typical code of users, which `mypy --strict` and pyright take without a word: what they must know of the package.

It is checked, not run (`test_types.py`); files are written nowhere.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

import ltc_np
from ltc_np import (
    BPTT,
    CTRNN,
    GELU,
    GLU,
    L1L2,
    LRC,
    LTC,
    LTCRNN,
    NCP,
    Adam,
    AdamW,
    AutoNCP,
    Batching,
    BatchNorm,
    BestWeights,
    Bidirectional,
    Callback,
    CellConfig,
    CfC,
    CfCRNN,
    Checkpoint,
    Clip,
    Conv1D,
    CosineDecay,
    CSVLogger,
    Dense,
    Dropout,
    EarlyStopping,
    Entry,
    Gradients,
    History,
    Layer,
    LayerNorm,
    Layout,
    Line,
    LinOSS,
    LiquidS4RNN,
    Looped,
    LTCCell,
    MixedMemory,
    MixtureDensity,
    Model,
    Patch,
    PerEpoch,
    Pooling,
    RandomConvolutions,
    RandomWiring,
    ReduceLROnPlateau,
    Residual,
    SolverError,
    SpikingLIF,
    Standardize,
    Validation,
    WarmUp,
    Wiring,
    clip_by_global_norm,
    data,
    from_config,
    gradcheck,
    largest_multiplier,
    load,
    losses,
    metrics,
    register,
    save,
    solver_error,
)
from ltc_np.base.types import Array, Arrays, Ints, Keep, Logs, State
from ltc_np.base.workspace import Workspace
from ltc_np.optim import Optimizer

Floats = npt.NDArray[np.float32]

# ------------------------------------------------------------------------------------------------------------- data

rng = np.random.default_rng(0)
x: Floats = rng.standard_normal((8, 20, 3)).astype(np.float32)
y: Floats = rng.standard_normal((8, 20, 2)).astype(np.float32)
dt = np.full((8, 20), 0.1)
lengths = np.array([20, 20, 10, 5, 20, 20, 7, 20])
classes = rng.integers(0, 2, (8, 20))

padded, own_lengths = data.pad([x[0, :5], x[1, :9]])
inputs, targets = data.windows(x[0], 10, horizon=2)
elapsed: npt.NDArray[np.float64] = data.dt_from_times([0.0, 0.5, 2.0], t0=-1.0)
filled = data.forward_fill(x, dt=dt, first=0.0)
spiral = ltc_np.generate_spiral_data(100, 2, seed=rng)

# ----------------------------------------------------------------------------------------------------------- models

wiring: Wiring = AutoNCP(16, 2, seed=3).build(3)
synapses: int = wiring.synapse_count
same: Wiring = NCP(4, 3, 2, sensory_fanout=2, inter_fanout=2, recurrent_command_synapses=3, motor_fanin=2)
drawn = Wiring.from_edges(3, [(2, 0, 1), (0, 2, -1)], [(0, 2, 1.0)], output_dim=2)

model = LTCRNN(AutoNCP(16, 2), input_dim=3, ode_unfolds=3, solver="exponential", seed=0, dtype="float64")
closed = CfCRNN(32, input_dim=3, proj_size=2, mode="no_gate", backbone_units=64)
wired = CfCRNN(AutoNCP(16, 2), input_dim=3, strict=True, mixed_memory="torch")
liquid = LiquidS4RNN(3, 5, channels=32, states=16, blocks=2, pooling="mean", liquid_bound=1.5, modes="lin", seed=0)
growth: list[float] = largest_multiplier(liquid, np.zeros((2, 9, 3)), dt=0.5)
tutorial = LTCRNN(RandomWiring(2, 2, 8), 2, 8, 2)
deep = Model(
    Standardize(),
    Conv1D(16, 5, activation="relu", stride=2),
    Patch(2),
    Conv1D(16, 3, dilation=4, separable=True, init={"taps": 0.3}),
    Bidirectional(LTC(AutoNCP(32, 8), init={"time_constants": (1, 100)})),
    Residual(LayerNorm(epsilon=1e-3), Dense(32, "tanh"), GLU(), GELU(), Dropout(0.1)),
    Residual(Dense(16), around=Line(16, reads="summaries")),
    Residual(Dense(16), around=RandomConvolutions(16, 168, length=40, thresholds=np.zeros(168))),
    BatchNorm(momentum=0.2, init={"scale": 0.5}),
    Looped(LinOSS(16, 8, discretization="damped"), Dense(16), times=3),
    Pooling("mean"),
    LRC(AutoNCP(16, 8), elastance="symmetric", elastance_by="state", solver="semi_implicit"),
    MixedMemory(CTRNN(16, solver="rk4")),
    SpikingLIF(8, reset="subtract"),
    Dense(2),
    Standardize(inverse=True),
    input_dim=3,
    seed=np.random.default_rng(1),
    backend="numpy",
    dtype=np.float32,
)
density = Model(LTC(AutoNCP(16, 8)), MixtureDensity(2, components=3, least_sigma=0.01), input_dim=3, seed=0)
mixture = losses.Mixture.of(density(np.zeros((2, 9, 3))), outputs=2)
paths: np.ndarray = mixture.sample(np.random.default_rng(0), n=5)
median: np.ndarray = mixture.quantiles([0.5])
plain = from_config({"cell": "lstm", "units": 32, "input_dim": 17, "output_dim": 17}, seed=0)
config: CellConfig | None = plain.config
layers: tuple[Layer, ...] = deep.layers
cell = LTCCell(AutoNCP(16, 2), 3, solver="semi_implicit", seed=0)
output, next_state = cell(x[:, 0], model.initial_state(8), 0.5)


@register
class Leaky(Layer):
    """A layer of one's own."""

    takes_dt = causal = smooth = True

    def __init__(self, units: int, *, input_dim: int, rate: float = 1.0) -> None:
        self.units, self.input_dim, self.rate = units, input_dim, rate
        self.input_size, self.output_size, self.state_size = input_dim, units, units
        self.state_slices = {"h": slice(0, units)}
        self.layout = Layout((Entry("w", (input_dim, units), (-0.1, 0.1), decay=True), Entry("b", (units,))))

    def forward(
        self, prepared: Arrays, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        h = h0
        steps: list[Array] = []
        for t in range(x.shape[1]):
            h = h + dt[:, t, None] * (x[:, t] @ prepared["w"] + prepared["b"] - self.rate * h)
            steps.append(h)
        return np.stack(steps, axis=1), h, (x, dt)

    def backward(
        self, prepared: Arrays, saved: Any, d_y: Array, d_h: Array, g: Arrays, want_x: bool, want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:  # fmt: skip
        g["b"] += d_y.sum((0, 1))
        return None, d_h, None


mine = Model(Leaky(4, input_dim=3), Dense(2))

# ------------------------------------------------------------------------------------------- training and evaluation


class Print(Callback):
    """A callback of one's own."""

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.seen: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Logs) -> bool | None:
        self.seen.append(logs["loss"])
        print(epoch, logs["val_loss"], self.optimizer.learning_rate, self.model.evaluate(x, y)["loss"])
        return epoch > 100 and self.seen[-1] > self.seen[-2]

    def state(self) -> State:
        return {"seen": self.seen}

    def load_state(self, state: State) -> None:
        self.seen = state["seen"]


def cubic(y: Array, target: Array) -> tuple[float, Array]:
    error = y - target
    return float((np.abs(error) ** 3).mean()), 3 * error * np.abs(error) / error.size


def largest(y_true: npt.NDArray[Any], y_pred: npt.NDArray[Any]) -> float:
    return float(np.abs(y_true - y_pred).max())


class Bias(metrics.Metric):
    """A metric of one's own."""

    name = "bias"
    mode = "min"

    def reset(self) -> None:
        super().reset()
        self._total, self._count = 0.0, 0

    def _add(self, y: npt.NDArray[Any], target: npt.NDArray[Any], weight: Array) -> None:
        self._total += float((y - target).sum())
        self._count += len(y)

    def _value(self) -> float:
        return self._total / self._count


def stop(epoch: int, logs: dict[str, float]) -> bool:
    return logs["loss"] < 1e-3


def batches(epoch: int) -> Iterator[tuple[Floats, Floats]]:
    for k in range(4):
        yield x[2 * k : 2 * k + 2], y[2 * k : 2 * k + 2]


history: History = model.fit(
    x,
    y,
    dt=dt,
    lengths=lengths,
    epochs=5,
    batch_size=4,
    optimizer=AdamW(WarmUp(CosineDecay(1e-2, steps=100), steps=10), weight_decay=1e-3, decay="all"),
    loss="huber",
    metrics=["mae", largest, Bias(), metrics.R2],
    validation=(x, y),
    clip_norm=1.0,
    callbacks=[
        Print(),
        stop,
        EarlyStopping(5, mode="min"),
        Checkpoint(pathlib.Path("model.npz"), save_best_only=True),
        CSVLogger("log.csv"),
        ReduceLROnPlateau(3),
        lambda epoch, logs: print(epoch, logs["loss"]),
    ],
    verbose=0,
)
closed.fit(x, y, loss=functools.partial(losses.huber, delta=0.5), optimizer="adam", validation=0.2, callbacks=stop)
deep.fit(
    [x[0], x[1, :7]], [y[0], y[1, :7]], dt=[dt[0], dt[1, :7]], loss=cubic, standardize=True,
    validation=Validation({"x": x, "y": y}, every=2), penalty=L1L2(l2={"3.w_x": 1e-4}),
)  # fmt: skip
mine.fit(
    batches, epochs=range(1, 3), batch_size=Batching(steps_per_epoch=4), keep_best=BestWeights("loss", mode="min"),
    optimizer=Adam(PerEpoch(lambda epoch: 0.9**epoch)), tbptt=None, clip_norm=Clip(1.0, per_array=True),
)  # fmt: skip
wired.fit(
    x, classes, loss="cross_entropy", class_weight="balanced", metrics="accuracy", tbptt=BPTT(2, memory="low"),
    keep_best="accuracy", verbose=False,
)  # fmt: skip
losses_by_epoch: list[float] = history["val_loss"]
best: int | None = history.best_epoch
table: dict[str, list[float]] = history.table()
scores: dict[str, float] = model.evaluate(x, y, dt=dt, metrics=("mae", "r2"))
deep.adapt(x, y, lengths=lengths)

# ------------------------------------------------------------------------------------------------------------ calls

outputs: Array = model(x, dt=0.1)
outputs, last = model(x, dt=dt, lengths=lengths, return_state=True)
predicted: Array = model.predict(x, dt=0.1, batch_size=64)
for sequence in model.predict([x[0], x[1, :7]], dt=0.1):
    print(sequence.shape, sequence.mean())
p: Array = wired.predict_proba(x, lengths=lengths)

state: Array | None = None
for t in range(20):
    y_t, state = model.step(x[0, t], dt=0.1, state=state)
model.step(x[:, 0], out=(np.empty((8, 2)), np.empty((8, 16))))

optimizer: Optimizer = Adam(learning_rate=1e-2)
for _ in range(3):
    value, grad = model.loss_and_grad(x, y, dt=dt, loss=losses.mse, sample_weight=np.ones(8))
    norm: float = clip_by_global_norm(grad, 1.0)
    optimizer.step(model, grad)
outputs, tape = model.forward(x, dt=dt, memory="low", dropout_seed=(0, 1))
gradients: Gradients = model.backward(tape, np.ones_like(outputs))
d_w: Array = model.views(gradients.theta)["w"]
model.theta = model.theta * 0.5
model.theta[:] = 0.1
model.params["w"][:] = 0.5
model.freeze("w", "sensory_w")
if model.trainable is not None:
    print(int(model.trainable.sum()), model.layout.size)
    model.summary()

# ------------------------------------------------------------------------------------------------- files and checks

model.save("model.npz", optimizer)
save(pathlib.Path("model.npz"), model)
again: Model = load("model.npz", backend="cpu", optimizer=Adam())
error: SolverError = solver_error(model, x, dt=0.1, tolerance=1e-4)
unfolds: int | None = error.suggested
errors: dict[str, float] = gradcheck.check(CfC(4, input_dim=3), x, dt=0.5)
metric = metrics.get("f1")
metric.update(np.array([[0.5]]), np.array([1]))
found: float = metric.result()
ltc_np.set_num_threads(2)
