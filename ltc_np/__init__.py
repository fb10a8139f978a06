"""Liquid time-constant networks with NumPy and Numba: irregular times, hand-derived gradients, fast kernels.

Importing this package loads NumPy only.  Numba is loaded with the first model that uses it; `analysis`, `plot` and
`simplify`, which few programs need, when one of their names is used.
"""

import importlib as _importlib
import typing as _typing

from . import cells, data, ensemble, layers, losses, metrics, optim, wirings
from .base.layout import Entry, Layout
from .base.threads import get_num_threads, set_num_threads
from .base.version import __version__ as __version__
from .cells import *
from .data import dt_from_times, generate_spiral_data, pad, windows
from .io import save
from .kernels.versions import show_versions
from .layers import *
from .layers.config import CellConfig
from .model import LTCRNN, CfCRNN, LiquidS4RNN, Model, from_config, load
from .network.engine import Gradients
from .network.trace import Trace
from .optim import (
    SGD,
    Adam,
    AdamW,
    Clip,
    CosineDecay,
    ExponentialDecay,
    PerEpoch,
    PiecewiseConstant,
    RMSprop,
    WarmUp,
    clip_by_array_norm,
    clip_by_global_norm,
)
from .train.bptt import BPTT
from .train.callbacks import (
    EMA,
    SWA,
    Callback,
    Checkpoint,
    CollapseGuard,
    CSVLogger,
    EarlyStopping,
    ReduceLROnPlateau,
    TensorBoard,
    WeightAverage,
)
from .train.data.batching import Batching
from .train.data.validation import Validation
from .train.history import History
from .train.loop.best_weights import BestWeights
from .train.penalty import L1L2
from .train.ranks.communication import ShardedData
from .train.resume.folder import Checkpoints
from .tutorial import LIFNeuronLayer, LTCCell
from .wirings import NCP, AutoNCP, FullyConnected, Random, RandomWiring, Wiring

__all__ = [
    "BPTT",
    "EMA",
    "L1L2",
    "CSVLogger",
    "LTCRNN",
    "NCP",
    "SGD",
    "SWA",
    "Adam",
    "AdamW",
    "AutoNCP",
    "Batching",
    "BestWeights",
    "Callback",
    "CellConfig",
    "CfCRNN",
    "Checkpoint",
    "Checkpoints",
    "CollapseGuard",
    "Clip",
    "CosineDecay",
    "EarlyStopping",
    "Entry",
    "ExponentialDecay",
    "FullyConnected",
    "Gradients",
    "History",
    "LIFNeuronLayer",
    "LTCCell",
    "Layout",
    "LiquidS4RNN",
    "Model",
    "PerEpoch",
    "PiecewiseConstant",
    "RMSprop",
    "Random",
    "RandomWiring",
    "ReduceLROnPlateau",
    "ShardedData",
    "SolverError",
    "TensorBoard",
    "Trace",
    "Validation",
    "WarmUp",
    "WeightAverage",
    "Wiring",
    "analysis",
    "clip_by_array_norm",
    "clip_by_global_norm",
    "data",
    "dt_from_times",
    "ensemble",
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
    "save",
    "set_num_threads",
    "show_versions",
    "simplify",
    "solver_error",
    "windows",
    "wirings",
]
__all__ += cells.__all__
__all__ += layers.__all__

if _typing.TYPE_CHECKING:
    from . import analysis, plot, simplify
    from .analysis import gradcheck, largest_multiplier
    from .analysis.solver_error import SolverError, solver_error
else:

    def __getattr__(name):
        """A name that is not there yet: a folder that few programs need, or what `analysis` has."""
        if name in ("analysis", "plot", "simplify"):
            return _importlib.import_module(f"{__name__}.{name}")
        if name in __all__:
            from . import analysis

            return getattr(analysis, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
