"""Wirings are saved whole."""

import pickle

import numpy as np
import pytest
from support.texts import summary
from support.wirings import BUILT, RECIPES, hand_made, in_layers, name_of, through_npz

from ltc_np.wirings import AutoNCP, FullyConnected, RandomWiring, Wiring


def forbid_randomness(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a random generator was started")

    for name in ("default_rng", "RandomState", "SeedSequence"):
        monkeypatch.setattr(np.random, name, refuse)


@pytest.mark.parametrize("wiring", RECIPES + BUILT, ids=name_of)
def test_state_round_trip_draws_nothing(wiring, monkeypatch):
    state = wiring.state()
    assert all(type(value) in (str, int, np.ndarray) for value in state.values())
    assert state["repr"] == repr(wiring)
    forbid_randomness(monkeypatch)
    for stored in (state, through_npz(state)):
        again = Wiring.from_state(stored)
        assert again == wiring and type(again) is type(wiring)
        assert repr(again) == repr(wiring) and again.layers == wiring.layers and again.input_dim == wiring.input_dim
    assert type(wiring).from_state(state) == wiring
    monkeypatch.undo()
    if type(wiring) not in (Wiring, RandomWiring):
        assert again.build(6) == wiring.build(6)


def test_stored_synapses_win_over_the_seed():
    """What a file holds is used even if this numpy would draw something else."""
    wiring = FullyConnected(4, 2).build(2)
    state = wiring.state()
    state["value"] *= -1
    again = Wiring.from_state(state)
    np.testing.assert_array_equal(again.polarity, -wiring.polarity)
    assert again != wiring and repr(again) == repr(wiring)


class Ring(Wiring):
    """A user's wiring: each neuron drives the next, each input the first ones."""

    def __init__(self, units, gain=1.0):
        layers = [("ring", range(1, units)), ("motor", [0])]
        super().__init__(units, 1, arguments={"units": units, "gain": gain}, layers=layers)

    def _draw(self, input_dim):
        around = np.arange(self.units)
        recurrent = around, (around + 1) % self.units, np.full(self.units, self.arguments["gain"])
        inputs = None if input_dim is None else np.arange(input_dim)
        return recurrent, None if input_dim is None else (inputs, inputs % self.units, np.ones(input_dim))


def test_subclass_of_a_user():
    ring = Ring(5, gain=-0.5).build(3)
    assert repr(ring) == "Ring(units=5, gain=-0.5).build(3)"
    assert ring.gain.tolist() == [0.5] * 5 and ring.polarity.tolist() == [-1] * 5
    assert [ring.get_type_of_neuron(i) for i in range(5)] == ["motor", "ring", "ring", "ring", "ring"]
    assert "5: 1 motor, 4 ring" in summary(ring)
    assert pickle.loads(pickle.dumps(ring)) == ring
    again = Wiring.from_state(through_npz(ring.state()))
    assert type(again) is Ring and again == ring and again.build(2) == Ring(5, gain=-0.5).build(2)


def test_layers_of_a_wiring_made_from_edges():
    """They are part of it: of its equality, its state, and of the same wiring made from matrices."""
    wiring, plain = in_layers(), hand_made()
    assert wiring.layers == (("first", (3, 2)), ("motor", (0, 1)))
    assert wiring != plain and (wiring.adjacency_matrix == plain.adjacency_matrix).all()
    matrices = wiring.adjacency_matrix, wiring.sensory_adjacency_matrix
    assert Wiring.from_matrix(*matrices, 2, wiring.layers) == wiring
    assert Wiring.from_state(wiring.state()) == pickle.loads(pickle.dumps(wiring)) == wiring
    assert wiring.get_type_of_neuron(2) == "first"
    with pytest.raises(ValueError, match=r"`layers` must hold each of the neurons 0\.\.3 once"):
        Wiring.from_matrix(*matrices, 2, [("first", [3]), ("motor", [0, 1])])


def test_state_of_a_class_that_is_not_here():
    state = Ring(5).build(3).state()
    state["class"] = "Elsewhere"
    wiring = Wiring.from_state(state)
    assert type(wiring) is Wiring and wiring.layers == Ring(5).layers
    assert repr(wiring) == "Elsewhere(units=5, gain=1.0).build(3)"
    assert Wiring.from_state(wiring.state()) == pickle.loads(pickle.dumps(wiring)) == wiring
    with pytest.raises(ValueError, match="`input_dim` must be 3"):
        wiring.build(2)
    unbuilt = Ring(5).state() | {"class": "Elsewhere"}
    with pytest.raises(ValueError, match="class 'Elsewhere' is not defined here"):
        Wiring.from_state(unbuilt)


STATE = AutoNCP(16, 4).build(3).state()


DAMAGE = [
    ({"class": "FullyConnected"}, "has no argument `output_size`"),
    ({"class": "Wiring"}, "has no argument `output_size`"),
    ({"class": 5}, "class 5"),
    ({"arguments": "{"}, "Expecting"),
    ({"arguments": "[]"}, ""),
    ({"arguments": "[" * 100000}, "recursion"),
    ({"arguments": STATE["arguments"].replace("16", "17")}, "do not fit"),
    ({"arguments": STATE["arguments"].replace("0.5", "5")}, "`sparsity_level` must be a finite number in"),
    ({"layers": "[]"}, "do not fit"),
    ({"layers": STATE["layers"].replace("inter", "outer")}, "do not fit"),
    ({"class": "Elsewhere", "layers": STATE["layers"].replace("15", "14")}, "each of the neurons"),
    ({"class": "Elsewhere", "layers": "5"}, ""),
    ({"class": "Elsewhere", "units": 4}, ""),
    ({"class": "Elsewhere", "arguments": "[]"}, ""),
    ({"class": "Elsewhere", "arguments": "7"}, ""),
    ({"units": 15}, "do not fit"),
    ({"output_dim": 5}, "do not fit"),
    ({"input_dim": 2}, "`sensory_pre` must hold ids in 0..1, got 2"),
    ({"input_dim": -1}, "`input_dim` must be an int >= 1, got -1"),
    ({"input_dim": 3.0}, "`input_dim` must be an int .*, got 3.0"),
    ({"input_dim": np.arange(3)}, ""),
    ({"pre": STATE["pre"][:-1]}, r"`post` must have shape \(27,\), got \(28,\)"),
    ({"pre": STATE["pre"].astype(float)}, "`pre` must hold integers, got dtype float64"),
    ({"pre": STATE["pre"] + 9}, "`pre` must hold ids in 0..15"),
    ({"pre": STATE["pre"] - 9}, "`pre` must hold ids in 0..15, got -"),
    ({"post": np.zeros_like(STATE["post"])}, "twice"),
    ({"post": STATE["post"][:, None]}, r"`post` must have shape \(28,\), got \(28, 1\)"),
    ({"value": STATE["value"] * 0}, "`polarity` must be finite and not 0, got -?0.0"),
    ({"value": STATE["value"] * np.nan}, "`polarity` must be finite and not 0, got nan"),
    ({"value": STATE["value"] > 0}, "`polarity` must hold real numbers, got dtype bool"),
    ({"value": STATE["value"].astype(object)}, "`polarity` must hold real numbers, got dtype object"),
    ({"sensory_erev": STATE["sensory_erev"] * np.inf}, "`sensory_erev` must be finite, got"),
    ({"sensory_value": 1.0}, r"`sensory_polarity` must have shape \(13,\), got \(\)"),
]


@pytest.mark.parametrize("damage, message", DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_state(damage, message):
    assert Wiring.from_state(STATE) == AutoNCP(16, 4).build(3)
    with pytest.raises(ValueError, match=rf"`state` must describe a Wiring: .*{message}"):
        Wiring.from_state(STATE | damage)


@pytest.mark.parametrize("key", [key for key in STATE if key != "repr"])
def test_state_with_a_key_missing(key):
    with pytest.raises(ValueError, match=f"`state` must have the key '{key}'"):
        Wiring.from_state({name: value for name, value in STATE.items() if name != key})


def test_state_of_something_else():
    with pytest.raises(ValueError, match="`state` must describe a FullyConnected"):
        FullyConnected.from_state(STATE)
    with pytest.raises(ValueError, match="`state` must describe a Wiring"):
        Wiring.from_state(5)
    with pytest.raises(ValueError, match="do not fit RandomWiring"):
        Wiring.from_state(RandomWiring(2, 2, 8, 1).state() | {"input_dim": 0})
