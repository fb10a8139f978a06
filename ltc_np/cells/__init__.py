"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Fresh, Layer, Workspace
from .ltc import LTC

CELLS = {"LTC": LTC}

__all__ = ["CELLS", "LTC", "Fresh", "Layer", "Workspace"]
