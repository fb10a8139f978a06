"""What may be promised for sequences that were not measured."""

from __future__ import annotations

import numpy as np

from ...base.types import Numbers

PARTS = 16  # at least so many stretches of the data are compared
MARGIN, DEVIATIONS = 2.0, 4.0  # in powers of 2: the bound is 2**(MARGIN + DEVIATIONS * spread) times the largest error


def bound(error: Numbers, sequences: int, unit: float) -> Numbers:
    """What the error of each output stays below, (O,), for sequences like these.

    The largest error that was found, times a margin that grows with the spread of its logarithm between stretches of
    the data: where all are alike others will be, too, and where a few are much worse than most others will be worse.
    It is no proof.

    Parameters
    ----------
    error : (steps, O) array
        Magnitudes, sequence after sequence.
    sequences : int
    unit : float
        The distance of two numbers of the outputs' format; less than it is counted as one.
    """
    stretches = np.array_split(error, min(max(PARTS, sequences), len(error)))
    largest = np.maximum([stretch.max(0) for stretch in stretches], unit)
    return largest.max(0) * 2.0 ** (MARGIN + DEVIATIONS * np.log2(largest).std(0))
