"""What may happen between epochs of `fit`: one callback a file."""

from .averages import EMA, SWA, WeightAverage
from .base import Callback, FunctionCallback, as_callbacks
from .checkpoint import Checkpoint
from .collapse_guard import CollapseGuard
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .reduce_lr import ReduceLROnPlateau
from .tensorboard import TensorBoard

__all__ = [
    "EMA",
    "SWA",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "CollapseGuard",
    "EarlyStopping",
    "FunctionCallback",
    "ReduceLROnPlateau",
    "TensorBoard",
    "WeightAverage",
    "as_callbacks",
]
