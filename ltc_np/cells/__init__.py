"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .cfc import CfC
from .lstm import LSTM
from .ltc import LTC

CELLS = {"LTC": LTC, "CfC": CfC, "LSTM": LSTM}

__all__ = ["CELLS", "LSTM", "LTC", "CfC", "Fresh", "Layer", "Workspace"]
