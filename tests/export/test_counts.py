"""Operations of a step, counted by hand."""

from ltc_np import LTC, Dense, FullyConnected, Model
from ltc_np.export.counts import operations
from ltc_np.export.lower import program


def test_operations_of_a_step():
    model = Model(
        LTC(FullyConnected(5, 2), ode_unfolds=4, input_mapping=None, output_mapping=None), input_dim=3, seed=0
    )
    synapses = 3 * 5 + 4 * 5 * 5
    found = operations(program(model))
    # Each unfold: v + (P - Q v) (h / (cm + h Q)); cm is the same for all neurons of a new model, or not.
    assert found["sigmoid"] == synapses
    assert found["multiply"] == 3 * synapses + 4 * 5 * 3
    assert found["add"] == 2 * synapses + 4 * 5 * 2
    assert found["subtract"] == synapses + 4 * 5
    assert found["divide"] == 4 * 5 + 1


def test_weights_of_0_cost_nothing():
    model = Model(Dense(2, "tanh"), input_dim=4, seed=0)
    model.params["weight"][:2] = 0
    assert operations(program(model)) == {"multiply": 4, "add": 4, "tanh": 2}
