"""Wirings: what one holds, immutable, always built the same, equal by content."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from support.texts import summary
from support.wirings import BUILT, EDGES, RECIPES, SENSORY_EDGES, arrays, hand_made, name_of, with_gains

from ltc_np.wirings import NCP, AutoNCP, FullyConnected, NotBuiltError, Random, RandomWiring, Wiring


def test_hand_made_wiring():
    wiring = hand_made()
    assert wiring.pre.tolist() == [1, 2, 0, 2, 3, 2]
    assert wiring.post.tolist() == [0, 0, 2, 2, 2, 3]
    assert wiring.polarity.tolist() == [1, 1, -1, -1, 1, 1]
    assert wiring.gain is None and wiring.sensory_gain is None
    assert wiring.erev.tolist() == wiring.polarity.tolist()
    assert wiring.sensory_pre.tolist() == [1, 0, 1]
    assert wiring.sensory_post.tolist() == [1, 3, 3]
    assert wiring.sensory_polarity.tolist() == [1, 1, -1]
    assert (wiring.units, wiring.output_dim, wiring.input_dim, wiring.is_built) == (4, 2, 3, True)
    assert wiring.adjacency_matrix.tolist() == [[0, 0, -1, 0], [1, 0, 0, 0], [1, 0, -1, 1], [0, 0, 1, 0]]
    assert wiring.sensory_adjacency_matrix.tolist() == [[0, 0, 0, 1], [0, 1, 0, -1], [0, 0, 0, 0]]


@pytest.mark.parametrize("wiring", BUILT, ids=name_of)
def test_dense_views_are_copies(wiring):
    N, S = wiring.units, wiring.synapse_count
    values = np.arange(1, S + 1)
    matrix = wiring.dense(values)
    assert matrix.shape == (N, N) and matrix.dtype == values.dtype
    assert matrix[wiring.pre, wiring.post].tolist() == values.tolist()
    assert np.count_nonzero(matrix) == S
    sensory = wiring.sensory_dense(np.full(wiring.sensory_synapse_count, 0.5, dtype=np.float32))
    assert sensory.shape == (wiring.input_dim, N) and sensory.dtype == np.float32
    assert sensory.sum() == 0.5 * wiring.sensory_synapse_count
    np.testing.assert_array_equal(wiring.dense(wiring.erev), wiring.erev_initializer())
    np.testing.assert_array_equal(wiring.sensory_dense(wiring.sensory_erev), wiring.sensory_erev_initializer())
    before = wiring.adjacency_matrix
    for copied in (wiring.adjacency_matrix, wiring.erev_initializer(), wiring.sensory_adjacency_matrix):
        copied[:] = 7
    np.testing.assert_array_equal(wiring.adjacency_matrix, before)
    assert wiring in BUILT


def test_from_matrix_reverses_the_matrices():
    for wiring in (hand_made(), with_gains()):
        again = Wiring.from_matrix(wiring.adjacency_matrix, wiring.sensory_adjacency_matrix, wiring.output_dim)
        assert again == wiring
    integers = Wiring.from_matrix(np.array([[0, 1], [-1, 0]], dtype=np.int8), [[1, 1]])
    assert integers.polarity.tolist() == [-1, 1] and integers.gain is None


def test_layers():
    assert NCP(5, 4, 3, 2, 2, 3, 2).layers == (
        ("inter", (7, 8, 9, 10, 11)),
        ("command", (3, 4, 5, 6)),
        ("motor", (0, 1, 2)),
    )
    assert FullyConnected(3, 1).layers == (("recurrent", (0, 1, 2)),)
    with pytest.raises(ValueError, match=r"`layer_id` must be an int in 0..2, got 3"):
        AutoNCP(16, 4).get_neurons_of_layer(3)
    with pytest.raises(ValueError, match=r"`neuron_id` must be an int in 0..2, got -1"):
        FullyConnected(3).get_type_of_neuron(-1)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: RandomWiring(2, 2, 8, seed),
        lambda seed: FullyConnected(9, erev_init_seed=seed).build(2),
        # Not sparser: an input must reach every motor neuron whatever is drawn, or `build` warns.
        lambda seed: Random(9, sparsity_level=0.2, random_seed=seed).build(2),
        lambda seed: AutoNCP(16, 4, seed=seed).build(3),
    ],
)
def test_no_seed_draws_one_and_keeps_it(make):
    first, second = make(None), make(None)
    assert first != second  # 32 random bits: a false alarm once in 4e9 runs
    seed = next(value for name, value in first.arguments.items() if "seed" in name)
    assert f"seed={seed}" in repr(first) and make(seed) == first


@pytest.mark.parametrize("wiring", RECIPES + BUILT, ids=name_of)
def test_attributes_cannot_be_set(wiring):
    for name in ("units", "input_dim", "pre", "polarity", "layers", "anything"):
        with pytest.raises(AttributeError, match=f"immutable, `{name}`"):
            setattr(wiring, name, 3)
    with pytest.raises(AttributeError, match="immutable, `units`"):
        del wiring.units
    wiring.arguments["units"] = 99
    assert wiring.arguments.get("units") != 99


@pytest.mark.parametrize(
    "twin",
    [lambda w: w, copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))],
    ids=["itself", "copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("wiring", RECIPES + BUILT, ids=name_of)
def test_copies_are_equal_and_read_only(wiring, twin):
    twin = twin(wiring)
    assert twin == wiring and hash(twin) == hash(wiring)
    assert type(twin) is type(wiring) and repr(twin) == repr(wiring) and twin.layers == wiring.layers
    if twin.is_built:
        for name, array in arrays(twin).items():
            np.testing.assert_array_equal(array, getattr(wiring, name))
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_build_is_always_the_same(recipe):
    before = repr(recipe)
    first, other, second = recipe.build(3), recipe.build(5), recipe.build(3)
    assert not recipe.is_built and recipe.input_dim is None and repr(recipe) == before
    assert first is not recipe and first.is_built and first.input_dim == 3
    assert first == second and first != other and first != recipe
    assert {name: array.tolist() for name, array in arrays(first).items()} == {
        name: array.tolist() for name, array in arrays(second).items()
    }
    assert first.build(3) == first and first.build(5) == other and other.build(3) == first
    assert first.build(np.int32(3)) == first


def test_given_synapses_fix_the_inputs():
    assert hand_made().build(3) == hand_made()
    with pytest.raises(ValueError, match=r"`input_dim` must be 3, .*got 4"):
        hand_made().build(4)
    assert RandomWiring(2, 2, 8, 1).build(2) == RandomWiring(2, 2, 8, 1)
    with pytest.raises(ValueError, match=r"`input_dim` must be 2, .*got 3"):
        RandomWiring(2, 2, 8, 1).build(3)
    with pytest.raises(ValueError, match="from_edges"):
        Wiring(4).build(2)


@pytest.mark.parametrize("recipe", [*RECIPES, Wiring(3)], ids=name_of)
def test_unbuilt_attributes_name_build(recipe):
    recurrent = isinstance(recipe, (FullyConnected, Random))
    names = ("pre", "post", "polarity", "gain", "erev", "synapse_count", "adjacency_matrix")
    for name in names:
        assert hasattr(recipe, name) == recurrent
        assert not hasattr(recipe, "sensory_" + name)
        with pytest.raises(NotBuiltError, match=rf"`sensory_{name}` of .*build\(input_dim\)"):
            getattr(recipe, "sensory_" + name)
    with pytest.raises(AttributeError, match=r"`sensory_dense` of .*build"):
        recipe.sensory_dense([1.0])
    with pytest.raises(AttributeError, match="build"):
        recipe.sensory_erev_initializer()


def test_recurrent_synapses_do_not_depend_on_inputs():
    for recipe in RECIPES[:3]:
        np.testing.assert_array_equal(recipe.adjacency_matrix, recipe.build(4).adjacency_matrix)


def test_unreached_motor_neurons_warn_once():
    with pytest.warns(UserWarning, match=r"no input reaches the motor neurons \[0, 2\]") as caught:
        wiring = Wiring.from_edges(4, [(0, 0, 1), (0, 2, 1), (3, 1, 1)], [(0, 3, 1)], output_dim=3)
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"motor neurons \[0, 1, 2\]") as caught:
        Random(3, sparsity_level=0.99).build(2).build(1)
    assert [warning.filename for warning in caught] == [__file__] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wiring.build(1) == wiring
        assert Wiring.from_state(wiring.state()) == pickle.loads(pickle.dumps(wiring)) == wiring
        # A chain: each motor neuron is reached over all the others.
        Wiring.from_edges(5, [(4, 3, 1), (3, 2, -1), (2, 1, 1), (1, 0, 1)], [(0, 4, 1)])
        AutoNCP(16, 4).build(1)


def test_equality_is_by_content():
    assert FullyConnected(5, 2) == FullyConnected(5, output_dim=2) and FullyConnected(5) == FullyConnected(5, 5)
    assert FullyConnected(5, 2) != FullyConnected(5, 3) != Random(5, 3)
    assert AutoNCP(16, 4).build(3) != AutoNCP(16, 4, seed=1).build(3)
    assert hand_made() == Wiring.from_edges(4, EDGES[::-1], iter(SENSORY_EDGES), output_dim=2, input_dim=3)
    changed = [(pre, post, -polarity) for pre, post, polarity in EDGES]
    assert hand_made() != Wiring.from_edges(4, changed, SENSORY_EDGES, output_dim=2, input_dim=3)
    assert hand_made() != Wiring.from_edges(4, EDGES, SENSORY_EDGES, output_dim=2, input_dim=2)
    assert hand_made() != 5 and hand_made() is not None
    assert len({wiring.build(2) for wiring in RECIPES for _ in range(2)}) == len(RECIPES)


def test_repr():
    assert repr(AutoNCP(16, 2)) == "AutoNCP(units=16, output_size=2, sparsity_level=0.5, seed=22222)"
    assert repr(AutoNCP(16, 2).build(3)).endswith("seed=22222).build(3)")
    assert repr(RandomWiring(2, 1, 8, 5)) == "RandomWiring(input_dim=2, output_dim=1, neuron_count=8, seed=5)"
    assert repr(hand_made()) == "Wiring.from_edges(units=4, edges=<6>, sensory_edges=<3>, output_dim=2, input_dim=3)"
    for wiring in RECIPES + BUILT[:6]:
        assert eval(repr(wiring)) == wiring


def test_summary():
    assert summary(hand_made()).splitlines() == [
        "Wiring.from_edges(units=4, edges=<6>, sensory_edges=<3>, output_dim=2, input_dim=3)",
        "neurons   4: 2 inter, 2 motor",
        "inputs    3",
        "synapses  6 recurrent (37.5% of dense), 3 sensory (25.0% of dense)",
        "polarity  6 excitatory, 3 inhibitory",
        "fan-in    1 to 3 synapses per neuron",
    ]
    assert summary(AutoNCP(16, 4)).splitlines()[1:] == [
        "neurons   16: 8 inter, 4 command, 4 motor",
        "inputs    not known before build(input_dim)",
    ]
