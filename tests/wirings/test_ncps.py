"""The graphs of ncps 1.0.1, bit for bit."""

import json

import numpy as np
import pytest
from support import GOLDEN

from ltc_np import wirings

GRAPHS = json.loads((GOLDEN / "ncps_wirings.json").read_text())["wirings"]


SIGN = {".": 0, "+": 1, "-": -1}


def signs(rows):
    return np.array([[SIGN[entry] for entry in row] for row in rows])


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
