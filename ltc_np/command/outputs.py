"""What commands write: checked before the work, and each file whole or not at all."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence

from ..base import files
from ..model import Model


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
    seen = {os.path.realpath(path): path for path in inputs}
    for option, target in targets.items():
        if target is None:
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
    """Write files, path -> content: whole, and all of them or none."""
    files.write_all({pathlib.Path(path): content for path, content in contents.items()})


def saved(model: Model) -> bytes:
    """The content of a model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.npz"
        model.save(path)
        return path.read_bytes()
