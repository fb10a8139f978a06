"""Lists of synapses: ltc_np.wirings.synapses."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.texts import summary
from support.wirings import BUILT, name_of, through_npz, with_gains

from ltc_np.wirings import AutoNCP, Wiring


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


def test_given_arrays_are_copied():
    edges = np.array([(0, 1, 1), (1, 0, -1)])
    wiring = Wiring.from_edges(2, edges, [(0, 0, 1)])
    edges[:] = 0
    assert wiring.pre.tolist() == [1, 0]
    state = wiring.state()
    state["pre"][:] = 0
    assert wiring.pre.tolist() == [1, 0]


VALUES = st.sampled_from([1, -1, 1.0, -1.0, 0.5, -3.25, np.float32(0.1), 1e-300])


@st.composite
def graphs(draw):
    units, inputs = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    pairs = st.tuples(st.integers(0, units - 1), st.integers(0, units - 1))
    sensory_pairs = st.tuples(st.integers(0, inputs - 1), st.integers(0, units - 1))
    edges = draw(st.dictionaries(pairs, VALUES, max_size=20))
    sensory_edges = draw(st.dictionaries(sensory_pairs, VALUES, max_size=12))
    return units, inputs, draw(st.integers(1, units)), edges, sensory_edges, draw(st.randoms())


@pytest.mark.slow
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
    assert summary(wiring).count("\n") == 6
