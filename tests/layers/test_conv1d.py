"""Conv1D: against loops over steps and taps, and PyTorch; its state, and what it refuses."""

import numpy as np
import pytest
from support.golden import cases, check, read, tolerances

from ltc_np import LTC, Adam, AutoNCP, Conv1D, Dense, Ensemble, Looped, Model, Residual, kernels, load
from ltc_np.base.activations import ACTIVATIONS
from ltc_np.base.workspace import Fresh
from ltc_np.kernels.windows import Seen, Window
from ltc_np.layers.pace import thinning


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def model_of(*layers, features=3, **options):
    model = Model(*layers, input_dim=features, seed=1, **{"dtype": "float64"} | options)
    model.theta = normal(model.theta.size, seed=2)
    return model


def by_hand(model, x, past):
    """Outputs (T, O) of one sequence (T, I) behind ``past``, tap by tap."""
    layer, p = model.layers[0], model.params
    K, d, T = layer.kernel_size, layer.dilation, len(x)
    seen, y = np.concatenate([past.reshape(-1, x.shape[1]), x]), np.zeros((T, layer.outputs))
    for t in range(T):
        for k in range(K):
            now = seen[t + k * d]
            y[t] += (now * p["taps"][k]) @ p["weight"] if layer.separable else now @ p["weight"][k]
    return ACTIVATIONS[layer.activation][0](y + p["bias"])


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize(("K", "dilation", "T"), [(1, 1, 6), (3, 1, 6), (9, 1, 6), (3, 2, 6), (5, 3, 40), (2, 1, 300)])
def test_outputs_and_state_by_hand(K, dilation, T, separable, backend):
    """300 steps are several blocks of a kernel, 6 are a part of one."""
    model = model_of(Conv1D(5, K, dilation=dilation, separable=separable, activation="tanh"), backend=backend)
    x, h0, lengths = normal(4, T, 3), normal(4, model.state_size, seed=3), [T, T - 2, 1, 0]
    y, state = model(x, lengths=lengths, h0=h0, return_state=True)
    for b, n in enumerate(lengths):
        np.testing.assert_allclose(y[b, :n], by_hand(model, x[b, :n], h0[b]), rtol=0, atol=1e-13)
        assert not y[b, n:].any()
        seen = np.concatenate([h0[b].reshape(-1, 3), x[b, :n]])
        np.testing.assert_array_equal(state[b].reshape(-1, 3), seen[n:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", cases("torch_conv1d"))
def test_is_pytorchs(case, dtype, backend):
    g = read("torch_conv1d", case)
    separable, steps = "taps" in g, {name: int(g[name]) for name in ("dilation", "stride")}
    K, (I, O) = (g["taps"] if separable else g["weight"]).shape[2], g["weight"].shape[1::-1]

    def ours(of):
        """PyTorch's arrays by the names and in the order of here."""
        weight = of["weight"][:, :, 0].T if separable else of["weight"].transpose(2, 1, 0)
        return {"bias": of["bias"], "weight": weight} | ({"taps": of["taps"][:, 0].T} if separable else {})

    layer = Conv1D(O, K, separable=separable, **steps)
    model = Model(layer, input_dim=I, seed=0, dtype=dtype, backend=backend)
    for name, values in ours(g).items():
        model.params[name] = values
    y, tape = model.forward(g["x"].transpose(0, 2, 1))
    of_outputs, of_gradients = tolerances(dtype)
    check({"y": y}, {"y": g["y"].transpose(0, 2, 1)}, of_outputs)
    gradients = model.backward(tape, g["a"].transpose(0, 2, 1))
    wanted = ours({name.removeprefix("d_"): values for name, values in g.items() if name.startswith("d_")})
    found = dict(model.views(gradients.theta)) | {"x": gradients.x}
    check(found, wanted | {"x": g["d_x"].transpose(0, 2, 1)}, of_gradients)


@pytest.mark.parametrize("I", [1, 3])
def test_sorted_inputs_give_the_bits_of_those_side_by_side(I):
    """Pieces that are short are not sorted, and neither are the last windows of a sequence where these are few."""
    model = model_of(Conv1D(5, 3, dilation=4), features=I, dtype="float32", backend="cpu")
    x, h0 = normal(2, 149, I), normal(2, model.state_size, seed=3)
    whole, state, found = model(x, h0=h0), h0, []
    for piece in np.array_split(x, 8, axis=1):
        y, state = model(piece, h0=state, return_state=True)
        found.append(y)
    np.testing.assert_array_equal(np.concatenate(found, axis=1), whole)
    for b in range(2):
        np.testing.assert_allclose(whole[b], by_hand(model, x[b], h0[b]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "n"),
    [((3, 1, 1), 300), ((1, 1, 5), 7), ((4, 2, 2), 150),
     ((5, 2, 3), 300), ((3, 4, 6), 70), ((2, 3, 7), 6), ((4, 1, 2), 1), ((3, 2, 1), 300)],
)  # fmt: skip
@pytest.mark.parametrize("I", [1, 3, 17])
def test_kernels_are_the_definition(I, window, n):
    """Features that fill a vector, and that do not; inputs before x, zeros behind it; blocks, groups, one window."""
    window, found = Window(*window), []
    before, x = normal(3, 2, I), normal(3, window.spanned(n) - 1, I, seed=1)
    seen, weight, bias = Seen(before, x, 2, 1), normal(window.K, I, 8, seed=2), normal(8, seed=3)
    d_z, some = normal(3, n, 8, seed=4), min(n, 5)
    for of in (kernels.load("numpy", "convolution"), kernels.load("cpu", "convolution")):
        taps = of.Taps(window, weight, bias)
        parts, d_weight, d_bias = of.d_correlate(taps, seen, d_z, some)
        d_parts, d_each = of.d_depthwise(window, weight[..., 0], seen, np.repeat(d_z[..., :1], I, axis=2))
        u = of.depthwise(window, weight[..., 0], seen)
        z = of.correlate(taps, seen)
        arrays = z, np.concatenate(parts, 1), d_weight, d_bias, u, np.concatenate(d_parts, 1), d_each
        found.append(dict(zip(("z", "seen", "weight", "bias", "u", "seen too", "each"), arrays, strict=True)))
    check(found[1], found[0], 1e-13)
    assert found[0]["seen"].shape == (3, window.spanned(some), I)
    joined = seen.joined()
    for b, t in ((0, 0), (2, n - 1)):  # one by hand
        want = bias + sum(joined[b, t * window.stride + k * window.dilation] @ weight[k] for k in range(window.K))
        np.testing.assert_allclose(found[1]["z"][b, t], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [(3, 1, 1), (5, 2, 2)])
def test_adjoint_of_long_sequences_of_one_feature(window):
    """Their windows are cut, and neighbouring blocks read the same inputs."""
    window, n = Window(*window), 20_000
    seen, d_z, found = Seen.all_of(normal(1, window.spanned(n), 1)), normal(1, n, 2, seed=1), []
    for of in (kernels.load("numpy", "convolution"), kernels.load("cpu", "convolution")):
        parts, _, _ = of.d_correlate(of.Taps(window, normal(window.K, 1, 2, seed=2), np.zeros(2)), seen, d_z, n)
        found.append({"seen": np.concatenate(parts, 1)})
    check(found[1], found[0], 1e-13)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "dilation": 2}])
def test_calls_of_several_shapes_in_turn(options, backend):
    """What a layer finds out of a call's shape is not taken for one of another shape."""
    model = model_of(Conv1D(5, 3, **options), backend=backend)
    for B, T in ((3, 300), (3, 9), (2, 9), (3, 300)):
        x = normal(B, T, 3)
        np.testing.assert_array_equal(model(x), model_of(Conv1D(5, 3, **options), backend=backend)(x))


def test_sequences_in_pieces_and_steps_are_the_whole(backend):
    model = model_of(Conv1D(4, 3, dilation=2, activation="relu"), Conv1D(2, 4, separable=True), backend=backend)
    x = normal(2, 9, 3)
    whole, last = model(x, return_state=True)
    state, found = None, []
    for piece in (x[:, :1], x[:, 1:7], x[:, 7:]):
        y, state = model(piece, h0=state, return_state=True)
        found.append(y)
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, rtol=0, atol=1e-13)
    np.testing.assert_allclose(state, last, rtol=0, atol=1e-13)
    state = None
    for t in range(9):
        y, state = model.step(x[:, t], state=state)
        np.testing.assert_allclose(y, whole[:, t], rtol=0, atol=1e-13)


@pytest.mark.parametrize("stride", [1, 3])  # with 3 two windows read what was before, two steps after an output
@pytest.mark.parametrize("separable", [False, True])
def test_adjoint_of_the_state_alone(separable, stride, backend):
    """Without d_x the adjoint of h0 is the same: the engine asks the first layer for no other."""
    model = model_of(Conv1D(4, 3, dilation=2, separable=separable, stride=stride), backend=backend)
    (layer,), p, x = model.layers, model.effective, normal(2, 9, 3)
    prepared, dt, lengths = layer.prepare(dict(p), {}, backend), np.ones((2, 9)), np.array([9, 2])
    h0, d_h, found = normal(2, model.state_size, seed=7), normal(2, model.state_size, seed=6), []
    h0[:, 12:] = 2
    thin = thinning(layer, h0, lengths, 9) if stride > 1 else None
    for want_x in (True, False):
        y, _, saved = layer.forward(prepared, x, dt, lengths, h0, "full", Fresh(), thin)
        d_y = normal(*y.shape, seed=5)
        d_y[1, 2 if stride == 1 else 1 :] = 0
        g = {name: np.zeros(values.shape) for name, values in p.items()}
        _, d_h0, _ = layer.backward(prepared, saved, d_y, d_h, g, want_x, False, Fresh())
        found.append({"h0": d_h0} | g)
    check(found[1], found[0], 1e-13)


def test_a_separable_one_is_the_other_with_weights_that_are_products():
    one, other = model_of(Conv1D(4, 3, dilation=2, separable=True)), model_of(Conv1D(4, 3, dilation=2))
    other.params["bias"] = one.params["bias"]
    other.params["weight"] = one.params["taps"][:, :, None] * one.params["weight"]
    x = normal(2, 9, 3)
    np.testing.assert_allclose(one(x), other(x), rtol=0, atol=1e-12)
    assert one.layout.size == 3 * 3 + 3 * 4 + 4 < other.layout.size == 3 * 3 * 4 + 4


@pytest.mark.parametrize(
    ("layers", "reach"),
    [
        ((Conv1D(4, 5), Conv1D(4, 3, dilation=4)), 4 + 2 * 4),
        ((Looped(Conv1D(1, 3), times=3),), 3 * 2),
        ((Residual(Conv1D(2, 3), around=Dense(2)),), 2),
        ((Residual(Dense(2), around=Conv1D(2, 4)),), 3),
        ((Ensemble(Conv1D(2, 3), (Conv1D(1, 3), Conv1D(2, 4))),), 2 + 3),
    ],
    ids=repr,
)
def test_which_inputs_an_output_reads(layers, reach):
    """And the stack says so, by which an export is compared over enough steps."""
    model = model_of(*layers, Dense(1), features=1, backend="numpy")
    x = np.zeros((20, 1))
    before = model(x)
    x[3] = 1
    changed = np.flatnonzero(model(x) != before)
    assert changed[0] == 3 and changed[-1] == 3 + reach and model.layer_stack.reach == reach


def test_initial_values_and_decay():
    model = Model(Conv1D(64, 5), Conv1D(32, 7, separable=True), input_dim=40, seed=0)
    limits = {"0.weight": (6 / (5 * 40 + 5 * 64)) ** 0.5, "1.taps": (3 / 7) ** 0.5, "1.weight": (6 / (64 + 32)) ** 0.5}
    for name, limit in limits.items():
        assert 0.97 * limit < np.abs(model.params[name]).max() <= limit
    assert {e.name: e.decay for e in model.layers[1].layout.entries} == {"taps": True, "weight": True, "bias": False}
    assert not model.params["0.bias"].any() and not model.params["1.bias"].any()


def test_learns_what_a_filter_does(tmp_path):
    x = normal(40, 30, 2)
    taps = np.array([[0.5, -1.0], [2.0, 0.3], [-0.7, 0.1]])
    seen = np.pad(x, ((0, 0), (2, 0), (0, 0)))
    y = sum(seen[:, k : k + 30] @ taps[k] for k in range(3))[..., None]
    model = Model(Conv1D(1, 3), input_dim=2, seed=0, dtype="float64")
    model.fit(x, y, epochs=60, batch_size=10, optimizer=Adam(0.05), verbose=0)
    np.testing.assert_allclose(model.params["weight"][..., 0], taps, rtol=0, atol=1e-3)
    model.save(tmp_path / "m.npz")
    np.testing.assert_array_equal(load(tmp_path / "m.npz")(x), model(x))


def test_in_front_of_a_cell_with_elapsed_times():
    model = model_of(Conv1D(4, 3, activation="relu"), LTC(AutoNCP(8, 2)), backend="numpy")
    x, dt = normal(2, 6, 3), np.random.default_rng(4).uniform(0.1, 2, (2, 6))
    convolved = model_of(Conv1D(4, 3, activation="relu"), backend="numpy")
    cell = Model(LTC(AutoNCP(8, 2), input_dim=4), seed=0, dtype="float64", backend="numpy")
    convolved.theta, cell.theta = np.split(model.theta, [convolved.theta.size])
    np.testing.assert_allclose(model(x, dt=dt), cell(convolved(x), dt=dt), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: Conv1D(4, 0), ValueError, "`kernel_size` must be an int >= 1, got 0"),
        (lambda: Conv1D(4, 3, stride=0), ValueError, "`stride` must be an int >= 1, got 0"),
        (lambda: Conv1D(4, 3, dilation=0), ValueError, "`dilation` must be an int >= 1, got 0"),
        (lambda: Conv1D(4, 3, separable=1), TypeError, "`separable` must be"),
        (lambda: Conv1D(4, 3, activation="tan"), ValueError, "`activation` must be"),
        (lambda: Conv1D(4, 3, input_dim=2, init={"taps": 1.0}), ValueError, "unknown parameter 'taps'"),
        (lambda: Conv1D(4, 3, input_dim=2, init={"weight": ("orthogonal", 1.0)}), ValueError, "which is for matrices"),
    ],
)  # fmt: skip
def test_refused(make, kind, text):
    with pytest.raises(kind, match=text):
        make()
