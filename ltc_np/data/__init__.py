"""Data: the tutorial's spiral, windows of series, padding of unequal sequences, elapsed times, missing values.

Sizes: B sequences, T observations, I features; arrays are (batch, time, feature).
"""

from .filling import Filled, forward_fill
from .merge import Merged, merge
from .padding import pad
from .spiral import generate_spiral_data
from .times import dt_from_times
from .windows import windows

__all__ = ["Filled", "Merged", "dt_from_times", "forward_fill", "generate_spiral_data", "merge", "pad", "windows"]
