"""Named arrays in one file, an ``.npz`` of NumPy: written whole or not at all, and read with nothing taken on trust.

A file may be damaged, cut short, or made to do harm.  So what it declares is compared with what is there before room
is made for anything: arrays are never compressed, hence none is larger than the file, and their headers are read by a
pattern, not evaluated.
"""

import contextlib
import errno
import math
import os
import re

import numpy as np

# While a file is written it has a name of this form, in the folder where it will lie.
BEGINNING, END = ".ltc_np-", ".tmp"
LEFT_BEHIND = 3600  # seconds since the last write: then nobody writes any more
# Of an array in NumPy's format 1.0: bools, numbers, text.
MAGIC = b"\x93NUMPY\x01\x00"
KIND = r"[<>|](?:b1|[iu][1248]|f[248]|c8|c16|[SU][1-9]\d{0,8})"
SHAPE = r"\(((?:\d{1,18}, ?)*(?:\d{1,18})?)\)"
HEADER = re.compile(rf"\{{'descr': '({KIND})', 'fortran_order': (True|False), 'shape': {SHAPE}, \}} *\n")
CHUNK = 2**20  # bytes that are read at once


class FileError(ValueError):
    """What is wrong with a file, in words that go behind its path."""


# ------------------------------------------------------------------------------------------------------------ writing


def check_path(path):
    """Refuse the path of a folder, and one in a folder that does not exist."""
    if path.is_dir():
        raise IsADirectoryError(f"`path` must be a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in an existing folder, got {path}")


def check_writable(path):
    """Refuse a path where no file can be written, before there is work that would be lost."""
    import tempfile

    check_path(path)
    try:
        with tempfile.TemporaryFile(dir=path.parent):  # a question of rights would not see all reasons
            pass
    except OSError as error:
        raise type(error)(f"`path` must lie in a folder that takes new files, got {path}: {error.strerror}") from None


def write(path, arrays):
    """Write ``arrays`` (name -> array) to ``path``, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        Of a new file or one to be replaced; its access rights are those of any new file.
    arrays : dict
        In their order.

    Raises
    ------
    OSError
        With ``path``: there is no room, no right, ...; a former file is as it was.
    TypeError
        An array of objects or of a kind that `read` does not know.

    Notes
    -----
    The file is written under another name, to the disk, and renamed.  A process that is killed in between leaves that
    file behind; the next one that writes into the folder removes it once it has been untouched for an hour.  Should it
    belong to a process that has only slept, this one finds its file gone and writes it again: so nothing is lost
    whatever others do, on file systems without locks too.
    """
    for name, array in arrays.items():
        if not re.fullmatch(KIND, array.dtype.str):
            raise TypeError(f"`{name}` must be an array of bools, numbers or text to be saved, got dtype {array.dtype}")
    try:
        try:
            now = _write(path, arrays)
        except FileNotFoundError:
            now = _write(path, arrays)
    except OSError as error:
        raise _about(path, error, "nothing was written") from None
    _clear(path.parent, now)


def _write(path, arrays):
    """Write once; the time of it by the file system's clock."""
    import zipfile  # slow to import, and only files need it

    temporary = path.parent / f"{BEGINNING}{os.urandom(8).hex()}{END}"
    try:
        with open(temporary, "xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())  # or the name could reach the disk before what it stands for
            now = os.fstat(file.fileno()).st_mtime
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # it was never made, or its folder is gone
            os.unlink(temporary)
        raise
    return now


def _clear(folder, now):
    """Remove what processes that were killed have left behind; whatever hinders it matters to nobody."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [e for e in entries if e.name.startswith(BEGINNING) and e.name.endswith(END)]
        for entry in found:
            with contextlib.suppress(OSError):
                if now - entry.stat(follow_symlinks=False).st_mtime > LEFT_BEHIND:
                    os.unlink(entry)


def _about(path, error, consequence):
    """The same error with the user's path instead of that of a hidden file."""
    if error.errno is None:
        return OSError(f"{path}: {error}; {consequence}")
    return OSError(error.errno, f"{error.strerror}; {consequence}", str(path))


# ------------------------------------------------------------------------------------------------------------ reading


def read(path):
    """The arrays of a file, by name.

    Raises
    ------
    FileError
        It is no file of `write`, or not a whole one.  Nothing larger than the file has been allocated.
    OSError
        It cannot be opened or read.
    """
    import struct
    import zipfile

    foreign = (zipfile.BadZipFile, struct.error, RuntimeError, ValueError, EOFError, OverflowError)
    with open(path, "rb") as file:
        where = "its directory"
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, os.fstat(file.fileno()).st_size)
                arrays = {}
                for member in members:
                    where = member.filename
                    with archive.open(member) as stream:
                        arrays[where.removesuffix(".npy")] = _read_array(where, stream, member.file_size)
                return arrays
        except FileError:
            raise
        except foreign as error:
            raise FileError(_reason(where, error)) from None
        except OSError as error:
            if error.errno == errno.EINVAL:  # a place before the file's beginning
                raise FileError(_reason(where, error)) from None
            raise OSError(error.errno, error.strerror, str(path)) from None


def _reason(where, error):
    return f"no model file, or damaged: {where} cannot be read ({error})"


def _check_members(members, size):
    """Refuse what `write` never makes: other members than arrays, some twice, compressed, more than the file holds."""
    names = set()
    for member in members:
        name = member.filename
        if not name.endswith(".npy"):
            raise FileError(f"no model file, or damaged: it has a part {name!r:.40}")
        if name in names:
            raise FileError(f"damaged: it has {name!r:.40} twice")
        if member.compress_type != 0 or member.compress_size != member.file_size:
            raise FileError(f"no model file, or damaged: {name!r:.40} is compressed")
        names.add(name)
    declared = sum(member.file_size for member in members)
    if declared > size:
        raise FileError(f"damaged, or cut short: its parts have {declared} bytes, and the file has {size}")


def _read_array(name, stream, size):
    """The array of a member of so many bytes."""
    start = stream.read(len(MAGIC) + 2)
    length = int.from_bytes(start[len(MAGIC) :], "little")
    header = HEADER.fullmatch(stream.read(length).decode("latin1"))
    if not start.startswith(MAGIC) or header is None:
        raise FileError(f"damaged: {name} has an unknown header")
    dtype, shape = np.dtype(header[1]), tuple(map(int, re.findall(r"\d+", header[3])))
    declared, held = math.prod(shape) * dtype.itemsize, size - len(start) - length
    if declared != held:
        raise FileError(f"damaged: {name} declares {declared} bytes and has {held}")
    turned = header[2] == "True"  # columns first
    array = np.empty(shape[::-1] if turned else shape, dtype)
    data = array.reshape(-1).view(np.uint8)
    # At the last byte the stream compares the checksum.
    for at in range(0, held, CHUNK):
        part = data[at : at + CHUNK]
        if stream.readinto(part) != part.size:
            raise FileError(f"damaged, or cut short: {name} ends too early")
    if dtype.kind == "b" and data.max(initial=0) > 1:
        raise FileError(f"damaged: {name} holds what is neither true nor false")
    array = array.astype(dtype.newbyteorder("="), copy=False)
    return array.T if turned else array
