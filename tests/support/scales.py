"""Random layers and sequences whose parts have very different sizes, in chunks and as the sequence stands.

`compare` judges every gradient, every number by its own size; see `worst`.
"""

from typing import NamedTuple

import numpy as np

from ltc_np import (
    CTGRU,
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    FullyConnected,
    MixedMemory,
    Model,
    Residual,
    Standardize,
    WiredCfC,
    Wiring,
)  # fmt: skip

FEATURES = 2


def diagonal(rng):
    """Neurons that neither see each other nor each other's inputs: two, or one that is fed by another, weakly."""
    return Wiring.from_matrix(np.diag([1, 0]), np.eye(2), output_dim=2)


CELLS = {
    "LTC, diagonal": lambda rng: LTC(diagonal(rng), solver=str(rng.choice(["semi_implicit", "exponential"]))),
    "LTC, one unfold": lambda rng: LTC(FullyConnected(4, 2), ode_unfolds=1),
    "LTC": lambda rng: LTC(AutoNCP(7, 2)),
    "LRC, diagonal": lambda rng: LRC(diagonal(rng)),
    "LRC": lambda rng: LRC(AutoNCP(6, 2)),
    "CTRNN": lambda rng: CTRNN(3),
    "CTGRU": lambda rng: CTGRU(3),
    "CfC": lambda rng: CfC(4, mode=str(rng.choice(["default", "pure", "no_gate"]))),
    "WiredCfC": lambda rng: WiredCfC(AutoNCP(7, 2)),
    "GRU": lambda rng: GRU(3),
    "LSTM": lambda rng: LSTM(3),
    "MixedMemory": lambda rng: MixedMemory(LTC(FullyConnected(3, 2))),
}
AROUND = {
    "alone": lambda cell, other: [cell],
    "both directions": lambda cell, other: [Bidirectional(cell)],
    "residual": lambda cell, other: [Residual(cell, Dense(FEATURES, "tanh"))],
    "stack in a residual": lambda cell, other: [Residual(cell, Dense(FEATURES, "tanh"), other, Dense(FEATURES))],
    "stack": lambda cell, other: [Dense(FEATURES), cell, Dense(FEATURES, "tanh"), other],
}


class Found(NamedTuple):
    """Outputs, last states and every gradient by name, of a way to compute them."""

    arrays: dict
    reports: tuple


class Case:
    """A random case: its layers, its data, and what is asked of them; the same for the same number.

    ``cell`` takes the place of the one that is drawn.
    """

    def __init__(self, number, T=(150, 500), way=None, backend="cpu", B=None, cell=None):
        rng = self.rng = np.random.default_rng([30, number])
        self.cell, self.around = (
            str(rng.choice(list(CELLS))),
            str(rng.choice(list(AROUND), p=[0.5, 0.15, 0.1, 0.1, 0.15])),
        )
        drawn, other = CELLS[self.cell](rng), CELLS[str(rng.choice(list(CELLS)))](rng)
        cell = drawn if cell is None else cell
        self.dtype = str(rng.choice(["float32", "float64"]))
        self.outputs = 2
        layers = [*AROUND[self.around](cell, other), Dense(self.outputs)]
        if rng.random() < 0.3:
            layers.append(Standardize(inverse=True))
        self.layers, self.seed, self.backend = layers, int(rng.integers(100)), backend
        self.B, T = int(B or rng.integers(1, 4)), int(rng.integers(*T))
        self.way = way or int(rng.integers(2, 9))
        self.x, self.dt = rng.normal(size=(self.B, T, FEATURES)), rng.uniform(0.3, 1.5, (self.B, T))
        self.lengths = np.where(rng.random(self.B) < 0.7, T, rng.integers(0, T + 1, self.B))
        self.lengths[0] = max(self.lengths[0], 1)  # not all empty
        self.d_y = rng.normal(size=(self.B, T, self.outputs))
        self._silence(T)
        self._weigh(T)
        self.scales = 10.0 ** rng.uniform(-12, 12, 40) if rng.random() < 0.8 else np.ones(40)
        self.slow, self.memory = rng.random() < 0.4, str(rng.choice(["full", "low"]))
        self.frozen, self.last = rng.random() < 0.2, rng.random() < 0.3

    def _silence(self, T):
        """Stretches in which an input is off, or shuts a gate, or almost no time passes."""
        rng = self.rng
        for _ in range(rng.integers(0, 4)):
            begin, n, b = rng.integers(0, T), rng.integers(5, T // 2), rng.integers(self.B)
            what = rng.random()
            if what < 0.6:
                self.x[b, begin : begin + n, rng.integers(FEATURES)] = rng.choice([0, -3, 3, 1e-9])
            elif what < 0.8:
                self.dt[b, begin : begin + n] = rng.choice([0, 1e-7, 1e-3])
            else:
                self.x[b, begin : begin + n] = 0

    def _weigh(self, T):
        """Which outputs count: all, some steps, one step, of some outputs only; each in a unit of its own."""
        rng = self.rng
        what, weight = rng.random(), np.ones((self.B, T, self.outputs))
        if what < 0.2:
            weight[:] = 0
            weight[:, int(rng.integers(T)), rng.integers(self.outputs)] = 1
        elif what < 0.3:
            weight[:] = 0
            weight[np.arange(self.B), np.maximum(self.lengths - 1, 0)] = 1
        elif what < 0.45:
            weight[:] = rng.random((1, T, 1)) < 0.02
        elif what < 0.6:
            weight[:, :, rng.integers(self.outputs)] = 0
        if rng.random() < 0.5:
            weight *= 10.0 ** rng.uniform(-12, 12, self.outputs)
        self.d_y *= weight

    def model(self, dtype):
        model = Model(*self.layers, input_dim=FEATURES, seed=self.seed, dtype=dtype, backend=self.backend)
        rng = np.random.default_rng(self.seed)
        last = f"{len(model.layers) - 1 - isinstance(model.layers[-1], Standardize)}.weight"
        for name, values in model.params.items():
            if name == last:
                values *= self.scales[: values.shape[0], None] if self.seed % 2 else self.scales[: values.shape[1]]
            elif self.slow and name.endswith("gleak"):
                values[rng.random(values.shape) < 0.5] = -8
        if isinstance(model.layers[-1], Standardize):
            model.buffers[f"{len(model.layers) - 1}.scale"] = self.scales[20 : 20 + self.outputs]
        if self.frozen:
            model.trainable = rng.random(model.theta.size) < 0.5
        return model

    def found(self, dtype, way, nudge=0):
        """``nudge``: the seed of changes of each number by one unit of its last place in ``dtype``."""
        model = self.model(dtype)
        x = self.x.astype(self.dtype)
        d_y = self.d_y.astype(self.dtype)
        if nudge:
            rng = np.random.default_rng(nudge)
            unit = np.finfo(dtype).eps
            x, d_y = (a * (1 + unit * rng.choice([-1, 1], a.shape)) for a in (x, d_y))
            model.theta = model.theta * (1 + unit * rng.choice([-1, 1], model.theta.shape))
        dt = {"dt": self.dt.astype(self.dtype)} if model.takes_dt else {}
        state = np.random.default_rng(self.seed).normal(size=(2, self.B, model.state_size)).astype(self.dtype)
        y, tape = model.forward(x, **dt, lengths=self.lengths, h0=0.3 * state[0], memory=self.memory, parallel_time=way)
        g = model.backward(tape, d_y, state[1] if self.last else None)
        arrays = {"y": y, "x": g.x, "h0": g.h0} | ({"dt": g.dt} if dt else {})
        arrays |= {name: values.copy() for name, values in model.views(g.theta).items()}
        return Found(arrays, model.last_parallel)

    def __repr__(self):
        return (
            f"{self.cell}, {self.around}, {self.dtype}, {self.backend}, {self.way}, shape {self.x.shape}, lengths "
            f"{self.lengths}, frozen {self.frozen}, slow {self.slow}, last {self.last}"
        )


def worst(case, times=100, relative=1e-3):
    """(name, excess, found, wanted, allowed): of all numbers that which is most wrong, beside what is allowed.

    Each number by itself: a thousandth of it (far more than rounding, far less than a lost term), or ``times`` what
    rounding does to it in the plain path: its difference from float64, and changes of all that is given by one unit of
    the last place.
    """
    plain, chunks = case.found(case.dtype, False), case.found(case.dtype, case.way)
    nudged = [case.found(case.dtype, False, nudge) for nudge in (1, 2)]
    if case.dtype == "float32":
        nudged.append(case.found("float64", False))
    most = ("", 0.0, 0.0, 0.0, 0.0)
    tiny = 1e4 * np.finfo(case.dtype).tiny
    for name, want in plain.arrays.items():
        want = want.astype(float)
        apart = np.max([np.abs(other.arrays[name] - want) for other in nudged], axis=0)
        allowed = relative * np.abs(want) + times * apart + tiny
        excess = np.abs(chunks.arrays[name] - want) / allowed
        excess = np.where(np.isfinite(want) | np.isfinite(chunks.arrays[name]), excess, 0)
        if excess.size and not excess.max() <= most[1]:
            at = np.unravel_index(np.nanargmax(excess), excess.shape)
            most = (
                f"{name}{list(map(int, at))}",
                float(excess[at]),
                float(chunks.arrays[name][at]),
                float(want[at]),
                float(allowed[at]),
            )
    return most, chunks.reports
