"""Files that are written whole or not at all.

A file is written under another name, to the disk, and renamed.  A process that is killed in between leaves that file
behind; the next one that writes into the folder removes it once it has been untouched for an hour.  Should it belong to
a process that has only slept, this one finds its file gone and writes it again: so nothing is lost whatever others do,
on file systems without locks too.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pathlib  # slow to import, and only files need it

# While a file is written it has a name of this form, in the folder where it will lie.
BEGINNING, END = ".ltc_np-", ".tmp"
LEFT_BEHIND = 3600  # seconds since the last write: then nobody writes any more


def check_readable(path: pathlib.Path, argument: str = "path") -> None:
    """Refuse a path that exists and is no file: a folder, a pipe that may never send anything, a device that never
    ends.

    Raises
    ------
    OSError
        The message names the argument.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # who opens it says what is wrong
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"`{argument}` must be a file, got the folder {path}")
    if not stat.S_ISREG(mode):
        raise OSError(f"`{argument}` must be a file, got the pipe, socket or device {path}")


def check_path(path: pathlib.Path) -> None:
    """Refuse the path of a folder, of a device or of a protected file, and one in a folder that does not exist.

    Renaming would replace devices and protected files too: the system only asks for rights to the folder in which they
    lie.
    """
    check_readable(path)
    if path.exists() and not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(f"`path` must be a file that may be replaced, got {path}, which is read-only")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in an existing folder, got {path}")


def check_writable(path: pathlib.Path) -> None:
    """Refuse a path where no file can be written, before there is work that would be lost."""
    check_path(path)
    try:
        check_takes_files(path.parent)
    except OSError as error:
        raise type(error)(f"`path` must lie in a folder that takes new files, got {path}: {error.strerror}") from None


def check_takes_files(folder: pathlib.Path) -> None:
    """Make a file in a folder, and remove it; the error of the system if that fails."""
    import tempfile

    with tempfile.TemporaryFile(dir=folder):  # a question of rights would not see all reasons
        pass


def write(path: pathlib.Path, fill: Callable[[BinaryIO], object]) -> None:
    """Write the file ``path``, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        Of a new file, or of one to be replaced, whose access rights stay.
    fill : callable
        ``fill(file)`` writes what it holds to a binary file; it may be called twice.

    Raises
    ------
    OSError
        With ``path``: there is no room, no right, ...; a former file is as it was.
    """
    try:
        try:
            now = _write(path, fill)
        except FileNotFoundError:
            now = _write(path, fill)
    except OSError as error:
        raise about(path, error, "nothing was written") from None
    _sync(path.parent)
    _clear(path.parent, now)


def write_all(contents: Mapping[pathlib.Path, bytes]) -> None:
    """Write several files, path -> content: each of them whole, and all of them or none.

    All content is on the disk under other names before the first file gets its own; what can go wrong, such as a disk
    that is full, goes wrong before.

    Raises
    ------
    OSError
        As for `write`; former files are as they were.
    """
    made: dict[pathlib.Path, pathlib.Path] = {}
    try:
        for path, content in contents.items():
            made[path] = _new_name(path)
            _fill(path, made[path], functools.partial(put, content))
        for path in contents:
            os.replace(made[path], path)
            _sync(path.parent)
    except BaseException as error:
        for temporary in made.values():
            _remove(temporary)
        if isinstance(error, OSError):
            raise about(path, error, "nothing was written") from None
        raise


def _write(path: pathlib.Path, fill: Callable[[BinaryIO], object]) -> float:
    """Write once; the time of it by the file system's clock."""
    temporary = _new_name(path)
    try:
        now = _fill(path, temporary, fill)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise
    return now


def _new_name(path: pathlib.Path) -> pathlib.Path:
    return path.parent / f"{BEGINNING}{os.urandom(8).hex()}{END}"


def _fill(path: pathlib.Path, temporary: pathlib.Path, fill: Callable[[BinaryIO], object]) -> float:
    """Write a new file, to the disk, in the place of ``path``; the time of it by the file system's clock."""
    with open(temporary, "xb") as file:
        with contextlib.suppress(OSError):  # there is no former file, or the file system knows no rights
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))  # before there is anything to read
        fill(file)
        file.flush()
        os.fsync(file.fileno())  # or the name could reach the disk before what it stands for
        return os.fstat(file.fileno()).st_mtime


def put(content: bytes, file: BinaryIO) -> None:
    """Write the content of a file."""
    file.write(content)


def _remove(temporary: pathlib.Path) -> None:
    with contextlib.suppress(OSError):  # it was never made, or its folder is gone
        os.unlink(temporary)


def _sync(folder: pathlib.Path) -> None:
    """Bring the names in a folder to the disk, where the system can do this; the content of the files is there
    already."""
    with contextlib.suppress(OSError):  # Windows opens no folders, and some file systems have no such call
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _clear(folder: pathlib.Path, now: float) -> None:
    """Remove what processes that were killed have left behind; whatever hinders it matters to nobody."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [e for e in entries if e.name.startswith(BEGINNING) and e.name.endswith(END)]
        for entry in found:
            with contextlib.suppress(OSError):
                if now - entry.stat(follow_symlinks=False).st_mtime > LEFT_BEHIND:
                    os.unlink(entry)


def about(path: pathlib.Path, error: OSError, consequence: str) -> OSError:
    """The same error with the user's path instead of that of a hidden file."""
    if error.errno is None:
        return OSError(f"{path}: {error}; {consequence}")
    return OSError(error.errno, f"{error.strerror}; {consequence}", str(path))
