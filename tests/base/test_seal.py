"""The checksum over named arrays."""

import hashlib

import numpy as np
import pytest

from ltc_np.base import archive, seal


def arrays():
    return {
        "meta": np.array("täxt"),
        "theta": np.arange(5.0, dtype=np.float32),
        "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "none": np.zeros(0, bool),
    }


def test_it_is_the_sha256_of_all_that_is_there():
    text = b"a <f8 (2,)\n" + np.array([1.0, 2.0]).tobytes() + b"b <U2 ()\n" + "xy".encode("utf-32-le")
    found = {"a": np.array([1.0, 2.0]), "b": np.array("xy")}
    assert seal.digest(found) == hashlib.sha256(text).hexdigest()
    assert seal.digest({name: array.astype(array.dtype.newbyteorder(">")) for name, array in found.items()}) == (
        seal.digest(found)
    )


def test_what_comes_back_from_a_file_is_whole(tmp_path):
    archive.write(tmp_path / "a.npz", seal.sealed(arrays()))
    assert seal.is_whole(archive.read(tmp_path / "a.npz"))


@pytest.mark.parametrize("name", [*arrays(), seal.SEAL])
def test_no_array_may_change(name):
    found = seal.sealed(arrays())
    assert seal.is_whole(found)
    without = {key: array for key, array in found.items() if key != name}
    assert not seal.is_whole(without)
    assert not seal.is_whole(without | {name: found[name][None]})
    assert not seal.is_whole({key if key != name else "other": array for key, array in found.items()})
    if name == seal.SEAL:
        assert not seal.is_whole(without | {name: np.zeros(64)})
    elif found[name].size:
        changed = found[name].copy()
        changed.reshape(-1).view(np.uint8)[0] ^= 1
        assert not seal.is_whole(found | {name: changed})
        assert not seal.is_whole(found | {name: found[name].astype("U9" if name == "meta" else np.float16)})


def test_the_order_counts():
    found = arrays()
    assert seal.digest(found) != seal.digest(dict(reversed(found.items())))
