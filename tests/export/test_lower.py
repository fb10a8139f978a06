"""Programs against the models that they were made of."""

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, Bidirectional, Dense, FullyConnected, Model, RandomWiring
from ltc_np.export.lower import program
from ltc_np.export.run import Machine
from ltc_np.kernels.codes import SOLVERS

STEPS, B, I = 12, 4, 3
LAYERS = {
    f"LTC {solver} {type(wiring).__name__}": [LTC(wiring, solver=solver, ode_unfolds=5, check_stability="off")]
    for solver in SOLVERS
    for wiring in (AutoNCP(9, 2), FullyConnected(5, 2), RandomWiring(I, 2, 8, seed=0))
} | {
    f"Dense {activation}": [Dense(5, activation), Dense(2)]
    for activation in ("relu", "silu", "tanh", "gelu", "lecun_tanh", "sigmoid", None)
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_program_computes_the_steps_of_its_model(name, rng):
    """By other orders of the same operations in float64, so within some roundings."""
    model = Model(*LAYERS[name], input_dim=I, seed=1, dtype="float64", backend="numpy")
    machine, state = Machine(program(model), B), None
    for t in range(STEPS):
        x, dt = rng.standard_normal((B, I)), 0.3 * rng.exponential(size=B) * (t % 3 > 0)
        y, state = model.step(x, dt=dt if model.takes_dt else None, state=state)
        np.testing.assert_allclose(machine.step(x, dt), y, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(machine.values["state"].T, state, rtol=1e-12, atol=1e-12)


def test_what_cannot_be_exported_says_so():
    class Own(Dense):
        pass

    with pytest.raises(TypeError, match=r"`model` must consist of layers that can be exported \(Dense, LTC\), got Own"):
        program(Model(Own(2), input_dim=I))
    with pytest.raises(ValueError, match="`model` must be causal"):
        program(Model(Bidirectional(LTC(AutoNCP(9, 2))), input_dim=I))
