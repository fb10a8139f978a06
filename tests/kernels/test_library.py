"""Kernels that come compiled: which are chosen, what is never loaded, and calls of machine code from Python."""

import ctypes
import functools
import io
import os
import pathlib
import re
import threading
import types

import numpy as np
import pytest
from support import libraries
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

    def load(path):
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


@pytest.mark.parametrize("word", ["library", V3])
def test_what_is_asked_for_and_is_not_there_is_an_error(word, folder, loaded, numba_works, monkeypatch, recwarn):
    (folder / f"{V4}.so").unlink()
    (folder / f"{V3}.so").unlink()
    monkeypatch.setenv(library.VARIABLE, word)
    words = f"LTC_NP_KERNELS asks for {word}, which cannot be had: no compiled kernels .FileNotFoundError: .*{V3}.so"
    with pytest.raises(ImportError, match=words.replace(V3, ".*")):
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
        with pytest.warns(RuntimeWarning, match=f"{words}the slower numpy backend is used$") as caught:
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
        *map(pathlib.Path, ("library.py", "signatures.py", "codes.py")),
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


# ----------------------------------------------------------------------------------------------------- faults


def _change(name, change):
    def damage(folder, monkeypatch):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return damage


def _is_a_folder(name):
    def damage(folder, monkeypatch):  # what no right can read, not even root's
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def _manifest(content):
    return lambda folder, monkeypatch: (folder / library.MANIFEST).write_bytes(content)


def _flip(content):
    return content[:1000] + bytes([content[1000] ^ 4]) + content[1001:]


def _no_folder(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(library.pathlib.Path, "read_bytes", refuse)
    monkeypatch.setattr(library.pathlib.Path, "exists", refuse)  # it raises it, too, up to Python 3.13


def _loader(folder, monkeypatch):
    def refuse(path):  # what the loader says of a file system that is mounted so that it holds no programs
        raise OSError(f"{path}: failed to map segment from shared object")

    monkeypatch.setattr(library.ctypes, "PyDLL", refuse)


def _laid_out_in_another_way(folder, monkeypatch):
    monkeypatch.setattr(library.calls, "introduce", lambda functions: False)


def _set(owner, name, value):
    return lambda folder, monkeypatch: monkeypatch.setattr(owner(), name, value)


def _system():
    return library.sys


DAMAGED, NEXT = r"x86-64-v4.so is damaged: its checksum does not match", r"manifest.json is damaged"
FAULTS = {
    "cut off": (_change(f"{V4}.so", lambda content: content[:-1]), DAMAGED),
    "empty": (_change(f"{V4}.so", lambda content: b""), DAMAGED),
    "longer": (_change(f"{V4}.so", lambda content: content + b"\0"), DAMAGED),
    "one bit": (_change(f"{V4}.so", _flip), DAMAGED),
    "another level's": (lambda folder, _: (folder / f"{V4}.so").write_bytes(CONTENT[V3]), DAMAGED),
    "missing": (lambda folder, _: (folder / f"{V4}.so").unlink(), "FileNotFoundError: .*x86-64-v4.so"),
    "unreadable file": (_is_a_folder(f"{V4}.so"), "IsADirectoryError: .*x86-64-v4.so"),
    "unreadable manifest": (_is_a_folder(library.MANIFEST), "IsADirectoryError: .*manifest.json"),
    "unreadable folder": (_no_folder, "PermissionError: .*manifest.json"),
    "other sources": (
        _manifest(libraries.manifest(CONTENT, sources="0" * 64)),
        "they were made of other sources; `python -m ltc_np build-kernels` makes them anew",
    ),
    "sources of another type": (
        _manifest(libraries.manifest(CONTENT, sources=None)),
        "they were made of other sources",
    ),
    "manifest empty": (_manifest(b""), NEXT),
    "manifest cut off": (_change(library.MANIFEST, lambda content: content[:-1]), NEXT),
    "manifest no JSON": (_manifest(b"sources: 1"), NEXT),
    "manifest no text": (_manifest(b"\xff\xfe\x00{}"), NEXT),
    "manifest a list": (_manifest(b"[]"), NEXT),
    "manifest a number": (_manifest(b"5"), NEXT),
    "manifest null": (_manifest(b"null"), NEXT),
    "manifest a text": (_manifest(b'"sources libraries"'), NEXT),
    "manifest too deep": (_manifest(b"[" * 100_000), NEXT),
    "no sources": (_manifest(b'{"libraries": {}}'), NEXT),
    "no libraries": (_manifest(b'{"sources": ""}'), NEXT),
    "libraries a number": (_manifest(libraries.manifest(CONTENT, libraries=4)), NEXT),
    "libraries a list": (_manifest(libraries.manifest(CONTENT, libraries=[V4, V3])), NEXT),
    "libraries null": (_manifest(libraries.manifest(CONTENT, libraries=None)), NEXT),
    "no library": (_manifest(libraries.manifest({})), "this installation has none for x86-64-v4 or x86-64-v3"),
    "a checksum of another type": (_manifest(libraries.manifest(CONTENT, libraries={V4: [1]})), DAMAGED),
    "a path for a level": (
        _manifest(libraries.manifest({"../x86-64-v4": b"", "/tmp/x86-64-v4": b""})),
        "this installation has none for x86-64-v4 or x86-64-v3",
    ),
    "an old processor": (
        _set(lambda: library, "_features", lambda: {*LEVELS[V3].split()} - {"fma"}),
        "this processor has not the features of x86-64-v4 or x86-64-v3",
    ),
    "no features": (_set(lambda: library, "_features", set), "this processor has not the features of "),
    "the loader": (_loader, "OSError: .*x86-64-v4.so: failed to map segment from shared object"),
    "another layout": (_laid_out_in_another_way, "arrays of this Python and NumPy are laid out in another way"),
    "Windows": (_set(_system, "platform", "win32"), "they are for CPython on Linux and x86-64"),
    "macOS": (_set(_system, "platform", "darwin"), "they are for CPython on Linux and x86-64"),
    "ARM": (_set(lambda: library.platform, "machine", lambda: "aarch64"), "they are for CPython on Linux and x86-64"),
    "PyPy": (
        _set(_system, "implementation", types.SimpleNamespace(name="pypy")),
        "they are for CPython on Linux and x86-64",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leads_to_the_next_choice_with_one_warning(fault, folder, loaded, numba_works, monkeypatch):
    damage, reason = FAULTS[fault]
    damage(folder, monkeypatch)
    words = (
        rf"^ltc_np: the compiled kernels are not used \({reason}.*\); Numba compiles them on first use$"
        if numba_works
        else rf"^ltc_np: no working numba \(there is no Numba\), nor compiled kernels \({reason}.*\); "
        "the slower numpy backend is used$"
    )
    with pytest.warns(RuntimeWarning) as caught:
        found = [kernels.resolve("auto") for _ in range(3)]
    assert [found, len(caught)] == [["cpu" if numba_works else "numpy"] * 3, 1]
    assert re.search(words, str(caught[0].message)), str(caught[0].message)
    assert caught[0].filename == __file__  # the user's line
    assert library.chosen() is None
    assert loaded == ([f"{V4}.so"] if fault == "another layout" else [])


def test_threads_that_find_a_fault_together_warn_once(folder, loaded, numba_works):
    (folder / f"{V4}.so").write_bytes(b"")
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
    with pytest.warns(RuntimeWarning, match=r"OSError: .*x86-64-v4.so: \S.*") as caught:
        assert kernels.resolve("auto") == ("cpu" if numba_works else "numpy")
    assert len(caught) == 1


def damaged_are_never_loaded(folder, monkeypatch, count):
    """Cuts and flips, of a library or of its manifest, by chance."""
    monkeypatch.setattr(library.ctypes, "PyDLL", lambda path: pytest.fail("a damaged library was loaded"))
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
        _change(library.MANIFEST, lambda content: content[:-20])(tmp_path, None)
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
