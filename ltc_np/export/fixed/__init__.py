"""A model in fixed point: integers of 32 bits, for microcontrollers without floating point.

`quantise` chooses formats from calibration data and reports the error; what it gives runs in NumPy bit for bit as the C
that `write` makes of it.  Inside, `ranges` measures, `formats` chooses, `translate` makes the program of integers,
`run` computes it in NumPy, with the operations of `primitives` (`arithmetic`, and `functions` by the tables of
`curves`), and `c` and `c_text` say the same in C.  `readout` is a readout that learns, and `c_rule` that in C.
"""

from .quantise import HEADROOM, quantise
from .quantised import Quantised
from .report import Report
from .write import write

__all__ = ["HEADROOM", "Quantised", "Report", "quantise", "write"]
