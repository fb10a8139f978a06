"""The LSTM: against PyTorch (golden/make_torch_lstm.py) and a loop of one's own.

What it shares with other gate cells is in test_gates.py.
"""

import numpy as np
import pytest
from support import golden

from ltc_np import LSTM, Model


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", ["plain", "square", "one_step", "long"])
def test_equal_to_pytorch(case, dtype, backend):
    file = golden.read("torch_lstm", case)
    N, I = file["h0"].shape[1], file["x"].shape[2]
    model = Model(LSTM(N, input_dim=I), seed=0, dtype=dtype, backend=backend)
    model.params["w_x"], model.params["w_h"] = file["weight_ih"].T, file["weight_hh"].T
    model.params["b"] = file["bias_ih"] + file["bias_hh"]
    h0 = np.concatenate([file["h0"], file["c0"]], axis=1)
    y, state = model(file["x"], h0=h0, return_state=True)
    outputs, gradients = golden.tolerances(dtype, (1e-13, 1e-12))
    assert np.abs(y - file["y"]).max() <= outputs
    assert np.abs(state - np.concatenate([file["hT"], file["cT"]], axis=1)).max() <= outputs
    _, tape = model.forward(file["x"], h0=h0)
    g = model.backward(tape, file["a"], np.concatenate([file["b"], file["c"]], axis=1))
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
    golden.check(found, {name: file[f"d_{name}"] for name in found}, gradients)


def test_equations_unit_by_unit(backend):
    model = Model(LSTM(5, input_dim=2), seed=3, dtype="float64", backend=backend)
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
    p = Model(LSTM(6, input_dim=3, forget_bias=2.0), seed=0, dtype="float64").params
    np.testing.assert_allclose(p["w_h"] @ p["w_h"].T, np.eye(6), atol=1e-14)
    assert np.abs(p["w_x"]).max() <= np.sqrt(6 / (3 + 24))
    assert np.abs(p["w_x"]).max() > 0.4
    assert p["b"].tolist() == [0] * 6 + [2] * 6 + [0] * 12
    assert (Model(LSTM(6, input_dim=3, init={"b": 0.5}), seed=0).params["b"] == 0.5).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"units": 0}, ValueError, "`units` must be an int >= 1, got 0"),
        ({"units": 2.0}, TypeError, "`units` must be an int >= 1, got 2.0"),
        ({"input_dim": True}, TypeError, "`input_dim` must be an int >= 1, got True"),
        ({"forget_bias": np.inf}, ValueError, "`forget_bias` must be a finite number, got inf"),
        ({"init": {"w": 1.0}}, ValueError, "`init` has an unknown parameter 'w'; there are w_x, w_h, b"),
        (
            {"init": {"b": np.zeros(3)}},
            ValueError,
            r"`init\['b'\]` must be .* an array of shape \(20,\), got shape \(3,\)",
        ),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        LSTM(**({"units": 5, "input_dim": 2} | arguments))


def test_it_has_no_time():
    with pytest.raises(ValueError, match="`dt` must be left out"):
        Model(LSTM(5, input_dim=2), seed=0)(np.zeros((3, 4, 2)), dt=1.0)
