"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .cfc import CfC
from .ltc import LTC

CELLS = {"LTC": LTC, "CfC": CfC}

__all__ = ["CfC", "CELLS", "LTC", "Fresh", "Layer", "Workspace"]
