"""A folder of text files, written whole or not at all."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping

from ...base.files import BEGINNING, END, about
from ...base.types import PathLike

# In a folder of ours: the names of its files, one a line.
LIST = ".ltc_np-export"


def check(path: PathLike) -> pathlib.Path:
    """``path``, if it is free, an empty folder or one that `write` made and nobody added to."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"`directory` must be a str or a Path, got {type(path).__name__}")
    folder = pathlib.Path(path).absolute()
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"`directory` must lie in an existing folder, got {path}")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FileExistsError(f"`directory` must be a new folder or a former export, got the file {path}")
    if folder.is_dir():
        listing = folder / LIST
        # Of a list that is damaged the names are those of no file, which then counts as a foreign one.
        text = listing.read_text(encoding="utf-8", errors="replace") if listing.is_file() else ""
        own = {LIST, *text.splitlines()}
        present = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
        foreign = sorted(present - own)
        if foreign:
            raise FileExistsError(
                f"`directory` must be a new folder or a former export, got {path}, which holds {foreign[0]}"
                f"{' and more' if len(foreign) > 1 else ''}: move that away, or choose another folder"
            )
    return folder


def write(folder: pathlib.Path, files: Mapping[str, str]) -> None:
    """Write ``files`` (name with slashes -> text) to a folder that `check` gave; a former export goes.

    Everything is written under another name beside the folder first, and renamed.
    """
    try:
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=BEGINNING, suffix=END, dir=folder.parent))
        try:
            _fill(temporary / "new", files)
            _exchange(folder, temporary / "new", temporary / "old")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise about(folder, error, "nothing was written") from None


def _fill(folder: pathlib.Path, files: Mapping[str, str]) -> None:
    for name, text in {**files, LIST: "".join(f"{name}\n" for name in files)}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def _exchange(folder: pathlib.Path, new: pathlib.Path, old: pathlib.Path) -> None:
    """Put ``new`` in the place of ``folder``, which becomes ``old``; if that fails, ``folder`` is as it was."""
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        if old.exists():
            old.rename(folder)
        raise
