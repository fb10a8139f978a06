"""Whether several ranks can train together: what all of them must have, and what must be the same on each."""

from __future__ import annotations

import numbers
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses
from ...base.described import known
from ...base.version import __version__
from ..data.stream import is_stream
from ..measures import check_mergeable
from .communication import SAME_DATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...base.types import Ints, Numbers
    from ...metrics.base import Metric
    from ...network.network import Network
    from .communication import Alone

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
    words["the version of ltc_np"] = __version__
    words |= of_model(model)
    if is_stream(x):
        words["x"] = "batches"
    elif not ranks.shares:
        words |= {name: fingerprint(arguments[name]) for name in SAME_DATA}
    ranks.check_same(words)


def of_model(model: Network) -> dict[str, str]:
    """What makes a model, attribute by attribute, as text; layers by their arguments."""
    words = {"model": type(model).__name__, "len(model.layers)": str(len(model.layers))}
    for k, layer in enumerate(model.layers):
        words[f"model.layers[{k}]"] = type(layer).__name__
        arguments = known(layer) or {"config": as_text(layer)}
        words |= {f"model.layers[{k}].{name}": _argument(value) for name, value in arguments.items()}
    for name in ("dtype", "backend", "return_sequences", "input_size"):
        words[f"model.{name}"] = str(getattr(model, name))
    return words | {"model.theta.size": str(model.theta.size), "model.trainable": fingerprint(model.trainable)}


def _argument(value: Any) -> str:
    return fingerprint(value) if isinstance(value, np.ndarray) else as_text(value)


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
    """Data as text: kind, size, and a checksum of some rows.

    A list of arrays, one array, and one in a file have the same text if they hold the same.
    """
    if isinstance(values, numbers.Real):
        return repr(float(values))
    if values is None or np.isscalar(values):
        return repr(values)
    if not isinstance(values, (list, tuple)):
        values = values if isinstance(values, np.memmap) or _is_on_card(values) else np.asarray(values)
        if _is_on_card(values) or not values.ndim or values.dtype == object:
            return _kind(values)
    elif len(values) and not isinstance(values[0], (list, tuple)) and not np.ndim(values[0]):
        values = np.asarray(values)
    rows = [_row(values[k]) for k in _some(len(values))]
    if len({(row.dtype, row.shape) for row in rows}) == 1 and _are_equally_long(values):
        text = f"{rows[0].dtype} of shape {(len(values), *rows[0].shape)}"
    else:
        text = f"{len(values)} arrays of several kinds or shapes"
    checksum = 0
    for row in rows:
        checksum = zlib.crc32(np.ascontiguousarray(row).tobytes(), zlib.crc32(_kind(row).encode(), checksum))
    return f"{text} with checksum {checksum:08x}"


def _kind(values: Any) -> str:
    return f"{values.dtype} of shape {values.shape}"


def _is_on_card(values: Any) -> bool:
    return hasattr(values, "__cuda_array_interface__")


def _row(values: Any) -> Numbers:
    """An array, of text where numbers cannot be had."""
    if _is_on_card(values):
        return np.asarray(_kind(values))
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        return np.asarray(as_text(values))
    return np.asarray(as_text(values)) if array.dtype == object else array


def _are_equally_long(values: Any) -> bool:
    return isinstance(values, np.ndarray) or len({len(row) for row in values}) == 1


def _some(count: int) -> Ints:
    return np.linspace(0, count - 1, min(count, ROWS)).astype(int)
