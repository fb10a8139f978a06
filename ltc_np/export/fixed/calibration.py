"""Calibration data in a file."""

from __future__ import annotations

import pathlib
from typing import Any

from ...base import archive, files
from ...base.types import Numbers, PathLike

NEEDED, POSSIBLE = "x", ("x", "dt", "lengths")


def read(path: PathLike) -> dict[str, Any]:
    """The arrays x and, where the file has them, dt and lengths of an ``.npz`` of `numpy.savez`.

    Raises
    ------
    ValueError
        It is something else, or holds other arrays, too.
    OSError
        It cannot be read.
    """
    rule = f"`calibration` must be an .npz of numbers, as `numpy.savez` writes it, got {path}"
    where = pathlib.Path(path)
    files.check_readable(where, "calibration")
    try:
        found: dict[str, Numbers] = archive.read(where, foreign=True)
    except archive.FileError as error:
        raise ValueError(f"{rule}: {error}") from None
    others = sorted(set(found) - set(POSSIBLE))
    if NEEDED not in found or others:
        names = ", ".join(name[:40] for name in sorted(found)[:6])
        raise ValueError(f"`calibration` must hold x, and dt and lengths if wanted, got {path} with {names}")
    return found
