"""CfC and WiredCfC: every convention against plain loops, dropout, wirings, bits."""

import math

import numpy as np
import pytest
from support.gradients import worst

import ltc_np
from ltc_np import (
    NCP,
    AdamW,
    AutoNCP,
    CfC,
    CfCRNN,
    Checkpoint,
    Dense,
    FullyConnected,
    Model,
    Random,
    WiredCfC,
    Wiring,
    gradcheck,
    load,
)
from ltc_np.base import activations, blas
from ltc_np.cells import cfc_sweep
from ltc_np.cells.cfc import BACKBONE_ACTIVATIONS, MODES
from ltc_np.cells.cfc_sweep import BLOCK
from ltc_np.cells.cfc_variants import CONVENTIONS as VARIANTS

F = {
    "relu": lambda z: max(z, 0.0),
    "silu": lambda z: z / (1 + math.exp(-z)),
    "tanh": math.tanh,
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "lecun_tanh": lambda z: 1.7159 * math.tanh(0.666 * z),
}


def logistic(z):
    return 1 / (1 + math.exp(-z))


def new_state(mode, variant, dt, h, f, w_tau, a):
    """The new state of one neuron from its heads ``f(name)``: the table of the docstring of CfC, in numbers."""
    if mode == "pure" and variant == "paper":
        return a + (h - a) * math.exp(-dt * (abs(w_tau) + logistic(f("ff1")))) * logistic(-f("ff1"))
    if mode == "pure":
        return a - a * math.exp(-dt * (abs(w_tau) + abs(f("ff1")))) * f("ff1")
    g1, g2 = f("ff1"), f("ff2")
    if variant == "tf":
        g1, g2 = F["lecun_tanh"](g1), F["lecun_tanh"](g2)
    elif variant != "keras":
        g1, g2 = math.tanh(g1), math.tanh(g2)
    if variant == "torch":
        s = logistic(f("time_a") * dt + f("time_b"))
    elif variant in ("keras", "tf"):
        s = logistic(-f("time_a") * dt + f("time_b"))
    else:
        s = logistic(-f("time_a") * dt)
    return g1 * (1 - s) + s * g2 if mode == "default" else g1 + s * g2


def loop_dense(layer, p, x, dt, lengths, h0):
    """Outputs and last states by loops over numbers."""
    (B, T, _), N = x.shape, layer.units
    y, last = np.zeros((B, T, N)), h0.copy()
    for b in range(B):
        h = list(h0[b])
        for t in range(lengths[b]):
            u = [*x[b, t], *h]
            for k in range(layer.backbone_layers):
                w, bias = p[f"backbone_w{k}"], p[f"backbone_b{k}"]
                u = [
                    F[layer.backbone_activation](sum(v * w[j, i] for j, v in enumerate(u)) + bias[i])
                    for i in range(layer.backbone_units)
                ]

            def head(name, i, u=u):
                return sum(v * p[name + "_w"][j, i] for j, v in enumerate(u)) + p[name + "_b"][i]

            h = [
                new_state(
                    layer.mode, layer.variant, dt[b, t], h[i], lambda name, i=i: head(name, i),
                    p["w_tau"][i] if layer.mode == "pure" else 0, p["a"][i] if layer.mode == "pure" else 0,
                )
                for i in range(N)
            ]  # fmt: skip
            y[b, t] = h
        last[b] = h
    return y, last


def data(B, T, I, N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, I)), rng.choice([0.0, 0.3, 1.0, 2.5], (B, T)), rng.normal(size=(B, N))


def randomise(model, seed=1):
    model.theta = np.random.default_rng(seed).normal(0, 0.7, model.theta.size)


@pytest.mark.parametrize(("mode", "variant"), [(m, v) for m in MODES for v in VARIANTS])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_every_convention_is_its_equations(mode, variant, layers, backend):
    # Traps: B == N, N a vector and a bit, one step, sequences of length 0.
    for B, T, I, N in ((3, 4, 2, 5), (4, 2, 3, 4), (2, 1, 5, 17)):
        activation = BACKBONE_ACTIVATIONS[(layers + N) % 5]
        layer = CfC(
            N,
            input_dim=I,
            mode=mode,
            variant=variant,
            backbone_layers=layers,
            backbone_units=9,
            backbone_activation=activation,
        )
        model = Model(layer, dtype="float64", backend=backend, seed=0)
        randomise(model)
        x, dt, h0 = data(B, T, I, N)
        lengths = np.array([T, 0, max(T - 1, 1), 1])[:B]
        y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
        expected, last = loop_dense(layer, model.params, x, dt, lengths, h0)
        np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)  # pure states grow: relative
        np.testing.assert_allclose(state, last, rtol=1e-11, atol=1e-12)
        assert (state[1] == h0[1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("activation", BACKBONE_ACTIVATIONS)
@pytest.mark.parametrize(
    ("mode", "variant"),
    [("default", "torch"), ("no_gate", "keras"), ("pure", "paper"), ("default", "tf"), ("no_gate", "tf")],
)
def test_gradients_of_every_activation(activation, mode, variant, backend):
    layer = CfC(
        5, input_dim=2, mode=mode, variant=variant, backbone_units=7, backbone_layers=2, backbone_activation=activation,
        init={"w_tau": (0.2, 1.0)} if mode == "pure" else None,
    )  # fmt: skip
    x, dt, _ = data(3, 4, 2, 5)
    assert worst(Model(layer, seed=3, dtype="float64", backend=backend), x, dt=dt, lengths=[4, 0, 2]) < 1e-6


@pytest.mark.parametrize("memory", ["full", "low"])
def test_gradient_along_a_direction_at_a_realistic_size(memory, backend):
    """Several blocks, several chunks, vectors and their rests."""
    B, T, I, N = 2 * BLOCK + 3, 45, 3, 21
    layer = CfC(N, input_dim=I, backbone_units=35)
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt, h0 = data(B, T, I, N)
    lengths = np.random.default_rng(0).integers(0, T + 1, B)
    lengths[:BLOCK] = 0
    lengths[-1] = T
    assert gradcheck.direction(model, x, dt=dt, lengths=lengths, h0=h0) < 1e-6
    y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0, memory=memory)
    full = model.forward(x, dt=dt, lengths=lengths, h0=h0)[1]
    d_y = np.cos(y)
    a, b, again = (model.backward(t, d_y, h0) for t in (tape, full, tape))
    for name in ("theta", "x", "h0", "dt"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
        assert np.array_equal(getattr(a, name), getattr(again, name))
    assert (a.h0[:BLOCK] == h0[:BLOCK]).all()
    assert (a.x[:BLOCK] == 0).all()


@pytest.mark.parametrize(
    "mode, variant, layers", [("default", "torch", 1), ("no_gate", "tf", 2), ("default", "paper", 0)]
)
def test_the_adjoint_of_equal_steps_is_that_of_any(mode, variant, layers, backend, monkeypatch):
    """Two of the heads have one adjoint where all steps take the same time."""
    B, T, I, N = BLOCK + 3, 9, 2, 5
    model = Model(
        CfC(N, input_dim=I, mode=mode, variant=variant, backbone_units=7, backbone_layers=layers),
        seed=0, dtype="float64", backend=backend,
    )  # fmt: skip
    randomise(model)
    x, _, h0 = data(B, T, I, N)
    lengths = np.full(B, T)
    lengths[1] = T - 2
    assert gradcheck.direction(model, x, dt=0.7, lengths=lengths, h0=h0) < 1e-6
    y, tape = model.forward(x, dt=0.7, lengths=lengths, h0=h0)
    joined = model.backward(tape, np.cos(y))
    monkeypatch.setattr(cfc_sweep, "_common_time", lambda *_: None)
    apart = model.backward(tape, np.cos(y))
    for name in ("theta", "x", "h0", "dt"):
        a, b = getattr(joined, name), getattr(apart, name)
        assert np.abs(a - b).max() <= 1e-13 * np.abs(b).max()  # 300 sums of float64
    assert not np.array_equal(joined.theta, apart.theta)  # there are two ways


# -------------------------------------------------------------------------------------- initial values, checks


def test_initial_values():
    model = CfCRNN(30, input_dim=6, backbone_units=50, seed=0, dtype="float64")
    p = model.params
    assert list(p) == [
        "backbone_w0", "backbone_b0", "ff1_w", "ff1_b", "ff2_w", "ff2_b", "time_a_w", "time_a_b", "time_b_w", "time_b_b"
    ]  # fmt: skip
    for name, rows, columns in (("backbone_w0", 36, 50), ("ff2_w", 50, 30)):
        assert p[name].shape == (rows, columns)
        limit = math.sqrt(6 / (rows + columns))
        assert 0.98 * limit < np.abs(p[name]).max() < limit
    assert 0.5 / math.sqrt(50) < np.abs(p["time_a_b"]).max() < 1 / math.sqrt(50)
    for variant in VARIANTS:  # TensorFlow's layers start without biases
        dense = CfCRNN(5, input_dim=2, variant=variant, seed=0, dtype="float64").params
        wired = CfCRNN(AutoNCP(8, 2), input_dim=2, variant=variant, seed=0, dtype="float64").params
        biases = [values for p in (dense, wired) for name, values in p.items() if name.rstrip("0").endswith("_b")]
        assert len(biases) == (13 if variant == "paper" else 17)
        assert all((values == 0).all() == (variant in ("keras", "tf")) for values in biases)
    assert "time_b_w" not in CfCRNN(3, input_dim=2, variant="paper").params
    pure = CfCRNN(5, input_dim=2, mode="pure", seed=0, dtype="float64")
    assert (pure.params["a"] == 1).all()
    assert (pure.params["w_tau"] == 0).all()
    x = np.ones((2, 3, 2))
    assert pure.views(pure.loss_and_grad(x, np.ones((2, 3, 5)))[1])["w_tau"].all()  # it can leave 0
    assert (CfCRNN(3, input_dim=2, init={"ff1_w": 0.25}, seed=0).params["ff1_w"] == 0.25).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"units": 0, "input_dim": 2}, {}), "`units` must be an int >= 1, got 0"),
        (({"units": 3, "input_dim": 2.5}, {}), "`input_dim` must be an int >= 1"),
        (
            ({"units": 3, "input_dim": 2}, {"mode": "gate"}),
            "`mode` must be one of 'default', 'no_gate', 'pure', got 'gate'",
        ),
        (
            ({"units": 3, "input_dim": 2}, {"variant": None}),
            "`variant` must be one of 'torch', 'keras', 'tf', 'paper', got None",
        ),
        (({"units": 3, "input_dim": 2}, {"backbone_layers": -1}), "`backbone_layers` must be an int >= 0"),
        (({"units": 3, "input_dim": 2}, {"backbone_activation": "sigmoid"}), "`backbone_activation` must be one of"),
        (
            ({"units": 3, "input_dim": 2}, {"backbone_dropout": 1.0}),
            "`backbone_dropout` must be a finite number in [0, 1), got 1.0",
        ),
        (
            ({"units": 3, "input_dim": 2}, {"backbone_dropout": 0.1}),
            "`backbone_dropout` acts after backbone layers (from the second on",
        ),
        (
            ({"units": 3, "input_dim": 2}, {"backbone_dropout": 0.1, "backbone_layers": 0, "variant": "keras"}),
            "and there is none",
        ),
        (
            ({"units": 3, "input_dim": 2}, {"init": {"w": 1}}),
            "`init` has an unknown parameter 'w'; there are backbone_w0",
        ),
        (({"units": 3, "input_dim": 2}, {"init": [1]}), "`init` must be a dict from parameter names, got [1]"),
        (
            ({"units": 3, "input_dim": 2}, {"init": {"ff1_b": np.zeros(2)}}),
            "`init['ff1_b']` must be a (low, high) tuple",
        ),
    ],
)
def test_arguments_are_checked(arguments, message):
    sizes, options = arguments
    with pytest.raises((ValueError, TypeError)) as error:
        CfC(**sizes, **options)
    assert str(error.value).startswith(message) or message in str(error.value)
    assert "\n" not in str(error.value)


def test_arguments_of_wired_cells_are_checked():
    for call, message in (
        (lambda: WiredCfC(3, input_dim=2), "`wiring` must be a Wiring such as"),
        (lambda: Model(WiredCfC(AutoNCP(8, 2))), "`input_dim` must be given"),
        (lambda: WiredCfC(AutoNCP(8, 2).build(3), input_dim=2), "`input_dim` must agree with the 3"),
        (lambda: WiredCfC(AutoNCP(8, 2), input_dim=2, strict=1), "`strict` must be a bool"),
        (lambda: CfCRNN(AutoNCP(8, 2), input_dim=2, proj_size=0), "`proj_size` must be an int >= 1"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()


# ------------------------------------------------------------------------------------------------- dropout


def dropping(variant="keras", rate=0.4, layers=1, **options):
    layer = CfC(6, input_dim=3, variant=variant, backbone_units=40, backbone_layers=layers, backbone_dropout=rate)
    return Model(layer, seed=0, **options)


def test_dropout_statistics_and_scale():
    B, T, H, rate = 50, 20, 40, 0.3
    rng = np.random.Generator(np.random.Philox(0))
    masks = ltc_np.cells.cfc.dropout_masks(rng, rate, range(1, 3), (B, T, 3), H, np.dtype("float32"))
    assert list(masks) == [1, 2]
    for mask in masks.values():
        assert mask.shape == (T, B, H)
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.7)}
        # 40,000 draws: their mean is within 5 standard deviations of what it should be, for each axis too
        assert abs((mask == 0).mean() - rate) < 5 * math.sqrt(0.21 / mask.size)
        for axis in ((1, 2), (0, 2), (0, 1)):
            means = (mask == 0).mean(axis)
            assert np.abs(means - rate).max() < 6 * math.sqrt(0.21 * means.size / mask.size)
    assert not np.array_equal(masks[1], masks[2])


def test_every_sequence_drops_its_own(backend):
    """Also where the batch is worked on in blocks: equal sequences give as many outputs."""
    n = 2 * BLOCK
    model = dropping(rate=0.5, dtype="float64", backend=backend)
    x = np.repeat(data(1, 3, 3, 6)[0], n, axis=0)
    y = model.forward(x, dropout_seed=1)[0]
    assert len(np.unique(y[:, -1], axis=0)) == n


def test_only_training_drops_and_the_seed_decides(backend):
    model = dropping(dtype="float64", backend=backend)
    x, dt, _ = data(5, 4, 3, 6)
    plain = model(x, dt=dt)
    assert np.array_equal(model.forward(x, dt=dt)[0], plain)
    one, two, other = (model.forward(x, dt=dt, dropout_seed=s)[0] for s in ((1, 2), (1, 2), (1, 3)))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, plain)
    assert np.array_equal(model.forward(x, dt=dt, dropout_seed=7)[0], model.forward(x, dt=dt, dropout_seed=(7,))[0])
    assert not np.array_equal(
        model.forward(x, dt=dt, dropout_seed=1)[0], model.forward(x, dt=dt, dropout_seed=(1, 0))[0]
    )
    loss = model.loss_and_grad(x, plain, dt=dt)[0]
    assert loss == 0 < model.loss_and_grad(x, plain, dt=dt, dropout_seed=1)[0]
    for bad in (-1, 1.0, (1, "a"), [1]):
        with pytest.raises((ValueError, TypeError), match="`dropout_seed` must be an int >= 0"):
            model.forward(x, dt=dt, dropout_seed=bad)


@pytest.mark.compiled
def test_masks_are_the_same_on_both_backends():
    x, dt, _ = data(40, 4, 3, 6)
    a, b = (dropping(dtype="float64", backend=name).forward(x, dt=dt, dropout_seed=3)[0] for name in ("numpy", "cpu"))
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("memory", ["full", "low"])
@pytest.mark.parametrize(("variant", "layers"), [("keras", 1), ("torch", 2), ("paper", 2), ("tf", 2)])
def test_gradients_with_frozen_dropout(variant, layers, memory, backend):
    model = dropping(variant, layers=layers, dtype="float64", backend=backend)
    x, dt, h0 = data(3, 4, 3, 6)
    rng = np.random.default_rng(0)
    c, way = rng.normal(size=(3, 4, 6)), rng.normal(size=model.theta.size)
    theta = model.theta.copy()

    def f(step):
        model.theta = theta + step * way
        return float((c * model.forward(x, dt=dt, h0=h0, dropout_seed=5)[0]).sum())

    _, tape = model.forward(x, dt=dt, h0=h0, memory=memory, dropout_seed=5)
    slope = model.backward(tape, c).theta @ way
    numeric = (f(1e-6) - f(-1e-6)) / 2e-6
    assert abs(slope - numeric) < 1e-7 * abs(numeric)


def test_torch_drops_after_the_second_layer_only():
    layer = CfC(6, input_dim=3, backbone_layers=3, backbone_dropout=0.5)
    assert list(layer.dropped) == [1, 2]
    for variant in ("keras", "tf", "paper"):
        assert list(CfC(6, input_dim=3, variant=variant, backbone_layers=2, backbone_dropout=0.5).dropped) == [0, 1]
    assert not CfC(6, input_dim=3).drops


@pytest.mark.slow
def test_every_layer_of_a_stack_draws_its_own():
    a, b = (CfC(4, input_dim=4, variant="keras", backbone_units=8, backbone_dropout=0.5) for _ in range(2))
    seen = []
    for cell in (a, b):
        vars(cell)["forward"] = lambda *args, rng, **_: (seen.append(rng.random(3)), CfC.forward(a, *args, rng=None))[1]
    Model(a, b, seed=0).forward(np.zeros((2, 3, 4)), dropout_seed=1)
    assert len(seen) == 2
    assert not np.array_equal(*seen)


@pytest.mark.single
def test_training_with_dropout_resumes_with_the_same_bits(tmp_path, backend):
    x, dt, _ = data(20, 5, 3, 6)
    y = np.tanh(x.sum(2, keepdims=True)) * np.ones(6)
    options = {"dt": dt, "batch_size": 8, "seed": 4, "verbose": False}
    whole = dropping(backend=backend)
    whole.fit(x, y, epochs=3, optimizer=AdamW(1e-2), **options)
    again = dropping(backend=backend)
    again.fit(x, y, epochs=3, optimizer=AdamW(1e-2), **options)
    assert np.array_equal(again.theta, whole.theta)
    part, path = dropping(backend=backend), tmp_path / "model.npz"
    part.fit(x, y, epochs=1, optimizer=AdamW(1e-2), callbacks=Checkpoint(path), **options)
    optimizer = AdamW(1e-2)
    part = load(path, backend=backend, optimizer=optimizer)
    part.fit(x, y, epochs=range(1, 3), optimizer=optimizer, **options)
    assert np.array_equal(part.theta, whole.theta)
    other = dropping(backend=backend)
    other.fit(x, y, epochs=3, optimizer=AdamW(1e-2), shuffle=False, **(options | {"seed": 5}))
    assert not np.array_equal(other.theta, whole.theta)


# ------------------------------------------------------------------------------------------------- wirings


def loop_wired(layer, p, x, dt, h0):
    """A strict WiredCfC by loops over neurons and their synapses."""
    wiring = layer.wiring
    order = [i for _, ids in wiring.layers for i in ids]
    rank = {i: k for k, cell in enumerate(layer.cells) for i in cell.neurons}
    dense = {name: layer.dense(name, p[name]) for name in p if name.endswith("_w")}
    (B, T, _), y = x.shape, np.zeros((*x.shape[:2], wiring.output_dim))
    last = np.zeros_like(h0)
    for b in range(B):
        h = dict(zip(order, h0[b], strict=True))
        for t in range(T):
            old, new = dict(h), {}
            for cell in layer.cells:
                width = (wiring.input_dim if cell.reads_input else 0) + sum(
                    len(layer.cells[j].neurons) for j in cell.sources
                )
                at = {i: width + n for n, i in enumerate(cell.neurons)}
                start = wiring.input_dim if cell.reads_input else 0
                for j in cell.sources:
                    at |= {i: start + n for n, i in enumerate(layer.cells[j].neurons)}
                    start += len(layer.cells[j].neurons)
                for n, i in enumerate(cell.neurons):

                    def head(name, cell=cell, n=n, i=i, at=at, x_t=x[b, t], new=new, old=old):
                        w, z = dense[f"{cell.name}_{name}_w"], p[f"{cell.name}_{name}_b"][n]
                        for k, post in zip(wiring.sensory_pre, wiring.sensory_post, strict=True):
                            z += w[k, n] * x_t[k] if post == i else 0
                        for j, post in zip(wiring.pre, wiring.post, strict=True):
                            if post == i:
                                z += w[at[j], n] * (new[j] if rank[j] < rank[i] else old[j])
                        return z

                    pure = layer.mode == "pure"
                    new[i] = new_state(
                        layer.mode, layer.variant, dt[b, t], old[i], head,
                        p[f"{cell.name}_w_tau"][n] if pure else 0, p[f"{cell.name}_a"][n] if pure else 0,
                    )  # fmt: skip
            h = new
            y[b, t] = [h[i] for i in range(wiring.output_dim)]
        last[b] = [h[i] for i in order]
    return y, last


class Skips(Wiring):
    """Three layers with synapses within a layer, across one, and (``back``) from the last to the first."""

    def __init__(self, back=False):
        super().__init__(
            6, 2, arguments={"back": back}, layers=[("inter", (5, 4)), ("command", (2, 3)), ("motor", (0, 1))]
        )

    def _draw(self, input_dim):
        edges = [(5, 4), (4, 2), (5, 3), (5, 0), (2, 3), (3, 1), (2, 0), (1, 1)] + self.arguments["back"] * [(2, 5)]
        sensory = [(0, 5), (1, 4), (1, 3), (0, 0)]
        return tuple(([j for j, _ in e], [i for _, i in e], [1.0] * len(e)) for e in (edges, sensory))


STRICT = [
    (AutoNCP(9, 2), "default"), (NCP(4, 3, 2, 2, 2, 3, 2), "no_gate"), (Random(5, 3, 0.6), "default"),
    (Skips(), "pure"), (Skips(back=True), "default"),
]  # fmt: skip


@pytest.mark.few(1)
@pytest.mark.parametrize(("wiring", "mode"), STRICT)
@pytest.mark.parametrize("variant", VARIANTS)
def test_strict_is_the_sum_over_synapses(wiring, mode, variant, backend):
    layer = WiredCfC(wiring, input_dim=2, mode=mode, variant=variant, strict=True)
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    randomise(model)
    heads = 1 if mode == "pure" else 3 if variant == "paper" else 4
    synapses = layer.wiring.synapse_count + layer.wiring.sensory_synapse_count
    constants = layer.wiring.units * (3 if mode == "pure" else heads)
    assert layer.layout.size == heads * synapses + constants  # no weight without a synapse
    x, dt, h0 = data(3, 4, 2, layer.state_size)
    y, state = model(x, dt=dt, h0=h0, return_state=True)
    expected, last = loop_wired(layer, model.params, x, dt, h0)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(state, last, rtol=1e-11, atol=1e-12)
    if layer.smooth:
        assert max(gradcheck.check(model, x, dt=dt, h0=h0, lengths=[4, 0, 2]).values()) < 1e-6


@pytest.mark.few(1)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_of_layers_that_read_the_input_and_others(variant, backend):
    """It asks for no gradient of the input, which yet takes its columns among what a layer reads."""
    layer = WiredCfC(Skips(), input_dim=2, variant=variant, strict=True)
    assert [(cell.reads_input, cell.sources) for cell in layer.cells] == [(True, []), (True, [0]), (True, [0, 1])]
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    randomise(model)
    x, dt, _ = data(3, 4, 2, layer.state_size)
    target, lengths = np.random.default_rng(2).normal(size=(3, 4, 2)), [4, 0, 2]
    _, gradient = model.loss_and_grad(x, target, dt=dt, lengths=lengths)
    y, tape = model.forward(x, dt=dt, lengths=lengths)
    d_y = 2 * (y - target) / (6 * 2)  # 6 steps of two outputs
    np.testing.assert_allclose(gradient, model.backward(tape, d_y).theta, rtol=1e-12, atol=1e-15)
    theta, step, found = model.theta.copy(), 1e-6, []
    for k in range(theta.size):
        ends = []
        for sign in (1, -1):
            model.theta[:] = theta
            model.theta[k] += sign * step
            error = (model(x, dt=dt, lengths=lengths) - target)[[0] * 4 + [2] * 2, [0, 1, 2, 3, 0, 1]]
            ends.append((error**2).mean())
        found.append((ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(gradient, found, rtol=0, atol=1e-8)  # of a loss near 1: 1e-16 / step and step**2


def test_layers_joined_by_a_synapse_back():
    assert [cell.name for cell in WiredCfC(Skips(), input_dim=2, strict=True).cells] == ["inter", "command", "motor"]
    layer = WiredCfC(Skips(back=True), input_dim=2, strict=True)
    assert [cell.name for cell in layer.cells] == ["inter_command", "motor"]
    assert layer.state_slices == {"inter": slice(0, 2), "command": slice(2, 4), "motor": slice(4, 6)}


@pytest.mark.parametrize(("wiring", "mode"), STRICT)
def test_strict_outputs_depend_on_wired_paths_only(wiring, mode, backend):
    """One step: a neuron moves with exactly the inputs and states that a path within the step leads from."""
    layer = WiredCfC(wiring, input_dim=2, mode=mode, strict=True)
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    randomise(model)
    built, N = layer.wiring, layer.state_size
    rank = {i: k for k, cell in enumerate(layer.cells) for i in cell.neurons}
    sees_x, sees_h = np.zeros((2, N), bool), np.zeros((N, N), bool)  # [source, neuron], by id
    for cell in layer.cells:
        for i in cell.neurons:
            sees_x[built.sensory_pre[built.sensory_post == i], i] = True
            for j in built.pre[built.post == i]:
                if rank[j] < rank[i]:
                    sees_x[:, i] |= sees_x[:, j]
                    sees_h[:, i] |= sees_h[:, j]
                else:
                    sees_h[j, i] = True
    order = [i for _, ids in built.layers for i in ids]
    x, _, h0 = data(1, 1, 2, N)
    before = model(x, dt=0.7, h0=h0, return_state=True)[1][0]
    for k in range(2):
        moved = x.copy()
        moved[0, 0, k] += 1
        after = model(moved, dt=0.7, h0=h0, return_state=True)[1][0]
        assert np.array_equal(after != before, sees_x[k, order])
    for at, j in enumerate(order):
        moved = h0.copy()
        moved[0, at] += 1
        after = model(x, dt=0.7, h0=moved, return_state=True)[1][0]
        assert np.array_equal(after != before, sees_h[j, order])


def test_wired_sizes_states_and_outputs():
    layer = WiredCfC(AutoNCP(16, 4), input_dim=3)
    sizes = {name: len(ids) for name, ids in layer.wiring.layers}
    assert {name: s.stop - s.start for name, s in layer.state_slices.items()} == sizes
    assert list(layer.state_slices) == ["inter", "command", "motor"]
    model = Model(layer, seed=0)
    y, state = model(np.ones((2, 3, 3)), return_state=True)
    assert np.array_equal(y[:, -1], state[:, layer.state_slices["motor"]])
    # Where ncps gives all neurons, and fails with a readout.
    model = CfCRNN(FullyConnected(8, 3), input_dim=2, seed=0)
    y, state = model(np.ones((2, 3, 2)), return_state=True)
    assert np.array_equal(y[:, -1], state[:, :3])
    assert CfCRNN(FullyConnected(8, 3), input_dim=2, proj_size=5, seed=0)(np.ones((2, 3, 2))).shape == (2, 3, 5)


def test_dense_shows_the_mask():
    layer = WiredCfC(AutoNCP(9, 2), input_dim=2)
    p = Model(layer, seed=0).params
    inter = layer.cells[0].neurons
    matrix = layer.dense("inter_ff1_w", p["inter_ff1_w"])
    assert np.array_equal(matrix[:2] != 0, layer.wiring.sensory_adjacency_matrix[:, inter] != 0)
    assert (matrix[2:] != 0).all()  # as in ncps
    assert p["inter_time_a_w"].shape == matrix.shape
    with pytest.raises(ValueError, match="`name` must be a weight such as inter_ff1_w, got 'inter_ff1_b'"):
        layer.dense("inter_ff1_b", 0)


def test_wirings_that_cannot_be_run_are_refused():
    class Odd(Wiring):
        def __init__(self, layers):
            super().__init__(3, 1, arguments={}, layers=layers)

        def _draw(self, input_dim):
            return ([0], [1], [1.0]), ([0], [0], [1.0])

    with pytest.raises(ValueError, match="`wiring` must have its motor neurons in its last layer"):
        WiredCfC(Odd([("a", (0, 1)), ("b", (2,))]), input_dim=1)
    with pytest.raises(ValueError, match="`wiring` must have layers with different names, got 'a' twice"):
        WiredCfC(Odd([("a", (2, 1)), ("a", (0,))]), input_dim=1)


@pytest.mark.parametrize(
    "model",
    [
        CfCRNN(5, input_dim=2, mode="pure", variant="paper", backbone_layers=2, backbone_dropout=0.2, seed=0),
        CfCRNN(AutoNCP(9, 2), input_dim=2, proj_size=3, strict=True, seed=0),
        Model(CfC(4, input_dim=2, init={"ff1_b": 0.5}), Dense(3, "gelu"), seed=0),
    ],
)
def test_files(tmp_path, model):
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    assert np.array_equal(again(x), model(x))


# ------------------------------------------------------------------------------------ activations, BLAS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_cdf_and_gelu(dtype, backend):
    z = np.concatenate([np.linspace(-40, 40, 4001), [0.0, 1e-30, -1e-30, 1e18, -1e18]]).astype(dtype)
    exact = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in z.astype(np.float64)])
    error = 2.1e-7 if dtype == "float32" else 2.3e-16
    cdf = activations.normal_cdf(z)
    assert cdf.dtype == dtype
    assert np.abs(cdf - exact).max() <= error
    assert np.abs(activations.gelu(z) - z * exact).max() <= error * np.abs(z * exact).max()
    assert np.isnan(activations.gelu(np.array([np.nan], dtype)))
    activate = ltc_np.kernels.load(backend, "cfc").activate
    u, d_u = z.reshape(1, -1).copy(), np.empty((1, z.size), dtype)
    activate(BACKBONE_ACTIVATIONS.index("gelu"), u, np.zeros(z.size, dtype), np.zeros((0, z.size), dtype), d_u, True)
    few = np.abs(z) < 1e3  # beyond, errors are relative
    assert np.abs(u[0] - z * exact)[few].max() <= 40 * error
    density = np.exp(-0.5 * np.minimum(np.abs(z.astype(np.float64)), 1e9) ** 2) / math.sqrt(2 * math.pi)
    assert np.abs(d_u[0] - (exact + z * density)).max() <= 3 * error


@pytest.mark.parametrize("activation", ["gelu", "lecun_tanh"])
def test_dense_with_the_new_activations(activation, backend):
    model = Model(Dense(4, activation, input_dim=3), seed=0, dtype="float64", backend=backend)
    x = data(2, 3, 3, 1)[0]
    z = x @ model.params["weight"] + model.params["bias"]
    np.testing.assert_allclose(model(x), np.vectorize(F[activation])(z), rtol=1e-14, atol=1e-15)
    assert max(gradcheck.check(model, x).values()) < 1e-6


def test_the_threads_of_blas_come_back():
    if blas._openblas is None:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    get, *_ = blas._openblas
    before = get()
    with blas.one_thread(), blas.one_thread():
        assert get() == 1
    assert get() == before
    with pytest.raises(KeyError), blas.one_thread():
        raise KeyError
    assert get() == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_closed_gates_pass_nothing_on_after_very_long_times(dtype, backend):
    """The kernels' sigmoid is never 0; times dt that would be a gradient."""
    model = CfCRNN(16, input_dim=3, seed=1, dtype=dtype, backend=backend)
    x = np.random.default_rng(0).normal(size=(3, 4, 3))
    y, tape = model.forward(x, dt=1e17)
    assert (model.views(model.backward(tape, np.ones_like(y)).theta)["time_a_w"] == 0).all()
    silu = CfCRNN(
        4,
        input_dim=3,
        seed=1,
        dtype=dtype,
        backend=backend,
        variant="keras",
        mode="no_gate",
        backbone_activation="silu",
    )
    silu.params["backbone_b0"] = -1e15
    silu.params["ff1_b"] = silu.params["ff2_b"] = 0.0
    assert (silu(x) == 0).all()
