"""A checksum over all that named arrays hold: of a file, whether it is as it was written, whatever happened since."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .types import Numbers

SEAL = "sha256"  # the name of the array that is the checksum of the others


def digest(arrays: Mapping[str, Numbers]) -> str:
    """SHA-256 of names, dtypes, shapes and values, in this order; the same on machines of any byte order."""
    found = hashlib.sha256()
    for name, array in arrays.items():
        own = array.astype(array.dtype.newbyteorder("<"), copy=False)
        found.update(f"{name} {own.dtype.str} {own.shape}\n".encode())
        found.update(np.ascontiguousarray(own).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def sealed(arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The arrays and their seal."""
    return {**arrays, SEAL: np.array(digest(arrays))}


def is_whole(arrays: Mapping[str, Numbers]) -> bool:
    """Whether there is a seal, and it is that of the other arrays."""
    others = {name: array for name, array in arrays.items() if name != SEAL}
    seal = arrays.get(SEAL)
    return seal is not None and seal.dtype.kind == "U" and seal.ndim == 0 and str(seal) == digest(others)
