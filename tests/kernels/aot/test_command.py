"""`python -m ltc_np build-kernels`: what it needs, what it says, what it leaves, and a small library that it builds."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
from support import libraries
from support.backends import NO_CARD
from support.processes import python

from ltc_np.base.command_line import DONE, MISTAKE
from ltc_np.kernels import library
from ltc_np.kernels.aot import command
from ltc_np.kernels.library import LEVELS
from ltc_np.kernels.signatures import CALLED, SIGNATURES, of_address

V4, V3 = LEVELS


@pytest.mark.slow
def test_help_needs_no_numba():
    code = """
        import sys
        sys.modules["numba"] = sys.modules["llvmlite"] = None
        from ltc_np.kernels.aot.command import main
        main(["--help"])
    """
    said = python(code).stdout
    assert "usage: python -m ltc_np build-kernels" in said
    assert "Numba and a C compiler (cc)" in said
    assert all(level in said for level in LEVELS)


@pytest.fixture
def nothing_is_built(monkeypatch):
    monkeypatch.setattr(command, "build", lambda *_, **__: pytest.fail("it built"))


NEEDS = "to build kernels there must be "
NUMBA, CC = "Numba, which compiles them (`pip install numba`)", "a C compiler called cc, which links them"
ONLY = "compiled kernels can be built only on Linux and x86-64, and with CPython"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("Numba", f"{NEEDS}{NUMBA}"),
        ("a linker", f"{NEEDS}{CC}"),
        ("Numba and a linker", f"{NEEDS}{NUMBA} and {CC}"),
        ("Linux", ONLY),
    ],
)
def test_what_is_missing_is_said_in_one_line_and_nothing_is_touched(
    missing, words, nothing_is_built, monkeypatch, tmp_path, capsys
):
    libraries.write(tmp_path, {V4: b"from before"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "Numba" in missing else name)
    monkeypatch.setattr(command.shutil, "which", lambda name: None if "a linker" in missing else f"/usr/bin/{name}")
    monkeypatch.setattr(command, "has_levels", lambda: missing != "Linux")
    assert command.main(["--out", str(tmp_path)]) == MISTAKE
    said = capsys.readouterr()
    assert said.err == f"python -m ltc_np build-kernels: {words}\n"
    assert said.out == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("arguments", [["--levels", "x86-64-v2"], ["--levels"], ["--level", V3, "--fast"], ["more"]])
def test_wrong_arguments_are_refused(arguments, nothing_is_built, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == MISTAKE
    assert capsys.readouterr().err.startswith("python -m ltc_np build-kernels: ")


@pytest.mark.parametrize("as_json", [False, True])
def test_it_builds_what_is_asked_for_and_reports_it(as_json, monkeypatch, tmp_path, capsys):
    asked = []

    def build(levels, folder, linker, say):
        asked.append((list(levels), folder, linker))
        say("on its way")
        return dict.fromkeys(levels, 12345)

    monkeypatch.setattr(command, "build", build)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(command.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert command.main(["--levels", V3, "--out", str(tmp_path), *["--json"] * as_json]) == DONE
    assert command.main(["--json"] * as_json) == DONE
    assert asked == [([V3], tmp_path, "/usr/bin/cc"), ([V4, V3], library.FOLDER, "/usr/bin/cc")]
    said = capsys.readouterr()
    assert said.err == "on its way\n" * 2
    if as_json:
        assert json.loads(said.out.partition("}\n{")[0] + "}") == {"folder": str(tmp_path), "bytes": {V3: 12345}}
    else:
        assert said.out.splitlines()[0] == f"{tmp_path / V3}.so, 12,345 bytes"


def process(code):
    """A process like that which compiles a level: it prints, and ends with a status."""

    def start(level, objects, kernels):
        objects.mkdir()
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)

    return start


LINES = "print('sgd.change'); print('adam.change')"


def test_progress_is_said_by_level_and_a_manifest_is_written_last(monkeypatch, tmp_path):
    said, folder = [], tmp_path / "new" / "folder"
    monkeypatch.setattr(command, "_start", process(LINES))
    monkeypatch.setattr(command, "_link", lambda linker, objects, kernels: objects.name.encode() * 10)
    monkeypatch.setattr(command, "_tools", lambda linker: {"linker": linker})
    write_all = command.files.write_all

    def write(contents):
        assert [path.name for path in contents] == [f"{V4}.so", f"{V3}.so", library.MANIFEST]
        assert not any(folder.iterdir())
        write_all(contents)

    monkeypatch.setattr(command.files, "write_all", write)
    sizes = command.build([V4, V3, V4], folder, "cc", said.append, ("sgd.change", "adam.change"))
    assert said == [
        f"{level}: {k} of 2, {name}" for level in LEVELS for k, name in ((1, "sgd.change"), (2, "adam.change"))
    ]
    assert sizes == {V4: 90, V3: 90}
    assert {path.name for path in folder.iterdir()} == {f"{V4}.so", f"{V3}.so", library.MANIFEST}
    contents = {level: (folder / f"{level}.so").read_bytes() for level in LEVELS}
    assert contents == {level: level.encode() * 10 for level in LEVELS}
    assert told(folder) == json.loads(libraries.manifest(contents, **{"made with": {"linker": "cc"}}))
    assert library.read_manifest(folder) == told(folder)["libraries"]


def told(folder):
    return json.loads((folder / library.MANIFEST).read_bytes())


@pytest.fixture
def builds(monkeypatch):
    """Builds a level whose library is as given."""

    def build(level, content, folder):
        monkeypatch.setattr(command, "_start", process(LINES))
        monkeypatch.setattr(command, "_link", lambda linker, objects, kernels: content)
        monkeypatch.setattr(command, "_tools", lambda linker: {"linker": f"of {content}"})
        command.build([level], folder, "cc", lambda text: None, ("sgd.change", "adam.change"))

    return build


@pytest.mark.parametrize("first", LEVELS)
def test_levels_that_are_built_one_after_the_other_stay(first, builds, tmp_path):
    second = V3 if first == V4 else V4
    builds(first, b"first", tmp_path)
    alone = told(tmp_path)
    builds(second, b"second", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.so")} == {
        f"{first}.so": b"first",
        f"{second}.so": b"second",
    }
    both = told(tmp_path)
    assert list(both["libraries"]) == sorted(LEVELS)
    assert both["libraries"][first] == alone["libraries"][first]
    assert {level: entry["made with"] for level, entry in both["libraries"].items()} == {
        first: {"linker": "of b'first'"},
        second: {"linker": "of b'second'"},
    }
    builds(first, b"third", tmp_path)
    assert told(tmp_path)["libraries"][second] == both["libraries"][second]
    assert told(tmp_path)["libraries"][first]["made with"] == {"linker": "of b'third'"}


def test_a_level_whose_library_is_gone_does_not_stay(builds, tmp_path):
    builds(V4, b"first", tmp_path)
    (tmp_path / f"{V4}.so").unlink()
    builds(V3, b"second", tmp_path)
    assert [*told(tmp_path)["libraries"]] == [V3]


@pytest.mark.parametrize("sources", ["0" * 64, None])
def test_a_level_of_other_sources_stays_one(sources, builds, tmp_path):
    libraries.write(tmp_path, {V4: b"of other sources"})
    (tmp_path / library.MANIFEST).write_bytes(libraries.manifest({V4: b"of other sources"}, sources=sources))
    builds(V3, b"new", tmp_path)
    assert told(tmp_path)["libraries"][V4]["sources"] == sources


def test_after_a_manifest_as_it_was_before_the_other_level_is_of_other_sources(builds, tmp_path):
    libraries.write(tmp_path, {V4: b"from before"})
    (tmp_path / library.MANIFEST).write_text(json.dumps({"sources": "a", "libraries": {V4: "b"}, "made with": {}}))
    builds(V3, b"new", tmp_path)
    assert told(tmp_path)["libraries"][V4] == {"sources": None, "sha256": "b"}


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"5"])
def test_a_damaged_manifest_is_replaced(content, builds, tmp_path):
    (tmp_path / library.MANIFEST).write_bytes(content)
    builds(V3, b"new", tmp_path)
    assert [*told(tmp_path)["libraries"]] == [V3]


@pytest.mark.parametrize("fault", ["compiler", "linker", "sources", "tools", "disk", "Ctrl-C"])
def test_a_build_that_fails_leaves_what_there_was(fault, monkeypatch, tmp_path):
    """Libraries of the same sources go on working."""
    libraries.write(tmp_path, {V4: b"of another level", V3: b"from before"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(command, "_start", process(LINES + (";exit(3)" if fault == "compiler" else "")))
    monkeypatch.setattr(command, "_link", lambda *_: b"new")
    monkeypatch.setattr(command, "_tools", lambda linker: {})
    if fault == "sources":
        monkeypatch.setattr(command, "_link", lambda *_: monkeypatch.setattr(command, "library_hash", hashed) or b"new")
    elif fault == "linker":
        monkeypatch.setattr(command, "_link", fails(OSError("no space")))
    elif fault == "tools":
        monkeypatch.setattr(command, "_tools", fails(OSError("no versions")))
    elif fault == "disk":
        monkeypatch.setattr(command.files.os, "fsync", fails(OSError(28, "No space left on device")))
    elif fault == "Ctrl-C":
        monkeypatch.setattr(command, "_link", fails(KeyboardInterrupt()))

    def hashed():
        return "other"

    hashed.__wrapped__ = hashed
    words = {
        "compiler": f"compiling the kernels for {V3} ended with exit status 3; the reason stands above",
        "linker": "no space",
        "sources": "the sources have changed while they were compiled; build again",
        "tools": "no versions",
        "disk": "No space left on device; nothing was written",
        "Ctrl-C": "^$",
    }
    with pytest.raises(KeyboardInterrupt if fault == "Ctrl-C" else OSError, match=words[fault]):
        command.build([V3], tmp_path, "cc", lambda text: None, ("sgd.change", "adam.change"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def fails(error):
    def fail(*_):
        raise error

    return fail


def test_a_folder_that_takes_no_files_is_refused_before_minutes_of_work(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "_start", lambda *_: pytest.fail("it compiles"))
    monkeypatch.setattr(command.files, "check_takes_files", fails(OSError(30, "Read-only file system")))
    with pytest.raises(OSError, match="Read-only file system"):
        command.build([V3], tmp_path / "new", "cc", lambda text: None, ("sgd.change",))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        command.build([V3], tmp_path / "file", "cc", lambda text: None, ("sgd.change",))


def test_versions_of_all_that_decides_about_the_bytes_are_kept(monkeypatch):
    """The compiler that calls the linker chooses its options, so its version is one of them."""
    lines = {"--version": "cc (Some) 12.3\nCopyright", "-Wl,--version": "GNU ld 2.4\nCopyright"}
    monkeypatch.setattr(command.importlib.metadata, "version", lambda name: f"1.0 of {name}")
    monkeypatch.setattr(
        command.subprocess, "run", lambda args, **_: types.SimpleNamespace(stdout=lines[args[1]], returncode=0)
    )
    assert command._tools("/usr/bin/cc") == {
        "numba": "1.0 of numba",
        "llvmlite": "1.0 of llvmlite",
        "cc": "cc (Some) 12.3",
        "linker": "GNU ld 2.4",
    }


def test_processes_that_compile_are_told_the_level(monkeypatch, tmp_path):
    """And that Numba compiles, whatever the environment says."""
    told = []
    monkeypatch.setenv(library.VARIABLE, "library")
    monkeypatch.setenv("NUMBA_CPU_NAME", "znver9")
    monkeypatch.setenv("NUMBA_OPT", "0")
    monkeypatch.setattr(command.subprocess, "Popen", lambda arguments, **options: told.append((arguments, options)))
    monkeypatch.setitem(sys.modules, "ltc_np.kernels.aot.level", type(sys)("ltc_np.kernels.aot.level"))
    monkeypatch.setattr("ltc_np.kernels.aot.level", sys.modules["ltc_np.kernels.aot.level"], raising=False)
    command._start(V3, tmp_path / V3, ("sgd.change",))
    ((arguments, options),) = told
    assert arguments == [sys.executable, "-m", "ltc_np.kernels.aot.level", str(tmp_path / V3), "sgd.change"]
    assert options["env"][library.VARIABLE] == "numba"
    assert options["env"]["NUMBA_CPU_NAME"] == V3
    assert "NUMBA_OPT" not in options["env"] and "PATH" in options["env"]
    assert options["env"]["NUMBA_CPU_FEATURES"] == command.FEATURES[V3]
    assert (tmp_path / V3).is_dir()


def test_every_level_has_features_of_both_names():
    """Those that LLVM is asked for are among those without which a processor is not given the level's code."""
    assert list(command.FEATURES) == list(LEVELS)
    for level, text in command.FEATURES.items():
        asked = {word[1:].replace("-", "_") for word in text.split(",") if word.startswith("+")}
        assert asked <= set(LEVELS[level].split())
    assert set(LEVELS[V3].split()) < set(LEVELS[V4].split())


def test_a_linker_that_fails_is_told_in_one_line(tmp_path, capfd):
    linker = tmp_path / "cc"
    linker.write_text("#!/bin/sh\necho no such option >&2\nexit 3\n")
    linker.chmod(0o755)
    (tmp_path / "objects").mkdir()
    with pytest.raises(OSError, match="cc -shared` ended with exit status 3$"):
        command._link(str(linker), tmp_path / "objects", ())
    assert capfd.readouterr().err == "no such option\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two builds of a small library, the second in a folder that is not empty."""
    import shutil

    linker = shutil.which("cc")
    if NO_CARD or linker is None or sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip(NO_CARD or "needs a C compiler called cc, and Linux on x86-64")
    folders = [tmp_path_factory.mktemp("build") for _ in range(2)]
    libraries.write(folders[1], {V3: b"from before"})
    for folder in folders:
        command.build([V3], folder, linker, lambda text: None, libraries.KERNELS)
    return folders


@pytest.mark.slow
def test_two_builds_have_the_same_bytes(built):
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in built]
    assert contents[0] == contents[1]
    assert contents[0].keys() == {f"{V3}.so", library.MANIFEST}
    assert not any(str(folder).encode() in contents[0][f"{V3}.so"] for folder in built)
    assert str(pathlib.Path.home()).encode() + b"/" not in contents[0][f"{V3}.so"]


def symbols(path):
    """What a shared library of 64 bits shows and what it asks for: names of its dynamic symbols; those it needs."""
    content = path.read_bytes()
    sections, size, count = (int.from_bytes(content[a:b], "little") for a, b in ((40, 48), (58, 60), (60, 62)))
    headers = [content[sections + k * size : sections + (k + 1) * size] for k in range(count)]

    def part(kind):
        for h in headers:
            if int.from_bytes(h[4:8], "little") == kind:
                at, length, link = (int.from_bytes(h[a:b], "little") for a, b in ((24, 32), (32, 40), (40, 44)))
                return content[at : at + length], link
        return b"", None

    table, link = part(11)  # SHT_DYNSYM
    at, length = (int.from_bytes(headers[link][a:b], "little") for a, b in ((24, 32), (32, 40)))
    names = content[at : at + length]
    shown, asked = set(), set()
    for k in range(24, len(table), 24):
        start = int.from_bytes(table[k : k + 4], "little")
        name = names[start : names.index(b"\0", start)].decode()
        (shown if int.from_bytes(table[k + 6 : k + 8], "little") else asked).add(name)
    dynamic, _ = part(6)  # SHT_DYNAMIC
    needed = [
        dynamic[k : k + 8] for k in range(0, len(dynamic), 16) if int.from_bytes(dynamic[k : k + 8], "little") == 1
    ]
    return shown, asked, len(needed)


@pytest.mark.slow
def test_a_library_shows_what_python_calls_and_needs_what_every_c_library_has(built):
    shown, asked, needed = symbols(built[0] / f"{V3}.so")
    called = {of_address(name) for name in CALLED if name in libraries.KERNELS}
    assert shown == {*libraries.KERNELS, *called, "ltc_np_python", "ltc_np_probe"}
    assert asked <= {"memcpy", "memset", "memmove"}
    assert needed == 0


def test_an_installed_library_shows_all_kernels():
    if library.chosen() is None:
        pytest.skip(f"no compiled kernels here: {library.why_not()}")
    shown, asked, needed = symbols(library.chosen().path)
    assert shown == {*SIGNATURES, *map(of_address, CALLED), "ltc_np_python", "ltc_np_probe"}
    # Of the mathematical library those that Python itself has loaded: its own module `math` needs them.
    assert asked <= {
        "memcpy",
        "memset",
        "memmove",
        *(f"{name}{f}" for name in ("exp", "log", "log1p") for f in ("", "f")),
    }
    assert needed == 0


@pytest.mark.slow
def test_a_library_that_was_built_is_loaded_and_calculates(built):
    code = """
        import pathlib, sys
        import numpy as np
        sys.modules["numba"] = None
        from ltc_np.kernels import calls, library
        library.FOLDER = pathlib.Path(sys.argv[1])
        print(library.chosen().level, library.why_not())
        from ltc_np.kernels.cpu import jit  # it imports no compiler
        kernel = calls.function("sgd.change", library.chosen().functions["sgd.change"], lambda: None)
        grad, delta = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
        kernel(grad, np.zeros(5, np.float32), delta, 0.5, 0.0, 0.0)
        print(jit.COMPILES, delta)
    """
    if not library._features().issuperset(LEVELS[V3].split()):
        pytest.skip("this processor cannot run it")
    said = python(code, arguments=[str(built[0])], LTC_NP_KERNELS="auto").stdout
    assert said == f"{V3} None\nFalse {np.arange(5) * 0.5}\n"
