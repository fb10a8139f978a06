"""What all commands share: a file that is not there is answered by those that are."""

import errno
import os

import pytest

from ltc_np.base.command_line import line

MISSING = os.strerror(errno.ENOENT)


@pytest.mark.parametrize("path, names, hint", [
    ("ovn.csv", ["oven.csv", "oven.npz", "other.csv"], ": did you mean oven.csv?"),
    ("ovn.csv", ["oven.npz", "z.csv", "a.csv"], ": the folder has a.csv, z.csv"),
    ("ovn.csv", [f"{k}.csv" for k in "abcdefg"], ": the folder has a.csv, b.csv, c.csv, d.csv, e.csv and others"),
    ("ovn.csv", ["oven.npz"], ": the folder has no file that ends in .csv"),
    ("in/ovn.csv", ["oven.csv"], ": there is no folder in"),
    ("oven", ["oven.csv"], ": did you mean oven.csv?"),
    ("oven.npz", ["oven.csv"], ": the folder has no file that ends in .npz"),
    ("x", ["oven.csv"], ""),
])  # fmt: skip
def test_a_missing_file_is_answered_by_others(path, names, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError) as caught:
        open(path)
    assert line(caught.value) == f"{path}: {MISSING}{hint}"


def test_other_errors_of_files_have_no_hint(tmp_path):
    with pytest.raises(OSError, match="directory") as caught:
        open(tmp_path, "wb")
    assert line(caught.value) == f"{tmp_path}: {os.strerror(errno.EISDIR)}"


def test_a_hint_is_one_line_of_visible_characters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oven\x1b[31m.csv").touch()
    with pytest.raises(FileNotFoundError) as caught:
        open("ovens.csv")
    assert line(caught.value).endswith(r": the folder has oven\x1b[31m.csv")
