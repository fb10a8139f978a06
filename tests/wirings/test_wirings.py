"""Wirings: ncps' graphs, immutable, always built the same, saved whole, strict about what they take."""

import copy
import io
import json
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import GOLDEN

from ltc_np import wirings
from ltc_np.wirings import NCP, AutoNCP, FullyConnected, NotBuiltError, Random, RandomWiring, Wiring

GRAPHS = json.loads((GOLDEN / "ncps_wirings.json").read_text())["wirings"]
SIGN = {".": 0, "+": 1, "-": -1}

RECIPES = [
    FullyConnected(5, 2),
    FullyConnected(4, self_connections=False),
    Random(7, 3, sparsity_level=0.4),
    NCP(5, 4, 3, 2, 2, 3, 2),
    AutoNCP(16, 4),
]
EDGES = [(2, 0, 1), (0, 2, -1), (3, 2, 1), (2, 2, -1), (2, 3, 1), (1, 0, 1)]
SENSORY_EDGES = [(1, 3, -1), (0, 3, 1), (1, 1, 1)]


def hand_made():
    return Wiring.from_edges(4, EDGES, SENSORY_EDGES, output_dim=2, input_dim=3)


def with_gains():
    return Wiring.from_edges(3, [(0, 1, -0.5), (1, 0, 2)], [(0, 0, 1), (0, 2, 0.25)])


BUILT = [recipe.build(3) for recipe in RECIPES] + [RandomWiring(2, 3, 5, seed=8), hand_made(), with_gains()]


def name_of(wiring):
    return repr(wiring)


def signs(rows):
    return np.array([[SIGN[entry] for entry in row] for row in rows])


def arrays(wiring):
    """All arrays of a built wiring, by name."""
    names = ("pre", "post", "polarity", "gain", "erev")
    found = {prefix + name: getattr(wiring, prefix + name) for prefix in ("", "sensory_") for name in names}
    return {name: array for name, array in found.items() if array is not None}


def through_npz(state):
    """`state` after writing and reading without pickle: texts and ints come back as 0-d arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **state)
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def forbid_randomness(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a random generator was started")

    for name in ("default_rng", "RandomState", "SeedSequence"):
        monkeypatch.setattr(np.random, name, refuse)


# ---------------------------------------------------------------------------------------------- ncps 1.0.1


def test_golden_file_covers_all_types():
    assert len(GRAPHS) >= 40
    assert {case["class"] for case in GRAPHS} == {"FullyConnected", "Random", "NCP", "AutoNCP"}


@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("case", GRAPHS, ids=lambda case: f"{case['class']}{[*case['arguments'].values()]}")
def test_equals_ncps(case):
    recipe = getattr(wirings, case["class"])(**case["arguments"])
    wiring = recipe.build(case["input_dim"])
    adjacency = signs(case["adjacency"])
    np.testing.assert_array_equal(wiring.adjacency_matrix, adjacency)
    np.testing.assert_array_equal(wiring.sensory_adjacency_matrix, signs(case["sensory_adjacency"]))
    assert wiring.synapse_count == np.count_nonzero(adjacency)
    assert (wiring.units, wiring.output_dim) == (case["units"], case["output_dim"])
    assert [wiring.get_neurons_of_layer(i) for i in range(wiring.num_layers)] == case["layers"]
    assert [wiring.get_type_of_neuron(i)[0] for i in range(wiring.units)] == list(case["types"])
    if case["unbuilt_adjacency"]:
        np.testing.assert_array_equal(recipe.adjacency_matrix, adjacency)
    else:
        assert not hasattr(recipe, "pre")


# ------------------------------------------------------------------------------------------- what one holds


@pytest.mark.parametrize("wiring", BUILT, ids=name_of)
def test_lists_are_sorted_and_typed(wiring):
    for prefix in ("", "sensory_"):
        pre, post = getattr(wiring, prefix + "pre"), getattr(wiring, prefix + "post")
        assert pre.dtype == post.dtype == np.int64
        keys = list(zip(post.tolist(), pre.tolist(), strict=True))
        assert keys == sorted(set(keys))
        polarity = getattr(wiring, prefix + "polarity")
        assert polarity.dtype == np.float64 and set(polarity) <= {-1.0, 1.0}
        assert polarity.shape == getattr(wiring, prefix + "erev").shape == pre.shape


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


def test_magnitudes_are_gains():
    wiring = with_gains()
    assert wiring.polarity.tolist() == [1, -1] and wiring.gain.tolist() == [2, 0.5]
    assert wiring.erev.tolist() == [1, -1]
    assert wiring.sensory_gain.tolist() == [1, 0.25]
    assert wiring.adjacency_matrix.tolist() == [[0, -0.5, 0], [2, 0, 0], [0, 0, 0]]
    assert wiring.erev_initializer().tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 0]]
    assert wiring.input_dim == 1 and wiring.output_dim == 3


@pytest.mark.parametrize("wiring", BUILT, ids=name_of)
def test_counts_are_ints_of_their_own_lists(wiring):
    assert type(wiring.synapse_count) is int and type(wiring.sensory_synapse_count) is int
    assert wiring.synapse_count == np.count_nonzero(wiring.adjacency_matrix) == wiring.pre.size
    assert wiring.sensory_synapse_count == np.count_nonzero(wiring.sensory_adjacency_matrix)


def test_the_two_counts_differ():
    """ncps' LTC gives the recurrent count for both (peers N3)."""
    wiring = AutoNCP(16, 4).build(3)
    assert (wiring.synapse_count, wiring.sensory_synapse_count) == (28, 13)


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


def test_random_wiring_draws_in_the_order_of_the_tutorial():
    rng = np.random.default_rng(8)
    matrices = [rng.uniform(0, 1, (5, 5)), rng.uniform(0, 1, (2, 5))]
    matrices += [rng.uniform(-0.2, 0.2, (5, 5)), rng.uniform(-0.2, 0.2, (2, 5))]
    wiring = RandomWiring(2, 3, 5, seed=8)
    assert (wiring.input_dim, wiring.output_dim, wiring.neuron_count, wiring.units) == (2, 3, 5, 5)
    assert wiring.is_built and set(wiring.polarity) == set(wiring.sensory_polarity) == {1.0}
    np.testing.assert_array_equal(wiring.adjacency_matrix, matrices[0])
    np.testing.assert_array_equal(wiring.sensory_adjacency_matrix, matrices[1])
    np.testing.assert_array_equal(wiring.erev_initializer(), matrices[2])
    np.testing.assert_array_equal(wiring.sensory_erev_initializer(), matrices[3])
    np.testing.assert_array_equal(wiring.gain, matrices[0].T.ravel())


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: RandomWiring(2, 2, 8, seed),
        lambda seed: FullyConnected(9, erev_init_seed=seed).build(2),
        lambda seed: Random(9, sparsity_level=0.5, random_seed=seed).build(2),
        lambda seed: AutoNCP(16, 4, seed=seed).build(3),
    ],
)
def test_no_seed_draws_one_and_keeps_it(make):
    first, second = make(None), make(None)
    assert first != second  # 32 random bits: a false alarm once in 4e9 runs
    seed = next(value for name, value in first.arguments.items() if "seed" in name)
    assert f"seed={seed}" in repr(first) and make(seed) == first


# ------------------------------------------------------------------------------------------- immutability


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
    "twin", [lambda w: w, copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))], ids=str
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


def test_given_arrays_are_copied():
    edges = np.array([(0, 1, 1), (1, 0, -1)])
    wiring = Wiring.from_edges(2, edges, [(0, 0, 1)])
    edges[:] = 0
    assert wiring.pre.tolist() == [1, 0]
    state = wiring.state()
    state["pre"][:] = 0
    assert wiring.pre.tolist() == [1, 0]


# ------------------------------------------------------------------------------------------------- build


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


# ----------------------------------------------------------------------------------------------- warnings


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


# ------------------------------------------------------------------------------------------------- errors

ONE = [(0, 0, 1)]
ERRORS = [
    (lambda: FullyConnected(0), ValueError, "`units` must be an int >= 1, got 0"),
    (lambda: FullyConnected(True), TypeError, "`units` must be an int .*, got True"),
    (lambda: FullyConnected(5.0), TypeError, "`units` must be an int .*, got 5.0"),
    (lambda: FullyConnected(5, 6), ValueError, "`output_dim` must be an int in 1..5, got 6"),
    (lambda: FullyConnected(5, 0), ValueError, "`output_dim` must be an int in 1..5, got 0"),
    (lambda: FullyConnected(5, erev_init_seed=-1), ValueError, "`erev_init_seed` must be .* >= 0, got -1"),
    (
        lambda: FullyConnected(5, erev_init_seed="a"),
        TypeError,
        "`erev_init_seed` must be an int .*, got 'a'",
    ),
    (
        lambda: FullyConnected(5, self_connections=1),
        TypeError,
        "`self_connections` must be a bool, got 1",
    ),
    (lambda: FullyConnected(5).build(0), ValueError, "`input_dim` must be an int >= 1, got 0"),
    (lambda: FullyConnected(5).build(2.0), TypeError, "`input_dim` must be an int .*, got 2.0"),
    (lambda: FullyConnected(5).build(True), TypeError, "`input_dim` must be an int .*, got True"),
    (
        lambda: Random(5, sparsity_level=1.0),
        ValueError,
        r"`sparsity_level` must be .* in \[0, 1\), got 1.0",
    ),
    (
        lambda: Random(5, sparsity_level=-0.1),
        ValueError,
        r"`sparsity_level` must be .* in \[0, 1\), got -0.1",
    ),
    (
        lambda: Random(5, sparsity_level=np.nan),
        ValueError,
        r"`sparsity_level` must be .* in \[0, 1\), got nan",
    ),
    (lambda: Random(5, sparsity_level=False), TypeError, "`sparsity_level` must be a finite number .*, got False"),
    (lambda: Random(5, 9), ValueError, "`output_dim` must be an int in 1..5, got 9"),
    (lambda: NCP(0, 4, 3, 2, 2, 3, 2), ValueError, "`inter_neurons` must be an int >= 1, got 0"),
    (lambda: NCP(5, 0, 3, 2, 2, 3, 2), ValueError, "`command_neurons` must be an int >= 1, got 0"),
    (lambda: NCP(5, 4, 0, 2, 2, 3, 2), ValueError, "`motor_neurons` must be an int >= 1, got 0"),
    (lambda: NCP(5, 4, 3, 6, 2, 3, 2), ValueError, "`sensory_fanout` must be an int in 0..5, got 6"),
    (lambda: NCP(5, 4, 3, 2, 5, 3, 2), ValueError, "`inter_fanout` must be an int in 0..4, got 5"),
    (lambda: NCP(5, 4, 3, 2, 2, -1, 2), ValueError, "`recurrent_command_synapses` must be .* >= 0, got -1"),
    (lambda: NCP(5, 4, 3, 2, 2, 3, 5), ValueError, "`motor_fanin` must be an int in 0..4, got 5"),
    (lambda: NCP(5, 4, 3, 2, 2, 3, 2, 2**32), ValueError, "`seed` must be an int in 0..4294967295"),
    (lambda: AutoNCP(16, 14), ValueError, "`output_size` must be an int in 1..13, got 14"),
    (lambda: AutoNCP(3, 1), ValueError, "`units` must be an int >= 4, got 3"),
    (lambda: AutoNCP(16, 4, 0.0), ValueError, r"`sparsity_level` must be .* in \[0.1, 1\], got 0.0"),
    (lambda: AutoNCP(16, 4, 1.1), ValueError, r"`sparsity_level` must be .* in \[0.1, 1\], got 1.1"),
    (lambda: AutoNCP(16, 4, seed=-3), ValueError, "`seed` must be an int >= 0, got -3"),
    (lambda: RandomWiring(0, 2, 8), ValueError, "`input_dim` must be an int >= 1, got 0"),
    (lambda: RandomWiring(2, 9, 8), ValueError, "`output_dim` must be an int in 1..8, got 9"),
    (lambda: RandomWiring(2, 2, 8.0), TypeError, "`neuron_count` must be an int .*, got 8.0"),
    (lambda: Wiring.from_edges(3, [(3, 0, 1)], ONE), ValueError, r"`pre of edges\[0\]` .* 0..2, got 3"),
    (lambda: Wiring.from_edges(3, [(0, -1, 1)], ONE), ValueError, r"`post of edges\[0\]` .* 0..2, got -1"),
    (
        lambda: Wiring.from_edges(3, ONE, [(0, 0, 1), (2, 0, 1)], input_dim=2),
        ValueError,
        r"`pre of sensory_e.*0..1",
    ),
    (
        lambda: Wiring.from_edges(3, ONE, [(0, 3, 1)]),
        ValueError,
        r"`post of sensory_edges\[0\]` .* 0..2, got 3",
    ),
    (lambda: Wiring.from_edges(3, [(0.0, 0, 1)], ONE), TypeError, "must be an int .*, got 0.0"),
    (lambda: Wiring.from_edges(3, [(0, True, 1)], ONE), TypeError, "must be an int .*, got True"),
    (lambda: Wiring.from_edges(3, [(0, 0, True)], ONE), TypeError, "`polarity of .*` must be a finite number"),
    (lambda: Wiring.from_edges(3, [(0, 0, "+")], ONE), TypeError, "`polarity of .*` must be a finite number"),
    (
        lambda: Wiring.from_edges(3, [(0, 1, 0)], ONE),
        ValueError,
        r"`polarity` .* not 0, got 0.0 for \(0, 1\)",
    ),
    (
        lambda: Wiring.from_edges(3, [(0, 0, np.nan)], ONE),
        ValueError,
        r"`polarity of edges\[0\]` must be a finite number, got nan",
    ),
    (
        lambda: Wiring.from_edges(3, ONE, [(0, 0, -np.inf)]),
        ValueError,
        r"`polarity of sensory_edges\[0\]` must be a finite number, got -inf",
    ),
    (
        lambda: Wiring.from_edges(3, [(1, 2, 1), (0, 0, 1), (1, 2, -1)], ONE),
        ValueError,
        r"once, got \(1, 2\) twice",
    ),
    (lambda: Wiring.from_edges(3, ONE, ONE + ONE), ValueError, r"each sensory_synapse .* got \(0, 0\) twice"),
    (
        lambda: Wiring.from_edges(3, [(0, 1)], ONE),
        ValueError,
        r"`edges\[0\]` must be \(pre, post, polarity\)",
    ),
    (lambda: Wiring.from_edges(3, 5, ONE), TypeError, "`edges` must be an iterable .* got 5"),
    (
        lambda: Wiring.from_edges(3, ONE, []),
        ValueError,
        "`input_dim` must be given when `sensory_edges` is empty",
    ),
    (lambda: Wiring.from_edges(0, [], ONE), ValueError, "`units` must be an int >= 1, got 0"),
    (lambda: Wiring.from_edges(3, ONE, ONE, output_dim=4), ValueError, "`output_dim` must be .* 1..3, got 4"),
    (lambda: Wiring.from_matrix(np.ones((2, 3)), np.ones((1, 3))), ValueError, r"`adjacency` .*\(2, 3\)"),
    (lambda: Wiring.from_matrix(np.ones((0, 0)), np.ones((1, 0))), ValueError, r"`adjacency` .*\(0, 0\)"),
    (
        lambda: Wiring.from_matrix(np.eye(2), np.ones((1, 3))),
        ValueError,
        r"`sensory_adjacency` .*\(I, 2\).*\(1, 3\)",
    ),
    (lambda: Wiring.from_matrix(np.eye(2), np.ones(2)), ValueError, r"`sensory_adjacency` .* got \(2,\)"),
    (lambda: Wiring.from_matrix(np.eye(2), np.ones((0, 2))), ValueError, "rows of sensory_adjacency.* got 0"),
    (
        lambda: Wiring.from_matrix(np.eye(2, dtype=bool), np.ones((1, 2))),
        TypeError,
        "`adjacency` .* dtype bool",
    ),
    (
        lambda: Wiring.from_matrix(np.eye(2) + 0j, np.ones((1, 2))),
        TypeError,
        "`adjacency` .* dtype complex128",
    ),
    (lambda: Wiring.from_matrix(np.full((2, 2), np.nan), np.ones((1, 2))), ValueError, "finite .* got nan"),
    (lambda: hand_made().dense(np.ones(5)), ValueError, r"`values` must have shape \(6,\), got \(5,\)"),
    (
        lambda: hand_made().dense(np.ones((4, 4))),
        ValueError,
        r"`values` must have shape \(6,\), got \(4, 4\)",
    ),
    (
        lambda: hand_made().sensory_dense(["a"] * 3),
        TypeError,
        "`values` must hold real numbers, got dtype <U1",
    ),
    (
        lambda: Wiring(3, layers=[("a", [0, 1])]),
        ValueError,
        "`layers` must hold each of the neurons 0..2 once",
    ),
    (lambda: Wiring(3, layers=[("a", [0, 1, 2.0])]), TypeError, "`id in layers` must be an int .*, got 2.0"),
    (lambda: Wiring(3, arguments={"a": np.eye(2)}), TypeError, "`arguments` must hold plain JSON values"),
]


@pytest.mark.parametrize("call, error, message", ERRORS, ids=range(len(ERRORS)))
def test_errors_name_argument_rule_and_value(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------- equality and text


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
    assert hand_made().summary().splitlines() == [
        "Wiring.from_edges(units=4, edges=<6>, sensory_edges=<3>, output_dim=2, input_dim=3)",
        "neurons   4: 2 inter, 2 motor",
        "inputs    3",
        "synapses  6 recurrent (37.5% of dense), 3 sensory (25.0% of dense)",
        "polarity  6 excitatory, 3 inhibitory",
        "fan-in    1 to 3 synapses per neuron",
    ]
    assert AutoNCP(16, 4).summary().splitlines()[1:] == [
        "neurons   16: 8 inter, 4 command, 4 motor",
        "inputs    not known before build(input_dim)",
    ]


# ---------------------------------------------------------------------------------------- state and files


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
    assert "5: 1 motor, 4 ring" in ring.summary()
    assert pickle.loads(pickle.dumps(ring)) == ring
    again = Wiring.from_state(through_npz(ring.state()))
    assert type(again) is Ring and again == ring and again.build(2) == Ring(5, gain=-0.5).build(2)


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
    ({"class": "FullyConnected"}, "unexpected keyword"),
    ({"class": "Wiring"}, "unexpected keyword"),
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


# ---------------------------------------------------------------------------------------- any wiring at all

VALUES = st.sampled_from([1, -1, 1.0, -1.0, 0.5, -3.25, np.float32(0.1), 1e-300])


@st.composite
def graphs(draw):
    units, inputs = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    pairs = st.tuples(st.integers(0, units - 1), st.integers(0, units - 1))
    sensory_pairs = st.tuples(st.integers(0, inputs - 1), st.integers(0, units - 1))
    edges = draw(st.dictionaries(pairs, VALUES, max_size=20))
    sensory_edges = draw(st.dictionaries(sensory_pairs, VALUES, max_size=12))
    return units, inputs, draw(st.integers(1, units)), edges, sensory_edges, draw(st.randoms())


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_any_edges(graph):
    units, inputs, output_dim, edges, sensory_edges, random = graph
    triples = [(*pair, value) for pair, value in edges.items()]
    sensory_triples = [(*pair, value) for pair, value in sensory_edges.items()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wiring = Wiring.from_edges(units, triples, sensory_triples, output_dim, inputs)

    matrix, sensory_matrix = np.zeros((units, units)), np.zeros((inputs, units))
    for full, entries in ((matrix, edges), (sensory_matrix, sensory_edges)):
        for pair, value in entries.items():
            full[pair] = value
    np.testing.assert_array_equal(wiring.adjacency_matrix, matrix)
    np.testing.assert_array_equal(wiring.sensory_adjacency_matrix, sensory_matrix)
    np.testing.assert_array_equal(wiring.erev_initializer(), np.sign(matrix))
    assert wiring.synapse_count == len(edges) and wiring.sensory_synapse_count == len(sensory_edges)
    assert (wiring.gain is None) == all(abs(value) == 1 for value in edges.values())

    # Reached by an input: a walk of any length up to units, by powers of the adjacency matrix.
    walks = np.linalg.matrix_power((matrix != 0).astype(int) + np.eye(units, dtype=int), units)
    reached = ((sensory_matrix != 0).any(axis=0).astype(int) @ walks) > 0
    lost = [i for i in range(output_dim) if not reached[i]]
    assert [f"motor neurons {lost} of" in str(warning.message) for warning in caught] == [True] * bool(lost)

    random.shuffle(triples)
    random.shuffle(sensory_triples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Wiring.from_edges(units, triples, sensory_triples, output_dim, inputs) == wiring
        assert Wiring.from_matrix(matrix, sensory_matrix, output_dim) == wiring
    assert Wiring.from_state(through_npz(wiring.state())) == wiring
    assert pickle.loads(pickle.dumps(wiring)) == wiring
    assert wiring.summary().count("\n") == 5
