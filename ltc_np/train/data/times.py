"""Time stamps that were given for elapsed times: a warning, since both are numbers."""

from __future__ import annotations

import numpy as np

from ...base import checks
from .batches import Batches

LEAST = 5  # steps of a sequence that tells
EPOCH = 1e8  # seconds since 1970 are more, elapsed times are not


def warn_of_times(data: Batches) -> None:
    """One warning where ``dt`` of `Batches` grows in every sequence, and not faster and faster, or is immense."""
    dt, lengths = data.dt, data.lengths
    rows = np.flatnonzero(lengths >= LEAST)[:1000]
    if not len(rows):
        return
    dt, lengths = dt[rows], lengths[rows]
    valid = checks.before_end(lengths, dt.shape[1])
    last = dt[np.arange(len(dt)), lengths - 1]
    grows = bool(((np.diff(dt) >= 0) | ~valid[:, 1:]).all() and (last > dt[:, 0]).all())
    if grows:  # elapsed times that grow do so as on a logarithmic scale
        faster = (np.diff(dt, 2) > 0) | ~valid[:, 2:]
        grows = not faster.all()
    if grows or dt[valid].min() > EPOCH:
        checks.warn(
            f"ltc_np: `dt` looks like time stamps, from {dt[valid].min():.4g} to {dt[valid].max():.4g}: it is the time "
            "since the step before, which dt_from_times(times) computes"
        )
