"""Liquid time-constant networks with NumPy and Numba: exact models, hand-derived gradients, fast kernels.

Importing this package loads NumPy only; Numba is loaded with the first model that uses it.
"""

import sys

from . import analysis, data, losses, metrics, optim, plot, simplify, wirings
from .analysis import gradcheck
from .analysis.multiplier import largest_multiplier
from .analysis.solver_error import SolverError, solver_error
from .base.layout import Entry, Layout
from .base.threads import get_num_threads, set_num_threads
from .base.version import __version__ as __version__
from .cells import (
    CTGRU,
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    S4D,
    CfC,
    Layer,
    LiquidS4,
    LrcSSM,
    NeuralODE,
    SpikingLIF,
    WiredCfC,
)
from .data import dt_from_times, generate_spiral_data, pad, windows
from .io import save
from .layers import (
    GELU,
    GLU,
    BatchNorm,
    Bidirectional,
    Dense,
    Dropout,
    InputMapping,
    LayerNorm,
    MixedMemory,
    ParallelTime,
    Pooling,
    Residual,
    Standardize,
    register,
)
from .layers.config import CellConfig
from .model import LTCRNN, CfCRNN, LiquidS4RNN, Model, from_config, load
from .network.tape import Gradients
from .network.trace import Trace
from .optim import (
    SGD,
    Adam,
    AdamW,
    CosineDecay,
    ExponentialDecay,
    PerEpoch,
    PiecewiseConstant,
    RMSprop,
    WarmUp,
    clip_by_array_norm,
    clip_by_global_norm,
)
from .train.callbacks import Callback, Checkpoint, CSVLogger, EarlyStopping, ReduceLROnPlateau, TensorBoard
from .train.history import History
from .tutorial import LIFNeuronLayer, LTCCell
from .wirings import NCP, AutoNCP, FullyConnected, Random, RandomWiring, Wiring

__all__ = [
    "CTGRU",
    "CSVLogger",
    "CTRNN",
    "GELU",
    "GLU",
    "GRU",
    "LRC",
    "LSTM",
    "LTC",
    "LTCRNN",
    "NCP",
    "S4D",
    "SGD",
    "Adam",
    "AdamW",
    "AutoNCP",
    "BatchNorm",
    "Bidirectional",
    "Callback",
    "CellConfig",
    "CfC",
    "CfCRNN",
    "Checkpoint",
    "CosineDecay",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Entry",
    "ExponentialDecay",
    "FullyConnected",
    "Gradients",
    "History",
    "InputMapping",
    "LIFNeuronLayer",
    "LTCCell",
    "Layer",
    "LayerNorm",
    "Layout",
    "LiquidS4",
    "LiquidS4RNN",
    "LrcSSM",
    "MixedMemory",
    "Model",
    "NeuralODE",
    "ParallelTime",
    "PerEpoch",
    "PiecewiseConstant",
    "Pooling",
    "RMSprop",
    "Random",
    "RandomWiring",
    "ReduceLROnPlateau",
    "Residual",
    "SolverError",
    "SpikingLIF",
    "Standardize",
    "TensorBoard",
    "Trace",
    "WarmUp",
    "WiredCfC",
    "Wiring",
    "analysis",
    "clip_by_array_norm",
    "clip_by_global_norm",
    "data",
    "dt_from_times",
    "from_config",
    "generate_spiral_data",
    "get_num_threads",
    "gradcheck",
    "largest_multiplier",
    "load",
    "losses",
    "metrics",
    "optim",
    "pad",
    "plot",
    "register",
    "save",
    "set_num_threads",
    "simplify",
    "solver_error",
    "windows",
    "wirings",
]

sys.modules[f"{__name__}.gradcheck"] = gradcheck  # ``import ltc_np.gradcheck`` goes on working
