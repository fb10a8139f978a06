"""What goes around cells, one file a layer, and the `registry` of all layers."""

from .bidirectional import Bidirectional
from .dense import Dense
from .dropout import Dropout
from .input_mapping import InputMapping
from .mixed_memory import MixedMemory
from .registry import LAYERS, register
from .residual import Residual
from .stack import Stack
from .standardize import Standardize

__all__ = [
    "LAYERS",
    "Bidirectional",
    "Dense",
    "Dropout",
    "InputMapping",
    "MixedMemory",
    "Residual",
    "Stack",
    "Standardize",
    "register",
]
