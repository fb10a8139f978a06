"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .lstm import LSTM
from .ltc import LTC

CELLS = {"LTC": LTC, "LSTM": LSTM}

__all__ = ["CELLS", "LSTM", "LTC", "Fresh", "Layer", "Workspace"]
