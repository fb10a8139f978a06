"""What goes around cells, one file a layer.  `LAYERS` is the registry: every layer a saved model may name."""

from ..cells import CELLS
from .bidirectional import Bidirectional
from .dense import Dense
from .dropout import Dropout
from .input_mapping import InputMapping
from .mixed_memory import MixedMemory
from .residual import Residual
from .stack import Stack

LAYERS = {
    **CELLS,
    "Bidirectional": Bidirectional,
    "Dense": Dense,
    "Dropout": Dropout,
    "InputMapping": InputMapping,
    "MixedMemory": MixedMemory,
    "Residual": Residual,
}

__all__ = ["LAYERS", "Bidirectional", "Dense", "Dropout", "InputMapping", "MixedMemory", "Residual", "Stack"]
