"""What simplifying reports: errors, sizes, times."""

import numpy as np
import pytest

from ltc_np import LRC, LSTM, LTC, AutoNCP, Bidirectional, Dense, FullyConnected, MixedMemory, Model, WiredCfC
from ltc_np.simplify import Error, Row, Simplified, Size, closed_form
from ltc_np.simplify.rebuilt import rebuilt
from ltc_np.simplify.result import error_of, size_of


def test_errors_by_hand():
    wanted = np.array([[0.0, 10.0], [2.0, 30.0]])  # variances 1 and 100
    y = wanted + np.array([[1.0, -1.0], [3.0, 1.0]])
    error = error_of(y, wanted)
    assert error == pytest.approx((3.0, 3**0.5, (3 / 50.5) ** 0.5))
    assert error_of(wanted, wanted) == (0, 0, 0)
    constant = np.ones((3, 1))
    assert error_of(constant, constant) == (0, 0, 0)
    assert error_of(constant + 1, constant) == (1, 1, np.inf)
    for bad in (np.nan, np.inf):
        assert error_of(np.array([[bad]]), np.array([[1.0]])) == (np.inf,) * 3


def test_sizes_by_hand():
    ncp = AutoNCP(8, 2).build(3)
    S, S_sensory = ncp.synapse_count, ncp.sensory_synapse_count
    for layer, synapses, evaluations in (
        (LTC(ncp, ode_unfolds=4), S + S_sensory, 4 * S + S_sensory),
        (LTC(ncp, ode_unfolds=4, solver="exponential"), S + S_sensory, 8 * S + S_sensory),
        (LRC(ncp, ode_unfolds=2, solver="rk4", check_stability="off"), S + S_sensory, 8 * S + S_sensory),
        (Bidirectional(LTC(ncp, ode_unfolds=1)), 2 * (S + S_sensory), 2 * (S + S_sensory)),
        (MixedMemory(LTC(ncp, ode_unfolds=3)), S + S_sensory, 3 * S + S_sensory),
        (WiredCfC(ncp), S + S_sensory, 0),
        (LSTM(4), 0, 0),
    ):
        model = Model(layer, Dense(2), LTC(FullyConnected(2), ode_unfolds=5), input_dim=3, seed=0)
        found = size_of(model)
        assert found == (model.state_size, model.layout.size, synapses + 8, evaluations + 4 + 20), layer


def test_time_ratio_and_repr():
    model = Model(LTC(AutoNCP(8, 2)), input_dim=3, seed=0)
    x = np.zeros((2, 3, 3))
    result = closed_form(model, x)
    assert result.time_ratio(x) > 0
    assert result.time_ratio(x, dt=0.5, lengths=[1, 2]) > 0
    size = Size(3, 4, 5, 6)
    table = (Row("one", size, 0.5, {"loss": 2.0}), Row("longer", size, 1e-9, {}))
    text = repr(Simplified(model, model, Error(1.0, 0.5, 0.25), size, size, table))
    assert text.splitlines() == [
        "before: 3 states, 4 parameters, 5 synapses, 6 evaluations a step",
        "after:  3 states, 4 parameters, 5 synapses, 6 evaluations a step",
        "outputs differ by 25.00% of the spread (rms 5.00e-01, largest 1.00e+00)",
        "        state synapses evaluations     error           loss",
        "one         3        5           6  5.00e-01       2.00e+00",
        "longer      3        5           6  1.00e-09               ",
    ]


def test_rebuilt_models_have_everything_but_the_layers():
    model = Model(LTC(AutoNCP(8, 2)), Dense(2), input_dim=3, seed=0, dtype="float64", backend="numpy")
    model.freeze("1.bias")
    model.return_sequences = False
    other = rebuilt(model, model.layers)
    assert (other.theta == model.theta).all()
    assert (other.trainable == model.trainable).all()
    assert (other.dtype, other.backend, other.return_sequences) == (np.float64, "numpy", False)
    other.theta = 0 * other.theta
    assert model.theta.any()
