"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .cfc import CfC
from .ctrnn import CTRNN
from .lstm import LSTM
from .ltc import LTC
from .neural_ode import NeuralODE
from .wired_cfc import WiredCfC

CELLS = {"LTC": LTC, "CfC": CfC, "WiredCfC": WiredCfC, "LSTM": LSTM, "CTRNN": CTRNN, "NeuralODE": NeuralODE}

__all__ = ["CELLS", "CTRNN", "LSTM", "LTC", "CfC", "Fresh", "Layer", "NeuralODE", "WiredCfC", "Workspace"]
