"""The folder of checkpoints: files that are damaged, disks that are full, folders that take nothing."""

import errno
import io
import os
import random
import re
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
from support.files import full_disk, read_only_folder

from ltc_np import LTCRNN, SGD, Adam, AutoNCP, Checkpoints
from ltc_np.base import archive, files
from ltc_np.train.resume.folder import CheckpointFolder

X = np.random.default_rng(0).normal(size=(12, 4, 1))
OPTIONS = {"epochs": 3, "batch_size": 4, "seed": 1, "verbose": 0}
WRITTEN = ["step-00000003.npz", "step-00000006.npz", "step-00000009.npz"]


def small():
    return LTCRNN(AutoNCP(6, 1), 1, seed=0, backend="numpy")


def fit(folder, model=None, **options):
    model = small() if model is None else model
    kept = {name: options.pop(name) for name in ("every", "keep_last", "resume") if name in options}
    return model, model.fit(X, X, optimizer=Adam(0.02), checkpoint=Checkpoints(folder, **kept), **OPTIONS | options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with three checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    fit(folder)
    assert names(folder) == WRITTEN
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A copy of the folder that `written` gives."""
    return shutil.copytree(written, tmp_path / "run")


# ---------------------------------------------------------------------------------------------------- damaged files


def damages(content, draw):
    """What may become of a file: bits that turn, an end that is cut off, bytes that are 0 or somebody else's."""
    size = len(content)
    for _ in range(150):
        at = draw.randrange(size)
        yield content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
    for at in [0, 1, size - 1, *(draw.randrange(size) for _ in range(40))]:
        yield content[:at]
    for _ in range(40):
        at, length = draw.randrange(size), draw.randrange(1, 5000)
        yield (content[:at] + bytes(length) + content[at + length :])[:size]
        yield (content[:at] + draw.randbytes(length) + content[at + length :])[:size]
    yield content + b"\0" * 70_000


@pytest.mark.slow
def test_a_newest_file_that_is_damaged_is_never_taken_for_a_whole_one(written, tmp_path, trust):
    """Either its content is as it was, since nothing that counts was hit, or the checkpoint before is taken."""
    last, before = written / WRITTEN[2], written / WRITTEN[1]
    whole = archive.read(last)
    path, kept = tmp_path / WRITTEN[2], tmp_path / f"{WRITTEN[2]}.damaged"
    shutil.copy(before, tmp_path)
    tried = unharmed = 0
    for damaged in damages(last.read_bytes(), random.Random(0)):
        path.write_bytes(damaged)
        tried += 1
        if damaged == last.read_bytes():
            continue
        with pytest.warns(RuntimeWarning) if not same(path, whole) else pytest.MonkeyPatch.context():
            found = CheckpointFolder(tmp_path, None, 3).newest()
        if found.path == path:
            unharmed += 1
            assert same(path, whole)
        else:
            assert found.path.name == WRITTEN[1] and kept.read_bytes() == damaged
            assert names(tmp_path) == [WRITTEN[1], kept.name]
    assert tried - unharmed > 200
    trust.record("checkpoints", {
        "newest checkpoints damaged (bits, cuts, bytes)": tried,
        "of these, read with wrong content as if they were whole": 0,
        "of these, still used, since the damage hit nothing that counts": unharmed,
    })  # fmt: skip


def same(path, whole):
    """Whether a file can be read and holds the same."""
    try:
        found = archive.read(path)
    except (ValueError, OSError):
        return False
    # A damaged list of contents may leave some out, without an error.
    return found.keys() == whole.keys() and all(np.array_equal(found[name], whole[name]) for name in whole)


@pytest.mark.parametrize("left_out", [1, 4])
def test_a_list_of_contents_without_the_last_ones_is_noticed(left_out, written, tmp_path):
    """Each member that is left is whole, and among those that are not is the digest of all of them."""
    shutil.copy(written / WRITTEN[1], tmp_path)
    with zipfile.ZipFile(written / WRITTEN[2]) as whole, zipfile.ZipFile(tmp_path / WRITTEN[2], "w") as cut:
        for member in whole.infolist()[:-left_out]:
            cut.writestr(member, whole.read(member))
    with pytest.warns(RuntimeWarning, match="digest of its parts is missing"):
        found = CheckpointFolder(tmp_path, None, 3).newest()
    assert found.path.name == WRITTEN[1]


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_training_goes_on_from_the_one_before(damaged, folder):
    whole, _ = fit(folder.parent / "other", epochs=5)
    for name in WRITTEN[3 - damaged :]:
        (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    words = rf"goes on from the checkpoint .*{WRITTEN[2 - damaged]}, since newer ones are not whole and are now called"
    with pytest.warns(RuntimeWarning, match=rf"{words} \*.damaged: .*{WRITTEN[2]}: not a model file, or a damaged"):
        model, history = fit(folder, resume=True, epochs=5)
    assert np.array_equal(model.theta, whole.theta)
    assert history.epoch == [0, 1, 2, 3, 4]
    left = [name for name in names(folder) if name.endswith(".damaged")]
    assert left == [f"{name}.damaged" for name in WRITTEN[3 - damaged :]]
    assert len(names(folder)) == 3 + damaged  # damaged files do not count among those that are kept


def test_a_link_to_a_file_that_is_gone_is_damage(folder):
    (folder / WRITTEN[2]).unlink()
    (folder / WRITTEN[2]).symlink_to(folder / "elsewhere.npz")
    with pytest.warns(RuntimeWarning, match=rf"goes on from the checkpoint .*{WRITTEN[1]}"):
        fit(folder, resume=True)
    assert f"{WRITTEN[2]}.damaged" in names(folder)


def test_a_copy_under_a_higher_number_is_refused(folder):
    """It would remain the newest, whatever the training writes."""
    shutil.copy(folder / WRITTEN[0], folder / "step-00000900.npz")
    with pytest.raises(ValueError, match=rf"names that the training gave them, got .*900.npz, which is {WRITTEN[0]}"):
        fit(folder, resume=True)


def test_none_that_is_whole_is_an_error(folder):
    for name in WRITTEN:
        (folder / name).write_bytes(b"")
    before, model = names(folder), small()
    theta = model.theta.copy()
    with pytest.raises(ValueError, match="must have a checkpoint that is whole to resume from, got .*to begin anew"):
        fit(folder, model, resume=True)
    assert names(folder) == before and np.array_equal(model.theta, theta)


def test_a_file_that_cannot_be_read_is_no_damage(folder, monkeypatch):
    """A missing right may come back, so the file is kept; a bad disk does not recover."""
    read = archive.read

    def refused(path, number):
        if path.name == WRITTEN[2]:
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    monkeypatch.setattr(archive, "read", lambda path, **_: refused(path, errno.EACCES))
    with pytest.raises(PermissionError):
        fit(folder, resume=True)
    assert names(folder) == WRITTEN
    monkeypatch.setattr(archive, "read", lambda path, **_: refused(path, errno.EIO))
    with pytest.warns(RuntimeWarning, match="Input/output error"):
        fit(folder, resume=True)
    assert names(folder) == [*WRITTEN, f"{WRITTEN[2]}.damaged"]


def test_a_hundred_million_steps_are_more_than_one_less(folder):
    for name, number in zip(WRITTEN, (99_999_999, 100_000_000, 100_000_001), strict=True):
        (folder / name).rename(folder / f"step-{number:08d}.npz")
    found = CheckpointFolder(folder, None, 2)
    assert found.newest().path.name == "step-100000001.npz"
    found.remove_old()
    assert names(folder) == ["step-100000000.npz", "step-100000001.npz"]


def test_other_files_are_left_alone(tmp_path):
    for name in ("notes.txt", "step-1.npz", "step-00000001.npz.tmp", "step-00000002.csv", "best.npz"):
        (tmp_path / name).write_text("mine")
    _, history = fit(tmp_path, keep_last=1)
    assert history.stopped == "all epochs done"
    assert names(tmp_path) == sorted(
        ["best.npz", "notes.txt", "step-00000001.npz.tmp", "step-00000002.csv", "step-1.npz", WRITTEN[2]]
    )


# --------------------------------------------------------------------------------------------- disks and their rights


class Full(io.FileIO):
    """A file on a disk that is full after so many writes of all files together."""

    left = 0

    def write(self, content):
        Full.left -= 1
        if Full.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(content)


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_write(tmp_path, monkeypatch, trust):
    """The error names the file, the checkpoints before are whole, and the model has the parameters of that moment; then
    the training goes on."""
    monkeypatch.setattr(files, "open", lambda path, mode: io.BufferedRandom(Full(path, mode + "+")), raising=False)
    Full.left, steps = 10**9, {"batch_size": len(X)}
    whole, expected = fit(tmp_path / "whole", **steps)
    wanted = names(tmp_path / "whole")
    needed, failed, thetas = 10**9 - Full.left, 0, []
    for writes in range(0, needed, 5):
        Full.left, run, model = writes, tmp_path / str(writes), small()
        with pytest.raises(OSError, match=r"No space left on device; nothing was written, and the.*step-0") as caught:
            fit(run, model, **steps)
        assert caught.value.errno == errno.ENOSPC
        failed += 1
        left = names(run)
        assert left == wanted[: len(left)]  # only whole files, and none that was only begun
        thetas.append(model.theta.tobytes())
        Full.left = 10**9
        model, history = fit(run, resume=True, **steps)
        assert np.array_equal(model.theta, whole.theta) and history == expected
    assert len(set(thetas)) == 3 and failed > 10
    trust.record("checkpoints", {"disks full at some write of a checkpoint, and then resumed to the same bits": failed})


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_later(call, tmp_path, monkeypatch):
    def fails(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    fit(tmp_path, epochs=1)
    monkeypatch.setattr(os, call, fails)
    with pytest.raises(OSError, match="Input/output error; nothing was written, and the checkpoints before it are"):
        fit(tmp_path, resume=True)
    assert names(tmp_path) == WRITTEN[:1]


@pytest.mark.elsewhere  # only who is root, and not in every container, may mount a disk
def test_a_real_disk_that_is_full(tmp_path):
    """A file system of 64 kB in memory, and a limit for the size of files."""
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("only who is root may mount a file system")
    try:
        model = small()
        with pytest.raises(OSError, match="No space left on device") as caught:
            fit(tmp_path / "run", model, every=1, keep_last=100, epochs=10)
        assert caught.value.errno == errno.ENOSPC
        left = names(tmp_path / "run")
        assert left and all(name.startswith("step-") for name in left)
        found = CheckpointFolder(tmp_path / "run", None, 1).newest()
        assert found.path.name == left[-1]
        assert not np.array_equal(found.arrays["theta"], model.theta)  # the parameters of one step before
        again, _ = fit(tmp_path / "run", resume=True, keep_last=1, epochs=10, every=10_000)
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)
    whole = small()
    whole.fit(X, X, optimizer=Adam(0.02), **OPTIONS | {"epochs": 10})
    assert np.array_equal(again.theta, whole.theta)


def test_a_limit_of_the_size_of_files(tmp_path):
    fit(tmp_path, epochs=1)
    before = contents(tmp_path)
    with full_disk(4000), pytest.raises(OSError, match="File too large; nothing was written, and the checkpoints"):
        fit(tmp_path, resume=True)
    assert contents(tmp_path) == before


def test_folders_that_take_no_files(tmp_path):
    """They are refused before anything is done."""
    model = small()
    theta = model.theta.copy()
    with read_only_folder() as folder:
        for path, rule in ((folder, "takes new files"), (folder / "a" / "b", "can be made")):
            told = f"`checkpoint` must be a folder that {rule}, got {path}: Permission denied"
            with pytest.raises(PermissionError, match=f"^{re.escape(told)}$"):
                fit(path, model)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="`checkpoint` must be a folder, got the file"):
        fit(tmp_path / "file", model)
    with pytest.raises(NotADirectoryError, match="`checkpoint` must be a folder that can be made"):
        fit(tmp_path / "file" / "run", model)
    assert np.array_equal(model.theta, theta) and model.trained is None


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_is_called_like_a_checkpoint(folder, resume):
    (folder / "step-00000012.npz").mkdir()
    words = f"where only checkpoints have names such as theirs, got the folder {folder / 'step-00000012.npz'}: call it"
    with pytest.raises(IsADirectoryError, match=re.escape(words)):
        fit(folder, resume=resume)
    assert names(folder) == [*WRITTEN, "step-00000012.npz"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_that_is_called_like_a_checkpoint(folder):
    """Reading it would wait for ever."""
    os.mkfifo(folder / "step-00000012.npz")
    words = f"where only checkpoints have names such as theirs, got the pipe, socket or device {folder}"
    with pytest.raises(OSError, match=re.escape(words)):
        fit(folder, resume=True)


def test_names_of_checkpoints_have_plain_digits(folder):
    """Digits of other scripts are digits for Python too."""
    (folder / "step-\uff10\uff10\uff10\uff10\uff10\uff10\uff19\uff19.npz").write_text("not a checkpoint")
    before = names(folder)
    fit(folder, resume=True)
    assert names(folder) == before


def test_a_model_that_is_called_like_a_checkpoint(folder):
    path = folder / "step-00000012.npz"
    small().save(path)
    words = f"{path}: is no checkpoint, since it holds a model without a training: call it otherwise, or give another"
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        fit(folder, resume=True)
    assert names(folder) == [*WRITTEN, path.name]


def test_a_folder_in_the_home_folder(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fit("~/run", epochs=1)
    assert names(tmp_path) == ["run"] and names(tmp_path / "run") == WRITTEN[:1]


@pytest.mark.parametrize(
    ("folder", "options", "error", "words"),
    [
        (3, {}, TypeError, "^`checkpoint` must be a folder, a str or a Path, got 3$"),
        ("", {}, ValueError, "^`checkpoint` must be a folder, got ''$"),
        ("run", {"every": 0}, ValueError, "^`every` must be an int >= 1, got 0$"),
        ("run", {"every": 1.5}, TypeError, "^`every` must be an int >= 1, got 1.5$"),
        ("run", {"keep_last": 0}, ValueError, "^`keep_last` must be an int >= 1, got 0$"),
        ("run", {"resume": 1}, TypeError, "^`resume` must be a bool, got 1$"),
    ],
)
def test_arguments_that_do_not_fit(folder, options, error, words, tmp_path, monkeypatch):
    """When they are made, or where a folder alone is given, when `fit` begins."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        Checkpoints(folder, **options)
    if not options:
        with pytest.raises(error, match=words):
            small().fit(X, X, optimizer=SGD(0.1), checkpoint=folder, **OPTIONS)
    assert names(tmp_path) == []


def test_options_of_checkpoints_have_names():
    words = "takes only `folder` by position, got 3 as well: give every, keep_last, resume by name"
    with pytest.raises(TypeError, match=words):
        Checkpoints("run", 3)
