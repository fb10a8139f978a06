"""Named arrays in one file, an ``.npz`` of NumPy: written whole or not at all, and read with nothing taken on trust.

A file may be damaged, cut short, or made to do harm.  So what it declares is compared with what is there before room
is made for anything, and headers of arrays are read by a pattern, not evaluated.  What `write` made is never
compressed, hence no array is larger than the file; of what `numpy.savez_compressed` made, `MOST_GROWTH` is the limit.
"""

import errno
import math
import os
import re

import numpy as np

from . import files

# Of an array in NumPy's format 1.0: bools, numbers, text.
NUMPY = b"\x93NUMPY"
MAGIC = NUMPY + b"\x01\x00"
KIND = r"[<>|](?:b1|[iu][1248]|f[248]|c8|c16|[SU][1-9]\d{0,8})"
SHAPE = r"\(((?:\d{1,18}, ?)*(?:\d{1,18})?)\)"
# Beside these, `numpy.savez` writes dates and longer numbers.
FOREIGN = rf"{KIND}|[<>|][fc](?:12|16|24|32)|[<>][mM]8(?:\[\d{{0,9}}[a-zA-Z]{{1,2}}\])?"
HEADER = r"\{{'descr': '({kind})', 'fortran_order': (True|False), 'shape': {shape}, \}} *\n"
STORED, DEFLATED = 0, 8  # how a member of a zip file is packed
# Compressed data may become this many times as large as the file, and `FREE` bytes in any case: zeros shrink to a
# thousandth.
MOST_GROWTH, FREE = 100, 2**28
# The last member that `write` makes: the `digest` of the others.  Each member has a checksum of 32 bits of its own; the
# digest says that all of them were written together, under these names.
DIGEST = "digest"
CHUNK = 2**20  # bytes that are read at once


class FileError(ValueError):
    """What is wrong with a file, in words that can follow its path."""


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
    arrays = {**arrays, DIGEST: np.array(digest(arrays))}

    def fill(file):
        import zipfile  # slow to import, and only files need it

        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)

    files.write(path, fill)


def digest(arrays):
    """SHA-256 of the names, kinds, shapes and values of arrays, whatever their order in the file and in memory."""
    import hashlib

    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        found.update(f"{name} {little.dtype.str} {array.shape} ".encode())
        found.update(little.reshape(-1).view(np.uint8))
    return found.hexdigest()


# ------------------------------------------------------------------------------------------------------------ reading


def read(path, foreign=False, signed=False):
    """The arrays of a file, by name.

    Parameters
    ----------
    path : pathlib.Path
    foreign : bool
        True: also accept what `numpy.savez` and `numpy.savez_compressed` make, and `write` does not.
    signed : bool
        True: refuse a file without the `digest` of its arrays, which `write` has not always made.  A damaged list of
        contents may leave it out, with other arrays, and nothing else would be wrong.

    Raises
    ------
    FileError
        It is no such file, or it is damaged.  No more memory was taken than the size of the file, or than the limit of
        its compressed parts.
    OSError
        It cannot be opened or read.
    """
    import struct
    import zipfile
    import zlib

    damage = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, ValueError, EOFError, OverflowError)
    what = "file of named arrays (.npz)" if foreign else "model file"
    with open(path, "rb") as file:
        where = "its directory"
        if foreign and file.read(len(NUMPY)) == NUMPY:
            raise FileError(f"no {what}: it holds one array without a name")
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, os.fstat(file.fileno()).st_size, what, foreign)
                arrays = {}
                for member in members:
                    where = member.filename
                    with archive.open(member) as stream:
                        arrays[where.removesuffix(".npy")] = _read_array(where, stream, member.file_size, foreign)
        except FileError:
            raise
        except damage as error:
            raise FileError(_reason(what, where, error)) from None
        except OSError as error:
            if error.errno == errno.EINVAL:  # a place before the file's beginning
                raise FileError(_reason(what, where, error)) from None
            raise OSError(error.errno, error.strerror, str(path)) from None
    if signed and DIGEST not in arrays:
        raise FileError("damaged: the digest of its parts is missing")
    if not foreign and DIGEST in arrays:
        wanted = arrays.pop(DIGEST)
        if wanted.shape or str(wanted) != digest(arrays):
            raise FileError("damaged: its parts are not those that were written together (their digest differs)")
    return arrays


def _reason(what, where, error):
    return f"not a {what}, or a damaged one: {where:.60} cannot be read ({error!s:.100})"


def _check_members(members, size, what, foreign):
    """Refuse what `write` never makes: members that are no arrays, that come twice, are compressed, or are larger than
    the file."""
    names = set()
    for member in members:
        name = member.filename
        if not name.endswith(".npy") or not name.isprintable():
            raise FileError(f"not a {what}, or a damaged one: it has a part {name!r:.40}")
        if name in names:
            raise FileError(f"damaged: it has {name!r:.40} twice")
        whole = member.compress_type == STORED and member.compress_size == member.file_size
        if not whole and not (foreign and member.compress_type == DEFLATED):
            raise FileError(f"not a {what}, or a damaged one: {name!r:.40} is compressed")
        names.add(name)
    declared = sum(member.file_size for member in members)
    most = max(FREE, MOST_GROWTH * size) if any(member.compress_type for member in members) else size
    if declared > most:
        raise FileError(f"damaged, or cut short: its parts have {declared} bytes, and the file has {size}")


def _read_array(name, stream, size, foreign):
    """The array of a member of so many bytes."""
    name = name[:60]
    start = stream.read(len(MAGIC) + 2)
    length = int.from_bytes(start[len(MAGIC) :], "little")
    text = stream.read(length).decode("latin1")
    header = re.fullmatch(HEADER.format(kind=FOREIGN if foreign else KIND, shape=SHAPE), text)
    if text.startswith("{'descr': '|O'"):
        raise FileError(f"damaged: {name} has an unknown header: objects of Python, which are not read")
    if not start.startswith(MAGIC) or header is None:
        raise FileError(f"damaged: {name} has an unknown header")
    dtype, shape = np.dtype(header[1]), tuple(map(int, re.findall(r"\d+", header[3])))
    declared, held = math.prod(shape) * dtype.itemsize, size - len(start) - length
    if declared != held:
        raise FileError(f"damaged: {name} declares {declared} bytes and has {held}")
    transposed = header[2] == "True"  # columns first
    array = np.empty(shape[::-1] if transposed else shape, dtype)
    data = array.reshape(-1).view(np.uint8)
    # At the last byte the stream compares the checksum.
    for at in range(0, held, CHUNK):
        part = data[at : at + CHUNK]
        if stream.readinto(part) != part.size:
            raise FileError(f"damaged, or cut short: {name} ends too early")
    if dtype.kind == "b" and data.max(initial=0) > 1:
        raise FileError(f"damaged: {name} holds what is neither true nor false")
    array = array.astype(dtype.newbyteorder("="), copy=False)
    if dtype.kind == "U" and not _is_text(array.reshape(-1).view(np.uint32)):
        raise FileError(f"damaged: {name} holds something that is not text")
    return array.T if transposed else array


def _is_text(codes):
    """Whether Python can make text of these numbers: each is a whole character, and none is half of a pair."""
    return not ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any()
