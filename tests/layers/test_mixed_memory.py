"""Mixed memory: against ncps 1.0.1 (golden/make_ncps_mixed_memory.py), a loop of one's own, finite differences."""

import numpy as np
import pytest
from support import golden
from support.gradients import worst

import ltc_np
from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    Adam,
    AutoNCP,
    CfC,
    CfCRNN,
    Dense,
    FullyConnected,
    MixedMemory,
    Model,
    RandomWiring,
    WiredCfC,
    gradcheck,
    layers,
    load,
)
from ltc_np.base.workspace import Fresh

CELLS = {
    "ltc": lambda I: LTC(FullyConnected(5, 3), input_dim=I, ode_unfolds=2),
    "ncp": lambda I: LTC(AutoNCP(7, 2), input_dim=I, ode_unfolds=3),
    "cfc": lambda I: CfC(4, input_dim=I, backbone_units=6),
    "wired": lambda I: WiredCfC(AutoNCP(7, 2), input_dim=I),
    "pure": lambda I: CfC(5, input_dim=I, mode="pure", backbone_units=6, init={"w_tau": (0.2, 0.5)}),
}
each_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)
each_topology = pytest.mark.parametrize("topology", ["torch", "keras"])


def blocks(values, axis):
    """ncps' order (candidate, input, forget, output) to that of `LSTM`, along an axis."""
    candidate, enter, forget, output = np.split(values, 4, axis)
    return np.concatenate([enter, forget, candidate, output], axis)


def lstm_arrays(g, kind):
    """ncps' LSTM in our names; ``kind`` is "p" or "d"."""
    return {
        "lstm_w_x": blocks(g[f"{kind}/lstm.input_map.weight"], 0).T,
        "lstm_w_h": blocks(g[f"{kind}/lstm.recurrent_map.weight"], 0).T,
        "lstm_b": blocks(g[f"{kind}/lstm.input_map.bias"], 0),
    }


def ltc_arrays(g, kind, wiring):
    found = lstm_arrays(g, kind)
    for key, value in g.items():
        name = key.removeprefix(kind + "/")
        if key.startswith(kind + "/") and "." not in name and name not in ("x", "h0", "c0", "dt"):
            pairs = wiring.sensory_pre, wiring.sensory_post
            pairs = pairs if name.startswith("sensory_") else (wiring.pre, wiring.post)
            found[name] = value[pairs] if value.ndim == 2 else value
    return found


def cfc_arrays(g, kind, depth):
    names = {f"backbone.{2 * k}": ("backbone_w" + str(k), "backbone_b" + str(k)) for k in range(depth)}
    names |= {head: (f"{head}_w", f"{head}_b") for head in ("ff1", "ff2", "time_a", "time_b")}
    found = lstm_arrays(g, kind)
    for theirs, (w, b) in names.items():
        if f"{kind}/{theirs}.weight" in g:
            found[w], found[b] = g[f"{kind}/{theirs}.weight"].T, g[f"{kind}/{theirs}.bias"]
    if f"{kind}/A" in g:
        found["a"], found["w_tau"] = g[f"{kind}/A"][0], g[f"{kind}/w_tau"][0]
    return found


def compare(model, g, arrays, dtype):
    N = g["h0"].shape[1]
    given = arrays(g, "p")
    assert set(given) == set(model.params)
    for name, value in given.items():
        model.params[name] = value
    h0 = np.concatenate([g["h0"], g["c0"]], axis=1)
    y, state = model(g["x"], dt=g["dt"], h0=h0, return_state=True)
    outputs, gradients = golden.tolerances(dtype)
    assert np.abs(y - g["y"]).max() <= outputs
    assert np.abs(state - np.concatenate([g["hT"], g["cT"]], axis=1)).max() <= outputs
    _, tape = model.forward(g["x"], dt=g["dt"], h0=h0)
    d = model.backward(tape, g["a"], np.concatenate([g["b"], g["c"]], axis=1))
    found = {"x": d.x, "h0": d.h0[:, :N], "c0": d.h0[:, N:], "dt": d.dt}
    want = {name: g[f"d/{name}"] for name in found}
    want["dt"] = want["dt"] if g["dt"].ndim else want["dt"].sum()  # the file has it for each step
    golden.check(found | dict(model.views(d.theta)), want | arrays(g, "d"), gradients)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", golden.cases("mixed_memory_ltc"))
def test_ltc_equal_to_ncps(case, dtype, backend):
    g, recipe = golden.read("mixed_memory_ltc", case, "case")
    wiring = getattr(ltc_np, recipe["class"])(**recipe["arguments"])
    model = LTCRNN(wiring, 3, mixed_memory=True, seed=0, dtype=dtype, backend=backend)
    compare(model, g, lambda g, kind: ltc_arrays(g, kind, model.wiring), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", golden.cases("mixed_memory_cfc"))
def test_cfc_equal_to_ncps(case, dtype, backend):
    g, recipe = golden.read("mixed_memory_cfc", case, "case")
    recipe["backbone_activation"] = recipe.pop("activation", "lecun_tanh")
    model = CfCRNN(
        recipe.pop("units"), input_dim=3, mixed_memory="torch", seed=0, dtype=dtype, backend=backend, **recipe
    )
    compare(model, g, lambda g, kind: cfc_arrays(g, kind, recipe["backbone_layers"]), dtype)


def test_there_are_golden_cases():
    assert (len(golden.cases("mixed_memory_ltc")), len(golden.cases("mixed_memory_cfc"))) == (5, 6)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@each_topology
@each_cell
def test_equations_step_by_step(make, topology, backend):
    """As published, with ncps' order of the gates; the cell itself is stepped by a model of its own."""
    rng = np.random.default_rng(0)
    cell = make(2) if topology == "torch" else make(6)
    model = Model(MixedMemory(cell, topology, 0.7, input_dim=2), seed=1, dtype="float64", backend=backend)
    alone = Model(cell, seed=1, dtype="float64", backend=backend)
    for name, value in model.params.items():
        if name.startswith("lstm_"):
            model.params[name] = rng.normal(size=value.shape)
        else:
            alone.params[name] = value
    K, p = cell.state_size, model.params
    x, dt = rng.normal(size=(3, 4, 2)), rng.uniform(0.1, 2, (3, 4))
    start = rng.normal(size=(3, model.state_size))
    s, c = start[:, :K], start[:, K:]
    outputs = []
    for t in range(4):
        z = x[:, t] @ p["lstm_w_x"] + s @ p["lstm_w_h"] + p["lstm_b"]
        enter, forget, candidate, output = np.split(z, 4, axis=1)
        c = c * sigmoid(forget + 0.7) + np.tanh(candidate) * sigmoid(enter)
        y = np.tanh(c) * sigmoid(output)
        out, s = (
            alone.step(x[:, t], dt=dt[:, t], state=y) if topology == "torch" else alone.step(y, dt=dt[:, t], state=s)
        )
        outputs.append(out)
    found, state = model(x, dt=dt, h0=start, return_state=True)
    np.testing.assert_allclose(found, np.stack(outputs, axis=1), rtol=0, atol=1e-13)
    np.testing.assert_allclose(state, np.concatenate([s, c], axis=1), rtol=0, atol=1e-13)


def drawn(make, topology, backend, I=2, **options):
    """A float64 model with parameters wider than its initial ones."""
    cell = make(I) if topology == "torch" else make(6)
    model = Model(MixedMemory(cell, topology, input_dim=I), seed=1, dtype="float64", backend=backend, **options)
    model.theta = model.theta + np.random.default_rng(2).normal(0, 0.3, model.theta.size)
    return model


@each_topology
@each_cell
def test_gradients(make, topology, backend):
    """The traps in turn: B == N, B == T == I, one step."""
    B, T, I = [(3, 4, 2), (5, 2, 2), (4, 4, 4), (2, 1, 3)][
        (list(CELLS.values()).index(make) + 2 * (topology == "keras")) % 4
    ]
    rng = np.random.default_rng(B + T)
    lengths = rng.integers(0, T + 1, B)
    lengths[1] = T
    dt = rng.choice([0.0, 0.3, 1.0, 2.5], (B, T))
    assert worst(drawn(make, topology, backend, I), rng.normal(size=(B, T, I)), dt=dt, lengths=lengths) < 1e-6


@each_topology
def test_gradient_along_a_direction_at_a_realistic_size(topology):
    cell = LTC(AutoNCP(24, 4), input_dim=3 if topology == "torch" else 24)
    model = Model(MixedMemory(cell, topology, input_dim=3), Dense(2), seed=1, dtype="float64")
    rng = np.random.default_rng(0)
    x, dt, lengths = rng.normal(size=(33, 12, 3)), rng.uniform(0, 2, (33, 12)), rng.integers(0, 13, 33)
    assert gradcheck.direction(model, x, dt=dt, lengths=lengths) < 1e-6


@each_topology
def test_gradients_of_biases_do_not_drift(topology):
    """Terms of one sign, one for each step of each sequence: one after the other, float32 would be off by some 1e-4."""
    x, gradients = np.full((20_000, 2, 2), 0.3, np.float32), []
    layer = MixedMemory(LTC(FullyConnected(2), input_dim=2, ode_unfolds=1), topology)
    for dtype in ("float64", "float32"):
        model = Model(layer, dtype=dtype, backend="numpy")
        model.theta = Model(layer, seed=1, backend="numpy").theta
        _, tape = model.forward(x)
        gradients.append(model.views(model.backward(tape, np.ones((20_000, 2, 2))).theta)["lstm_b"])
    exact, found = gradients
    assert np.abs(found - exact).max() < 1e-6 * np.abs(exact).max()


@each_topology
def test_dropout_of_the_cell(topology, backend):
    """Dropped at every step anew, the same for the same seed, with the derivative of what was computed."""
    cell = CfC(4, input_dim=2 if topology == "torch" else 3, backbone_units=9, backbone_layers=2, backbone_dropout=0.5)
    model = Model(MixedMemory(cell, topology, input_dim=2), seed=0, dtype="float64", backend=backend)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5, 4))
    value, gradient = model.loss_and_grad(x, y, dropout_seed=7)
    assert value == model.loss_and_grad(x, y, dropout_seed=7)[0]
    assert len({value, model.loss_and_grad(x, y, dropout_seed=8)[0], model.loss_and_grad(x, y)[0]}) == 3
    still, _ = model.forward(np.zeros((1, 2, 2)), dt=0, dropout_seed=7)
    again, _ = model.forward(np.zeros((1, 2, 2)), dt=0)
    assert not np.array_equal(still, again)
    theta, way, step = model.theta.copy(), rng.normal(size=model.theta.size), 1e-6
    values = []
    for sign in (1, -1):
        model.theta = theta + sign * step * way
        values.append(model.loss_and_grad(x, y, dropout_seed=7)[0])
    assert abs((values[0] - values[1]) / (2 * step) - gradient @ way) < 1e-6 * np.abs(gradient * way).sum()


@each_topology
@each_cell
@pytest.mark.parametrize("T", [3, 9])
def test_a_call_that_keeps_nothing_is_one_that_does(make, topology, T, backend, rng):
    """Which binds the cell to arrays of its own, once there are some steps; also behind the end of a sequence."""
    model = Model(MixedMemory(make(3), topology), seed=0, dtype="float64", backend=backend)
    x, dt, h0 = rng.normal(size=(4, T, 3)), rng.uniform(0, 1, (4, T)), rng.normal(size=(4, model.state_size))
    lengths = [T, 2, 0, T - 1]
    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    want, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
    x, dt, lengths, _, h0 = tape.given.sequences
    _, last, _ = model.layers[0].forward(tape.prepared.layers[0], x, dt, lengths, h0, "full", Fresh())
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(state, last)
    np.testing.assert_array_equal(state[2], h0[2])


@each_topology
def test_batches_of_several_sizes_share_a_workspace(topology, rng):
    layer = MixedMemory(LTC(FullyConnected(5, 3), ode_unfolds=2), topology, input_dim=3)
    model = Model(layer, seed=0, dtype="float64")
    x = rng.normal(size=(7, 6, 3))
    found = np.concatenate([model.predict(x[:4], batch_size=3), model.predict(x[4:], batch_size=2)])
    np.testing.assert_allclose(found, model(x), rtol=1e-12)  # products of other sizes


@pytest.mark.slow
def test_a_cell_without_time():
    """Any cell with a state will do, here one of a user's own."""

    class Leaky(ltc_np.Layer):
        smooth = causal = True

        def __init__(self):
            self.input_size = self.output_size = self.state_size = 3
            self.state_slices = {"h": slice(0, 3)}

        def prepare(self, p, buffers, backend):
            return None

        def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
            h, y = h0.copy(), np.zeros_like(x)
            for t in range(x.shape[1]):
                alive = lengths > t
                h[alive] = h[alive] / 2 + x[alive, t]
                y[:, t] = h
            return y, h, lengths

        def backward(self, prepared, lengths, d_y, d_h, g, want_x, want_dt, workspace):
            d_h, d_x = d_h.copy(), np.zeros_like(d_y)
            for t in range(d_y.shape[1] - 1, -1, -1):
                alive = lengths > t
                d_x[alive, t] = d_h[alive] + d_y[alive, t]
                d_h[alive] = d_x[alive, t] / 2
            return d_x, d_h, None

    x = np.random.default_rng(0).normal(size=(4, 5, 3))
    for topology in ("torch", "keras"):
        layer = MixedMemory(Leaky(), topology)
        assert not layer.takes_dt
        errors = gradcheck.check(layer, x, lengths=[5, 0, 2, 4])
        assert max(errors.values()) < 1e-6, errors


def test_names_sizes_and_initial_values():
    layer = MixedMemory(LTC(FullyConnected(5, 3), input_dim=2))
    assert layer.state_slices == {"v": slice(0, 5), "c": slice(5, 10)}
    assert (layer.takes_dt, layer.dt0_identity, layer.hull, layer.reads_wiring) == (True, False, False, True)
    assert not MixedMemory(CfC(5, input_dim=2)).reads_wiring
    assert not MixedMemory(CfC(5, input_dim=2, mode="pure")).smooth
    assert [*layer.layout.slices][-3:] == ["lstm_w_x", "lstm_w_h", "lstm_b"]
    p = Model(layer, seed=0, dtype="float64").params
    assert p["lstm_w_x"].shape == (2, 20)
    np.testing.assert_allclose(p["lstm_w_h"] @ p["lstm_w_h"].T, np.eye(5), atol=1e-14)
    assert 0.08 < np.abs(p["lstm_b"]).max() <= 0.1
    keras = MixedMemory(LTC(FullyConnected(5, 3), input_dim=4), "keras", input_dim=2)
    assert keras.state_slices == {"v": slice(0, 5), "c": slice(5, 9)}
    assert (keras.input_size, keras.output_size, keras.state_size) == (2, 3, 9)
    assert (Model(keras, seed=0).params["lstm_b"] == 0).all()
    assert repr(keras).endswith(", topology='keras', input_dim=2)")


def test_models_with_mixed_memory():
    wiring = AutoNCP(8, 2)
    assert isinstance(LTCRNN(wiring, 3).layers[0], LTC)
    for kind, topology in ((True, "torch"), ("torch", "torch"), ("keras", "keras")):
        for model in (
            LTCRNN(wiring, 3, mixed_memory=kind, ode_unfolds=2, dtype="float64"),
            CfCRNN(wiring, input_dim=3, mixed_memory=kind, dtype="float64"),
            CfCRNN(8, input_dim=3, mixed_memory=kind, backbone_units=4, proj_size=2, dtype="float64"),
        ):
            assert model.layers[0].topology == topology
            assert model.layers[0].state_size == 16
            assert model(np.zeros((4, 5, 3)), dt=0.5).shape == (4, 5, 2)
        assert model.layers[0].cell.backbone_units == 4
    assert LTCRNN(RandomWiring(3, 2, 8, seed=0), mixed_memory=True).input_size == 3


@each_topology
def test_files(topology, tmp_path):
    model = LTCRNN(AutoNCP(8, 2), 3, mixed_memory=topology, seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(4, 5, 3))
    model.fit(x, np.zeros((4, 5, 2)), epochs=2, optimizer=Adam(0.01), seed=0, verbose=False)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert type(again) is LTCRNN
    assert repr(again) == repr(model)
    assert np.array_equal(again(x, dt=0.3), model(x, dt=0.3))


def test_files_with_unknown_inner_layers(tmp_path, monkeypatch):
    class Mine(CfC):
        pass

    model = Model(MixedMemory(Mine(4, input_dim=2)), seed=0)
    with pytest.raises(ValueError, match="must consist of registered layers .* got Mine"):
        model.save(tmp_path / "model.npz")
    monkeypatch.setitem(layers.LAYERS, "Mine", Mine)
    model.save(tmp_path / "model.npz")
    assert type(load(tmp_path / "model.npz").layers[0].cell) is Mine
    monkeypatch.delitem(layers.LAYERS, "Mine")
    with pytest.raises(ValueError, match="has the layer 'Mine', which is not known here"):
        load(tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MixedMemory(3), TypeError, "`cell` must be a layer such as LTC.*, got int"),
        (lambda: MixedMemory(Dense(2, input_dim=2)), ValueError, "`cell` must be a causal layer with a state"),
        (lambda: MixedMemory(LSTM(2, input_dim=2)), ValueError, "and without an LSTM's, got LSTM"),
        (
            lambda: MixedMemory(CfC(2, input_dim=2), "tf"),
            ValueError,
            "`topology` must be one of 'torch', 'keras', got 'tf'",
        ),
        (
            lambda: MixedMemory(CfC(2, input_dim=2), forget_bias=None),
            TypeError,
            "`forget_bias` must be a finite number",
        ),
        (
            lambda: MixedMemory(CfC(2, input_dim=2), input_dim=3),
            ValueError,
            "`input_dim` must be the cell's 2 .* got 3",
        ),
        (
            lambda: MixedMemory(CfC(2, input_dim=2), "keras", input_dim=0),
            ValueError,
            "`input_dim` must be an int >= 1, got 0",
        ),
        (lambda: LTCRNN(AutoNCP(8, 2), 3, mixed_memory=1), TypeError, '`mixed_memory` must be a bool, "torch"'),
        (
            lambda: LTCRNN(AutoNCP(8, 2), mixed_memory="keras"),
            ValueError,
            "`input_dim` must be given, since MixedMemory",
        ),
        (lambda: LTCRNN(8, 3, mixed_memory=True), TypeError, "`wiring` must be a Wiring"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
