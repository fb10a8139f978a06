"""Initial values by the argument ``init``: matrices with a gain."""

import numpy as np
import pytest

from ltc_np import (
    CTGRU,
    CTRNN,
    GRU,
    LSTM,
    LTC,
    AutoNCP,
    CfC,
    Dense,
    FullyConnected,
    Model,
    NeuralODE,
    SpikingLIF,
    WiredCfC,
    load,
)
from ltc_np.cells import initial

CELLS = {
    "LSTM": (LSTM, "w_x", "w_h"),
    "GRU": (GRU, "w_x", "w_h"),
    "CTGRU": (CTGRU, "w_x", "w_h"),
    "CTRNN": (CTRNN, "w_x", "w_h"),
    "NeuralODE": (NeuralODE, "w_x", "w_h"),
    "CfC": (lambda units, input_dim, **options: CfC(units, input_dim=input_dim, **options), "ff1_w", "ff2_w"),
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_gain_multiplies_the_draw(cell, tmp_path):
    """Powers of two, so that products are exact; what is drawn later is drawn as before."""
    make, uniform, other = CELLS[cell]
    plain = Model(make(5, input_dim=3), seed=0, dtype="float64")
    layer = make(5, input_dim=3, init={uniform: ("glorot", 0.5), other: ("orthogonal", 0.25)})
    model = Model(layer, seed=0, dtype="float64")
    np.testing.assert_array_equal(model.params[uniform], 0.5 * plain.params[uniform])
    matrix = model.params[other]
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(short @ short.T, 0.25**2 * np.eye(len(short)), rtol=0, atol=1e-15)
    if cell != "CfC":  # whose matrices are all uniform
        for name in set(plain.params) - {uniform}:
            np.testing.assert_array_equal(model.params[name], plain.params[name] * (0.25 if name == other else 1))
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz").layers[0]
    assert again == layer != make(5, input_dim=3, init={uniform: ("glorot", 0.5), other: ("orthogonal", 0.5)})
    assert again.layout == layer.layout and repr(again) == repr(layer)
    assert Model(again, seed=0, dtype="float64").theta.tobytes() == model.theta.tobytes()


def test_glorot_has_its_range():
    limit = 3 * (6 / (200 + 300)) ** 0.5
    values = Model(GRU(100, input_dim=200, init={"w_x": ("glorot", 3)}), seed=0).params["w_x"]
    assert 0.999 * limit < np.abs(values).max() <= limit  # of 60,000 draws
    assert initial.glorot(200, 300) == (-limit / 3, limit / 3)


def test_a_readout_may_begin_small(tmp_path):
    """Also where its inputs are inferred."""
    plain, small = (
        Model(LSTM(4, input_dim=3), Dense(2, init=init), seed=0)
        for init in (None, {"weight": ("glorot", 0.125), "bias": 1})
    )
    np.testing.assert_array_equal(small.params["1.weight"], 0.125 * plain.params["1.weight"])
    assert (small.params["1.bias"] == 1).all() and repr(plain.layers[1]) == "Dense(2, input_dim=4)"
    small.save(tmp_path / "m.npz")
    assert load(tmp_path / "m.npz").layers[1] == small.layers[1] != plain.layers[1]
    with pytest.raises(ValueError, match="`init` has an unknown parameter 'w'; there are weight, bias"):
        Dense(2, input_dim=3, init={"w": 1.0})


def test_matrices_of_spiking_and_wired_cells():
    spiking = Model(SpikingLIF(4, input_dim=6, init={"w_x": ("orthogonal", 2.0)}), seed=0, dtype="float64").params[
        "w_x"
    ]
    np.testing.assert_allclose(spiking.T @ spiking, 4 * np.eye(4), rtol=0, atol=1e-14)
    wired = WiredCfC(FullyConnected(4), input_dim=3, init={"recurrent_time_a_w": ("glorot", 0.5)})
    plain = Model(WiredCfC(FullyConnected(4), input_dim=3), seed=0, dtype="float64").params["recurrent_time_a_w"]
    np.testing.assert_array_equal(Model(wired, seed=0, dtype="float64").params["recurrent_time_a_w"], 0.5 * plain)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: LSTM(5, input_dim=3, init={"w_h": ("orthogonl", 1)}),
            ValueError,
            "one of 'orthogonal', 'glorot', got 'orthogonl'",
        ),
        (lambda: LSTM(5, input_dim=3, init={"w_h": ("glorot", 0)}), ValueError, "a finite number > 0, got 0"),
        (lambda: LSTM(5, input_dim=3, init={"w_h": ("glorot", "1")}), TypeError, "a finite number > 0, got '1'"),
        (
            lambda: LSTM(5, input_dim=3, init={"b": ("glorot", 1)}),
            ValueError,
            "a range, a number or an array, got .*for matrices",
        ),
        (
            lambda: LTC(AutoNCP(8, 2), input_dim=3, init={"w": ("orthogonal", 1)}),
            ValueError,
            "a range, .* got .*for matrices",
        ),
        (
            lambda: LSTM(5, input_dim=3, init={"w_h": "orthogonal"}),
            TypeError,
            r".*, \('orthogonal' or 'glorot', gain\) or an array",
        ),
        (
            lambda: LSTM(5, input_dim=3, init={"w_h": ("orthogonal", 1, 2)}),
            ValueError,
            r"\(low, high\) with low <= high",
        ),
    ],
)
def test_what_is_no_draw_is_refused(make, error, words):
    with pytest.raises(error, match=rf"`init\['\w+'\]` must be {words}"):
        make()
