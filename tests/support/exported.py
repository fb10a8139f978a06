"""Models for the tests of every way out of the library: a table of all layers with their options, and random stacks."""

import warnings

import numpy as np
from protocol.layers import ROWS

from ltc_np import (
    CTGRU,
    CTRNN,
    GELU,
    GLU,
    GRU,
    LRC,
    LSTM,
    LTC,
    S4D,
    AutoNCP,
    BatchNorm,
    CfC,
    Conv1D,
    Dense,
    Dropout,
    FullyConnected,
    InputMapping,
    LayerNorm,
    Line,
    LinOSS,
    LiquidS4,
    Looped,
    LrcSSM,
    MixedMemory,
    Model,
    NeuralODE,
    Patch,
    Pooling,
    Random,
    RandomWiring,
    Residual,
    SpikingLIF,
    Standardize,
    WiredCfC,
)  # fmt: skip
from ltc_np.base.activations import ACTIVATIONS
from ltc_np.cells.cfc import BACKBONE_ACTIVATIONS, MODES
from ltc_np.cells.cfc_variants import CONVENTIONS
from ltc_np.cells.ctrnn import SOLVERS as CTRNN_SOLVERS
from ltc_np.cells.lrc import ELASTANCE_BY
from ltc_np.cells.neural_ode import SOLVERS as NEURAL_ODE_SOLVERS
from ltc_np.kernels.codes import DISCRETIZATIONS, ELASTANCES, SOLVERS

# Layers that cannot be exported, and why.
WITHOUT = {
    "Bidirectional": "reads a sequence from its end",
    "Ensemble": "its members are exported one by one: no target has a logarithm",
    "Hold": "no stage of a program runs in every step behind one that waits for an output",
    "RandomConvolutions": "a step would be thousands of comparisons, of which rounding decides some",
}
I = 3  # inputs of layers that do not say how many they take
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
    for solver, unfolds in ((solver, 1 + (row.stages > 1)) for solver, row in SOLVERS.items())
    for elastance, wiring in zip(
        ELASTANCES, (AutoNCP(9, 2), FullyConnected(5, 2), RandomWiring(I, 2, 8, seed=0)), strict=True
    )
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
LAYERS |= {f"NeuralODE {solver}": [NeuralODE(5, solver=solver, ode_unfolds=2)] for solver in NEURAL_ODE_SOLVERS[1:]}
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
# Layers with a stride stand here and not in `MAKERS`, since they have no output at most steps.
LAYERS |= {
    "Conv1D strided, LTC": [Conv1D(4, 5, stride=2, activation="tanh"), LTC(AutoNCP(6, 2)), Dense(2)],
    "Conv1D strided twice, GRU": [Conv1D(3, 3, stride=2, separable=True), Conv1D(2, 2, stride=3, dilation=2), GRU(3)],
    "Conv1D every fourth, SpikingLIF": [Conv1D(2, 1, stride=4), SpikingLIF(3, tau=2.0, init={"b": (1.0, 3.0)})],
    "Patch, CfC": [Patch(3), CfC(4, backbone_units=5)],
    "GRU, Patch": [GRU(2), Patch(2)],
    "Conv1D, BatchNorm": [Conv1D(3, 3), BatchNorm(), GRU(2)],
    "BatchNorm, Conv1D": [BatchNorm(), Conv1D(3, 3, stride=2, activation="relu"), Dense(2)],
    "BatchNorm, Conv1D separable": [BatchNorm(), Conv1D(3, 2, dilation=2, separable=True), BatchNorm()],
}


def _unchecked(layer):
    """The layer without its check of steps, which the extreme elapsed times of sweeps would not pass."""
    config = layer.config()
    return type(layer).from_config(config | {"check_stability": "off"}) if "check_stability" in config else layer


LAYERS |= {
    f"{name} {k}": [_unchecked(layer)]
    for name, row in ROWS.items()
    for k, layer in enumerate(row.examples)
    if layer.causal and name != "SpikingLIF relaxed" and type(layer).__name__ not in WITHOUT
}


def features(layers):
    return layers[0].input_size or I


def made(layers, rng, dtype="float64"):
    """A model without parameters or statistics that are all the same, as training leaves none."""
    model = Model(*layers, input_dim=features(layers), seed=1, dtype=dtype, backend="numpy")
    model.theta += 0.1 * rng.standard_normal(model.theta.size)
    for name, values in model.buffers.items():
        values *= rng.uniform(0.5, 2, values.shape)
        if name.endswith("mean"):
            values += rng.standard_normal(values.shape)
    return model


# ---------------------------------------------------------------------------------------------- random stacks

MAPPINGS = (None, "linear", "affine")


def _wiring(rng, n):
    O = int(rng.integers(1, 4))
    kind = rng.integers(4)
    if kind == 0:
        return AutoNCP(O + int(rng.integers(3, 9)), O, seed=int(rng.integers(100)))
    if kind == 1:
        return FullyConnected(O + int(rng.integers(4)), O)
    if kind == 2:
        return Random(O + int(rng.integers(5)), O, 0.4, random_seed=int(rng.integers(100)))
    return RandomWiring(n, O, O + int(rng.integers(6)), seed=int(rng.integers(100)))


def _units(rng):
    return int(rng.integers(1, 7))


def _liquid_s4(rng, n, pick):
    liquid = pick(("exact", "discrete", "kb", "pb"))
    options = {"liquid_bound": pick((None, 1.0, 1.5))} if liquid in ("exact", "discrete") else {}
    discretization = "zoh" if liquid == "exact" else pick(DISCRETIZATIONS)
    return LiquidS4(
        2 * _units(rng), liquid=liquid, liquid_degree=pick((2, 3, 4)), discretization=discretization,
        modes=pick(("legs", "lin", "inv")), step_min=0.01, step_max=1.0, **options,
    )  # fmt: skip


def _line(rng, n, reads):
    outputs = _units(rng)
    shape, values = ((11 if reads == "summaries" else reads) * n, outputs), np.random.default_rng(rng.integers(1000))
    weights = {"weight": values.normal(size=shape) / shape[0], "bias": values.normal(size=outputs)}
    # Initial states of exports are numbers of float32, which every target can hold.
    before = 0.0 if reads == "summaries" else values.normal(size=n)
    return Line(outputs, reads, before=before, **weights)


# Each makes a layer from a generator, the features that it is to take, and what chooses one of several.
MAKERS = {
    "LTC": lambda rng, n, pick: LTC(
        _wiring(rng, n), solver=pick(tuple(SOLVERS)), ode_unfolds=int(rng.integers(1, 5)), check_stability="off",
        input_mapping=pick(MAPPINGS), output_mapping=pick(MAPPINGS), positivity=pick(("softplus", "clip")),
        init={"cm": 2.0},
    ),
    "LRC": lambda rng, n, pick: LRC(
        _wiring(rng, n), solver=pick(tuple(SOLVERS)), ode_unfolds=int(rng.integers(1, 3)), check_stability="off",
        elastance=pick(ELASTANCES), elastance_by=pick(ELASTANCE_BY), input_mapping=pick(MAPPINGS),
        output_mapping=pick(MAPPINGS),
    ),
    "CfC": lambda rng, n, pick: CfC(
        _units(rng), mode=pick(MODES), variant=pick(tuple(CONVENTIONS)), backbone_units=_units(rng),
        backbone_layers=pick((0, 1, 2)), backbone_activation=pick(BACKBONE_ACTIVATIONS),
    ),
    "WiredCfC": lambda rng, n, pick: WiredCfC(
        _wiring(rng, n), mode=pick(MODES), variant=pick(tuple(CONVENTIONS)), strict=pick((False, True))
    ),
    "GRU": lambda rng, n, pick: GRU(_units(rng), decay=pick((False, True))),
    "LSTM": lambda rng, n, pick: LSTM(_units(rng)),
    "CTGRU": lambda rng, n, pick: CTGRU(
        _units(rng), scales=_units(rng), tau_min=pick((0.1, 1.0)), decay=pick(("before", "after"))
    ),
    "CTRNN": lambda rng, n, pick: CTRNN(
        _units(rng), solver=pick(CTRNN_SOLVERS), ode_unfolds=_units(rng), activation=pick(tuple(ACTIVATIONS)),
        global_feedback=pick((False, True)), check_stability="off", tau=pick((0.7, 2.0)),
    ),
    "NeuralODE": lambda rng, n, pick: NeuralODE(
        _units(rng), solver=pick(NEURAL_ODE_SOLVERS), ode_unfolds=_units(rng), activation=pick(tuple(ACTIVATIONS))
    ),
    "LrcSSM": lambda rng, n, pick: LrcSSM(
        _units(rng), solver=pick(tuple(SOLVERS)), ode_unfolds=pick((1, 2)), elastance=pick(ELASTANCES),
        check_stability="off",
    ),
    "S4D": lambda rng, n, pick: S4D(
        2 * _units(rng), discretization=pick(DISCRETIZATIONS), modes=pick(("legs", "lin", "inv")), step_min=0.01,
        step_max=1.0,
    ),
    "LiquidS4": _liquid_s4,
    "LinOSS": lambda rng, n, pick: LinOSS(
        pick((n, _units(rng))), _units(rng), discretization=pick(("im", "imex", "damped", "exact"))
    ),
    "SpikingLIF": lambda rng, n, pick: SpikingLIF(
        _units(rng), recurrent=pick((False, True)), reset=pick((0.0, -0.3, "subtract")), refractory=pick((0.0, 0.4)),
        tau=2.0, init={"b": (1.0, 3.0)},
    ),
    "MixedMemory": lambda rng, n, pick: MixedMemory(
        pick((LTC(AutoNCP(6, 2)), CfC(3, backbone_units=4), LRC(FullyConnected(4, 2), solver="semi_implicit"))),
        pick(("torch", "keras")),
    ),
    "Residual": lambda rng, n, pick: Residual(*random_layers(rng, n, most=2), Dense(n, pick(tuple(ACTIVATIONS)))),
    "Looped": lambda rng, n, pick: Looped(*random_layers(rng, n, most=1), Dense(n, "tanh"), times=pick((1, 2, 3))),
    "Line": lambda rng, n, pick: _line(rng, n, pick(("summaries", 1, 2, 5))),
    "Conv1D": lambda rng, n, pick: Conv1D(
        _units(rng), pick((1, 2, 3, 5)), dilation=pick((1, 1, 2, 3)), separable=pick((False, True)),
        activation=pick(tuple(ACTIVATIONS)),
    ),
    "Dense": lambda rng, n, pick: Dense(_units(rng), pick(tuple(ACTIVATIONS))),
    "GLU": lambda rng, n, pick: Residual(Dense(2 * n), GLU()),
    "GELU": lambda rng, n, pick: GELU(),
    "LayerNorm": lambda rng, n, pick: LayerNorm(epsilon=0.1),
    "BatchNorm": lambda rng, n, pick: BatchNorm(),
    "Dropout": lambda rng, n, pick: Dropout(0.3),
    "InputMapping": lambda rng, n, pick: InputMapping(pick(MAPPINGS)),
    "Standardize": lambda rng, n, pick: Standardize(**pick(({}, {"clip": 0.8}, {"inverse": True}))),
    "Pooling": lambda rng, n, pick: Pooling(pick(("mean", "max", "last"))),
}  # fmt: skip


def _examples(name):
    """Makes one of the examples of the battery, for n features: of layers that have no line above."""
    examples = [layer for row in ROWS if row.split()[0] == name for layer in ROWS[row].examples]

    def make(rng, n, pick):
        layer = pick(examples)
        return type(layer).from_config(layer.config() | {"input_dim": n})

    return make


MAKERS |= {name: _examples(name) for name in {row.split()[0] for row in ROWS} - {*MAKERS, *WITHOUT}}


def random_layers(rng, n, most=4, without=()):
    """Some layers in a row that take n features."""

    def pick(several):
        return several[int(rng.integers(len(several)))]

    names, found = sorted(set(MAKERS) - set(without)), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a random wiring may have a neuron that no input reaches
        for _ in range(int(rng.integers(1, most + 1))):
            found.append(MAKERS[pick(names)](rng, n, pick).with_input(n))
            n = found[-1].output_size
    return found


def random_model(rng, dtype="float64", without=()):
    """A model of some random layers with random parameters; ``without``: names of layers."""
    n = int(rng.integers(1, 5))
    return made(random_layers(rng, n, without=without), rng, dtype)
