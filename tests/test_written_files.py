"""`save` when it cannot write, or when others write too: the error is clear, and what was there before is still
there."""

import errno
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise

import numpy as np
import pytest
from support import ROOT
from support.files import full_disk, read_only_folder, rights_count

from ltc_np import Adam, Dense, Model, load, save
from ltc_np.base import files, tensor_file


def model_of(value, units=2):
    """A model whose parameters are all the same number."""
    model = Model(Dense(units), Dense(1), input_dim=units, seed=0, backend="numpy")
    model.theta[:] = value
    return model


def kept(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Disk:
    """Stands for a disk that accepts some calls of the system and has no room at the next one."""

    def __init__(self, monkeypatch):
        self.calls, self.fails_at = [], None
        disk, fsync, replace = self, os.fsync, os.replace

        class File(io.FileIO):
            def __init__(self, path, mode):
                disk.called("open")
                super().__init__(path, mode)

            def write(self, data):
                disk.called("write")
                return super().write(data)

            def close(self):
                if not self.closed:
                    super().close()
                    disk.called("close")  # a disk on the network reports it only here

        monkeypatch.setattr(files, "open", File, raising=False)
        monkeypatch.setattr(os, "fsync", lambda number: (disk.called("fsync"), fsync(number)))
        monkeypatch.setattr(os, "replace", lambda a, b: (disk.called("replace"), replace(a, b)))

    def called(self, what):
        self.calls.append(what)
        if len(self.calls) - 1 == self.fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")


WRITERS = {
    "model": lambda path, value: save(path, model_of(value), Adam(0.1)),
    "state dict": lambda path, value: tensor_file.write(path, {"a": np.full(3, value), "b": np.ones(2)}, {}),
    "several": lambda path, value: files.write_all({path: b"%d" % value, path.with_name("other"): b"%d" % value}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_is_full_at_any_moment(name, tmp_path, monkeypatch):
    write, path = WRITERS[name], tmp_path / "file"
    write(path, 1)
    before = kept(tmp_path)
    disk = Disk(monkeypatch)
    write(path, 1)
    calls, renamed = list(disk.calls), disk.calls.index("replace")
    assert {*calls} == {"open", "write", "fsync", "replace", "close"} and renamed >= 4
    # When a file has got its name, the folder is brought to the disk; if that fails, nothing can be undone any more.
    before_that = [k for k, pair in enumerate(pairwise(["", *calls])) if pair != ("replace", "fsync")]
    for disk.fails_at in before_that:
        disk.calls.clear()
        with pytest.raises(OSError, match="No space left on device; nothing was written") as caught:
            write(path, 2)
        assert caught.value.errno == errno.ENOSPC and pathlib.Path(caught.value.filename).parent == tmp_path
        if name != "several" or disk.fails_at <= renamed:  # after the first of two renamings there is no way back
            assert kept(tmp_path) == before, disk.calls
    disk.calls.clear()
    disk.fails_at = len(calls) - 1
    write(path, 2)
    assert kept(tmp_path) != before


@pytest.mark.elsewhere  # only who is root, and not in every container, may mount a disk
def test_a_small_disk(tmp_path):
    """A real disk of 256 kB, on which the small model has room and the large one has not."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)], capture_output=True, text=True
    ) if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount") else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("only root can mount a small disk, and not everywhere")
    try:
        path = tmp_path / "m.npz"
        model_of(1.0).save(path)
        before = kept(tmp_path)
        for _ in range(3):
            with pytest.raises(OSError) as caught:
                model_of(2.0, units=300).save(path)
            assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
            assert kept(tmp_path) == before
        model_of(3.0).save(path)
        assert (load(path, "numpy").theta == 3).all()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_that_may_not_grow(tmp_path):
    path = tmp_path / "m.npz"
    model_of(1.0).save(path)
    before = kept(tmp_path)
    with full_disk(4000), pytest.raises(OSError, match="nothing was written"):
        model_of(2.0, units=300).save(path)
    assert kept(tmp_path) == before


def test_where_nobody_may_write():
    with read_only_folder() as folder:
        with pytest.raises(PermissionError) as caught:
            model_of(1.0).save(folder / "m.npz")
        assert str(folder / "m.npz") in str(caught.value)
        assert not [*folder.iterdir()]


def test_a_file_that_is_protected():
    """To rename another file onto it, the right to write into the folder would be enough."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = pathlib.Path(folder) / "m.npz"
        model_of(1.0).save(path)
        path.chmod(0o444)
        refused = pytest.raises(PermissionError, match="^`path` must be a file that may be replaced, got .*m.npz")
        with rights_count(path), refused:
            model_of(2.0).save(path)
        assert (load(path, "numpy").theta == 1).all()


def test_links(tmp_path):
    """A link is replaced by the file, and what it leads to stays as it is: no link can direct a write to somewhere
    else."""
    target, link = tmp_path / "target.npz", tmp_path / "link.npz"
    model_of(1.0).save(target)
    link.symlink_to(target)
    assert (load(link, "numpy").theta == 1).all()
    model_of(2.0).save(link)
    assert not link.is_symlink()
    assert (load(link, "numpy").theta == 2).all() and (load(target, "numpy").theta == 1).all()
    for broken, leads_to in (("dangling.npz", "nowhere.npz"), ("loop.npz", "loop.npz")):
        link = tmp_path / broken
        link.symlink_to(leads_to)
        with pytest.raises(OSError, match=broken):
            load(link)
        model_of(3.0).save(link)
        assert (load(link, "numpy").theta == 3).all()
    assert not (tmp_path / "nowhere.npz").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null", "/dev/zero", tmp_path):
        for action in (model_of(1.0).save, load):
            with pytest.raises(OSError, match=f"^`path` must be a file, got the .*{path}$"):
                action(path)
    assert pathlib.Path("/dev/null").is_char_device()


SAVER = """
import sys
from ltc_np import Dense, Model
model = Model(Dense(2), Dense(1), input_dim=2, seed=0, backend="numpy")
model.theta[:] = float(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    model.save(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.fuzz)])
def test_two_processes_save_while_a_third_one_loads(count, tmp_path):
    path = tmp_path / "m.npz"
    model_of(1.0).save(path)
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    savers = [
        subprocess.Popen([sys.executable, "-c", SAVER, str(path), str(value), str(count)], env=env, **pipes)
        for value in (1.0, 2.0)
    ]
    try:
        for saver in savers:
            assert saver.stdout.readline() == "ready\n"
        for saver in savers:
            saver.stdin.write("go\n")
            saver.stdin.flush()
        loads = {1.0: 0, 2.0: 0}
        while any(saver.poll() is None for saver in savers) or sum(loads.values()) < 10:
            theta = load(path, "numpy").theta
            assert (theta == theta[0]).all()
            loads[float(theta[0])] += 1
        assert [saver.wait() for saver in savers] == [0, 0]
    finally:
        for saver in savers:
            saver.kill()
            saver.stdin.close()
            saver.stdout.close()
            saver.wait()
    assert [*kept(tmp_path)] == ["m.npz"]


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no access rights of this kind")
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_file_that_is_replaced_keeps_its_rights(tmp_path, mode):
    """A new one has those that the umask leaves; what is private stays so while it is written."""
    path, seen = tmp_path / "model.npz", []

    def fill(file):
        seen.append(os.stat(file.name).st_mode & 0o777)
        file.write(b"new")

    before = os.umask(0o027)
    try:
        files.write(path, fill)
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(mode)
        files.write(path, fill)
        assert (seen[-1], path.stat().st_mode & 0o777) == (mode, mode)
        other = tmp_path / "new.csv"
        files.write_all({path: b"again", other: b"other"})
        assert (path.stat().st_mode & 0o777, other.stat().st_mode & 0o777) == (mode, 0o640)
        save(path, model_of(1.0))
        assert path.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)
