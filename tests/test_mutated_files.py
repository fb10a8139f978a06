"""Files that are changed at random and on purpose: reading one never crashes, hangs, takes much memory, or gives wrong
content.

support/mutated.py says what is right and what is wrong.  If a case fails, the message names its format and its seed,
and where its file is left; `python -m support.mutated FOLDER SEED 1 FORMAT` in tests/ tries it alone.
"""

import json
import os
import selectors
import subprocess
import sys
import time

import pytest
from support import ROOT, TESTS

if not sys.platform.startswith("linux"):
    pytest.skip("the limits of memory are those of Linux", allow_module_level=True)

from support import mutated, mutations
from support.mutated import FORMATS, LIMIT, MOST_GROWTH

from ltc_np.base import archive

SILENT = 120  # seconds without a word from the process; every file should take milliseconds
# How many files of a format are tried by `pytest -m fuzz`.
MANY = {
    "model": 1200, "checkpoint": 800, "training": 200, "old model": 600, "safetensors": 1200, "table csv": 2000,
    "table npz": 1500, "calibration": 1000, "log": 1000, "config": 1000,
}  # fmt: skip


def tried(folder, first, count, formats):
    """The figures of each format, by name; a process that crashes or hangs fails the test."""
    path = os.pathsep.join([str(ROOT), str(TESTS)])
    env = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "support.mutated", str(folder), str(first), str(count), *formats]
    figures, wrong, last, ended = {}, [], "nothing yet", False
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            rest = b""
            while not ended:
                if not selector.select(SILENT):
                    process.kill()
                    pytest.fail(f"hangs: {last}, in {folder}")
                part = os.read(process.stdout.fileno(), 2**16)
                *lines, rest = (rest + part).split(b"\n")
                for line in map(bytes.decode, lines):
                    kind, _, words = line.partition(" ")
                    if kind == "case":
                        last = words
                    elif kind == "wrong":
                        wrong.append(words)
                    elif kind == "done":
                        found = json.loads(words)
                        figures[found.pop("format")] = found
                ended = not part
        errors = process.stderr.read().decode()
    assert process.returncode == 0, f"crashes with status {process.returncode}: {last}, in {folder}: {errors[-2000:]}"
    assert not wrong, "\n".join(wrong)
    assert [*figures] == [*formats]
    for found in figures.values():
        assert sum(found[key] for key in ("same", "other", "refused", "wrong")) == count
    return figures


@pytest.mark.slow
def test_some_files_of_every_format(tmp_path):
    figures = tried(tmp_path, 0, 40, FORMATS)
    for name, found in figures.items():
        # If no file is refused, the changes do not work; damaged checkpoints of a training are passed over, not
        # refused.
        assert found["same" if name == "training" else "refused"] > 10, name


def test_the_judge_notices_a_checkpoint_that_is_taken_without_its_digest(tmp_path, monkeypatch):
    """Its list of contents leaves out the digest, and all else is as it was: only who has read it can tell."""
    (path,), (content,), (known,) = mutated.prepared("training", tmp_path)
    members = [member for member in mutations.members_of(content) if member.name != f"{archive.DIGEST}.npy"]
    path.write_bytes(mutations.zipped(members))
    with pytest.warns(RuntimeWarning, match="the digest of its parts is missing"):
        assert mutated.attempt("training", path, known, True) == "same"  # as from the checkpoint before
    read = archive.read
    monkeypatch.setattr(archive, "read", lambda path, **options: read(path))
    with pytest.raises(mutated.Wrong, match="has not the digest of its content"):
        mutated.attempt("training", path, known, True)


@pytest.mark.fuzz
def test_many_files_of_every_format(tmp_path, trust):
    assert MANY.keys() == FORMATS.keys() and sum(MANY.values()) >= 10_000
    figures, start = {}, time.perf_counter()
    for name, count in MANY.items():
        figures |= tried(tmp_path / name.replace(" ", "_"), 1000, count, [name])
    seconds = time.perf_counter() - start
    for outcome in ("same", "other", "refused"):  # each answer must occur, or the judge has nothing to judge
        assert sum(found[outcome] for found in figures.values()) > 100
    told = {"same": "as before", "other": "as what they say now", "refused": "refused"}
    rows = {
        f"files, {name}": f"{MANY[name]:,}: " + ", ".join(f"{found[key]:,} {words}" for key, words in told.items())
        for name, found in figures.items()
    }
    trust.record("files", {
        "files tried": sum(MANY.values()),
        "crashes, hangs, wrong contents, other errors": 0,
        **rows,
        "address space that a process could have beyond that of the interpreter, MB": LIMIT // 2**20,
        "largest growth for one file, MB": max(found["memory"] for found in figures.values()) / 2**20,
        "limit of memory in the test, bytes for each byte of a file": MOST_GROWTH,
        "slowest file, s of the processor": max(found["slowest"] for found in figures.values()),
        "the whole, s": round(seconds),
    })  # fmt: skip
