"""Whether several ranks can train together: what all of them must have, and what must be the same on each."""

from __future__ import annotations

import numbers
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses
from ..base.version import __version__
from .measures import check_mergeable
from .ranks import SAME_DATA
from .stream import is_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..base.types import Ints
    from ..metrics.base import Metric
    from ..network.network import Network
    from .ranks import Alone

# What may differ between ranks: what belongs to the data of a rank, and what it shows.
OWN = {"model", "comm", "callbacks", "verbose", "seed", "steps_per_epoch", "validation_data", *SAME_DATA}
ROWS = 16  # of how many sequences a checksum is taken


def check_arguments(ranks: Alone, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of `fit` that differ between ranks.  Where all must have the same data, some sequences are
    compared."""
    if ranks.size == 1:
        return
    model, x = arguments["model"], arguments["x"]
    words = {name: as_text(value) for name, value in arguments.items() if name not in OWN}
    loss = arguments["loss"]
    if not isinstance(loss, str):
        words["loss"] = losses.identity(losses.get(loss))
    words["validation_data"] = "None" if arguments["validation_data"] is None else "some"
    words["model"] = as_text((model, model.layers, model.theta.size, model.dtype, model.backend))
    words["model.trainable"] = fingerprint(model.trainable)
    words["the version of ltc_np"] = __version__
    if is_stream(x):
        words["x"] = "batches"
    elif not ranks.shares:
        words |= {name: fingerprint(arguments[name]) for name in SAME_DATA}
    ranks.check_same(words)


def check_ranks(ranks: Alone, model: Network, measures: dict[str, Metric], group_by_length: bool) -> None:
    """Refuse what several ranks cannot compute together."""
    if ranks.size == 1:
        return
    check_mergeable(measures)
    layer = next((layer for layer in model.layers if layer.batch_statistics), None)
    if layer is not None:
        raise ValueError(
            f"`comm` needs layers without statistics of a batch, since no rank has a whole batch, got {layer!r}: take "
            "LayerNorm, or train on one rank"
        )
    if ranks.shares and group_by_length:
        raise ValueError("`group_by_length` must be False with `shares`: no rank knows the lengths of others, got True")


def as_text(value: Any) -> str:
    """An argument as text, without addresses in memory, which differ from rank to rank."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def fingerprint(values: Any) -> str:
    """Data as text: kind, size, and a checksum of some rows."""
    if isinstance(values, numbers.Real):
        return repr(float(values))
    if values is None or np.isscalar(values):
        return repr(values)
    if isinstance(values, (list, tuple)):
        rows = [fingerprint(values[k]) for k in _some(len(values))]
        return f"a list of {len(values)} with checksum {zlib.crc32(repr(rows).encode()):08x}"
    as_it_is = isinstance(values, np.memmap) or hasattr(values, "__cuda_array_interface__")
    array = values if as_it_is else np.asarray(values)
    text = f"{array.dtype} of shape {array.shape}"
    if isinstance(array, np.ndarray) and array.ndim and array.dtype != object:
        text += f" with checksum {zlib.crc32(np.ascontiguousarray(array[_some(len(array))]).tobytes()):08x}"
    return text


def _some(count: int) -> Ints:
    return np.linspace(0, count - 1, min(count, ROWS)).astype(int)
