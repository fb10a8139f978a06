"""What goes around cells, one file a layer, and the `registry` of all layers."""

from .batch_norm import BatchNorm
from .bidirectional import Bidirectional
from .conv1d import Conv1D
from .dense import Dense
from .dropout import Dropout
from .ensemble import Ensemble
from .gelu import GELU
from .glu import GLU
from .hold import Hold
from .input_mapping import InputMapping
from .layer_norm import LayerNorm
from .line import Line
from .looped import Looped
from .mixed_memory import MixedMemory
from .mixture_density import MixtureDensity
from .parallel import ParallelTime
from .patch import Patch
from .pooling import Pooling
from .random_convolutions import RandomConvolutions
from .registry import LAYERS, register
from .residual import Residual
from .stack import Stack as Stack
from .standardize import Standardize

LAYERS |= {
    layer.__name__: layer
    for layer in (
        BatchNorm, Bidirectional, Conv1D, Dense, Dropout, Ensemble, GELU, GLU, Hold, InputMapping,
        LayerNorm, Line, Looped, MixedMemory, MixtureDensity, Patch, Pooling, RandomConvolutions, Residual, Standardize,
    )
}  # fmt: skip

__all__ = [
    "GELU",
    "GLU",
    "BatchNorm",
    "Bidirectional",
    "Conv1D",
    "Dense",
    "Dropout",
    "Ensemble",
    "Hold",
    "InputMapping",
    "LayerNorm",
    "Line",
    "Looped",
    "MixedMemory",
    "MixtureDensity",
    "ParallelTime",
    "Patch",
    "Pooling",
    "RandomConvolutions",
    "Residual",
    "Standardize",
    "register",
]
