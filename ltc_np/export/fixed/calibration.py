"""Calibration data in a file."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ...base.types import Numbers, PathLike

NEEDED, POSSIBLE = "x", ("x", "dt", "lengths")


def read(path: PathLike) -> dict[str, Any]:
    """The arrays x and, where the file has them, dt and lengths of an ``.npz`` of `numpy.savez`.

    Raises
    ------
    TypeError
        It is a single array.
    ValueError
        It is something else, or holds other arrays, too.
    OSError
        It cannot be read.
    """
    rule = f"`calibration` must be an .npz of numbers, as `numpy.savez` writes it, got {path}"
    try:
        arrays = np.load(path, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise TypeError(f"{rule}: it is a single array")
        with arrays:
            found: dict[str, Numbers] = {name: arrays[name] for name in arrays.files}
    except (ValueError, EOFError, zipfile.BadZipFile):  # what NumPy says then is how to read such a file all the same
        raise ValueError(f"{rule}: it is damaged, or something else, or holds objects of Python") from None
    others = sorted(set(found) - set(POSSIBLE))
    if NEEDED not in found or others:
        names = ", ".join(sorted(found))
        raise ValueError(f"`calibration` must hold x, and dt and lengths if wanted, got {path} with {names}")
    return found
