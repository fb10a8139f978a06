"""Files of safetensors: read without that package, and with nothing taken on trust."""

import json
import os
import struct

import numpy as np
import pytest
from support import GOLDEN, golden

from ltc_np.base import tensor_file

ARRAYS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.linspace(0, 1, 5),
    "half": np.ones((2, 2), np.float16) / 3,
    "ids": np.arange(3),
    "number": np.array(7.0),
    "none": np.zeros((0, 4), np.float32),
}


def file_of(path, table, data=b"", length=None, text=None):
    """A file whose text says ``table``."""
    text = json.dumps(table).encode() if text is None else text
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    tensor_file.write(path, ARRAYS, {"format": "pt"})
    found = tensor_file.read(path)
    assert list(found) == list(ARRAYS)
    for name, wanted in ARRAYS.items():
        assert found[name].dtype == wanted.dtype and found[name].shape == wanted.shape
        np.testing.assert_array_equal(found[name], wanted)
        assert found[name].flags.writeable
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_a_file_of_the_package():
    """Which wrote it."""
    found = tensor_file.read(GOLDEN / "ncps_interop.safetensors")
    wanted = {k[2:]: v for k, v in golden.read("ncps_interop", "ltc_float32").items() if k.startswith("s/")}
    assert found.keys() == wanted.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, wanted[name])


def test_the_package_reads_what_is_written_here(tmp_path):
    package = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    tensor_file.write(tmp_path / "x.safetensors", ARRAYS, {"format": "pt"})
    found = package.load_file(tmp_path / "x.safetensors")
    assert found.keys() == ARRAYS.keys()
    for name, wanted in ARRAYS.items():
        assert found[name].dtype == wanted.dtype
        np.testing.assert_array_equal(found[name], wanted)


def test_bfloat16(tmp_path):
    """The upper 16 bits of a float32: 0x3fc0 is 1.5."""
    table = {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    path = file_of(tmp_path / "x.safetensors", table, struct.pack("<HH", 0x3FC0, 0xC000))
    found = tensor_file.read(path)["w"]
    assert found.dtype == np.float32 and found.tolist() == [1.5, -2.0]


def entry(shape, begin, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, stop]}


HUGE = 2**60
BAD = {
    "shorter than its text": ({}, {"length": 900}),
    "text of no bytes": ({}, {"length": 0}),
    "text of all bytes there are": ({}, {"length": 2**64 - 1}),
    "no JSON": ({}, {"text": b"{'w': 3}"}),
    "no UTF-8": ({}, {"text": b'{"\xff": 3}'}),
    "deep": ({}, {"text": b"[" * 100_000}),
    "a list": ([3], {}),
    "a number": ({"w": 3}, {}),
    "no dtype": ({"w": {"shape": [1], "data_offsets": [0, 4]}}, {}),
    "one offset": ({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, {}),
    "shape of text": ({"w": entry(["1"], 0, 4)}, {}),
    "shape of bools": ({"w": entry([True], 0, 4)}, {}),
    "shape is a number": ({"w": {"dtype": "F32", "shape": 3, "data_offsets": [0, 4]}}, {}),
    "negative": ({"w": entry([-1], 0, 4)}, {}),
    "huge": ({"w": entry([HUGE], 0, 4 * HUGE)}, {}),
    "huge and empty": ({"w": entry([HUGE, 4, 0], 0, 4)}, {}),
    "huge beside nothing": ({"w": entry([HUGE, 4, 0], 0, 0), "v": entry([2], 0, 8)}, {}),
    "many axes": ({"w": entry([1] * 50, 0, 4)}, {}),
    "another size": ({"w": entry([2], 0, 4)}, {}),
    "overlap": ({"w": entry([2], 0, 8), "v": entry([1], 4, 8)}, {}),
    "a gap": ({"w": entry([1], 4, 8)}, {}),
    "behind the end": ({"w": entry([3], 0, 12)}, {}),
    "data left": ({"w": entry([1], 0, 4)}, {}),
    "unknown dtype": ({"w": entry([2], 0, 8, "F8_E4M3")}, {}),
    "dtype of a number": ({"w": entry([2], 0, 8, 3)}, {}),
    "twice": ({}, {"text": b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "w": 3}'}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_damaged_files(name, tmp_path):
    table, options = BAD[name]
    path = file_of(tmp_path / "x.safetensors", table, b"\0" * 8, **options)
    with pytest.raises(ValueError) as caught:
        tensor_file.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: no file of safetensors, or damaged: ") and "\n" not in message
    assert len(message) < len(str(path)) + 250


@pytest.mark.slow
def test_cut_and_changed_bytes(tmp_path):
    """Never anything but a ValueError, or arrays that are no larger than the file."""
    path = tmp_path / "x.safetensors"
    tensor_file.write(path, ARRAYS, {})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    read = 0
    for trial in range(600):
        content = bytearray(whole[: len(whole) - trial % 50])
        if trial % 50 == 0:
            content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        try:
            found = tensor_file.read(path)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            read += 1
            assert sum(array.nbytes for array in found.values()) <= len(content)
    assert 0 < read < 13


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    tensor_file.write(path, {"w": np.ones(2)}, {})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"No space left on device; nothing was written.*x\.safetensors"):
        tensor_file.write(path, {"w": np.zeros(2)}, {})
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.safetensors"]
