"""What an export writes beside the C, its names, its folder, its command, and what it refuses."""

import errno
import pathlib
import re
import subprocess

import numpy as np
import pytest
from support import ROOT, compilers

from ltc_np import LTC, LTCRNN, AutoNCP, Bidirectional, Dense, Model, __main__
from ltc_np.export import c, command
from ltc_np.export.c import folder
from ltc_np.export.c.names import RESERVED
from ltc_np.export.identity import identity
from ltc_np.online import NLMS, RLS


@pytest.fixture
def model():
    return Model(LTC(AutoNCP(9, 2)), Dense(3), input_dim=4, seed=0)


def contents(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_the_same_model_gives_the_same_files(model, tmp_path):
    """And a former export is replaced by another, whole."""
    first = c.write(model, tmp_path / "a", "net").folder
    c.write(model, tmp_path / "b", "former", libm=False)
    again = c.write(model, tmp_path / "b", "net").folder
    assert contents(first) == contents(again)
    assert sorted(contents(first)) == sorted(
        [".ltc_np-export", "CMakeLists.txt", "net.c", "net.h", "net_test.c", "report.md"]
        + [f"arduino/net/net.{kind}" for kind in ("c", "h", "ino")]
    )
    assert [path.name for path in tmp_path.iterdir()] in (["a", "b"], ["b", "a"])  # nothing else is left


def test_the_head_says_what_it_is(model, tmp_path):
    export = c.write(model, tmp_path / "a", "net")
    for file in ("net.h", "report.md"):
        text = " ".join((export.folder / file).read_text().split())
        assert f"Written by ltc_np {identity(model)['ltc_np']} from a model of LTC(AutoNCP(" in text
        assert f"have the SHA-256 {identity(model)['sha256']}" in text
        assert f"within {export.error:.1e} of those" in text
    assert 0 < export.error < 1e-6


def test_sizes_are_those_of_the_model(tmp_path):
    """By hand: 3 full synapses a neuron, numbers of 4 bytes, indices of 1."""
    model = Model(Dense(3), input_dim=50, seed=0)
    model.params["weight"][:] = 0
    model.params["weight"][[4, 17, 31], [0, 1, 2]] = 1.5, -2.5, 3.5
    export = c.write(model, tmp_path / "a")
    # three weights with their columns, three ends, no bias: that is 0
    assert (export.table_bytes, export.state_bytes) == (3 * 4 + 3 + 3, 4)
    report = (export.folder / "report.md").read_text()
    assert "| multiply | 3 |" in report
    assert f"in flash: {export.table_bytes} bytes" in report
    full = c.write(Model(Dense(3), input_dim=50, seed=0), tmp_path / "a")
    assert full.table_bytes == 50 * 3 * 4


def test_synapses_without_weight_cost_nothing(tmp_path):
    def export():
        return c.write(model, tmp_path / "a").table_bytes

    model = Model(LTC(AutoNCP(9, 2), positivity="clip"), input_dim=4, seed=0)
    before = export()
    model.params["w"][:5] = 0
    after = export()
    assert before - after == 5 * (4 * 4 + 1)


@pytest.mark.parametrize("name", ["", "3d", "a b", "a-b", "_a", "a__b", "int", "class", "ä", "a" * 41, "../x", 'a"'])
def test_names_must_be_identifiers(name, model, tmp_path):
    with pytest.raises(ValueError, match="`name` must be a C identifier"):
        c.write(model, tmp_path / "a", name)
    assert not any(tmp_path.iterdir())


# The keywords of the standards, but for those that begin with an underscore: C99, 6.4.1, and C++20, tables 5 and 6.
C99 = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
"""
CPP = """
    alignas alignof asm auto bool break case catch char char8_t char16_t char32_t class co_await co_return co_yield
    concept const const_cast consteval constexpr constinit continue decltype default delete do double dynamic_cast else
    enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept nullptr
    operator private protected public register reinterpret_cast requires return short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union
    unsigned using virtual void volatile wchar_t while
    and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq
"""


def test_words_that_c_and_cpp_keep():
    """A program may have one function called main, which is the caller's."""
    assert set(C99.split()) | set(CPP.split()) | {"main"} == RESERVED


@pytest.mark.tools("gcc clang")
def test_compilers_refuse_the_words_that_are_kept():
    """Each is refused by a compiler as a name, in C or in C++, so that none stands in the lists by mistake."""
    word, compiler = "net", compilers.HOST[0]
    assert _compiles(compiler, word, "c") and _compiles(compiler, word, "c++")
    accepted = [
        word for word in sorted(RESERVED) if _compiles(compiler, word, "c") and _compiles(compiler, word, "c++")
    ]
    assert accepted == []


def _compiles(compiler, word, language):
    standard = {"c": "-std=c99", "c++": "-std=c++20"}[language]
    text = f"typedef int {word}_name; static int {word}; int f(void); int f(void) {{ return {word}; }}"
    command = [compiler, standard, "-x", language, "-fsyntax-only", "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True).returncode == 0


BAD = [
    ({"dtype": "float16"}, ValueError, "`dtype` must be one of"),
    ({"dtype": "float64", "libm": False}, ValueError, "`libm` must be True with numbers of type double"),
    ({"unroll": "yes"}, TypeError, "`unroll` must be"),
    ({"dt": -1.0}, ValueError, "`dt` must be"),
    ({"x": np.zeros((5, 3))}, ValueError, r"`x` must have shape \(T, 4\)"),
    ({"x": np.full((5, 4), np.nan)}, ValueError, "`x` must be finite"),
    ({"x_dt": [1.0, 2.0]}, ValueError, "`x_dt` must be 32 elapsed times >= 0"),
    ({"dt": 1.0, "x_dt": [1.0]}, ValueError, "`x_dt` must be None"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD, ids=[message for _, _, message in BAD])
def test_bad_arguments_get_one_line_and_nothing_is_written(options, error, message, model, tmp_path):
    with pytest.raises(error, match=message) as caught:
        c.write(model, tmp_path / "a", **options)
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_what_no_float_can_hold(model, tmp_path):
    model = Model(Dense(1), input_dim=1, seed=0, dtype="float64")
    model.params["weight"][:] = 1e300
    with pytest.raises(ValueError, match="`model` must have numbers that float can hold"):
        c.write(model, tmp_path / "a")
    assert not any(tmp_path.iterdir())


def test_a_foreign_folder_is_left_alone(model, tmp_path):
    target = tmp_path / "a"
    target.mkdir()
    c.write(model, target)  # an empty one is taken
    (target / "notes.txt").write_text("mine")
    before = contents(target)
    with pytest.raises(FileExistsError, match=r"which holds notes\.txt: move that away"):
        c.write(model, target)
    assert contents(target) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="got the file"):
        c.write(model, tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="`directory` must lie in an existing folder"):
        c.write(model, tmp_path / "no" / "a")
    with pytest.raises(TypeError, match="`directory` must be a str or a Path, got int"):
        c.write(model, 3)


def test_a_list_that_is_damaged(model, tmp_path):
    """Then nobody knows whose the files are."""
    c.write(model, tmp_path / "a", "net", measure=False)
    (tmp_path / "a" / ".ltc_np-export").write_bytes(b"\xff\xfe\0net.c")
    with pytest.raises(FileExistsError, match="must be a new folder or a former export, got .* which holds"):
        c.write(model, tmp_path / "a", "net", measure=False)


def test_a_link_is_left_alone(model, tmp_path):
    """Even one to an empty folder, which would be taken for a free place."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(FileExistsError, match="`directory` must be a new folder or a former export"):
        c.write(model, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and not any((tmp_path / "real").iterdir())


@pytest.mark.few(1)
@pytest.mark.parametrize("fails_at", ["write", "first rename", "second rename"])
def test_a_failure_leaves_the_former_export(fails_at, model, tmp_path, monkeypatch):
    target = c.write(model, tmp_path / "a", "former").folder
    before, calls = contents(target), []

    def no_room(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    def rename(self, other, real=pathlib.Path.rename):
        calls.append(other)
        if len(calls) == {"first rename": 1, "second rename": 2}[fails_at]:
            no_room()
        return real(self, other)

    if fails_at == "write":
        monkeypatch.setattr(pathlib.Path, "write_text", no_room)
    else:
        monkeypatch.setattr(pathlib.Path, "rename", rename)
    with pytest.raises(OSError, match="No space left on device; nothing was written"):
        c.write(model, target, "later", measure=False) if fails_at != "write" else folder.write(target, {"x": ""})
    assert contents(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.slow
def test_command(model, tmp_path, capsys):
    model.save(tmp_path / "model.npz")
    expected = c.write(model, tmp_path / "expected", "net", libm=False, dt=0.5)
    arguments = [
        "export",
        str(tmp_path / "model.npz"),
        str(tmp_path / "a"),
        "--name",
        "net",
        "--no-libm",
        "--dt",
        "0.5",
    ]
    assert __main__.main(arguments) == 0
    assert contents(tmp_path / "a") == contents(expected.folder)
    assert f"{expected.table_bytes} bytes of tables" in capsys.readouterr().out
    command.main([*arguments[1:5], "--double", "--unroll"])
    assert "double dt" in (tmp_path / "a" / "net.h").read_text()
    assert "uint8_t" not in (tmp_path / "a" / "net.c").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["nlms"], NLMS()),
        (["nlms", "--rate", "0.5"], NLMS(0.5)),
        (["rls"], RLS()),
        (["rls", "--forgetting", "0.9"], RLS(0.9)),
    ],
    ids=str,
)
def test_command_that_learns(options, rule, model, tmp_path, capsys):
    model.save(tmp_path / "model.npz")
    expected = c.write(model, tmp_path / "expected", learn=rule)
    assert command.main([str(tmp_path / "model.npz"), str(tmp_path / "a"), "--learn", *options]) == 0
    assert contents(tmp_path / "a") == contents(expected.folder)
    assert f"{expected.learnt_bytes} of what learns" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.npz", "a"], "missing.npz"),
        (["model.npz", "a", "--name", "3"], "`name` must be a C identifier"),
        (["whole.npz", "a"], "`model` must be causal"),
        (["model.npz", "a", "--double", "--no-libm"], "`libm` must be True"),
        (["model.npz", "a", "--learn", "nlms", "--rate", "2"], "`rate` must be a finite number in (0, 2), got 2.0"),
        (["model.npz", "a", "--learn", "nlms", "--forgetting", "1"], "--forgetting has an effect on --learn rls only"),
        (["model.npz", "a", "--rate", "0.1"], "--rate has an effect on --learn nlms and exact only"),
        (["model.npz", "a.onnx", "--learn", "rls"], "--learn has no effect on a graph, FILE.onnx"),
        (["model.npz", "a", "--step"], "--step has no effect on C in float or double"),
        (["model.npz", "a.c"], "got a.c: an export in C is a folder with a .c, a .h and more"),
        (["model.npz", "a.H"], "got a.H: an export in C is a folder"),
        (["model.npz", "a.nir"], "got a.nir: `ltc_np.interop.nir.to_nir` writes NIR"),
        (["model.npz", "a.pt"], "got a.pt: `python -m ltc_np convert` writes state dicts"),
        (["model.npz", "a.html"], "got a.html: a script, FILE.js"),
    ],
)
def test_command_says_in_one_line_what_is_wrong(arguments, message, model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save("model.npz")
    Model(Bidirectional(LTC(AutoNCP(9, 2))), input_dim=4).save("whole.npz")
    assert command.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m ltc_np export: ") and message in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "whole.npz"]


def test_a_command_that_is_stopped_has_written_nothing(model, tmp_path, capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    model.save("model.npz")
    monkeypatch.setattr(c, "write", stop)
    assert command.main(["model.npz", "a"]) == 130
    assert capsys.readouterr().err == "python -m ltc_np export: stopped; nothing was written\n"


@pytest.mark.parametrize(
    "target", ["c\x1b[31mred", "c\nred", pytest.param("c\nred.js", marks=pytest.mark.tools("clang", "wasm-ld"))]
)
def test_names_of_files_move_no_cursor(target, model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save("model.npz")
    command.main(["model.npz", target])
    assert repr(target)[1:-1] in capsys.readouterr().out
    assert command.main(["none\n.npz", "c"]) == 2
    said = "none\\n.npz: No such file or directory: the folder has model.npz"
    assert capsys.readouterr().err == f"python -m ltc_np export: {said}\n"


@pytest.mark.tools("cmake", "gcc clang")
@pytest.mark.parametrize("options", [{}, {"libm": False}, {"dtype": "float64"}], ids=str)
def test_cmake_builds_and_tests_it(options, model, tmp_path):
    export = c.write(model, tmp_path / "a", "net", measure=False, **options).folder
    compilers.run("cmake", "-S", export, "-B", tmp_path / "build")
    compilers.run("cmake", "--build", tmp_path / "build")
    assert "100% tests passed" in compilers.run("ctest", "--test-dir", tmp_path / "build")


MAIN = """
#include <stdio.h>
int main(void)
{
    float sensors[CONTROLLER_INPUTS] = {1, -1};
    begin();
    printf("%.9g", (double)control(sensors, 0.5f) + CONTROLLER_STATES + CONTROLLER_TAKES_DT + CONTROLLER_OUTPUTS);
    return 0;
}
"""


@pytest.mark.tools("gcc")
def test_the_page_s_program_builds_by_the_page_s_command(tmp_path):
    page = (ROOT / "docs" / "export_c.md").read_text(encoding="utf-8")
    code, _ = re.findall(r"^```c\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (line,) = re.findall(r"^```sh\n(gcc .*)$", page, re.MULTILINE)
    model = LTCRNN(AutoNCP(9, 1), input_dim=2, seed=0)
    c.write(model, tmp_path / "controller", "controller", measure=False)
    (tmp_path / "main.c").write_text(code + MAIN)
    compilers.run(*line.split(), *compilers.WARNINGS, cwd=tmp_path)
    y, _ = model.step([1, -1], dt=0.5)
    assert float(compilers.run(tmp_path / "main")) == pytest.approx(y[0] + 9 + 1 + 1, abs=1e-5)


ARDUINO = """
#define A0 0
struct Printer { void begin(long) {} template <class T> void print(T) {} } Serial;
unsigned long micros() { return 0; }
#include "sketch.ino"
int main() { setup(); loop(); }
"""


@pytest.mark.tools("gcc", "g++")
@pytest.mark.parametrize(("dt", "learn"), [(None, None), (0.1, None), (None, NLMS()), (0.1, RLS())], ids=str)
def test_the_sketch_is_a_program(dt, learn, model, tmp_path):
    """The header serves C++, and the sketch runs with an Arduino's names."""
    export = c.write(model, tmp_path / "a", "net", measure=False, dt=dt, learn=learn).folder / "arduino" / "net"
    (tmp_path / "main.cpp").write_text(ARDUINO.replace("sketch.ino", str(export / "net.ino")))
    compilers.run("gcc", "-std=c99", "-c", export / "net.c", "-o", tmp_path / "net.o")
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{export}"]
    compilers.run("g++", *flags, tmp_path / "main.cpp", tmp_path / "net.o", "-lm", "-o", tmp_path / "main")
    compilers.run(tmp_path / "main")
