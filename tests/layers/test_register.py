"""Registering a layer of one's own."""

import numpy as np
import pytest

from ltc_np import LSTM, LTC, Dense, from_config, register
from ltc_np.cells import CELLS
from ltc_np.layers import LAYERS


def one(name, *bases, **members):
    """A new class."""
    return type(name, bases or (Dense,), {"__module__": __name__, **members})


def test_layers_and_cells(registry):
    layer, cell = one("Mine"), one("MyLSTM", LSTM)
    assert register(layer) is layer
    assert register(cell) is cell
    assert LAYERS["Mine"] is layer
    assert LAYERS["MyLSTM"] is CELLS["MyLSTM"] is cell
    assert "Mine" not in CELLS


def test_a_wired_cell_with_settings_of_its_own(registry):
    cell = register(one("MyLTC", LTC))
    model = from_config({"cell": "my-ltc", "units": 4, "input_dim": 2, "solver": "exponential", "ode_unfolds": 2})
    assert type(model.layers[0]) is cell
    assert (model.layers[0].solver, model.layers[0].ode_unfolds, model.config.solver) == (
        "exponential",
        2,
        "exponential",
    )
    assert model(np.zeros((1, 2, 2))).shape == (1, 2, 4)
    with pytest.raises(ValueError, match="`solver` must be one of"):
        from_config({"cell": "MyLTC", "units": 4, "input_dim": 2, "solver": "nothing"})


@pytest.mark.parametrize("known", [LSTM, LTC, Dense])
def test_what_has_a_name_already(known, registry):
    before = dict(LAYERS)
    assert register(known) is known
    with pytest.raises(ValueError, match=f"`cls` must have a name that no other layer has, got '{known.__name__}'"):
        register(one(known.__name__))
    assert before == LAYERS


def test_a_class_that_is_defined_again_takes_the_place(registry):
    register(one("Mine"))
    again = register(one("Mine"))
    assert LAYERS["Mine"] is again
    with pytest.raises(ValueError, match=f"got 'Mine', which is {__name__}'s"):
        register(one("Mine", __module__="elsewhere"))


@pytest.mark.parametrize("wrong", [Dense(1, input_dim=2), object, dict, "Dense", None, 3])
def test_what_is_no_class_of_a_layer(wrong, registry):
    with pytest.raises(TypeError, match="`cls` must be a class derived from Layer, got "):
        register(wrong)


def test_words_of_the_library_keep_their_meaning(registry):
    """Case does not matter in configurations, but what is registered does not take the library's words."""
    mine, node = register(one("ltc", LSTM)), register(one("NODE", LSTM))
    register(one("MyODE", CELLS["NeuralODE"]))
    made = {cell: type(from_config({"cell": cell, "units": 2, "input_dim": 1}).layers[-1]) for cell in (
        "LTC", "ltc", "Ltc", "NODE", "node",
    )}  # fmt: skip
    assert made == {"LTC": LTC, "ltc": mine, "Ltc": LTC, "NODE": node, "node": CELLS["NeuralODE"]}
