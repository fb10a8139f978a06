"""Programs against the models that they were made of."""

import numpy as np
import pytest

from ltc_np import (
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    S4D,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    FullyConnected,
    LiquidS4,
    LrcSSM,
    Model,
    NeuralODE,
    RandomWiring,
    SpikingLIF,
    WiredCfC,
)
from ltc_np.base.activations import ACTIVATIONS
from ltc_np.cells.cfc import BACKBONE_ACTIVATIONS, MODES
from ltc_np.cells.cfc_variants import CONVENTIONS
from ltc_np.cells.ctrnn import SOLVERS as CTRNN_SOLVERS
from ltc_np.cells.lrc import ELASTANCE_BY
from ltc_np.export.lower import program
from ltc_np.export.lower.layers import LOWERINGS
from ltc_np.export.run import Machine
from ltc_np.kernels.codes import ELASTANCES, SOLVERS
from ltc_np.layers.registry import LAYERS as REGISTRY
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
LAYERS |= {
    f"LRC {solver} {elastance} {by}": [
        LRC(wiring, ode_unfolds=unfolds, elastance=elastance, elastance_by=by, solver=solver, check_stability="off")
    ]
    for solver, unfolds in zip(SOLVERS, (1, 1, 2, 2), strict=True)
    for elastance, wiring in zip(ELASTANCES, (AutoNCP(9, 2), FullyConnected(5, 2), RandomWiring(I, 2, 8)), strict=True)
    for by in ELASTANCE_BY
}
LAYERS |= {
    f"LrcSSM {solver} {elastance}": [LrcSSM(5, solver=solver, elastance=elastance, check_stability="off")]
    for solver in SOLVERS
    for elastance in ELASTANCES
}
LAYERS |= {
    f"CTRNN {solver} {feedback} {f}": [
        CTRNN(5, solver=solver, ode_unfolds=2, activation=f, global_feedback=feedback, check_stability="off")
    ]
    for solver in CTRNN_SOLVERS
    for feedback in (False, True)
    for f in ("tanh", "gelu")
}
LAYERS |= {f"NeuralODE {f}": [NeuralODE(5, ode_unfolds=2, activation=f)] for f in ACTIVATIONS}
LAYERS |= {
    f"{cell.__name__} {k}": [cell(6, step_min=0.1, step_max=0.9, **options)]
    for cell, several in (
        (S4D, [{}, {"discretization": "bilinear"}, {"modes": "lin"}]),
        (
            LiquidS4,
            [
                {"liquid": liquid, "discretization": kind, "liquid_degree": degree, "liquid_scale": 0.7}
                for liquid, degree in (
                    ("discrete", 2),
                    ("kb", 2),
                    ("kb", 3),
                    ("kb", 4),
                    ("pb", 2),
                    ("pb", 3),
                    ("pb", 4),
                )
                for kind in ("zoh", "bilinear")
            ]
            + [
                {"liquid": liquid, "liquid_bound": bound, "liquid_scale": 1.0}
                for liquid in ("exact", "discrete")
                for bound in (None, 1.0, 1.3)
            ],
        ),
    )
    for k, options in enumerate(several)
}
LAYERS |= {"LSTM twice": [LSTM(4), LSTM(3)], "GRU twice": [GRU(4), GRU(3)]}
LAYERS |= {
    f"{name} {k}": [layer]
    for name, row in ROWS.items()
    for k, layer in enumerate(row.examples)
    if layer.causal and name != "SpikingLIF relaxed"
}
# Layers that cannot be exported, and why.
WITHOUT = {"Bidirectional": "reads a sequence from its end"}


def made(layers, rng, dtype="float64"):
    """A model without parameters or statistics that are all the same, as training leaves none."""
    model = Model(*layers, input_dim=features(layers), seed=1, dtype=dtype, backend="numpy")
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


def features(layers):
    return layers[0].input_size or I


STACKS = {name: Model(*layers, input_dim=features(layers)).layer_stack for name, layers in LAYERS.items()}
TIMED = [name for name, stack in STACKS.items() if stack.takes_dt]
STAY = [name for name in TIMED if STACKS[name].dt0_identity and STACKS[name].state_size]


@pytest.mark.parametrize("name", LAYERS)
def test_a_program_computes_the_steps_of_its_model(name, rng):
    compare(made(LAYERS[name], rng), rng)


@pytest.mark.parametrize("name", TIMED)
def test_a_program_of_one_elapsed_time_computes_them_too(name, rng):
    model = made(LAYERS[name], rng)
    compare(model, rng, dt=0.05)
    assert not program(model, 0.05).takes_dt


def test_every_layer_has_a_lowering_or_cannot_have_one():
    assert {kind.__name__ for kind in LOWERINGS} | set(WITHOUT) == set(REGISTRY)
    assert not {kind.__name__ for kind in LOWERINGS} & set(WITHOUT)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STAY)
def test_a_step_of_no_time_changes_no_state_that_it_must_not(name, dtype, rng):
    """To the bit, for layers that say so."""
    model = made(LAYERS[name], rng)
    machine = Machine(program(model), B, dtype)
    for dt in (0.3, 0.1):
        machine.step(rng.standard_normal((B, model.input_size)), dt)
    before = machine.values["state"].copy()
    machine.step(rng.standard_normal((B, model.input_size)), 0.0)
    np.testing.assert_array_equal(machine.values["state"], before)


def test_what_cannot_be_exported_says_so():
    class Own(Dense):
        pass

    with pytest.raises(TypeError, match=r"`model` must consist of layers that can be exported \(.*LTC.*\), got Own"):
        program(Model(Own(2), input_dim=I))
    with pytest.raises(ValueError, match="`model` must be causal"):
        program(Model(Bidirectional(LTC(AutoNCP(9, 2))), input_dim=I))
    with pytest.raises(TypeError, match="`model` must not have relaxed spikes, which are for tests, got SpikingLIF"):
        program(Model(SpikingLIF(2, relaxed=True), input_dim=I))
    with pytest.raises(ValueError, match="`dt` must be a finite number >= 0, got -1"):
        program(Model(LTC(AutoNCP(9, 2)), input_dim=I), dt=-1.0)
    with pytest.raises(ValueError, match="`dt` must be None, since no layer of the model takes elapsed times"):
        program(Model(GRU(2), input_dim=I), dt=1.0)
