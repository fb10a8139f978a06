"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .cfc import CfC
from .ctgru import CTGRU
from .gru import GRU
from .lstm import LSTM
from .ltc import LTC
from .wired_cfc import WiredCfC

CELLS = {"LTC": LTC, "CfC": CfC, "WiredCfC": WiredCfC, "LSTM": LSTM, "GRU": GRU, "CTGRU": CTGRU}

__all__ = ["CELLS", "CTGRU", "GRU", "LSTM", "LTC", "CfC", "Fresh", "Layer", "WiredCfC", "Workspace"]
