"""The folder in which a training keeps its checkpoints: their names, which is the newest whole one, and which are
removed."""

from __future__ import annotations

import errno
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import io
from ...base import archive, checks, files
from ...base.from_arguments import Immutable
from ...base.types import Numbers, PathLike

if TYPE_CHECKING:
    import pathlib

NAME = re.compile(r"step-([0-9]{8,})\.npz")
LOST = errno.EIO, errno.ENOENT  # what a bad disk says, and a link to a file that is gone
DAMAGED = ".damaged"  # is added to the name of a damaged file, which is then not taken for a checkpoint any more


class Checkpoints(Immutable):
    """Where `fit` keeps checkpoints, how often, and whether it goes on from them.

    ``fit(checkpoint="run/")`` means ``fit(checkpoint=Checkpoints("run/"))``.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there (``~`` is the home folder), for files ``step-00000120.npz`` that hold all of the
        training as it was when so many steps were done.
    every : int >= 1, optional
        Steps from one checkpoint to the next, counted as for `Callback.on_batch_end`.  Default: one at the end of each
        epoch.
    keep_last : int >= 1
        How many checkpoints remain; older ones are removed when a new one is on the disk.
    resume : bool
        Go on from the newest checkpoint of the folder; where there is none, begin.
    """

    folder: PathLike
    every: int | None
    keep_last: int
    resume: bool

    def __init__(self, folder: PathLike, *, every: int | None = None, keep_last: int = 3, resume: bool = False) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"`checkpoint` must be a folder, a str or a Path, got {checks.brief(folder)}")
        if not os.fspath(folder):  # which would be the current folder
            raise ValueError("`checkpoint` must be a folder, got ''")
        self.folder, self.every = folder, None if every is None else checks.integer("every", every)
        self.keep_last, self.resume = checks.integer("keep_last", keep_last), checks.boolean("resume", resume)


def read_checkpoints(name: str, checkpoint: Any) -> Checkpoints | None:
    """`Checkpoints` of a folder too; None for None."""
    return checkpoint if checkpoint is None or isinstance(checkpoint, Checkpoints) else Checkpoints(checkpoint)


class CheckpointFile(NamedTuple):
    """A checkpoint that is whole: its path, and its arrays as `io.read_checkpoint` gives them."""

    path: pathlib.Path
    arrays: dict[str, Numbers]


class CheckpointFolder(NamedTuple):
    """A folder of checkpoints such as ``step-00000120.npz``, whose names say how many steps the training had made.

    Parameters
    ----------
    folder : pathlib.Path
    every : int or None
        Steps from one checkpoint to the next; None: one at the end of each epoch.
    keep_last : int
        How many checkpoints remain.
    """

    folder: pathlib.Path
    every: int | None
    keep_last: int

    def newest(self) -> CheckpointFile | None:
        """The newest checkpoint that is whole; None if the folder has no checkpoints.

        A warning names those that are damaged, and they are renamed.

        Raises
        ------
        ValueError
            There are checkpoints, but all of them are damaged.
        OSError
            A file cannot be read.
        """
        paths = [path for _, path in reversed(numbered(self.folder))]
        wrong: list[str] = []
        for path in paths:
            try:
                content = CheckpointFile(path, io.read_checkpoint(path))
            except (ValueError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in LOST:
                    raise
                wrong.append(str(error))
                continue
            for damaged in paths[: len(wrong)]:
                os.replace(damaged, f"{damaged}{DAMAGED}")
            if wrong:
                checks.warn(
                    f"ltc_np: training goes on from the checkpoint {path}, since newer ones are not whole and are now "
                    f"called *{DAMAGED}: {'; '.join(wrong)}"
                )
            return content
        if wrong:
            raise ValueError(
                f"`checkpoint` must have a checkpoint that is whole to resume from, got {'; '.join(wrong)}: remove "
                "what is there to begin anew, or take another folder"
            )
        return None

    def is_due(self, last: int, step: int) -> bool:
        """Whether a checkpoint is due at ``step``, if the last one was written at step ``last``."""
        return self.every is not None and step // self.every > last // self.every

    def until_due(self, step: int) -> int:
        """Steps from ``step`` to that at which the next one is due."""
        return sys.maxsize if self.every is None else self.every - step % self.every

    def write(self, step: int, arrays: dict[str, Numbers]) -> None:
        """Write what `io.checkpoint` gave, whole or not at all; then remove the oldest files, so that ``keep_last``
        remain.

        Raises
        ------
        OSError
            The disk is full, a right is missing, or the like; the checkpoints that were there are as they were.
        """
        path = self.folder / name_of(step)
        try:
            archive.write(path, arrays)
        except OSError as error:
            told = f"{error.strerror}, and the checkpoints before it are as they were"
            raise OSError(error.errno, told, str(path)) from None
        self.remove_old()

    def remove_old(self) -> None:
        """Remove the oldest files, so that ``keep_last`` remain; to be called when the newest is known to be whole."""
        for _, old in numbered(self.folder)[: -self.keep_last]:
            old.unlink(missing_ok=True)


def name_of(step: int) -> str:
    """The name of the checkpoint that is written when a training has made so many steps."""
    return f"step-{step:08d}.npz"


def folder_of(checkpoint: PathLike) -> pathlib.Path:
    """The folder that a user means, ``~`` being the home folder."""
    from pathlib import Path  # slow to import, and only checkpoints need it

    return Path(os.path.expanduser(checkpoint))


def numbered(folder: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """The number and the path of each checkpoint in a folder, in order; none if there is no such folder."""
    if not folder.is_dir():
        return []
    found = ((NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def open_folder(checkpoints: Checkpoints) -> CheckpointFolder:
    """`CheckpointFolder` for an option of `fit`; the folder is made.

    Raises
    ------
    ValueError
        The folder has checkpoints, and the training is not to be resumed.
    OSError
        The folder cannot be made, or takes no files.
    """
    folder = folder_of(checkpoints.folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"`checkpoint` must be a folder, got the file {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"`checkpoint` must be a folder that can be made, got {folder}: {error.strerror}") from None
    found = CheckpointFolder(folder, checkpoints.every, checkpoints.keep_last)
    there = numbered(folder)
    for _, path in there:
        if path.exists() and not path.is_file():  # a pipe may never send anything
            kind, known = ("folder", IsADirectoryError) if path.is_dir() else ("pipe, socket or device", OSError)
            raise known(
                f"`checkpoint` must be a folder where only checkpoints have names such as theirs, got the {kind} "
                f"{path}: call it otherwise, or give another folder"
            )
    if there and not checkpoints.resume:
        raise ValueError(
            f"`checkpoint` must be a folder without checkpoints, got {folder} with {there[-1][1].name}: give "
            f"Checkpoints(..., resume=True) to go on from there, or another folder"
        )
    try:
        files.check_takes_files(folder)
    except OSError as error:
        told = f"`checkpoint` must be a folder that takes new files, got {folder}: {error.strerror}"
        raise type(error)(told) from None
    return found
