"""Named arrays in one file, an ``.npz`` of NumPy: written whole or not at all, and read with nothing taken on trust.

A file may be damaged, cut short, or made to do harm.  So what it declares is compared with what is there before room
is made for anything: arrays are never compressed, hence none is larger than the file, and their headers are read by a
pattern, not evaluated.
"""

import errno
import math
import os
import re

import numpy as np

from . import files

# Of an array in NumPy's format 1.0: bools, numbers, text.
MAGIC = b"\x93NUMPY\x01\x00"
KIND = r"[<>|](?:b1|[iu][1248]|f[248]|c8|c16|[SU][1-9]\d{0,8})"
SHAPE = r"\(((?:\d{1,18}, ?)*(?:\d{1,18})?)\)"
HEADER = re.compile(rf"\{{'descr': '({KIND})', 'fortran_order': (True|False), 'shape': {SHAPE}, \}} *\n")
CHUNK = 2**20  # bytes that are read at once


class FileError(ValueError):
    """What is wrong with a file, in words that go behind its path."""


# ------------------------------------------------------------------------------------------------------------ writing


def write(path, arrays):
    """Write ``arrays`` (name -> array) to ``path``, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        See `ltc_np.base.files.write`.
    arrays : dict
        In their order.

    Raises
    ------
    OSError
        As there.
    TypeError
        An array of objects or of a kind that `read` does not know.
    """
    for name, array in arrays.items():
        if not re.fullmatch(KIND, array.dtype.str):
            raise TypeError(f"`{name}` must be an array of bools, numbers or text to be saved, got dtype {array.dtype}")

    def fill(file):
        import zipfile  # slow to import, and only files need it

        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)

    files.write(path, fill)


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
    return f"not a model file, or a damaged one: {where} cannot be read ({error})"


def _check_members(members, size):
    """Refuse what `write` never makes: other members than arrays, some twice, compressed, more than the file holds."""
    names = set()
    for member in members:
        name = member.filename
        if not name.endswith(".npy"):
            raise FileError(f"not a model file, or a damaged one: it has a part {name!r:.40}")
        if name in names:
            raise FileError(f"damaged: it has {name!r:.40} twice")
        if member.compress_type != 0 or member.compress_size != member.file_size:
            raise FileError(f"not a model file, or a damaged one: {name!r:.40} is compressed")
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
