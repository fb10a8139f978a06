"""The LSTM: against PyTorch (golden/make_torch_lstm.py), a loop of one's own, finite differences, threads, padding."""

import pathlib

import numpy as np
import pytest

from ltc_np import LSTM, Adam, Dense, Model, gradcheck, load, set_num_threads
from ltc_np.cells import gates

FILE = pathlib.Path(__file__).parent / "golden" / "torch_lstm.npz"
CASES = ("plain", "square", "one_step", "long")


def read(case):
    with np.load(FILE) as file:
        return {name.split("/")[1]: file[name] for name in file.files if name.startswith(case + "/")}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_pytorch(case, dtype, backend):
    golden = read(case)
    N, I = golden["h0"].shape[1], golden["x"].shape[2]
    model = Model(LSTM(N, I), seed=0, dtype=dtype, backend=backend)
    model.params["w_x"], model.params["w_h"] = golden["weight_ih"].T, golden["weight_hh"].T
    model.params["b"] = golden["bias_ih"] + golden["bias_hh"]
    h0 = np.concatenate([golden["h0"], golden["c0"]], axis=1)
    y, state = model(golden["x"], h0=h0, return_state=True)
    # The files hold float64: what is left in float64 is the order of sums.
    outputs, gradients = (1e-5, 1e-4) if dtype == "float32" else (1e-13, 1e-12)
    assert np.abs(y - golden["y"]).max() <= outputs
    assert np.abs(state - np.concatenate([golden["hT"], golden["cT"]], axis=1)).max() <= outputs
    _, tape = model.forward(golden["x"], h0=h0)
    g = model.backward(tape, golden["a"], np.concatenate([golden["b"], golden["c"]], axis=1))
    d = model.views(g.theta)
    found = {
        "weight_ih": d["w_x"].T,
        "weight_hh": d["w_h"].T,
        "bias_ih": d["b"],
        "bias_hh": d["b"],
        "x": g.x,
        "h0": g.h0[:, :N],
        "c0": g.h0[:, N:],
    }
    for name, value in found.items():
        want = golden[f"d_{name}"]
        assert np.abs(value - want).max() <= gradients * np.abs(want).max(), name


def test_equations_unit_by_unit(backend):
    model = Model(LSTM(5, 2), seed=3, dtype="float64", backend=backend)
    model.theta = np.random.default_rng(0).normal(size=model.theta.size)
    p, x = model.params, np.random.default_rng(1).normal(size=(4, 2))
    h, c = np.zeros(5), np.zeros(5)
    for x_t in x:
        new_h, new_c = np.empty(5), np.empty(5)
        for n in range(5):
            z = [x_t @ p["w_x"][:, k] + h @ p["w_h"][:, k] + p["b"][k] for k in (n, 5 + n, 10 + n, 15 + n)]
            new_c[n] = sigmoid(z[1]) * c[n] + sigmoid(z[0]) * np.tanh(z[2])
            new_h[n] = sigmoid(z[3]) * np.tanh(new_c[n])
        h, c = new_h, new_c
    y, state = model(x, return_state=True)
    np.testing.assert_allclose(y[-1], h, rtol=0, atol=1e-14)
    np.testing.assert_allclose(state, np.concatenate([h, c]), rtol=0, atol=1e-14)


def test_initial_values():
    p = Model(LSTM(6, 3, forget_bias=2.0), seed=0, dtype="float64").params
    np.testing.assert_allclose(p["w_h"] @ p["w_h"].T, np.eye(6), atol=1e-14)
    assert np.abs(p["w_x"]).max() <= np.sqrt(6 / (3 + 24))
    assert np.abs(p["w_x"]).max() > 0.4
    assert p["b"].tolist() == [0] * 6 + [2] * 6 + [0] * 12
    assert (Model(LSTM(6, 3, init={"b": 0.5}), seed=0).params["b"] == 0.5).all()


def test_orthogonal_draws_are_uniform():
    """QR without the sign of R would give a first entry that is never positive."""
    rng = np.random.default_rng(0)
    first = [gates.orthogonal(rng, (3, 3))[0, 0] for _ in range(200)]
    assert 70 < np.sum(np.array(first) > 0) < 130  # 100 +- 4 standard deviations


@pytest.mark.parametrize(("B", "T", "I", "N"), [(3, 4, 2, 5), (5, 4, 2, 5), (4, 4, 3, 5), (3, 4, 5, 5), (2, 1, 3, 4)])
def test_gradients(B, T, I, N, backend):
    rng = np.random.default_rng(B + T)
    model = Model(LSTM(N, I), seed=1, dtype="float64", backend=backend)
    model.theta = rng.normal(size=model.theta.size)
    lengths = rng.integers(0, T + 1, B)
    lengths[1] = T
    errors = gradcheck.check(model, rng.normal(size=(B, T, I)), lengths=lengths)
    assert max(errors.values()) < 1e-6, errors


def test_gradient_along_a_direction_at_a_realistic_size():
    model = Model(LSTM(40, 3), Dense(40, 2), seed=1, dtype="float64")
    x = np.random.default_rng(0).normal(size=(64, 30, 3))
    lengths = np.random.default_rng(1).integers(0, 31, 64)
    assert gradcheck.direction(model, x, lengths=lengths) < 1e-6


@pytest.mark.parametrize("N", [16, 19])
def test_backends_agree_in_float32(N):
    rng = np.random.default_rng(0)
    x, lengths = rng.normal(size=(33, 50, 3)), rng.integers(0, 51, 33)
    slow, fast = (Model(LSTM(N, 3), seed=0, backend=b) for b in ("numpy", "cpu"))
    y, tape = slow.forward(x, lengths=lengths)
    y_fast, tape_fast = fast.forward(x, lengths=lengths)
    assert np.abs(y - y_fast).max() < 1e-5
    a, b = slow.backward(tape, np.cos(y)), fast.backward(tape_fast, np.cos(y))
    for name in ("theta", "x", "h0"):
        want = getattr(a, name)
        assert np.abs(getattr(b, name) - want).max() < 1e-5 * np.abs(want).max(), name


def test_the_same_bits_for_every_number_of_threads(backend):
    """The batch is cut by its size alone, and is cut here."""
    rng = np.random.default_rng(0)
    B, N = 70, 48
    assert gates.count_parts(B, 4 * N * N) == 2
    x, y, lengths = rng.normal(size=(B, 6, 3)), rng.normal(size=(B, 6, N)), rng.integers(0, 7, B)
    model, results = Model(LSTM(N, 3), seed=0, backend=backend), []
    try:
        for n in (1, 2, 5):
            set_num_threads(n)
            results.append((model(x, lengths=lengths), model.loss_and_grad(x, y, lengths=lengths)[1]))
    finally:
        set_num_threads(None)
    for outputs, gradient in results[1:]:
        assert np.array_equal(outputs, results[0][0])
        assert np.array_equal(gradient, results[0][1])


def test_parts_of_the_batch_are_the_whole():
    rng = np.random.default_rng(0)
    model = Model(LSTM(64, 3), seed=0, dtype="float64")
    x, lengths = rng.normal(size=(100, 5, 3)), rng.integers(1, 6, 100)
    y = model(x, lengths=lengths)
    for b in range(0, 100, 9):
        np.testing.assert_allclose(y[b : b + 1], model(x[b : b + 1], lengths=lengths[b : b + 1]), rtol=0, atol=1e-13)


def test_a_workspace_in_use_again_changes_nothing():
    """Training calls with alternating shapes: no array of one call may leak into the next."""
    rng = np.random.default_rng(0)
    model = Model(LSTM(5, 2), LSTM(4, 5), seed=0)
    batches = [
        (rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 4)), rng.integers(1, T + 1, B))
        for B, T in ((3, 4), (7, 2), (3, 4))
    ]
    once = [Model(LSTM(5, 2), LSTM(4, 5), seed=0).loss_and_grad(x, y, lengths=n) for x, y, n in batches]
    for _ in range(2):
        for (x, y, n), (value, gradient) in zip(batches, once, strict=True):
            again = model.loss_and_grad(x, y, lengths=n)
            assert again[0] == value
            assert np.array_equal(again[1], gradient)


def test_a_tape_may_be_used_twice(backend):
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    model = Model(LSTM(5, 2), seed=0, backend=backend)
    y, tape = model.forward(x, lengths=[4, 2, 0])
    first = model.backward(tape, y)
    y[:] = 0
    second = model.backward(tape, model(x, lengths=[4, 2, 0]))
    for name in ("theta", "x", "h0"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_it_learns_what_needs_memory(tmp_path):
    """The first of ten inputs, asked for at the end."""
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], (128, 10, 1))
    model = Model(LSTM(12, 1), Dense(12, 1), seed=0, return_sequences=False)
    model.fit(x, x[:, 0], epochs=60, optimizer=Adam(0.02), seed=0, verbose=False)
    assert model.evaluate(x, x[:, 0], metrics=["r2"])["r2"] > 0.95
    model.save(tmp_path / "lstm.npz")
    assert np.array_equal(load(tmp_path / "lstm.npz")(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be an int >= 1, got 0"),
        ({"units": 2.0}, "`units` must be an int >= 1, got 2.0"),
        ({"input_dim": True}, "`input_dim` must be an int >= 1, got True"),
        ({"forget_bias": np.inf}, "`forget_bias` must be a finite number, got inf"),
        ({"init": {"w": 1.0}}, "`init` has an unknown parameter 'w'; there are w_x, w_h, b"),
        ({"init": {"b": np.zeros(3)}}, r"`init\['b'\]` must be .* an array of shape \(20,\), got shape \(3,\)"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        LSTM(**({"units": 5, "input_dim": 2} | arguments))


def test_it_has_no_time():
    with pytest.raises(ValueError, match="`dt` must be left out"):
        Model(LSTM(5, 2), seed=0)(np.zeros((3, 4, 2)), dt=1.0)
