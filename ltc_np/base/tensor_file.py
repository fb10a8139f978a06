"""Files of safetensors: named arrays behind a JSON text that says where each lies.

A file is a number of eight bytes, little-endian, a JSON text of so many bytes, and the arrays::

    {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"text": "text"}}

Nothing in it is taken on trust: what the text declares must lie in the file, without gaps and without overlaps, and
have the size that its shape needs, before an array is made.

Source: the format's description in the package safetensors (version 0.4 and later).
"""

from __future__ import annotations

import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from . import files
from .types import Numbers

SUFFIX = ".safetensors"
TORCH_FILES = (".pt", ".pth", ".ckpt", ".bin")  # which PyTorch writes
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U64": "<u8",
    "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "<u1",
}  # fmt: skip
BFLOAT16 = "BF16"  # the upper half of a float32
MOST_TEXT = 10_000_000  # bytes; a network of a thousand arrays has a text of a hundredth of this
ALIGNED = 8  # bytes: arrays begin at multiples of it


def read(path: pathlib.Path) -> dict[str, Numbers]:
    """The arrays of a file by name; bfloat16 as float32.

    Raises
    ------
    ValueError
        It is damaged or no such file; it begins with the path.  No more than some times the file's size was taken.
    OSError
        It cannot be opened or read.
    """
    files.check_readable(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, MOST_TEXT):
            _refuse(path, f"its text would have {length} bytes, and the file has {size}")
        table = _table(path, file.read(length))
        data = file.read()
    found, end = {}, 0
    for name, (dtype, shape, begin, stop) in sorted(table.items(), key=lambda item: item[1][2:]):
        itemsize = 2 if dtype == BFLOAT16 else np.dtype(DTYPES[dtype]).itemsize
        if begin != end or stop > len(data) or math.prod(shape) * itemsize != stop - begin:
            _refuse(path, f"{name!r:.60} of shape {shape} lies at {begin} to {stop} of {len(data)} bytes, behind {end}")
        end = stop
        try:
            array = np.ndarray(shape, "<u2" if dtype == BFLOAT16 else DTYPES[dtype], data, begin).copy()
        except ValueError:  # sizes beyond what an address can be, beside one of 0
            _refuse(path, f"{name!r:.60} has the shape {shape!s:.60}")
        if dtype == BFLOAT16:
            array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
        found[name] = array
    if end != len(data):
        _refuse(path, f"{len(data) - end} bytes belong to no array")
    return {name: found[name] for name in table}


def _refuse(path: pathlib.Path, reason: str) -> NoReturn:
    raise ValueError(f"{path}: no file of safetensors, or damaged: {reason}")


def _table(path: pathlib.Path, text: bytes) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """(dtype, shape, begin, stop) by name."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands there twice")
        return found

    try:
        content = json.loads(text.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:  # also of bytes that are no UTF-8
        _refuse(path, f"its text is no JSON ({str(error)[:80]})")
    if not isinstance(content, dict):
        _refuse(path, "its text describes no arrays")
    content.pop("__metadata__", None)
    table = {}
    for name, entry in content.items():
        try:
            dtype, shape, (begin, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        except (TypeError, KeyError, ValueError):
            _refuse(path, f"{name!r:.60} is not described")
        numbers = (*shape, begin, stop)
        if not all(type(number) is int and 0 <= number < 2**62 for number in numbers) or len(shape) > 32:
            _refuse(path, f"{name!r:.60} has the shape {shape!s:.60}")
        if not isinstance(dtype, str) or dtype not in (*DTYPES, BFLOAT16):
            _refuse(path, f"{name!r:.60} has the unknown dtype {dtype!r:.20}")
        table[name] = dtype, shape, begin, stop
    return table


def write(path: pathlib.Path, arrays: Mapping[str, Numbers], metadata: Mapping[str, str]) -> None:
    """Write ``arrays`` and some text to ``path``, whole or not at all.

    Raises
    ------
    OSError
        With ``path``; a former file is as it was.
    """
    names = {np.dtype(code): name for name, code in DTYPES.items() if name != "BOOL"}
    table: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts, end = [], 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        offsets = [end, end + little.nbytes]
        table[name] = {"dtype": names[little.dtype], "shape": list(array.shape), "data_offsets": offsets}
        parts.append(little.tobytes())
        end += little.nbytes
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNED)
    files.write(path, lambda file: file.writelines([len(text).to_bytes(8, "little"), text, *parts]))
