"""What commands write: checked before the work, and each file whole or not at all."""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import TextIO

from ..base import files
from ..model import Model
from .tables import STANDARD


def check(targets: Mapping[str, str | None], inputs: Sequence[str], force: bool) -> None:
    """Refuse files that cannot be written, before there is work that would be lost.

    Parameters
    ----------
    targets : Mapping
        Option -> path; None where nothing is to be written.
    inputs : sequence of str
        What the command reads, which is never replaced.
    force : bool
        Whether files that are there may be replaced.
    """
    seen = {os.path.realpath(path): path for path in inputs if path != STANDARD}
    for option, target in targets.items():
        if target is None or target == STANDARD:
            continue
        real = os.path.realpath(target)
        if real in seen:
            raise ValueError(f"{option} must be another file than {seen[real]}, which is used already, got {target}")
        seen[real] = target
        path = pathlib.Path(target)
        try:
            files.check_writable(path)
        except OSError as error:
            raise ValueError(str(error).replace("`path`", option)) from None
        if path.exists() and not force:
            raise ValueError(f"{option}: {target} is there already: give --force to replace it, or another name")


def write(contents: Mapping[str, bytes]) -> None:
    """Write files, path -> content: whole, and all of them or none; then standard output."""
    files.write_all({pathlib.Path(path): content for path, content in contents.items() if path != STANDARD})
    sys.stdout.write(contents.get(STANDARD, b"").decode())


def channel(out: str | None) -> TextIO | None:
    """Where a report goes beside the output ``out``: None is standard output, unless the table is there."""
    return sys.stderr if out == STANDARD else None


def saved(model: Model) -> bytes:
    """The content of a model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.npz"
        model.save(path)
        return path.read_bytes()
