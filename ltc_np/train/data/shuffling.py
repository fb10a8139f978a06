"""The order in which the sequences of an epoch are taken, where batches are to have sequences of like length."""

from __future__ import annotations

import numpy as np

from ...base.types import Ints

# Batches whose sequences are sorted together: more of them leave less padding, fewer mix better.
POOL = 32


def grouped(lengths: Ints, batch_size: int, rng: np.random.Generator) -> Ints:
    """An order in which sequences of like length stand in one batch.

    The sequences are shuffled and cut into pools of `POOL` batches; in each pool they are sorted by length, stably, so
    that those of one length stay shuffled; then the batches are shuffled.  The last batch, if it is smaller, is drawn
    from all of them, so that what ``drop_last`` leaves out is not always the longest.
    """
    order = rng.permutation(len(lengths))
    full = len(order) - len(order) % batch_size
    pools = np.arange(full) // (POOL * batch_size)
    order[:full] = order[np.lexsort((lengths[order[:full]], pools))]
    batches = order[:full].reshape(-1, batch_size)
    return np.concatenate([rng.permutation(batches).ravel(), order[full:]])
