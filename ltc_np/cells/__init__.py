"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .cfc import CfC
from .lstm import LSTM
from .ltc import LTC
from .spiking_lif import SpikingLIF
from .wired_cfc import WiredCfC

CELLS = {"LTC": LTC, "CfC": CfC, "WiredCfC": WiredCfC, "LSTM": LSTM, "SpikingLIF": SpikingLIF}

__all__ = ["CELLS", "LSTM", "LTC", "CfC", "Fresh", "Layer", "SpikingLIF", "WiredCfC", "Workspace"]
