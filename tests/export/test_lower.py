"""Programs against the models that they were made of."""

import numpy as np
import pytest

from ltc_np import (
    GRU,
    LSTM,
    LTC,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    FullyConnected,
    Model,
    RandomWiring,
    WiredCfC,
)
from ltc_np.cells.cfc import BACKBONE_ACTIVATIONS, MODES
from ltc_np.cells.cfc_variants import CONVENTIONS
from ltc_np.export.lower import program
from ltc_np.export.lower.layers import LOWERINGS
from ltc_np.export.run import Machine
from ltc_np.kernels.codes import SOLVERS
from tests.protocol.layers import ROWS

STEPS, B, I = 12, 4, 3
LAYERS = {
    f"LTC {solver} {type(wiring).__name__}": [LTC(wiring, solver=solver, ode_unfolds=5, check_stability="off")]
    for solver in SOLVERS
    for wiring in (AutoNCP(9, 2), FullyConnected(5, 2), RandomWiring(I, 2, 8, seed=0))
}
LAYERS |= {
    f"Dense {activation}": [Dense(5, activation), Dense(2)]
    for activation in ("relu", "silu", "tanh", "gelu", "lecun_tanh", "sigmoid", None)
}
LAYERS |= {
    f"CfC {mode} {variant} {layers}": [CfC(5, mode=mode, variant=variant, backbone_units=7, backbone_layers=layers)]
    for mode in MODES
    for variant in CONVENTIONS
    for layers in (0, 1, 2)
}
LAYERS |= {f"CfC {f}": [CfC(5, backbone_units=7, backbone_activation=f)] for f in BACKBONE_ACTIVATIONS}
LAYERS |= {
    f"WiredCfC {mode} {variant} {strict} {type(wiring).__name__}": [
        WiredCfC(wiring, mode=mode, variant=variant, strict=strict)
    ]
    for mode in MODES
    for variant in CONVENTIONS
    for strict in (False, True)
    for wiring in (AutoNCP(9, 2), RandomWiring(I, 2, 8, seed=0))
}
LAYERS |= {"LSTM twice": [LSTM(4), LSTM(3)], "GRU twice": [GRU(4), GRU(3)]}
LAYERS |= {f"{name} {k}": [layer] for name, row in ROWS.items() for k, layer in enumerate(row.examples)}
LAYERS = {name: layers for name, layers in LAYERS.items() if type(layers[0]) in LOWERINGS}


def made(layers, rng, dtype="float64"):
    """A model without parameters or statistics that are all the same, as training leaves none."""
    features = None if layers[0].input_size else I
    model = Model(*layers, input_dim=features, seed=1, dtype=dtype, backend="numpy")
    model.theta += 0.1 * rng.standard_normal(model.theta.size)
    for name, values in model.buffers.items():
        values *= rng.uniform(0.5, 2, values.shape)
        if name.endswith("mean"):
            values += rng.standard_normal(values.shape)
    return model


def compare(model, rng, dt=None):
    """Outputs and states of both by other orders of the same operations in float64, so within some roundings."""
    machine, state = Machine(program(model, dt), B), None
    for t in range(STEPS):
        x, own = rng.standard_normal((B, model.input_size)), 0.3 * rng.exponential(size=B) * (t % 3 > 0)
        own = np.full(B, dt) if dt is not None else own
        y, state = model.step(x, dt=own if model.takes_dt else None, state=state)
        np.testing.assert_allclose(machine.step(x, own), y, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(machine.values["state"].T, state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_a_program_computes_the_steps_of_its_model(name, rng):
    compare(made(LAYERS[name], rng), rng)


@pytest.mark.parametrize("name", LAYERS)
def test_a_program_of_one_elapsed_time_computes_them_too(name, rng):
    model = made(LAYERS[name], rng)
    if model.takes_dt:
        compare(model, rng, dt=0.05)
        assert not program(model, 0.05).takes_dt


def test_what_cannot_be_exported_says_so():
    class Own(Dense):
        pass

    with pytest.raises(TypeError, match=r"`model` must consist of layers that can be exported \(.*LTC.*\), got Own"):
        program(Model(Own(2), input_dim=I))
    with pytest.raises(ValueError, match="`model` must be causal"):
        program(Model(Bidirectional(LTC(AutoNCP(9, 2))), input_dim=I))
    with pytest.raises(ValueError, match="`dt` must be None, since no layer of the model takes elapsed times"):
        program(Model(GRU(2), input_dim=I), dt=1.0)
