"""Kernels that come compiled: which are chosen, what is never loaded, and calls of machine code from Python."""

import ctypes
import functools
import io
import json
import mmap
import os
import pathlib
import re
import shutil
import threading
import types

import numpy as np
import pytest
from support import ROOT, libraries
from support.files import copy_folder
from support.processes import python

from ltc_np import kernels
from ltc_np.kernels import library, sources
from ltc_np.kernels.library import LEVELS

V4, V3 = LEVELS
CONTENT = {V4: bytes(range(256)) * 16, V3: bytes(range(255, -1, -1)) * 8}  # no library of any system


# ------------------------------------------------------------------------------------------------- the choice


@pytest.fixture
def undecided(monkeypatch):
    """A process that has decided nothing yet, on Linux and the best processor; afterwards it knows what it knew."""
    for module, names in ((library, "choice _found"), (kernels, "_why_not_cpu _why_not_numba _warn")):
        for name in names.split():
            monkeypatch.setattr(module, name, functools.cache(getattr(module, name).__wrapped__))
    monkeypatch.delenv(library.VARIABLE, raising=False)
    system = types.SimpleNamespace(platform="linux", implementation=types.SimpleNamespace(name="cpython"))
    monkeypatch.setattr(library, "sys", system)
    monkeypatch.setattr(library.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(library, "_features", lambda: set(LEVELS[V4].split()))


@pytest.fixture
def folder(undecided, monkeypatch, tmp_path):
    """An installation with libraries of both levels, in which nothing is machine code."""
    libraries.write(tmp_path, CONTENT)
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def loaded(monkeypatch):
    """The names of the libraries that have been loaded; none really is."""
    names = []

    def load(path, mode=0):
        if mode == os.RTLD_NOLOAD:
            raise OSError("nothing of this name is loaded")
        names.append(os.path.basename(path))
        return names[-1]

    monkeypatch.setattr(library.ctypes, "PyDLL", load)
    monkeypatch.setattr(library.calls, "introduce", lambda functions: True)
    return names


@pytest.fixture(params=["with Numba", "without Numba"])
def numba_works(request, monkeypatch):
    works = request.param == "with Numba"
    monkeypatch.setattr(kernels, "_why_not_numba", lambda: None if works else "there is no Numba")
    return works


@pytest.mark.parametrize("processor, best", [(V4, V4), (V3, V3)])
@pytest.mark.parametrize("word", [None, "", "auto", "library", V3])
def test_the_best_library_for_the_processor_is_loaded(word, processor, best, folder, loaded, monkeypatch, recwarn):
    monkeypatch.setattr(library, "_features", lambda: {*LEVELS[processor].split(), "sse", "another"})
    if word is not None:
        monkeypatch.setenv(library.VARIABLE, word)
    monkeypatch.setattr(kernels, "_why_not_numba", lambda: pytest.fail("Numba was asked"))
    assert kernels.resolve("auto") == kernels.resolve("cpu") == "cpu"
    assert loaded == [f"{V3 if word == V3 else best}.so"]
    assert library.chosen().level == (V3 if word == V3 else best)
    assert library.why_not() is None
    assert not recwarn


def test_a_level_of_its_own_is_asked_for(folder, loaded, monkeypatch):
    monkeypatch.setenv(library.VARIABLE, V4)
    assert kernels.resolve("auto") == "cpu"
    assert loaded == [f"{V4}.so"]


def test_numba_is_asked_for(folder, loaded, numba_works, monkeypatch, recwarn):
    monkeypatch.setenv(library.VARIABLE, "numba")
    if numba_works:
        assert kernels.resolve("auto") == kernels.resolve("cpu") == "cpu"
    else:
        words = "LTC_NP_KERNELS asks for numba, which cannot be had: no working numba .there is no Numba.$"
        with pytest.raises(ImportError, match=words):
            kernels.resolve("auto")
        with pytest.raises(ImportError, match="`backend=.cpu.` cannot be used: no working numba .there is no Numba.;"):
            kernels.resolve("cpu")
    assert kernels.resolve("numpy") == "numpy"
    assert loaded == []
    assert not recwarn


def test_numpy_is_asked_for_and_nobody_is_warned(folder, loaded, numba_works, monkeypatch, recwarn):
    monkeypatch.setenv(library.VARIABLE, "numpy")
    assert kernels.resolve("auto") == kernels.resolve("numpy") == "numpy"
    with pytest.raises(ImportError, match="`backend=.cpu.` cannot be used: LTC_NP_KERNELS is numpy; use"):
        kernels.resolve("cpu")
    assert loaded == []
    assert not recwarn


def test_a_word_that_means_nothing_is_refused(folder, monkeypatch):
    monkeypatch.setenv(library.VARIABLE, "x86-64-v2")
    words = "LTC_NP_KERNELS must be one of auto, library, x86-64-v4, x86-64-v3, numba, numpy, got 'x86-64-v2'$"
    for backend in ("auto", "cpu"):
        with pytest.raises(ValueError, match=words):
            kernels.resolve(backend)
    assert kernels.resolve("numpy") == "numpy"


@pytest.mark.parametrize("word", ["library", V4, V3])
def test_what_is_asked_for_and_is_not_there_is_an_error(word, folder, loaded, numba_works, monkeypatch, recwarn):
    """Of a level that is asked for by name no other one is taken, though it is there."""
    for level in LEVELS if word == "library" else (word,):
        (folder / f"{level}.so").unlink()
    monkeypatch.setenv(library.VARIABLE, word)
    words = f"LTC_NP_KERNELS asks for {word}, which cannot be had: no compiled kernels .FileNotFoundError: .*"
    words += f"{V4}.so.*{V3}.so" if word == "library" else f"{word}.so"
    with pytest.raises(ImportError, match=words):
        kernels.resolve("auto")
    with pytest.raises(ImportError, match="`backend=.cpu.` cannot be used: no compiled kernels .FileNotFoundError: "):
        kernels.resolve("cpu")
    assert kernels.resolve("numpy") == "numpy"
    assert loaded == []
    assert not recwarn


@pytest.mark.parametrize("word", [V4, V3])
def test_a_level_that_this_installation_has_not_is_an_error(word, folder, loaded, numba_works, monkeypatch):
    libraries.write(folder, {V4 if word == V3 else V3: b"one"})
    monkeypatch.setenv(library.VARIABLE, word)
    with pytest.raises(ImportError, match=f"asks for {word}, .* .this installation has none for {word}.$"):
        kernels.resolve("auto")
    assert loaded == []


def test_a_checkout_has_none_and_nobody_is_warned(folder, loaded, numba_works, recwarn):
    (folder / library.MANIFEST).unlink()
    if numba_works:
        assert kernels.resolve("auto") == kernels.resolve("cpu") == "cpu"
        assert not recwarn
    else:
        words = "no working numba .there is no Numba., nor compiled kernels .this installation has none.; "
        used = "the slower numpy backend is used, `pip install -U numba` brings the faster one"
        with pytest.warns(RuntimeWarning, match=f"{words}{used}$") as caught:
            assert [kernels.resolve("auto") for _ in range(3)] == ["numpy"] * 3
        assert len(caught) == 1
        with pytest.raises(ImportError, match=f"`backend=.cpu.` cannot be used: {words}use backend=.numpy.$"):
            kernels.resolve("cpu")
    assert loaded == []


def test_the_choice_is_made_once(folder, loaded, monkeypatch):
    assert kernels.resolve("auto") == "cpu"
    monkeypatch.setenv(library.VARIABLE, "numpy")
    libraries.write(folder, {V4: b"another"})
    assert kernels.resolve("auto") == "cpu"
    assert loaded == [f"{V4}.so"]


CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
vmx flags\t: {none}
flags\t\t: fpu {first}
bugs\t\t: {none}

processor\t: 1
flags\t\t: fpu {second}
"""


@pytest.mark.parametrize(
    "first, second, level",
    [(LEVELS[V4], LEVELS[V4], V4), (LEVELS[V3], LEVELS[V4], V3), (LEVELS[V4].replace("avx512vl", "avx512"), "", V3)],
)
def test_features_are_those_that_the_system_names(first, second, level, folder, loaded, monkeypatch):
    """Those of the first processor; a line of another name says something else."""
    monkeypatch.undo()
    text = CPUINFO.format(first=first, second=second, none=LEVELS[V4])
    monkeypatch.setattr(library, "open", lambda *_, **__: io.StringIO(text), raising=False)
    assert {k for k in LEVELS if library._features().issuperset(LEVELS[k].split())} == {level, V3}


def test_a_system_that_names_no_features_has_none(monkeypatch):
    text = "processor: 0\nFeatures: fp asimd\n"  # of a processor with another instruction set
    monkeypatch.setattr(library, "open", lambda *_, **__: io.StringIO(text), raising=False)
    assert library._features() == set()


def test_a_library_s_key_has_all_that_it_is_made_of(tmp_path):
    """Its kernels, the types that it has code for, and both sides of a call."""
    own = pathlib.Path(kernels.__file__).parent
    assert {path.relative_to(own) for path in sources.LIBRARY_SOURCES if path.is_relative_to(own)} >= {
        *(path.relative_to(own) for folder in ("cpu", "aot") for path in own.glob(f"{folder}/*.py")),
        *map(pathlib.Path, ("calls.py", "library.py", "signatures.py", "codes.py")),
    }
    assert sources.library_hash() == sources._hash(sources.LIBRARY_SOURCES)
    one, other, renamed = (tmp_path / name for name in ("one", "other", "renamed"))
    one.write_text("1")
    other.write_text("2")
    before = sources._hash([one, other])
    assert sources._hash([one]) != before != sources._hash([other])
    renamed.write_text("2")
    assert sources._hash([one, renamed]) != before
    other.write_text("3")
    assert sources._hash([one, other]) != before


def test_what_lies_beside_the_sources_is_none_of_them(tmp_path):
    """Locks and copies of editors, and what could not be read."""
    for name in ("ltc.py", "_lrc2.py"):
        (tmp_path / name).write_text("x = 1\n")
    for name in (".#ltc.py", ".ltc.py", "ltc.py~", "#ltc.py#", "ltc (copy).py", "ltc.1.py", "ltc-old.py", "ltc.pyc"):
        (tmp_path / name).write_text("x = 2\n")
    (tmp_path / ".#lrc.py").symlink_to("somebody@somewhere.1234")
    (tmp_path / "nowhere.py").symlink_to("nothing.py")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    assert sources._modules(tmp_path) == [tmp_path / "_lrc2.py", tmp_path / "ltc.py"]


# --------------------------------------------------------------------------- sources that change while a process runs


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Two files as the sources of a library, whose hash has been taken."""
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    for k, file in enumerate(files):
        file.write_text(f"x = {k}\n")
        os.utime(file, ns=(10**18, 10**18))
    monkeypatch.setattr(sources, "LIBRARY_SOURCES", files)
    for name in ("library_hash", "_first_stamps"):
        monkeypatch.setattr(sources, name, functools.cache(getattr(sources, name).__wrapped__))
    sources.library_hash()
    return files


def _written(file):
    file.write_text("x = 9\n")


def _written_with_the_time_of_before(file):
    file.write_text("x = 9\n")
    os.utime(file, ns=(10**18, 10**18))


def _longer(file):
    file.write_text("x = 12\n")


def _another_file(file):
    file.with_suffix(".new").write_text("x = 9\n")
    os.replace(file.with_suffix(".new"), file)


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize(
    "change", [_written, _written_with_the_time_of_before, _longer, _another_file, pathlib.Path.unlink]
)
def test_a_changed_source_is_noticed(change, k, known):
    assert not sources.library_sources_changed()
    change(known[k])
    assert sources.library_sources_changed()
    assert sources.library_sources_changed()  # nothing is learnt from it


def test_a_source_that_was_only_touched_is_the_same(known):
    os.utime(known[1])
    assert not sources.library_sources_changed()
    known[1].write_text("x = 3\n")
    assert sources.library_sources_changed()
    known[1].write_text("x = 1\n")  # as before
    assert not sources.library_sources_changed()


def test_nothing_is_read_again_where_nothing_was_written(known, monkeypatch):
    monkeypatch.setattr(sources.pathlib.Path, "read_bytes", lambda path: pytest.fail("it was read"))
    assert not sources.library_sources_changed()


def test_what_is_written_while_the_hash_is_taken_is_noticed(known, monkeypatch):
    def change(path):
        content = read(path)
        known[0].write_text("x = 9\n")
        return content

    read = pathlib.Path.read_bytes
    for name in ("library_hash", "_first_stamps"):
        getattr(sources, name).cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "read_bytes", change)
        sources.library_hash()
    assert sources.library_sources_changed()


def test_kernels_of_changed_sources_are_refused(known, monkeypatch):
    """Whoever imports a module of kernels then, or imports it again, must not get the machine code of before."""
    entries = types.SimpleNamespace(**{"sgd.change": ctypes.c_void_p(1)})
    monkeypatch.setattr(library, "chosen", lambda: types.SimpleNamespace(functions=entries))

    def change():
        pass

    change.__module__, change.__qualname__ = f"{library.__package__}.cpu.sgd", "change"
    assert libraries.body(library.kernel(change)) is change
    known[0].write_text("x = 9\n")
    words = "have changed since this process has loaded .*: start a new process; while you .*, set LTC_NP_KERNELS=numba"
    with pytest.raises(ImportError, match=words):
        library.kernel(change)


@pytest.mark.slow
def test_a_module_that_is_imported_again_runs_no_old_code(installed, tmp_path):
    """With a real library, as in a notebook; all modules of the package may be imported anew, too."""
    root = tmp_path / "copy"
    folder = copy_folder(ROOT / "ltc_np", root / "ltc_np") / "kernels/libraries"
    shutil.copytree(installed, folder)
    code = """
        import importlib, pathlib, shutil, sys
        import numpy as np
        from ltc_np.kernels import library, sources
        from ltc_np.kernels.cpu import sgd

        def change(kernel):
            grad, delta = np.ones(3, np.float32), np.zeros(3, np.float32)
            kernel(grad, np.zeros(3, np.float32), delta, 0.5, 0.0, 0.0)
            return delta.tolist()

        print(library.chosen().level, change(sgd.change))
        file = pathlib.Path(sgd.__file__)
        text = file.read_text()
        file.write_text(text)
        importlib.reload(sgd)
        print(change(sgd.change))
        file.write_text(text + "# another one\\n")
        try:
            importlib.reload(sgd)
        except ImportError as error:
            print(str(error)[:39])
        manifest = library.FOLDER / library.MANIFEST  # the libraries are built anew
        manifest.write_text(manifest.read_text().replace(sources.library_hash(), sources.library_hash.__wrapped__()))
        for path in library.FOLDER.glob("*.so"):
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
        for name in [name for name in sys.modules if name.startswith("ltc_np")]:
            del sys.modules[name]
        from ltc_np.kernels import library
        print(library.why_not())
    """
    said = python(code, root=root, LTC_NP_KERNELS="auto").stdout.splitlines()
    (level,) = (path.stem for path in folder.glob("*.so"))
    assert said == [
        f"{level} [0.5, 0.5, 0.5]", "[0.5, 0.5, 0.5]", "the sources of the kernels have changed",
        f"this process has loaded an older {level}.so before: start a new one",
    ]  # fmt: skip


# ----------------------------------------------------------------------------------------------------- faults


def _change(change):
    return lambda path, monkeypatch: path.write_bytes(change(path.read_bytes()))


def _is_missing(path, monkeypatch):
    path.unlink()


def _is_a_folder(path, monkeypatch):
    """What no right can read, not even root's."""
    path.unlink()
    path.mkdir()


def _is_a_pipe(path, monkeypatch):
    """It would never send anything."""
    path.unlink()
    os.mkfifo(path)


def _of_the_manifest(damage):
    return lambda folder, monkeypatch: damage(folder / library.MANIFEST, monkeypatch)


def _manifest(content):
    return lambda folder, monkeypatch: (folder / library.MANIFEST).write_bytes(content)


def _flip(content):
    return content[:1000] + bytes([content[1000] ^ 4]) + content[1001:]


def _no_folder(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(library.pathlib.Path, "read_bytes", refuse)
    monkeypatch.setattr(library.pathlib.Path, "exists", refuse)  # it raises it, too, up to Python 3.13


def _no_more_files(folder, monkeypatch):
    """What passes: it is told in the words of the system."""

    def refuse(path):
        raise OSError(24, "Too many open files", str(path))

    monkeypatch.setattr(library.pathlib.Path, "read_bytes", refuse)


def _loader(refused, monkeypatch):
    load = library.ctypes.PyDLL

    def refuse(path, mode=0):  # what the loader says of a file system that is mounted so that it holds no programs
        if path == str(refused):
            raise OSError(f"{path}: failed to map segment from shared object")
        return load(path, mode)

    monkeypatch.setattr(library.ctypes, "PyDLL", refuse)


def _laid_out_in_another_way(path, monkeypatch):
    introduce = library.calls.introduce
    monkeypatch.setattr(library.calls, "introduce", lambda functions: functions != path.name and introduce(functions))


def _in_the_manifest(**changed):
    """Another manifest's words about this library."""

    def damage(path, monkeypatch):
        manifest = json.loads((path.parent / library.MANIFEST).read_bytes())
        manifest["libraries"][path.stem] |= changed
        (path.parent / library.MANIFEST).write_text(json.dumps(manifest))

    return damage


def _older_one_is_loaded(path, monkeypatch):
    """Mapped, and then replaced by a new file of this name, as a build does."""
    load = library.ctypes.PyDLL

    def loaded(other, mode=0):
        return None if mode == os.RTLD_NOLOAD and other == str(path) else load(other, mode)

    monkeypatch.setattr(library.ctypes, "PyDLL", loaded)
    with open(path, "rb") as file:
        monkeypatch.setattr(library, "kept", mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), raising=False)
    path.with_suffix(".new").write_bytes(path.read_bytes())
    os.replace(path.with_suffix(".new"), path)


def _set(owner, name, value):
    return lambda folder, monkeypatch: monkeypatch.setattr(owner(), name, value)


_real_features = library._features


def _features_cannot_be_read(folder, monkeypatch):
    def refuse(path, **_):
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(library, "_features", _real_features)
    monkeypatch.setattr(library, "open", refuse, raising=False)


def _system():
    return library.sys


OTHER = "they were made of other sources; `python -m ltc_np build-kernels` makes them anew"
DAMAGED, NEXT = r"{}.so is damaged: its checksum does not match", r"manifest.json is damaged"
FAULTS_OF_ONE = {  # what is done to the library of a level, and what is said of it
    "cut off": (_change(lambda content: content[:-1]), DAMAGED),
    "empty": (_change(lambda content: b""), DAMAGED),
    "longer": (_change(lambda content: content + b"\0"), DAMAGED),
    "one bit": (_change(_flip), DAMAGED),
    "another level's": (_change(lambda content: CONTENT[V4 if content == CONTENT[V3] else V3]), DAMAGED),
    "a checksum of another type": (_in_the_manifest(sha256=[1]), DAMAGED),
    "other sources": (_in_the_manifest(sources="0" * 64), OTHER),
    "sources of another type": (_in_the_manifest(sources=None), OTHER),
    "missing": (_is_missing, "FileNotFoundError: .*{}.so'"),
    "unreadable file": (_is_a_folder, "IsADirectoryError: .*{}.so"),
    "a pipe": (_is_a_pipe, "OSError: .*{}.so"),
    "the loader": (_loader, "OSError: .*{}.so: failed to map segment from shared object"),
    "another layout": (_laid_out_in_another_way, "arrays of this Python and NumPy are laid out in another way"),
    "an older one": (_older_one_is_loaded, "this process has loaded an older {}.so before: start a new one"),
}
FAULTS = {
    "unreadable manifest": (_of_the_manifest(_is_a_folder), "IsADirectoryError: .*manifest.json"),
    "manifest a pipe": (_of_the_manifest(_is_a_pipe), "OSError: .*manifest.json"),
    "unreadable folder": (_no_folder, "PermissionError: .*manifest.json"),
    "no more files": (_no_more_files, "OSError: .Errno 24. Too many open files: .*manifest.json"),
    "as it was before levels had their own sources": (
        _manifest(json.dumps({"sources": sources.library_hash(), "libraries": {V4: "0" * 64, V3: "0" * 64}}).encode()),
        OTHER,
    ),
    "manifest empty": (_manifest(b""), NEXT),
    "manifest cut off": (_of_the_manifest(_change(lambda content: content[:-1])), NEXT),
    "manifest no JSON": (_manifest(b"sources: 1"), NEXT),
    "manifest no text": (_manifest(b"\xff\xfe\x00{}"), NEXT),
    "manifest a list": (_manifest(b"[]"), NEXT),
    "manifest a number": (_manifest(b"5"), NEXT),
    "manifest null": (_manifest(b"null"), NEXT),
    "manifest a text": (_manifest(b'"sources libraries"'), NEXT),
    "manifest too deep": (_manifest(b"[" * 100_000), NEXT),
    "no libraries": (_manifest(b"{}"), NEXT),
    "libraries a number": (_manifest(b'{"libraries": 4}'), NEXT),
    "libraries a list": (_manifest(b'{"libraries": ["x86-64-v4"]}'), NEXT),
    "libraries null": (_manifest(b'{"libraries": null}'), NEXT),
    "a level a number": (_manifest(b'{"libraries": {"x86-64-v4": 4}}'), NEXT),
    "a level a list": (_manifest(b'{"libraries": {"x86-64-v4": ["sources", "sha256"]}}'), NEXT),
    "a level without sources": (_manifest(b'{"libraries": {"x86-64-v4": {"sha256": ""}}}'), NEXT),
    "a level without a checksum": (_manifest(b'{"libraries": {"x86-64-v4": {"sources": ""}}}'), NEXT),
    "no library": (_manifest(libraries.manifest({})), "this installation has none for x86-64-v4 or x86-64-v3"),
    "a path for a level": (
        _manifest(libraries.manifest({"../x86-64-v4": b"", "/tmp/x86-64-v4": b""})),
        "this installation has none for x86-64-v4 or x86-64-v3",
    ),
    "an old processor": (
        _set(lambda: library, "_features", lambda: {*LEVELS[V3].split()} - {"fma"}),
        "this processor has not the features of x86-64-v4 or x86-64-v3",
    ),
    "no features": (_set(lambda: library, "_features", set), "this processor has not the features of "),
    "no /proc": (
        _features_cannot_be_read,
        "the features of this processor cannot be read: FileNotFoundError: .*No such file.*: '/proc/cpuinfo'",
    ),
    "Windows": (_set(_system, "platform", "win32"), "they are for CPython on Linux and x86-64"),
    "macOS": (_set(_system, "platform", "darwin"), "they are for CPython on Linux and x86-64"),
    "ARM": (_set(lambda: library.platform, "machine", lambda: "aarch64"), "they are for CPython on Linux and x86-64"),
    "PyPy": (
        _set(_system, "implementation", types.SimpleNamespace(name="pypy")),
        "they are for CPython on Linux and x86-64",
    ),
}


def _warned(numba_works, reason):
    return (
        rf"^ltc_np: the compiled kernels are not used \({reason}.*\); Numba compiles them on first use$"
        if numba_works
        else rf"^ltc_np: no working numba \(there is no Numba\), nor compiled kernels \({reason}.*\); "
        r"the slower numpy backend is used, `pip install -U numba` brings the faster one$"
    )


def the_next_choice_is_taken(words, works):
    """Numba, or else NumPy, with one warning."""
    with pytest.warns(RuntimeWarning) as caught:
        found = [kernels.resolve("auto") for _ in range(3)]
    assert [found, len(caught)] == [["cpu" if works else "numpy"] * 3, 1]
    assert re.search(words, str(caught[0].message)), str(caught[0].message)
    assert caught[0].filename == __file__  # the user's line
    assert library.chosen() is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leads_to_the_next_choice_with_one_warning(fault, folder, loaded, numba_works, monkeypatch):
    damage, reason = FAULTS[fault]
    damage(folder, monkeypatch)
    the_next_choice_is_taken(_warned(numba_works, reason), numba_works)
    assert loaded == []


@pytest.mark.parametrize("fault", FAULTS_OF_ONE)
def test_so_do_faults_of_all_libraries(fault, folder, loaded, numba_works, monkeypatch):
    """The reason is said of each, but once if it is the same."""
    damage, reason = FAULTS_OF_ONE[fault]
    for level in LEVELS:
        damage(folder / f"{level}.so", monkeypatch)
    reasons = "; ".join(dict.fromkeys(reason.format(level) for level in LEVELS))
    the_next_choice_is_taken(_warned(numba_works, reasons), numba_works)
    assert loaded == ([f"{V4}.so", f"{V3}.so"] if fault == "another layout" else [])


@pytest.mark.parametrize("word", ["auto", "library"])
@pytest.mark.parametrize("fault", FAULTS_OF_ONE)
def test_a_fault_of_the_best_library_leads_to_the_next_one(fault, word, folder, loaded, monkeypatch):
    monkeypatch.setattr(kernels, "_why_not_numba", lambda: pytest.fail("Numba was asked"))
    monkeypatch.setenv(library.VARIABLE, word)
    damage, reason = FAULTS_OF_ONE[fault]
    damage(folder / f"{V4}.so", monkeypatch)
    passed_over = rf"{V4} \({reason.format(V4)}.*\)"
    with pytest.warns(RuntimeWarning) as caught:
        assert [kernels.resolve("auto") for _ in range(3)] == ["cpu"] * 3
    words = rf"^ltc_np: the compiled kernels for {passed_over} are not used; those for {V3} are$"
    assert [re.search(words, str(one.message)) is not None for one in caught] == [True]
    assert caught[0].filename == __file__
    assert loaded == [f"{V4}.so"] * (fault == "another layout") + [f"{V3}.so"]
    assert re.search(rf"^compiled, {V3}; not used: {passed_over}$", kernels.in_words("cpu"))


@pytest.mark.parametrize("fault", FAULTS_OF_ONE)
def test_a_fault_of_a_library_that_nobody_asks_for_is_not_told(fault, folder, loaded, monkeypatch, recwarn):
    monkeypatch.setenv(library.VARIABLE, V3)
    FAULTS_OF_ONE[fault][0](folder / f"{V4}.so", monkeypatch)
    assert kernels.resolve("auto") == "cpu"
    assert loaded == [f"{V3}.so"]
    assert kernels.in_words("cpu") == f"compiled, {V3}"
    assert not recwarn


def test_a_level_that_was_not_built_is_no_fault(folder, loaded, recwarn):
    libraries.write(folder, {V3: CONTENT[V3]})
    assert kernels.resolve("auto") == "cpu"
    assert loaded == [f"{V3}.so"]
    assert not recwarn


@pytest.mark.parametrize("gone", ["zip", "only compiled modules"])
def test_a_package_whose_sources_are_no_files(gone, folder, loaded, numba_works, monkeypatch, tmp_path):
    """In a zip file there is no folder with libraries; where the sources were removed there is nothing to compare."""
    if gone == "zip":
        (tmp_path / "package.zip").write_bytes(b"PK")
        monkeypatch.setattr(library, "FOLDER", tmp_path / "package.zip" / "ltc_np/kernels/libraries")
        words = "the package lies in a file, and libraries must lie in a folder: unpack it"
    else:
        monkeypatch.setattr(library, "library_hash", lambda: sources._hash([tmp_path / "gone.py"]))
        words = "the sources of the kernels must be files, to compare machine code with them, and .*gone.py is not "
        words += "there; install the package as a folder with its .py files"
    the_next_choice_is_taken(_warned(numba_works, words), numba_works)
    assert loaded == []


def test_threads_that_find_a_fault_together_warn_once(folder, loaded, numba_works):
    for level in LEVELS:
        (folder / f"{level}.so").write_bytes(b"")
    barrier, found = threading.Barrier(8), []

    def ask():
        barrier.wait()
        found.append(kernels.resolve("auto"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    with pytest.warns(RuntimeWarning) as caught:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["cpu" if numba_works else "numpy"] * 8
    assert len(caught) == 1


def test_a_file_that_is_no_library_is_refused_by_the_loader(folder, numba_works, monkeypatch):
    """Also where its checksum is right."""
    with pytest.warns(RuntimeWarning, match=r"OSError: .*x86-64-v4.so: \S.*; OSError: .*x86-64-v3.so: \S") as caught:
        assert kernels.resolve("auto") == ("cpu" if numba_works else "numpy")
    assert len(caught) == 1


def damaged_are_never_loaded(folder, monkeypatch, count):
    """Cuts and flips, of a library or of its manifest, by chance."""
    load = library.ctypes.PyDLL

    def refuse(path, mode=0):
        return load(path, mode) if mode == os.RTLD_NOLOAD else pytest.fail("a damaged library was loaded")

    monkeypatch.setattr(library.ctypes, "PyDLL", refuse)
    (level,) = (path.stem for path in folder.glob("*.so"))
    rng, reasons = np.random.default_rng(32), set()
    whole = {name: (folder / name).read_bytes() for name in (f"{level}.so", library.MANIFEST)}
    for k in range(count):
        name = [*whole][k % 2]
        content, at = bytearray(whole[name].rstrip()), rng.integers(len(whole[name].rstrip()))
        if rng.random() < 0.3:
            del content[at:]
        else:
            content[at] ^= 1 << rng.integers(8)
        (folder / name).write_bytes(content)
        found, reason = library._found.__wrapped__()
        assert found is None, (k, name, at)
        reasons.add(reason.split(":")[0])
        (folder / name).write_bytes(whole[name])
    assert reasons >= {f"{level}.so is damaged", "manifest.json is damaged"}
    with pytest.raises(pytest.fail.Exception, match="a damaged library was loaded"):
        library._found.__wrapped__()  # the whole one is loaded


@pytest.mark.slow
def test_a_thousand_damaged_libraries_are_never_loaded(undecided, monkeypatch, tmp_path):
    libraries.write(tmp_path, {V4: CONTENT[V4]})
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    damaged_are_never_loaded(tmp_path, monkeypatch, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut off", "manifest cut off", "other sources", "the loader"])
def test_numbers_are_right_after_a_fault(fault, installed, tmp_path):
    """With a real library, in a new process that begins with a gradient; NumPy's backend is the definition."""
    (level,) = (path.stem for path in installed.glob("*.so"))
    content = (installed / f"{level}.so").read_bytes()
    libraries.write(tmp_path, {level: b"\x7fELF" + content[4:400] if fault == "the loader" else content})
    if fault == "cut off":
        (tmp_path / f"{level}.so").write_bytes(content[: len(content) // 2])
    elif fault == "manifest cut off":
        _change(lambda content: content[:-20])(tmp_path / library.MANIFEST, None)
    elif fault == "other sources":
        (tmp_path / library.MANIFEST).write_bytes(libraries.manifest({level: content}, sources="another"))
    code = """
        import pathlib, sys
        import numpy as np
        from ltc_np import CfC, Model
        from ltc_np.kernels import library
        library.FOLDER = pathlib.Path(sys.argv[1])
        x, y = np.random.default_rng(0).normal(size=(2, 3, 7, 2))
        loss, grad = Model(CfC(2), input_dim=2, seed=0, dtype="float64").loss_and_grad(x, y)
        print(loss, *grad)
    """
    done = python(code, arguments=[str(tmp_path)], LTC_NP_KERNELS="auto")
    want = python(code, arguments=[str(tmp_path)], LTC_NP_KERNELS="numpy")
    assert done.stderr.count("Warning: ltc_np: ") == 1
    assert want.stderr == ""
    np.testing.assert_allclose(*([float(v) for v in d.stdout.split()] for d in (done, want)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("module", "name"), [("mine.sgd", "change"), ("sgd", "change"), (f"{library.__package__}.cpu.sgd", "other")]
)
def test_a_kernel_of_somebody_else_never_runs_the_package_s_code(module, name, monkeypatch):
    """A user's file may have the name of one of the package's, and a kernel the same name and arguments."""
    entries = types.SimpleNamespace(**{"sgd.change": ctypes.c_void_p(1)})
    monkeypatch.setattr(library, "chosen", lambda: types.SimpleNamespace(functions=entries))

    def change():
        pass

    change.__module__, change.__qualname__ = f"{library.__package__}.cpu.sgd", "change"
    assert libraries.body(library.kernel(change)) is change
    change.__module__, change.__qualname__ = module, name
    with pytest.raises(ImportError, match=f"have no `sgd.{name}` of {module}; set LTC_NP_KERNELS=numba"):
        library.kernel(change)
