"""What a trace shows of each cell: it must make the cell's next state, by the equations of its docstring."""

import numpy as np
import pytest

from ltc_np import (
    CTGRU,
    CTRNN,
    GLU,
    GRU,
    LRC,
    LSTM,
    LTC,
    S4D,
    AutoNCP,
    BatchNorm,
    Bidirectional,
    CfC,
    Dense,
    FullyConnected,
    LayerNorm,
    LiquidS4,
    LrcSSM,
    MixedMemory,
    Model,
    NeuralODE,
    Pooling,
    Residual,
    SpikingLIF,
    WiredCfC,
)

B, T, I = 3, 6, 2


class Run:
    """A trace of a layer from a random state, with the states before every step and its effective parameters."""

    def __init__(self, layer, seed=0, **options):
        rng = np.random.default_rng(seed)
        self.model = Model(layer, seed=seed, dtype="float64")
        self.x = rng.normal(size=(B, T, I))
        self.dt = rng.uniform(0.1, 1.5, (B, T)) if layer.takes_dt else None
        h0 = options.get("h0", 0.3 * rng.normal(size=(B, layer.state_size)))
        self.trace = self.model.trace(self.x, self.dt, h0=h0)
        (self.layer,) = self.trace.layers
        self.p = self.model.effective
        self.after = self.layer.state
        self.before = np.concatenate([h0[:, None], self.after[:, :-1]], axis=1)

    def __getitem__(self, name):
        return self.trace[name]


def near(a, b):
    """Up to the rounding of sums of a few numbers."""
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=-2, keepdims=True)


def test_lstm():
    run = Run(LSTM(5, input_dim=I, forget_bias=0.7))
    h, c = np.split(run.before, 2, axis=2)
    i, f, g, o = (run[name] for name in ("input_gate", "forget_gate", "candidate", "output_gate"))
    z = np.split(run.x @ run.p["w_x"] + h @ run.p["w_h"] + run.p["b"], 4, axis=2)
    for gate, expected in zip((i, f, g, o), (sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])), strict=True):
        near(gate, expected)
    near(run.after[:, :, 5:], f * c + i * g)
    near(run.after[:, :, :5], o * np.tanh(f * c + i * g))


@pytest.mark.parametrize("decay", [False, True])
def test_gru(decay):
    run = Run(GRU(5, input_dim=I, decay=decay, init={"b_hn": (-0.5, 0.5)}))
    r, z, n = (run[name] for name in ("reset", "update", "candidate"))
    before = run.before
    if decay:
        near(run["fade"], np.exp(-run.dt[:, :, None] * run.p["rate"]))
        before = before * run["fade"]
    inner, own = run.x @ run.p["w_x"] + run.p["b"], before @ run.p["w_h"]
    near(r, sigmoid((inner + own)[:, :, :5]))
    near(z, sigmoid((inner + own)[:, :, 5:10]))
    near(n, np.tanh(inner[:, :, 10:] + r * (own[:, :, 10:] + run.p["b_hn"])))
    near(run.after, (1 - z) * n + z * before)


@pytest.mark.parametrize("decay", ["before", "after"])
def test_ctgru(decay):
    M, N = 3, 4
    run = Run(CTGRU(N, input_dim=I, scales=M, tau_min=0.3, tau_ratio=2.0, decay=decay))
    taus = 0.3 * 2.0 ** np.arange(M)
    traces = run.before.reshape(B, T, M, N)
    near(run["decay"], np.exp(-run.dt[:, :, None] / taus))
    fade = run["decay"][:, :, :, None]
    v = traces * fade if decay == "before" else traces
    near(run["traces"], v)
    a = run.x @ run.p["w_x"] + run.p["b"]
    a[:, :, : 2 * N] += v.sum(2) @ run.p["w_h"]
    near(run["retrieval_tau"], np.exp(a[:, :, :N]))
    near(run["storage_tau"], np.exp(a[:, :, N : 2 * N]))
    for name, part in (("retrieval", a[:, :, :N]), ("storage", a[:, :, N : 2 * N])):
        near(run[name], softmax(-((part[:, :, None] - np.log(taus)[:, None]) ** 2)))
    near(run["read"], (run["retrieval"] * v).sum(2))
    near(run["signal"], np.tanh(a[:, :, 2 * N :] + run["read"] @ run.p["w_c"]))
    new = v + run["storage"] * (run["signal"][:, :, None] - v)
    near(run.after.reshape(B, T, M, N), new if decay == "before" else new * fade)


@pytest.mark.parametrize("elastance", ["asymmetric", "symmetric", None])
@pytest.mark.parametrize("layer", ["LRC", "LRC of its state", "LrcSSM"])
def test_liquid_capacitance(layer, elastance):
    """One Euler step of v' = elastance (drive - conductance v), and what sums and synapses make of it."""
    if layer == "LrcSSM":
        run = Run(LrcSSM(5, input_dim=I, elastance=elastance))
    else:
        by = "state" if layer.endswith("state") else "synapses"
        run = Run(LRC(FullyConnected(5, 2), input_dim=I, elastance=elastance, elastance_by=by))
    v, p, d = run.before, run.p, run.dt[:, :, None]
    near(run["conductance"], sigmoid(run["sum_f"]))
    near(run["drive"], p["vleak"] * np.tanh(run["sum_z"]))
    epsilon = 1.0
    if elastance is not None:
        a, shift = run["sum_a"], p["elastance_shift"] if elastance == "symmetric" else None
        epsilon = sigmoid(a) if shift is None else sigmoid(a + shift) - sigmoid(a - shift)
        near(run["elastance"], epsilon)
    else:
        assert not {"elastance", "sum_a"} & set(run.layer.arrays)
    near(run["tau"], 1 / (epsilon * run["conductance"]))
    near(run.after, v + d * run["slope"])
    near(run.after, v + d * epsilon * (run["drive"] - run["conductance"] * v))
    near(run["potentials"][:, :, -1], run.after)
    s, s_inputs = run["activations"], run["sensory_activations"]
    if layer == "LrcSSM":
        near(s, sigmoid(p["sigma"] * (v - p["mu"])))
        near(s_inputs, sigmoid(p["sensory_sigma"] * (run.x - p["sensory_mu"])))
        near(run["sum_f"], p["gleak"] + s_inputs @ p["sensory_w"] + p["w"] * s)
        near(run["sum_z"], p["gleak"] + s_inputs @ p["sensory_h"] + p["h"] * s)
        return
    wiring, x = run.model.wiring, run.x * p["input_w"] + p["input_b"]
    for name, weight in (("sum_f", "w"), ("sum_z", "h")):
        total = np.tile(p["gleak"], (B, T, 1))
        for k, i in enumerate(wiring.post):
            near(s[:, :, k], sigmoid(p["sigma"][k] * (v[:, :, wiring.pre[k]] - p["mu"][k])))
            total[:, :, i] += p[weight][k] * s[:, :, k]
        for k, i in enumerate(wiring.sensory_post):
            source = x[:, :, wiring.sensory_pre[k]]
            near(s_inputs[:, :, k], sigmoid(p["sensory_sigma"][k] * (source - p["sensory_mu"][k])))
            total[:, :, i] += p[f"sensory_{weight}"][k] * s_inputs[:, :, k]
        near(run[name], total)


@pytest.mark.parametrize("layer", [LRC(AutoNCP(8, 3), input_dim=I, ode_unfolds=3, solver="exponential"),
                                   LrcSSM(4, input_dim=I, ode_unfolds=3, solver="rk4"),
                                   CTRNN(4, input_dim=I, ode_unfolds=3), NeuralODE(4, input_dim=I, ode_unfolds=3)],
                         ids=lambda layer: type(layer).__name__)  # fmt: skip
def test_potentials_at_every_unfold(layer):
    """Between them lie calls of the same cell with a third of the time and one unfold."""
    run = Run(layer)
    one = Model(type(layer).from_config(layer.config() | {"ode_unfolds": 1}), seed=0, dtype="float64")
    one.theta = run.model.theta
    potentials = run["potentials"]
    assert potentials.shape == (B, T, 4, layer.state_size)
    near(potentials[:, :, 0], run.before)
    near(potentials[:, :, -1], run.after)
    for b in range(B):
        for t in range(T):
            for u in range(3):
                _, after = one.step(run.x[b, t], dt=run.dt[b, t] / 3, state=potentials[b, t, u])
                near(potentials[b, t, u + 1], after)


@pytest.mark.parametrize("layer", [LRC(AutoNCP(8, 3), input_dim=I, ode_unfolds=3, solver="rk4"),
                                   LrcSSM(4, input_dim=I, ode_unfolds=3, solver="rk4")],
                         ids=lambda layer: type(layer).__name__)  # fmt: skip
def test_a_liquid_capacitance_is_seen_when_the_last_unfold_begins(layer):
    """Where a single Euler step from these potentials has the same sums and slopes."""
    run = Run(layer)
    begin = run["potentials"][:, :, -2]
    assert np.abs(begin - run["potentials"][:, :, 0]).max() > 1e-3
    one = Model(type(layer).from_config(layer.config() | {"ode_unfolds": 1, "solver": "euler"}), dtype="float64")
    one.theta = run.model.theta
    for b in range(B):
        for t in range(T):
            seen = one.trace(run.x[b, t : t + 1], 0.0, h0=begin[b, t])
            for name in set(run.layer.arrays) - {"potentials"}:
                near(run[name][b, t], seen[name][0])


@pytest.mark.parametrize("layer", [CTRNN(5, input_dim=I, solver="rk4", tau=2.0, ode_unfolds=2),
                                   CTRNN(5, input_dim=I, global_feedback=False), NeuralODE(5, input_dim=I)],
                         ids=["CTRNN", "CTRNN alone", "NeuralODE"])  # fmt: skip
def test_vector_fields(layer):
    run = Run(layer)
    p, v = run.p, run["potentials"][:, :, -2]
    recurrent = v @ p["w_h"] if "w_h" in p else 0
    near(run["slope"], run["drive"] + run["leak"])
    near(run["drive"], np.tanh(run.x @ p["w_x"] + recurrent + p["b"]))
    if isinstance(layer, CTRNN):
        near(run["tau"], np.tile(p["tau"], (B, T, 1)))
        near(run["leak"], -v / run["tau"])
    else:
        assert not run["leak"].any() and "tau" not in run.layer.arrays


@pytest.mark.parametrize("recurrent", [False, True])
def test_spikes(recurrent):
    layer = SpikingLIF(5, input_dim=I, recurrent=recurrent, refractory=0.7, tau=2.0, init={"b": (1.0, 3.0)})
    run = Run(layer, h0=np.zeros((B, layer.state_size)))
    parts = {name: run.before[:, :, where] for name, where in layer.state_slices.items()}
    after = {name: run.after[:, :, where] for name, where in layer.state_slices.items()}
    current = run.x @ run.p["w_x"] + run.p["b"] + (parts["spikes"] @ run.p["w_h"] if recurrent else 0)
    near(run["current"], current)
    near(run["active"], run.dt[:, :, None] - np.minimum(parts["rest"], run.dt[:, :, None]))
    V = parts["v"] + (current - parts["v"]) * (1 - np.exp(-run["active"] / run.p["tau"]))
    near(run["potential"], V)
    np.testing.assert_array_equal(run["spikes"], (V >= 1) & (run["active"] > 0))
    assert 0 < run["spikes"].mean() < 1
    np.testing.assert_array_equal(run["spikes"], run.trace.y)
    near(after["v"], np.where(run["spikes"] > 0, 0, V))


@pytest.mark.parametrize(
    "layer",
    [
        S4D(6, input_dim=I, step_min=0.1, step_max=0.5),
        S4D(6, input_dim=I, discretization="bilinear", step_min=0.1, step_max=0.5),
        S4D(6, input_dim=I, method="fft", step_min=0.1, step_max=0.5),
        LiquidS4(6, input_dim=I, liquid_scale=1.0, step_min=0.1, step_max=0.5),
        LiquidS4(6, input_dim=I, liquid="discrete", liquid_scale=1.0, step_min=0.1, step_max=0.5),
        LiquidS4(6, input_dim=I, liquid="pb", liquid_scale=1.0, step_min=0.1, step_max=0.5),
    ],
    ids=["zoh", "bilinear", "fft", "exact", "discrete", "pb"],
)
def test_modes(layer):
    run = Run(layer)
    M, p = 3, run.p

    def modes(state):
        re, im = state[:, :, : M * I], state[:, :, M * I : 2 * M * I]
        return (re + 1j * im).reshape(B, T, M, I)

    u = run.x[:, :, None]
    near(run["modes"], modes(run.after))
    near(run["modes"], run["multiplier"] * modes(run.before) + run["input_factor"] * u)
    near(run.trace.y, 2 * run["seen"].sum(2).real + p["d"] * run.x)
    if isinstance(layer, S4D):  # linear
        a, b = -p["decay"] + 1j * p["frequency"], p["b_re"] + 1j * p["b_im"]
        delta = (np.exp(p["log_step"]) * run.dt[:, :, None])[:, :, None]
        if layer.discretization == "zoh":
            near(run["multiplier"], np.exp(delta * a))
            near(run["input_factor"], (np.exp(delta * a) - 1) / a * b)
        else:
            near(run["multiplier"], (1 + delta * a / 2) / (1 - delta * a / 2))
            near(run["input_factor"], delta / (1 - delta * a / 2) * b)
        near(run["seen"], (p["c_re"] + 1j * p["c_im"]) * run["modes"])


@pytest.mark.parametrize("strict", [False, True])
def test_wired_cfc(strict):
    """Gates of all layers of neurons, in the order of the state."""
    run = Run(WiredCfC(AutoNCP(9, 2), input_dim=I, strict=strict))
    assert run["gate"].shape == run.after.shape
    s = run["gate"]
    near(run.after, (1 - s) * run["ff1"] + s * run["ff2"])
    if not strict:
        inter = run.model.layers[0].state_slices["inter"]
        assert inter.start == 0
        z = np.concatenate([run.x, run.before[:, :, inter]], axis=2) @ run.p["inter_time_a_w"] + run.p["inter_time_a_b"]
        near(run["time_a"][:, :, inter], z)


@pytest.mark.parametrize("topology", ["torch", "keras"])
def test_mixed_memory(topology):
    """The LSTM beside the cell, and the cell's own step from what it has read."""
    cell = LTC(AutoNCP(6, 2), input_dim=I, ode_unfolds=3)
    run = Run(MixedMemory(cell, topology))
    K, p = 6, run.p
    state, c = run.before[:, :, :K], run.before[:, :, K:]
    z = np.split(run.x @ p["lstm_w_x"] + state @ p["lstm_w_h"] + p["lstm_b"], 4, axis=2)
    i, f, g, o = sigmoid(z[0]), sigmoid(z[1] + 1), np.tanh(z[2]), sigmoid(z[3])
    for name, gate in (("input_gate", i), ("forget_gate", f), ("candidate", g), ("output_gate", o)):
        near(run[f"lstm_{name}"], gate)
    near(run.after[:, :, K:], f * c + i * g)
    near(run["lstm_output"], o * np.tanh(f * c + i * g))
    alone = Model(cell, seed=0, dtype="float64")
    for name in alone.params:
        alone.params[name] = run.model.params[name]
    read, start = (run.x, run["lstm_output"]) if topology == "torch" else (run["lstm_output"], state)
    near(run["potentials"][:, :, 0], start)
    for b in range(B):
        for t in range(T):
            own = alone.trace(read[b, t : t + 1], run.dt[b, t], h0=start[b, t])
            for name, array in own.layers[0].arrays.items():
                near(run[name][b, t], array[0])
            near(run.after[b, t, :K], own.layers[0].state[0])


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_bidirectional(merge):
    """Both directions as models of their own; the backward one over each sequence turned round within its length."""
    cell = LTC(FullyConnected(4, 2), input_dim=I, ode_unfolds=2)
    model = Model(Bidirectional(cell, merge), seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    x, dt, h0, lengths = rng.normal(size=(B, T, I)), rng.uniform(0, 1, (B, T)), rng.normal(size=(B, 8)), [6, 4, 1]
    trace = model.trace(x, dt, lengths=lengths, h0=h0)
    ways = []
    for prefix in ("forward_", "backward_"):
        alone = Model(cell, seed=0, dtype="float64")
        for name in alone.params:
            alone.params[name] = model.params[prefix + name]
        ways.append(alone)
    for b, n in enumerate(lengths):
        ahead = ways[0].trace(x[b, :n], dt[b, :n], h0=h0[b, :4])
        back = ways[1].trace(x[b, :n][::-1], np.r_[dt[b, :1], dt[b, 1:n][::-1]], h0=h0[b, 4:])
        for name in ahead.layers[0].arrays:
            near(trace[f"forward_{name}"][b, :n], ahead[name])
            near(trace[f"backward_{name}"][b, :n], back[name][::-1])
            assert not trace[f"backward_{name}"][b, n:].any()
        state = trace.layers[0].state[b, :n]
        near(state[:, :4], ahead.layers[0].state)
        near(state[:, 4:], back.layers[0].state[::-1])
        both = ahead.y, back.y[::-1]
        near(trace.y[b, :n], sum(both) if merge == "sum" else np.concatenate(both, axis=1))


def test_residual():
    """The layers inside as a model of their own; inside of a layer that goes step by step it shows the same."""
    inside = LTC(AutoNCP(6, 3), input_dim=I, ode_unfolds=2), Dense(I, "tanh")
    run = Run(Residual(*inside))
    plain = Model(*inside, seed=0, dtype="float64")
    plain.theta = run.model.theta
    alone = plain.trace(run.x, run.dt, h0=run.layer.h0)
    near(run.trace.y, run.x + alone.y)
    for layer in alone.layers:
        for name, array in layer.arrays.items():
            near(run[f"{layer.name}.{name}"], array)
    single = Run(Residual(Dense(I, "tanh", input_dim=I)))
    near(np.tanh(single["argument"]), single.trace.y - single.x)
    memory = Run(MixedMemory(Residual(CfC(I, input_dim=I, backbone_units=5)), "keras"))
    assert {"gate", "lstm_output"} <= set(memory.layer.arrays)
    s = memory["gate"]
    near(memory.after[:, :, :I], (1 - s) * memory["ff1"] + s * memory["ff2"])


def test_layers_without_state():
    run = Run(LayerNorm(epsilon=0.1, input_dim=I))
    centred = run.x - run.x.mean(2, keepdims=True)
    near(run["normalised"], centred / np.sqrt((centred**2).mean(2, keepdims=True) + 0.1))
    run = Run(BatchNorm(epsilon=0.1, input_dim=I, init={"shift": (1.0, 2.0)}))
    near(run["normalised"], run.x / np.sqrt(1.1))
    run = Run(GLU(input_dim=I))
    near(run["gate"], sigmoid(run.x[:, :, 1:]))
    run = Run(Dense(4, "sigmoid", input_dim=I))
    near(run["argument"], run.x @ run.p["weight"] + run.p["bias"])
    assert not Run(Dense(4, input_dim=I)).layer.arrays
    run = Run(Pooling("mean", input_dim=I), h0=np.zeros((B, I + 1)))
    near(run.after[:, :, :I], run.x.cumsum(1) / np.arange(1, T + 1)[:, None])
