"""A warning of inputs that the first layer of a trained network cuts, since they are far from those of its training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Ints
from ..layers import Standardize
from .network import Network

MANY = 10  # values of a feature, of which a share says something
ROWS = 4096  # sequences in a file that are read at once


def warn_of_clipped(network: Network, x: Any, lengths: ArrayLike | None = None) -> None:
    """One warning where a `Standardize` with ``clip`` cuts more of a feature than it can have cut in the training.

    At most 1 / clip^2 of any numbers are ``clip`` standard deviations or more from their mean (Chebyshev).
    """
    first = network.layers[0]
    if network.trained is None or not isinstance(first, Standardize) or first.clip is None:
        return
    cut, known = np.zeros((2, network.input_size), int)
    mean, scale = network.buffers["0.mean"], network.buffers["0.scale"]
    for values in _parts(x, lengths, network.input_size):
        with np.errstate(invalid="ignore", over="ignore"):
            cut += np.count_nonzero(np.abs(values - mean) > first.clip * np.abs(scale), axis=0)
        known += np.count_nonzero(np.isfinite(values), axis=0)
    many = np.flatnonzero((cut > known / first.clip**2) & (known >= MANY))
    if many.size:
        inputs = ", ".join(map(str, many[:8].tolist())) + (", ..." if many.size > 8 else "")
        checks.warn(
            f"ltc_np: many values of input {inputs} are more than {first.clip:g} standard deviations from the mean of "
            "the training, and are cut there, so that the network cannot tell them apart: are they in the same unit? "
            "If so, train with such values too, or without the limit (`clip_inputs=None` of an estimator)"
        )


def _parts(x: Any, lengths: ArrayLike | None, features: int) -> Iterator[Array]:
    """(n, I) values of the steps that count."""
    if isinstance(x, (list, tuple)) and len({np.shape(one) for one in x}) > 1:
        yield from (np.asarray(one, np.float64).reshape(-1, features) for one in x)
        return
    array = x if isinstance(x, np.memmap) else np.asarray(x)
    if array.ndim < 3:
        array = array[None]
    ends: Ints | None = None if lengths is None else np.broadcast_to(np.asarray(lengths), len(array))
    for first in range(0, len(array), ROWS):
        part = np.asarray(array[first : first + ROWS])
        if ends is None:
            yield part.reshape(-1, features)
        else:
            yield part[checks.before_end(ends[first : first + ROWS], part.shape[1])]
