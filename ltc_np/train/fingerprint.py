"""Arguments and data as text, by which one sees whether two of them are the same."""

from __future__ import annotations

import numbers
import re
import zlib
from typing import Any

import numpy as np

from ..base.types import Ints, Numbers

ROWS = 16  # of how many sequences a checksum is taken


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
