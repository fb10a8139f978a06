"""Files of arrays: whole or not at all, whatever happens while they are written; and nothing believed that is read."""

import errno
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from support import ROOT
from support.files import full_disk, memory, read_only_folder

from ltc_np.base import archive, files
from ltc_np.base.archive import FileError, read, write
from ltc_np.base.files import check_path, check_readable, check_writable

ARRAYS = {
    "text": np.array("äöü {}"),
    "none": np.zeros(0, np.float32),
    "number": np.array(2.5),
    "single": np.arange(6, dtype=np.float32).reshape(2, 3),
    "turned": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "other order": np.arange(3, dtype=">f8" if sys.byteorder == "little" else "<f8"),
    "bools": np.array([True, False]),
    "bytes": np.array([b"ab", b"c"]),
    "whole": np.arange(3, dtype=np.int8),
    "complex": np.array([1j]),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


def names(path):
    return sorted(p.name for p in path.parent.iterdir())


# ------------------------------------------------------------------------------------------------------------ writing


def test_round_trip(path):
    write(path, ARRAYS)
    found = read(path)
    assert list(found) == list(ARRAYS)
    with np.load(path) as others:  # any program that knows NumPy's files can read them
        assert others.files == [*ARRAYS, archive.DIGEST]
        for name, array in ARRAYS.items():
            assert np.array_equal(others[name], array)
            assert np.array_equal(found[name], array)
            assert found[name].dtype == array.dtype.newbyteorder("=")
            assert found[name].shape == array.shape
            assert found[name].flags.writeable
    assert names(path) == ["a.npz"]


def test_files_of_numpy_are_read(path):
    np.savez(path, **ARRAYS)
    found = read(path)
    assert all(np.array_equal(found[name], array) for name, array in ARRAYS.items())


def test_arrays_larger_than_what_is_read_at_once(path, rng):
    array = rng.normal(size=(archive.CHUNK // 8) + 3)
    write(path, {"a": array})
    assert np.array_equal(read(path)["a"], array)


def test_parts_of_two_files_are_no_file(path):
    """Each has its own checksum, and all of them are right; but they were not written together."""
    write(path, {"a": np.ones(3), "b": np.zeros(3)})
    with np.load(path) as file:
        content = dict(file)
    others = (
        {"a": content["b"], "b": content["a"]},
        {"a": np.zeros(3)},
        {"a": np.ones(3, np.float32)},
        {"a": np.ones((3, 1))},
        {"c": np.ones(3)},
        {"digest": np.array("0" * 64)},
        {"digest": np.array([str(content["digest"])])},
        {"digest": np.zeros(3)},
    )
    renamed = {"a": content["a"], "c": content["b"], "digest": content["digest"]}
    for wrong in (renamed, *(content | other for other in others)):
        np.savez(path, **wrong)
        with pytest.raises(FileError, match=r"^damaged: its parts are not those .* \(their digest differs\)$"):
            read(path)
    np.savez(path, **{name: content[name] for name in ("digest", "b", "a")})  # their order says nothing
    assert read(path)["a"].tolist() == [1, 1, 1]
    np.savez(path, a=np.zeros(3))  # nor must there be one
    assert read(path)["a"].tolist() == [0, 0, 0]


def test_the_digest_is_that_of_the_values(path):
    """Not of how they lie in memory; SHA-256 of what the docstring says, so that other programs can compute it."""
    import hashlib

    a = np.arange(6.0).reshape(2, 3)
    wanted = hashlib.sha256(b"a <f8 (2, 3) " + a.astype("<f8").tobytes() + b"b |b1 () " + b"\x01").hexdigest()
    for same in (a, np.asfortranarray(a), a.astype(">f8"), np.repeat(a, 2, axis=1)[:, ::2]):
        assert archive.digest({"b": np.array(True), "a": same}) == wanted


# ----------------------------------------------------------------------------------------------- files of `numpy.savez`


FOREIGN = ARRAYS | {
    "digest": np.arange(3),
    "days": np.array(["2024-01-31", "2024-02-29"], "M8[D]"),
    "steps": np.array([1, 2], "m8[25s]"),
    "long": np.ones(2, np.longdouble),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_tables_of_numpy_are_read(save, path):
    save(path, **FOREIGN)
    found = read(path, foreign=True)
    assert list(found) == list(FOREIGN)
    for name, array in FOREIGN.items():
        assert found[name].dtype == array.dtype.newbyteorder("=") and np.array_equal(found[name], array)


def test_what_numpy_can_write_and_is_no_table(path):
    for content, words in (
        ({"a": np.array([{}])}, "a.npy has an unknown header: objects of Python, which are not read"),
        ({"a": np.array([(1, 2.0)], "i4,f8")}, "a.npy has an unknown header"),
    ):
        np.savez(path, **content)
        with pytest.raises(FileError, match=f"^damaged: {words}$"):
            read(path, foreign=True)
    with open(path, "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(FileError, match="^no file of named arrays .*: it holds one array without a name$"):
        read(path, foreign=True)
    packed(path, ("a.npy", member()), compression=zipfile.ZIP_BZIP2)
    with pytest.raises(FileError, match="'a.npy' is compressed"):
        read(path, foreign=True)


def test_what_is_compressed_grows_within_limits(path, monkeypatch):
    zeros = member(shape="(100000,)", data=bytes(800_000))
    packed(path, ("a.npy", zeros), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2000
    assert read(path, foreign=True)["a"].size == 100_000
    monkeypatch.setattr(archive, "FREE", 2**16)
    with memory() as most, pytest.raises(FileError, match="^damaged, or cut short: its parts have 8000.. bytes, and"):
        read(path, foreign=True)
    assert most() < 2**18
    # A part that says that it is small ends where it says, and has another checksum then.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", zeros)
        file.getinfo("a.npy").file_size = 2000
    with memory() as most, pytest.raises(FileError):
        read(path, foreign=True)
    assert most() < 2**18


@pytest.mark.parametrize(
    "array", [np.array([{}]), np.array([(1, 2.0)], "i4,f8"), np.zeros(1, "M8[s]"), np.zeros(1, np.longdouble)]
)
def test_arrays_that_could_not_be_read_are_not_written(array, path):
    if array.dtype == np.float64:
        pytest.skip("longdouble is another name of float64 on this machine")
    with pytest.raises(TypeError, match="^`b` must be an array of bools, numbers or text to be saved, got dtype"):
        write(path, {"a": np.ones(1), "b": array})
    assert names(path) == []


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_file_may_be_read_by_whom_the_umask_says(mask, path):
    before = os.umask(mask)
    try:
        write(path, ARRAYS)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_the_umask_is_never_touched(path, monkeypatch):
    """It belongs to the whole process: who sets it and back may leave it changed when two threads do."""

    def touched(mask):
        raise AssertionError("the umask is set")

    monkeypatch.setattr(os, "umask", touched)
    write(path, ARRAYS)
    assert names(path) == ["a.npz"]


def test_the_content_is_on_the_disk_before_it_gets_its_name(path, monkeypatch):
    calls, (fsync, replace) = [], (os.fsync, os.replace)

    def synced(descriptor):
        found = os.fstat(descriptor)
        calls.append(("fsync", "folder" if stat.S_ISDIR(found.st_mode) else found.st_size))
        fsync(descriptor)

    def renamed(source, target):
        calls.append(("replace", os.stat(source).st_size))
        assert pathlib.Path(source).parent == path.parent, "another file system cannot be renamed from"
        assert target == path
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write(path, ARRAYS)
    size = path.stat().st_size
    assert calls == [("fsync", size), ("replace", size), ("fsync", "folder")]  # and then the name


@pytest.mark.parametrize("free", [0, 100, 4000])
def test_a_disk_without_room(free, path):
    write(path, {"a": np.ones(3)})
    before = path.read_bytes()
    with full_disk(free), pytest.raises(OSError) as caught:
        write(path, {"a": np.zeros(10_000), "b": np.zeros(3)})
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(path)
    assert "; nothing was written: " in str(caught.value)
    assert path.read_bytes() == before
    assert names(path) == ["a.npz"]


def test_an_error_without_a_number_names_the_path_too(path, monkeypatch):
    def broken(descriptor):
        raise OSError("broken")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError) as caught:
        write(path, ARRAYS)
    assert str(caught.value) == f"{path}: broken; nothing was written"
    assert names(path) == []


def test_an_interrupt_leaves_nothing_behind(path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(path, ARRAYS)
    assert names(path) == []


def test_a_folder_without_the_right_to_write():
    with read_only_folder() as folder:
        path = folder / "a.npz"
        with pytest.raises(PermissionError) as caught:
            check_writable(path)
        assert str(caught.value) == f"`path` must lie in a folder that takes new files, got {path}: Permission denied"
        with pytest.raises(PermissionError) as caught:
            write(path, ARRAYS)
        assert str(caught.value) == f"[Errno {errno.EACCES}] Permission denied; nothing was written: {str(path)!r}"


def test_paths_that_cannot_be_written(tmp_path):
    for check in (check_path, check_writable):
        with pytest.raises(IsADirectoryError, match="^`path` must be a file, got the folder"):
            check(tmp_path)
        with pytest.raises(FileNotFoundError, match="^`path` must lie in an existing folder, got .*a.npz"):
            check(tmp_path / "none" / "a.npz")
        check(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_no_files(tmp_path):
    """One waits for ever, another never ends; and as root, who renames upon it, no device would be left."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", pathlib.Path("/dev/zero"), pathlib.Path("/dev/null")):
        for check in (check_readable, check_path, check_writable):
            with pytest.raises(OSError, match=f"^`path` must be a file, got the pipe, socket or device {path}$"):
                check(path)
    check_readable(tmp_path / "none")  # whoever opens it says so
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link to a file").symlink_to(tmp_path / "file")
    check_readable(tmp_path / "link to a file")
    with pytest.raises(IsADirectoryError, match="^`source` must be a file, got the folder"):
        check_readable(tmp_path, "source")


def killed(path):
    """A process that is killed while it writes."""
    program = (
        "import os, pathlib, signal, sys\n"
        "import numpy as np\n"
        "from ltc_np.base import archive\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "archive.write(pathlib.Path(sys.argv[1]), {'a': np.ones(3)})\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_what_a_killed_process_leaves_behind_goes_with_a_later_write(path):
    write(path, {"a": np.zeros(2)})
    killed(path)
    assert read(path)["a"].tolist() == [0, 0]
    (left,) = set(names(path)) - {"a.npz"}
    assert left.startswith(files.BEGINNING) and left.endswith(files.END)
    left = path.parent / left
    write(path, {"a": np.ones(2)})
    assert left.exists(), "it might belong to a process that still writes"
    hours = time.time() - files.LEFT_BEHIND
    os.utime(left, (hours, hours + 60))
    write(path, {"a": np.ones(2)})
    assert left.exists()
    others = [path.parent / name for name in (".a.npz.settings", ".ltc_np-notes", "ltc_np-a.tmp", ".ltc_np-folder.tmp")]
    others[-1].mkdir()
    for other in others[:-1]:
        other.write_text("mine")
    for file in (left, *others):
        os.utime(file, (hours, hours - 60))
    write(path.with_name("b.npz"), {"a": np.ones(2)})  # whatever is written into the folder
    assert not left.exists()
    assert names(path) == sorted(["a.npz", "b.npz", *(other.name for other in others)])


def test_a_process_that_finds_its_file_removed_writes_it_again(path, monkeypatch):
    """As one that has slept for an hour in the middle, during which another one has written."""
    replace, removed = os.replace, []

    def late(source, target):
        if not removed:
            removed.append(source)
            os.unlink(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    write(path, ARRAYS)
    assert len(removed) == 1
    assert np.array_equal(read(path)["single"], ARRAYS["single"])
    assert names(path) == ["a.npz"]


def test_several_threads_write_the_same_file(path):
    errors = []

    def work(k):
        try:
            for _ in range(20):
                write(path, {"a": np.full(1000, float(k))})
                values = read(path)["a"]
                assert (values == values[0]).all()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert names(path) == ["a.npz"]


# ------------------------------------------------------------------------------------------------------------ reading


def member(descr="'<f8'", order="False", shape="(3,)", data=bytes(24), magic=archive.MAGIC, end="}", length=None):
    """A part of a file as `write` makes it, one thing about it changed."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {end} \n".encode()
    return magic + (len(header) if length is None else length).to_bytes(2, "little") + header + data


def packed(path, *members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)


def test_members_of_ones_own_making_are_read(path):
    packed(path, ("a.npy", member()))
    assert read(path)["a"].tolist() == [0, 0, 0]


HUGE = "9" * 18
DAMAGED = {
    "another magic": member(magic=b"\x93NUMPY\x02\x00"),
    "no magic": member(magic=b""),
    "no header": b"\x93NUMPY\x01\x00",
    "nothing": b"",
    "no end": member(end=""),
    "a header that is too short": member(length=20),
    "a header that is too long": member(length=60_000),
    "code": member(shape="__import__('os')"),
    "text that no tokenizer reads": member(shape="('''"),
    "more levels than a parser has": member(shape="(" * 30_000),
    "objects": member(descr="'|O'"),
    "fields": member(descr="[('a', '<f8')]"),
    "another type": member(descr="'<f3'"),
    "a negative size": member(shape="(-3,)"),
    "digits of another script": member(shape="(٣,)"),
    "too few": member(shape="(4,)"),
    "too many": member(shape="(2,)"),
    "huge": member(shape=f"({HUGE}, {HUGE})"),
    "huge beside nothing": member(shape=f"(0, {HUGE})"),
    "larger than any size": member(shape=f"({'9' * 60},)"),
    "thousands of digits": member(shape=f"({'9' * 20_000},)"),
    "too many axes": member(shape=f"({'1, ' * 99}3)"),
    "a bool that is 2": member(descr="'|b1'", data=b"\1\0\2"),
    "text of nothing": member(descr="'<U0'", data=b""),
    "text of no characters": member(descr="'<U2'", data=b"a\0\0\0" * 3 + b"\xff\xff\xff\xff" * 3),
    "text beyond the last character": member(descr="'<U2'", data=b"a\0\0\0" * 5 + b"\0\0\x11\0"),
    "text of half a character": member(descr="'>U2'", data=b"\0\0\0a" * 5 + b"\0\0\xd8\0"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_arrays(kind, path):
    packed(path, ("b.npy", member()), ("a.npy", DAMAGED[kind]))
    with memory() as most, pytest.raises(FileError) as caught:
        read(path)
    assert most() < 10 * path.stat().st_size + 2**20  # of which the interpreter's own objects are some
    assert "a.npy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_something_else(path):
    write(path, {"a": np.ones(3), "b": np.ones(3)})
    whole = path.read_bytes()
    with pytest.raises(FileNotFoundError):
        read(path.with_name("none"))
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:-30], whole[30:]):
        path.write_bytes(content)
        with pytest.raises(FileError, match="^not a model file, or a damaged one: .* cannot be read"):
            read(path)
    np.savez_compressed(path, a=np.ones(3))
    with pytest.raises(FileError, match="'a.npy' is compressed"):
        read(path)
    for name in ("a.txt", "../a\n.npy", "\u202ea.npy"):
        packed(path, (name, b"hello"))
        with pytest.raises(FileError, match="^not a model file, .*: it has a part '"):
            read(path)
    packed(path, ("x" * 5000 + ".npy", b"hello"))
    with pytest.raises(FileError, match="^damaged: x{60} has an unknown header$"):
        read(path)
    with pytest.warns(UserWarning, match="Duplicate"):
        packed(path, ("a.npy", member()), ("a.npy", member()))
    with pytest.raises(FileError, match="it has 'a.npy' twice"):
        read(path)


def changed_directory(path, offset, values):
    """Bytes of the last entry of the directory of a file."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + offset
    data[at : at + len(values)] = values
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "values", "words"),
    [
        (8, b"\x01", "encrypted"),
        (8, b"\x20", "patched"),
        (8, b"\x40", "encryption"),
        (6, b"\xff", "version"),
        (10, b"\x08", "compressed"),
        (10, b"\x63", "compressed"),
        (16, b"\0\0\0\0", "CRC"),
        (20, b"\xff\xff\xff\x7f" * 2, "its parts have 21474"),  # both of its sizes
        (20, b"\x90\0\0\0" * 2, "CRC"),
        (20, b"\x40", "compressed"),
        (24, b"\x40", "compressed"),
        (42, b"\x10", "cannot be read"),  # where it begins
        (42, b"\xff\xff\xff\x7f", "cannot be read"),
        (46, b"b\0npy", "it has a part"),
        (46, b"b.npy", "cannot be read"),
    ],
)
def test_damaged_directories(offset, values, words, path):
    write(path, {"0": np.ones(3), "a": np.ones(3)})
    changed_directory(path, offset, values)
    with memory() as most, pytest.raises(FileError, match=words):
        read(path)
    assert most() < 2**20


def test_parts_that_lie_upon_each_other(path):
    """A small file whose directory speaks of the same bytes a thousand times."""
    packed(path, ("a.npy", member(shape="(1000,)", data=bytes(8000))))
    data = path.read_bytes()
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[at:end]
    entries = b"".join(entry.replace(b"a.npy", f"{k:01x}.npy".encode()) for k in range(16))
    tail = bytearray(data[end:])
    tail[8:12] = (16).to_bytes(2, "little") * 2
    tail[12:16] = len(entries).to_bytes(4, "little")
    path.write_bytes(data[:at] + entries + tail)
    with zipfile.ZipFile(path) as file:
        assert len(file.infolist()) == 16
    with pytest.raises(FileError, match="its parts have .* bytes, and the file has"):
        read(path)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_stream_that_ends_too_early(share, path, monkeypatch):
    write(path, ARRAYS)
    monkeypatch.setattr(zipfile.ZipExtFile, "readinto", lambda stream, data: int(share * len(data)))
    with pytest.raises(FileError, match="^damaged, or cut short: text.npy ends too early"):
        read(path)


def test_an_error_of_the_disk_is_none_of_the_file(path, monkeypatch):
    write(path, ARRAYS)

    def broken(stream, data):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(zipfile.ZipExtFile, "readinto", broken)
    with pytest.raises(OSError) as caught:
        read(path)
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == str(path)


def test_several_files_are_written_all_or_none(tmp_path, monkeypatch):
    a, b = tmp_path / "a", tmp_path / "b"
    files.write_all({a: b"1", b: b"2"})
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"2")
    put, seen = files.put, []

    def full(content, file):
        put(content, file)
        seen.append(content)
        if len(seen) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "put", full)
    with pytest.raises(OSError, match="No space left on device; nothing was written") as caught:
        files.write_all({a: b"3", b: b"4"})
    assert caught.value.filename == str(b)
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"2") and names(a) == ["a", "b"]
