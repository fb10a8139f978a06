"""The table of the battery: every registered layer, with what is true of it.

A new layer is one row: the name of its class, with a word behind it where what is true depends on its arguments; the
traits that it declares and that must not be turned off quietly; examples, all of which have these traits and 2 inputs.
"""

from typing import NamedTuple

import numpy as np
import pytest

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
    Bidirectional,
    CfC,
    Conv1D,
    Dense,
    Dropout,
    Ensemble,
    FullyConnected,
    Hold,
    InputMapping,
    LayerNorm,
    Line,
    LinOSS,
    LiquidS4,
    Looped,
    LrcSSM,
    MixedMemory,
    MixtureDensity,
    NeuralODE,
    Patch,
    Pooling,
    Random,
    RandomConvolutions,
    RandomWiring,
    Residual,
    SpikingLIF,
    Standardize,
    WiredCfC,
)
from ltc_np.kernels.codes import SOLVERS


class Row(NamedTuple):
    """What is declared, and layers that declare it."""

    traits: str
    examples: list


FEW = np.linspace(-0.5, 0.7, 12).reshape(6, 2)
CURVE = np.sin(np.arange(336)).reshape(168, 2)
ROWS = {
    "LTC": Row(
        "takes_dt dt0_identity hull smooth causal reads_wiring bitwise_batch contracting",
        [
            LTC(AutoNCP(8, 3), input_dim=2),
            LTC(
                FullyConnected(5, 3),
                input_dim=2,
                ode_unfolds=3,
                positivity="clip",
                input_mapping=None,
                output_mapping="linear",
            ),
            LTC(RandomWiring(2, 3, 6, seed=0), epsilon=0.0),
            LTC(FullyConnected(13, 2), input_dim=2, ode_unfolds=2),  # few sequences go batch-major
        ],
    ),
    "LTC exponential": Row(
        "takes_dt dt0_identity hull smooth causal reads_wiring bitwise_batch contracting",
        [LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=3, solver="exponential")],
    ),  # a new solver comes into the next row until it is written here that its states stay in the hull
    "LTC explicit": Row(
        "takes_dt dt0_identity smooth causal reads_wiring bitwise_batch contracting",
        [
            LTC(AutoNCP(8, 3), input_dim=2, ode_unfolds=5, solver=solver, init={"cm": 3.0})
            for solver in SOLVERS
            if solver not in ("semi_implicit", "exponential")
        ],
    ),
    "LRC": Row(
        "takes_dt dt0_identity smooth causal reads_wiring bitwise_batch contracting",
        [
            LRC(AutoNCP(8, 3), input_dim=2, ode_unfolds=3),  # one unfold takes an input one layer of neurons further
            LRC(
                FullyConnected(5, 3),
                input_dim=2,
                elastance="symmetric",
                positivity="clip",
                input_mapping=None,
                output_mapping="linear",
            ),
            LRC(RandomWiring(2, 3, 6, seed=0), elastance="symmetric", elastance_by="state_and_inputs", ode_unfolds=2),
            LRC(FullyConnected(13, 2), input_dim=2, elastance_by="state", solver="semi_implicit"),  # batch-major
            LRC(AutoNCP(8, 2), input_dim=2, elastance=None, solver="exponential", ode_unfolds=3),
            LRC(FullyConnected(17, 2), input_dim=2, elastance="symmetric", solver="rk4"),
        ],
    ),
    "CfC": Row(
        "takes_dt smooth causal contracting",
        [
            CfC(5, input_dim=2, backbone_units=17),
            CfC(
                2,
                input_dim=2,
                mode="no_gate",
                variant="keras",
                backbone_units=7,
                backbone_layers=2,
                backbone_activation="silu",
            ),
            CfC(18, input_dim=2, variant="paper", backbone_layers=0),
            CfC(17, input_dim=2, variant="tf", backbone_units=6, backbone_activation="tanh"),
        ],
    ),
    "CfC pure": Row(
        "takes_dt causal contracting",
        [
            CfC(3, input_dim=2, mode="pure", backbone_units=6, backbone_activation="tanh", init={"w_tau": (0.2, 0.5)}),
            CfC(17, input_dim=2, mode="pure", variant="paper", backbone_units=6, init={"w_tau": (-0.5, -0.2)}),
        ],
    ),
    "CfC dropping": Row(
        "takes_dt smooth causal drops contracting",
        [
            CfC(4, input_dim=2, backbone_units=5, backbone_layers=2, backbone_activation="gelu", backbone_dropout=0.5),
            CfC(3, input_dim=2, mode="no_gate", variant="tf", backbone_units=5, backbone_dropout=0.4),
        ],
    ),
    "WiredCfC": Row(
        "takes_dt smooth causal reads_wiring contracting",
        [
            WiredCfC(AutoNCP(8, 3), input_dim=2),
            WiredCfC(AutoNCP(8, 2), input_dim=2, strict=True, variant="paper"),
            WiredCfC(FullyConnected(5, 3), input_dim=2, mode="no_gate", variant="keras"),
            WiredCfC(AutoNCP(7, 2), input_dim=2, variant="tf"),
        ],
    ),
    "WiredCfC pure": Row(
        "takes_dt causal reads_wiring contracting",
        [WiredCfC(Random(5, 2, 0.5), input_dim=2, strict=True, mode="pure", init={"recurrent_w_tau": 0.3})],
    ),
    "LSTM": Row(
        "smooth causal contracting",
        [LSTM(5, input_dim=2), LSTM(3, input_dim=2, forget_bias=0.0), LSTM(20, input_dim=2, init={"b": (-0.5, 0.5)})],
    ),
    "GRU": Row(
        "smooth causal contracting",
        [GRU(5, input_dim=2), GRU(3, input_dim=2, init={"b_hn": (-0.5, 0.5)}), GRU(20, input_dim=2)],
    ),
    "GRU that decays": Row(
        "takes_dt smooth causal contracting",
        [
            GRU(5, input_dim=2, decay=True),
            GRU(3, input_dim=2, decay=True, init={"b_hn": (-0.5, 0.5)}),
            GRU(20, input_dim=2, decay=True, init={"rate": (0.01, 3.0)}),
        ],
    ),
    "CTGRU": Row(
        "takes_dt smooth causal contracting",
        [
            CTGRU(5, input_dim=2),
            CTGRU(3, input_dim=2, scales=1, decay="after"),
            CTGRU(18, input_dim=2, scales=3, tau_min=0.1, tau_ratio=2.0, init={"b": (-0.5, 0.5)}),
        ],
    ),
    "CTRNN": Row(
        "takes_dt dt0_identity smooth causal bitwise_batch contracting",
        [
            CTRNN(5, input_dim=2),
        ],
    ),
    "CTRNN unbounded": Row(
        "takes_dt dt0_identity smooth causal bitwise_batch contracting",
        [
            CTRNN(2, input_dim=2, solver="euler", ode_unfolds=3, activation="sigmoid", check_stability="warn", tau=2.0),
            CTRNN(17, input_dim=2, solver="rk4", ode_unfolds=2, activation="gelu", init={"tau": (0.5, 2.0)}),
            CTRNN(4, input_dim=2, global_feedback=False, activation="silu"),
        ],
    ),
    "NeuralODE": Row(
        "takes_dt dt0_identity smooth causal bitwise_batch",
        [NeuralODE(5, input_dim=2, ode_unfolds=2), NeuralODE(3, input_dim=2, solver="euler", activation="lecun_tanh")],
    ),
    "SpikingLIF": Row(
        "takes_dt dt0_identity causal surrogate_gradient",
        [
            SpikingLIF(5, input_dim=2, tau=3.0, slope=5.0, init={"b": (1.0, 3.0)}),
            SpikingLIF(18, input_dim=2, tau=2.0, refractory=0.7, surrogate="arctan", init={"b": (1.0, 3.0)}),
            SpikingLIF(
                3,
                input_dim=2,
                recurrent=True,
                reset="subtract",
                refractory=0.4,
                tau=2.0,
                slope=3.0,
                init={"b": (2.0, 4.0)},
            ),
        ],
    ),
    "SpikingLIF relaxed": Row(
        "takes_dt dt0_identity causal",
        [SpikingLIF(4, input_dim=2, recurrent=True, reset=-0.2, threshold=0.8, surrogate="arctan", relaxed=True)],
    ),
    "LrcSSM": Row(
        "takes_dt dt0_identity smooth causal",
        [
            LrcSSM(5, input_dim=2),
            LrcSSM(3, input_dim=2, elastance="symmetric", solver="semi_implicit", ode_unfolds=2),
            LrcSSM(18, input_dim=2, elastance=None, solver="exponential", init={"w": (-2.0, 2.0)}),
            LrcSSM(17, input_dim=2, solver="rk4", init={"sensory_sigma": (1.0, 3.0)}),
        ],
    ),
    "S4D": Row(
        "takes_dt dt0_identity smooth causal bitwise_batch",
        [
            S4D(4, input_dim=2, step_min=0.1, step_max=0.5),
            S4D(2, input_dim=2, discretization="bilinear", modes="inv", init={"b_im": (-1.0, 1.0)}),
            S4D(6, input_dim=2, modes="lin", step_min=0.5, step_max=0.5),
        ],
    ),
    "S4D whole": Row(
        "takes_dt dt0_identity smooth causal",
        [
            S4D(4, input_dim=2, method="parallel", step_min=0.1, step_max=0.5),
            S4D(4, input_dim=2, method="fft", step_min=0.1, step_max=0.5),
            S4D(6, input_dim=2, method="fft", discretization="bilinear", step_min=0.1),
        ],
    ),
    "LiquidS4": Row(
        "takes_dt dt0_identity smooth causal bitwise_batch",
        [
            LiquidS4(4, input_dim=2, liquid_scale=1.0, step_min=0.1, step_max=0.5),
            LiquidS4(6, input_dim=2, liquid_scale=1.0, liquid="discrete", step_min=0.1, step_max=0.5),
            LiquidS4(2, input_dim=2, liquid_scale=1.0, liquid="discrete", discretization="bilinear", modes="lin"),
        ],
    ),
    "LiquidS4 kernels": Row(
        "takes_dt dt0_identity smooth causal bitwise_batch",
        [
            LiquidS4(4, input_dim=2, liquid_scale=1.0, liquid="kb", liquid_degree=4, step_min=0.3, step_max=0.9),
            LiquidS4(
                6, input_dim=2, liquid_scale=1.0, liquid="pb", liquid_degree=3, step_min=0.3, step_max=0.9, modes="inv"
            ),
            LiquidS4(2, input_dim=2, liquid_scale=1.0, liquid="kb", discretization="bilinear", step_min=0.1),
        ],
    ),
    "LiquidS4 bounded": Row(
        "takes_dt dt0_identity causal bitwise_batch",
        [
            LiquidS4(4, input_dim=2, liquid_scale=1.0, liquid_bound=1.0, modes="lin", step_min=0.1, step_max=0.5),
            LiquidS4(
                4,
                input_dim=2,
                liquid_scale=1.0,
                liquid="discrete",
                liquid_bound=1.0,
                modes="lin",
                step_min=0.1,
                step_max=0.5,
            ),
        ],
    ),
    "LinOSS": Row(
        "causal",
        [
            LinOSS(3, 5, input_dim=2),
            LinOSS(2, 18, input_dim=2, init={"stiffness": (0.0, 3.0)}),
            # Some are beyond the stable region, and held at its border.
            LinOSS(3, 4, input_dim=2, discretization="damped", init={"stiffness": (5.0, 30.0), "damping": (0.3, 1.0)}),
            # These swing to the end. At rest outputs do not depend on damping and step: their gradients are rounding.
            LinOSS(2, 17, input_dim=2, discretization="damped", init={"damping": (0.0, 0.02), "stiffness": (0.2, 4.0)}),
        ],
    ),
    "LinOSS im": Row(
        "smooth causal",
        [LinOSS(3, 5, input_dim=2, discretization="im"), LinOSS(2, 17, input_dim=2, discretization="im")],
    ),
    "LinOSS exact": Row(
        "takes_dt dt0_identity smooth causal",
        [
            LinOSS(3, 5, input_dim=2, discretization="exact"),
            # Slow ones, critical ones and overdamped ones.
            LinOSS(2, 18, input_dim=2, discretization="exact", init={"damping": 3.0, "stiffness": (0.0, 4.5)}),
        ],
    ),
    "MixedMemory": Row(
        "takes_dt smooth causal reads_wiring contracting",
        [
            MixedMemory(LTC(FullyConnected(5, 3), input_dim=2, ode_unfolds=2)),
            MixedMemory(
                LTC(AutoNCP(6, 2), input_dim=6, ode_unfolds=3, solver="exponential"), "keras", 0.5, input_dim=2
            ),
            MixedMemory(LTC(RandomWiring(3, 2, 4, seed=0), ode_unfolds=1), "keras", input_dim=2),
        ],
    ),
    "Bidirectional": Row(
        "takes_dt dt0_identity hull smooth reads_wiring bitwise_batch",
        [
            Bidirectional(LTC(AutoNCP(6, 2), input_dim=2, ode_unfolds=2)),
            Bidirectional(LTC(RandomWiring(2, 2, 4, seed=0), ode_unfolds=2), "sum"),
        ],
    ),
    "Bidirectional CfC": Row(
        "takes_dt smooth drops",
        [Bidirectional(CfC(3, input_dim=2, backbone_units=5, backbone_layers=2, backbone_dropout=0.5), "sum")],
    ),
    "Bidirectional LSTM": Row(
        "smooth",
        [Bidirectional(LSTM(3, input_dim=2))],
    ),
    "Bidirectional memory": Row(
        "takes_dt smooth reads_wiring",
        [Bidirectional(MixedMemory(LTC(FullyConnected(3, 2), input_dim=2, ode_unfolds=1)))],
    ),
    "Residual": Row(
        "takes_dt dt0_identity hull smooth causal reads_wiring contracting",
        [Residual(LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2), Dense(2, "tanh"))],
    ),
    "Residual LTC": Row(
        "takes_dt dt0_identity hull smooth causal reads_wiring bitwise_batch drops contracting",
        [Residual(LTC(FullyConnected(4, 2), input_dim=2, ode_unfolds=3), Dropout(0.5))],
    ),
    "Residual Dense": Row(
        "dt0_identity hull smooth causal",
        [Residual(Dense(2, "silu", input_dim=2))],
    ),
    "Residual around": Row(
        "takes_dt smooth causal reads_wiring contracting",
        [
            Residual(
                LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2), Dense(2), around=Line(2, reads=3, weight=FEW, bias=0.2)
            ),
        ],
    ),
    "Residual around one layer": Row(
        "causal drops batch_statistics",
        [
            Residual(
                Dense(2, input_dim=2),
                around=Residual(BatchNorm(), Dropout(0.2), around=Line(2, reads="summaries", weight=0.3)),
            )
        ],
    ),
    "Residual both ways": Row(
        "takes_dt smooth",
        [Residual(Bidirectional(CfC(2, input_dim=2, backbone_units=5), "sum"), LSTM(2))],
    ),
    "Residual dropping": Row(
        "dt0_identity hull smooth causal drops",
        [Residual(Residual(Dense(2, input_dim=2)), Dropout(0.2), Dense(2))],
    ),
    "Looped": Row(
        "smooth causal contracting",
        [
            Looped(LSTM(3, input_dim=2), Dense(2, "tanh")),
            Looped(Residual(LSTM(2, input_dim=2)), times=3),
        ],
    ),
    "Looped LinOSS": Row(
        "takes_dt dt0_identity smooth causal",
        [Looped(Residual(LayerNorm(epsilon=0.3, input_dim=2), LinOSS(3, 4, discretization="exact"), GELU(), Dense(2)))],
    ),
    "Looped block": Row(
        "dt0_identity hull smooth causal drops batch_statistics",
        [Looped(Residual(BatchNorm(input_dim=2), Dropout(0.2), Dense(4), GLU()), times=3)],
    ),
    "Hold of every step": Row(  # tests/layers/test_hold.py has those of layers with a stride
        "takes_dt smooth causal reads_wiring bitwise_batch contracting",
        [Hold(LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2))],
    ),
    "Hold both ways": Row(
        "smooth drops batch_statistics",
        [Hold(Dense(3, input_dim=2), BatchNorm(), Bidirectional(LSTM(2)), Dropout(0.2))],
    ),
    "Ensemble": Row(
        "takes_dt dt0_identity hull smooth causal reads_wiring contracting",
        [
            Ensemble((LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2), Dense(2)), Dense(2, "tanh", input_dim=2)),
            Ensemble(
                *[LTC(FullyConnected(4, 2), input_dim=2, ode_unfolds=2), Dense(2, input_dim=2)], answers="classes"
            ),
        ],
    ),
    "Ensemble classes": Row(
        "takes_dt smooth causal contracting",
        [Ensemble((Dense(2, "tanh", input_dim=2), LSTM(3)), CfC(3, input_dim=2, backbone_units=5), answers="classes")],
    ),
    "Ensemble both ways": Row(
        "smooth drops batch_statistics",
        [Ensemble((BatchNorm(input_dim=2), Bidirectional(LSTM(2)), Dropout(0.2)), (LSTM(5, input_dim=2), Dense(4)))],
    ),
    "InputMapping": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        [
            InputMapping(input_dim=2),
            InputMapping(input_dim=2, init={"input_w": (0.5, 2.0), "input_b": (-1.0, 1.0)}),
            InputMapping("linear", input_dim=2),
            InputMapping(None, input_dim=2),
        ],
    ),
    "Dropout": Row(
        "dt0_identity hull smooth causal bitwise_batch drops",
        [Dropout(0.5, input_dim=2)],
    ),
    "Dropout of nothing": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        [Dropout(0.0, input_dim=2)],
    ),
    "LayerNorm": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        # Of two features little is left but their order: with a small epsilon there is hardly a gradient.
        [LayerNorm(epsilon=0.5, input_dim=2), LayerNorm(epsilon=0.1, input_dim=2, init={"scale": (0.5, 2.0)})],
    ),
    "BatchNorm": Row(
        "dt0_identity hull smooth causal bitwise_batch batch_statistics",
        [BatchNorm(input_dim=2), BatchNorm(epsilon=0.1, momentum=1, input_dim=2, init={"shift": (-2.0, 2.0)})],
    ),
    "GELU": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        [GELU(input_dim=2)],
    ),
    "GLU": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        [GLU(input_dim=2)],
    ),
    "Patch of one step": Row(  # tests/layers/test_strides.py has those of several, whose outputs are fewer
        "dt0_identity hull smooth causal bitwise_batch",
        [Patch(1, input_dim=2)],
    ),
    "Pooling": Row(
        "smooth causal bitwise_batch",
        [Pooling("mean", input_dim=2)],
    ),
    "Pooling max": Row(
        "causal bitwise_batch",
        [Pooling("max", input_dim=2)],
    ),
    "Pooling last": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        [Pooling("last", input_dim=2)],
    ),
    "Residual block": Row(
        "smooth causal drops batch_statistics contracting",
        [Residual(LayerNorm(epsilon=0.3, input_dim=2), LSTM(3), BatchNorm(), GELU(), Dropout(0.2), Dense(4), GLU())],
    ),
    "Residual pooling": Row(
        "smooth causal bitwise_batch",
        [Residual(Pooling("mean", input_dim=2), LayerNorm(epsilon=0.3))],
    ),
    "Line": Row(
        "smooth causal contracting",
        [
            Line(3, reads=3, weight=np.linspace(-0.5, 0.7, 18).reshape(6, 3), bias=[0.1, -0.2, 0.3], input_dim=2),
            # Longer than the sequences.
            Line(1, reads=8, weight=np.linspace(1, -0.4, 16)[:, None], before=[0.1, -1 / 3], input_dim=2),
        ],
    ),
    "Line of the present input": Row(
        "dt0_identity hull smooth causal",
        [Line(2, weight=[[0.3, -1.0], [0.5, 0.2]], input_dim=2)],
    ),
    "Line of summaries": Row(
        "causal",
        [Line(2, reads="summaries", weight=np.sin(np.arange(44)).reshape(22, 2), bias=0.3, input_dim=2)],
    ),
    "Conv1D": Row(
        "smooth causal contracting",
        [
            Conv1D(3, 3, activation="tanh", input_dim=2),
            Conv1D(17, 2, dilation=3, input_dim=2),
            Conv1D(3, 4, dilation=2, separable=True, activation="gelu", input_dim=2),
            Conv1D(1, 9, activation="silu", input_dim=2),  # longer than the sequences
        ],
    ),
    "Conv1D relu": Row(
        "causal contracting",
        [Conv1D(4, 2, activation="relu", input_dim=2)],
    ),
    "Conv1D of the present input": Row(
        "dt0_identity hull smooth causal",
        [Conv1D(3, 1, separable=True, input_dim=2)],
    ),
    "RandomConvolutions": Row(
        "causal",
        [
            RandomConvolutions(2, 168, length=20, weight=CURVE, bias=[0.1, -0.2], thresholds=CURVE[:, 0], input_dim=2),
            RandomConvolutions(1, 84, length=3, weight=CURVE[:84, :1], thresholds=0.123, input_dim=2),
            RandomConvolutions(1, length=20, differences=True, features=168, weight=CURVE[:, :1], input_dim=2),
        ],
    ),
    "Standardize": Row(
        "dt0_identity hull smooth causal bitwise_batch",
        [
            Standardize(mean=[3.0, -2.0], scale=[0.5, 4.0], input_dim=2),
            Standardize(inverse=True, mean=-1.5, scale=[2.0, 0.25], input_dim=2),
        ],
    ),
    "Standardize clipped": Row(
        "dt0_identity hull causal bitwise_batch",
        [Standardize(mean=[0.2, -0.3], scale=[0.5, 2.0], clip=0.7, input_dim=2)],
    ),
    "Dense": Row(
        "dt0_identity hull smooth causal",
        [
            Dense(3, input_dim=2),
            Dense(3, "tanh", input_dim=2),
            Dense(3, "sigmoid", input_dim=2),
            Dense(3, "silu", input_dim=2),
        ],
    ),
    "MixtureDensity": Row(
        "dt0_identity hull smooth causal",
        [
            MixtureDensity(2, components=3, mean=[3.0, -1.0], scale=[0.5, 4.0], input_dim=2),
            MixtureDensity(1, components=1, least_sigma=0.3, input_dim=2, init={"weight": ("glorot", 2.0)}),
        ],
    ),
    "Dense relu": Row(
        "dt0_identity hull causal",
        [Dense(3, "relu", input_dim=2)],
    ),
}
# The first example of a row is its kind; the README's command leaves the others out.
CASES = [
    pytest.param(layer, id=f"{name}-{k}", marks=[pytest.mark.further] * (k > 0))
    for name, row in ROWS.items()
    for k, layer in enumerate(row.examples)
]
each = pytest.mark.parametrize("layer", CASES)
