"""The GRU: against PyTorch (golden/make_torch_gru.py); what it shares with other gate cells is in test_gates.py."""

import numpy as np
import pytest
from support import golden

from ltc_np import GRU, Adam, Model
from ltc_np.recipe import Recipe


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", ["plain", "square", "one_step", "long"])
def test_equal_to_pytorch(case, dtype, backend):
    file = golden.read("torch_gru", case)
    N, I = file["h0"].shape[1], file["x"].shape[2]
    model = Model(GRU(N, input_dim=I), seed=0, dtype=dtype, backend=backend)
    model.params["w_x"], model.params["w_h"] = file["weight_ih"].T, file["weight_hh"].T
    model.params["b"] = file["bias_ih"] + np.concatenate([file["bias_hh"][: 2 * N], np.zeros(N)])
    model.params["b_hn"] = file["bias_hh"][2 * N :]
    y, state = model(file["x"], h0=file["h0"], return_state=True)
    outputs, gradients = golden.tolerances(dtype)
    assert np.abs(y - file["y"]).max() <= outputs
    assert np.abs(state - file["hT"]).max() <= outputs
    _, tape = model.forward(file["x"], h0=file["h0"])
    g = model.backward(tape, file["a"], file["b"])
    d = model.views(g.theta)
    found = {
        "weight_ih": d["w_x"].T,
        "weight_hh": d["w_h"].T,
        "bias_ih": d["b"],
        "bias_hh": np.concatenate([d["b"][: 2 * N], d["b_hn"]]),
        "x": g.x,
        "h0": g.h0,
    }
    golden.check(found, {name: file[f"d_{name}"] for name in found}, gradients)


def test_a_closed_update_gate_keeps_the_state(backend):
    """z is 1 to the last digit: the state does not move, whatever the input."""
    model = Model(
        GRU(5, input_dim=2, init={"b": np.repeat([0.0, 60.0, 0.0], 5)}), seed=0, dtype="float64", backend=backend
    )
    h0 = np.random.default_rng(0).normal(size=(3, 5))
    y = model(np.random.default_rng(1).normal(size=(3, 40, 2)), h0=h0)
    np.testing.assert_allclose(y, np.repeat(h0[:, None], 40, 1), rtol=1e-14)


def test_initial_values():
    p = Model(GRU(6, input_dim=3), seed=0, dtype="float64").params
    np.testing.assert_allclose(p["w_h"] @ p["w_h"].T, np.eye(6), atol=1e-14)
    assert 0.4 < np.abs(p["w_x"]).max() <= np.sqrt(6 / (3 + 18))
    assert (p["b"] == 0).all()
    assert (p["b_hn"] == 0).all()
    assert (Model(GRU(6, input_dim=3, init={"b_hn": 0.5}), seed=0).params["b_hn"] == 0.5).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"units": 0}, ValueError, "`units` must be an int >= 1, got 0"),
        ({"decay": "yes"}, TypeError, "`decay` must be a bool, got 'yes'"),
        ({"input_dim": 2.0}, TypeError, "`input_dim` must be an int >= 1, got 2.0"),
        ({"init": {"w": 1.0}}, ValueError, "`init` has an unknown parameter 'w'; there are w_x, w_h, b, b_hn"),
        ({"init": {"b_hn": np.zeros(3)}}, ValueError, r"`init\['b_hn'\]` must be .* shape \(5,\), got shape \(3,\)"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        GRU(**({"units": 5, "input_dim": 2} | arguments))


def test_a_state_fades_over_elapsed_time(backend):
    """With a closed gate, so that nothing else acts: exactly, and whatever the steps are; a rate of 0 keeps all."""
    init = {"b": np.repeat([0.0, 60.0, 0.0], 5), "rate": [0.0, 0.1, 0.5, 1.0, 2.0]}
    model = Model(GRU(5, input_dim=2, decay=True, init=init), seed=0, dtype="float64", backend=backend)
    rng = np.random.default_rng(0)
    h0, dt = rng.normal(size=(3, 5)), rng.uniform(0, 2, (3, 40))
    y = model(rng.normal(size=(3, 40, 2)), dt=dt, h0=h0)
    faded = h0[:, None] * np.exp(-dt.cumsum(1)[:, :, None] * np.array(init["rate"]))
    np.testing.assert_allclose(y, faded, rtol=1e-12, atol=1e-15)


def test_rates_at_first():
    rates = Model(GRU(5, input_dim=2, decay=True), seed=0, dtype="float64").params["rate"]
    np.testing.assert_allclose(rates, [1, 10**-0.5, 0.1, 10**-1.5, 0.01], rtol=1e-12)
    by_recipe = Recipe(cell="gru_decay", units=3, standardize=False).model(
        2, 1, steps=50, duration=100.0, every_step=True, numbers=True, dtype="float64"
    )
    np.testing.assert_allclose(by_recipe.params["0.rate"], [0.5, 50**-0.5 / 2, 0.01], rtol=1e-12)
    assert by_recipe.takes_dt and not Model(GRU(5, input_dim=2), seed=0).takes_dt


def test_no_rate_becomes_negative():
    """Then a state would grow without end: the optimiser puts it back to 0, where nothing fades."""
    model = Model(GRU(3, input_dim=1, decay=True), seed=0)
    model.params["rate"] = -1.0
    Adam(0.01).step(model, np.zeros_like(model.theta))
    assert (model.params["rate"] == 0).all()


def test_it_has_no_time():
    with pytest.raises(ValueError, match="`dt` must be left out"):
        Model(GRU(5, input_dim=2), seed=0)(np.zeros((3, 4, 2)), dt=1.0)
