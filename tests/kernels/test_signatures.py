"""The table of what kernels are called with: a line for every kernel, and a watch over the calls of all tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support import ROOT, TESTS
from support.backends import NO_CARD

from ltc_np.kernels import cpu
from ltc_np.kernels.signatures import SIGNATURES

WORDS = re.compile(r"[RDI][1-4]|[irbd]|i\|None|None")


def arguments(line):
    """The arguments of a line, each as its words."""
    found, depth = [], 0
    for token in re.findall(r"[()]|[^\s()]+", line):
        if depth == 0:
            found.append([])
        depth += (token == "(") - (token == ")")
        assert depth >= 0, line
        found[-1].append(token)
    assert depth == 0, line
    return found


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_line_is_written_in_the_language(name):
    for words in arguments(SIGNATURES[name]):
        assert all(WORDS.fullmatch(word) for word in words if word not in "()"), words
        assert "()" not in "".join(words)


def written():
    """The kernels in the sources, by their symbols, and how many arguments they have; cells' sweeps are copies."""
    found, counts, sweeps, users = {}, {}, {}, {}
    for path in Path(cpu.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.FunctionDef(name=name, decorator_list=decorators):
                    counts[path.stem, name] = len(node.args.args)
                    if any(isinstance(decorator, ast.Name) and decorator.id == "kernel" for decorator in decorators):
                        found[f"{path.stem}.{name}"] = counts[path.stem, name]
                case ast.Dict() if path.stem != "jit":  # what decorates the functions of a sweep
                    by = {
                        key.id: value
                        for key, value in zip(node.keys, node.values, strict=True)
                        if isinstance(key, ast.Name)
                    }
                    if "kernel" in by:
                        sweeps[path.stem] = [name.id for name in by["kernel"].elts]
                case ast.ImportFrom(module=module) if any(name.name == "sweep" for name in node.names):
                    users[path.stem] = module
    for user, module in users.items():
        found |= {f"{user}.{name}": counts[module, name] for name in sweeps[module]}
    return found


@pytest.mark.slow
def test_every_kernel_has_a_line_and_there_are_no_more():
    """Read from the sources, so also where nothing can be compiled."""
    found = written()
    assert set(found) == set(SIGNATURES)
    for name, count in found.items():
        assert len(arguments(SIGNATURES[name])) == count, name


def test_kernels_return_nothing():
    """A library gives None for every call, whatever a function of Python of the same name would."""
    for path in Path(cpu.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and "kernel" in [ast.unparse(one) for one in node.decorator_list]:
                found = [one for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
                assert not found, f"{path.stem}.{node.name}"


needs_numba = pytest.mark.skipif(NO_CARD is not None, reason=f"kinds are Numba's: {NO_CARD}")


@needs_numba
def test_lines_are_read_as_numba_s_types():
    from numba.core import types

    from ltc_np.kernels.aot.kinds import signatures

    def of(kind, n):
        return types.Array(kind, n, "C")

    assert signatures("R3 r D1 d I2 i b") == [
        (of(real, 3), real, of(types.float64, 1), types.float64, of(types.int64, 2), types.int64, types.boolean)
        for real in (types.float32, types.float64)
    ]
    pair = types.Tuple((types.int64, of(types.float64, 4)))
    assert signatures("(i D4) (i i) None") == [(pair, types.UniTuple(types.int64, 2), types.none)] * 2
    assert signatures("d (i|None r) b|i") == [
        (types.float64, types.Tuple((first, real)), last)
        for real in (types.float32, types.float64)
        for first in (types.int64, types.none)
        for last in (types.boolean, types.int64)
    ]


@needs_numba
@pytest.mark.parametrize("line", ["R5", "x", "R", "float32", "i |", "(i", "i)", "((i)", ")i(", ""])
def test_a_line_with_a_mistake_is_refused(line):
    from ltc_np.kernels.aot.kinds import signatures

    with pytest.raises(ValueError, match="line"):
        signatures(line)


# ------------------------------------------------------------------------------------------------- the watch

CALLS = """
    import numpy as np

    def test_a_call():
        from ltc_np.kernels.cpu import sgd
        assert sgd.change
        sgd.change(*[np.ones(3, np.float{first})] * 2, np.ones(3), 0.1, 0.2, {last})

    def test_another():
        pass
"""


def session(folder, *options, first=64, last=0.0):
    """A session of pytest with the calls of this file's text; (exit status, what it has printed)."""
    (folder / "test_calls.py").write_text(re.sub("^    ", "", CALLS.format(first=first, last=last), flags=re.M))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(folder), "-p", "conftest", "-m", "", *options, str(folder / "test_calls.py")]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.numba
@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_session_fails_whose_calls_are_not_in_the_table(options, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{TESTS}")
    status, said = session(tmp_path, *options)
    assert status == 0, said
    assert "has no line for" not in said
    for wrong, types in ({"last": 0}, "float64, float64, int64)"), ({"first": 32}, "Array(float32, 1, 'C', "):
        status, said = session(tmp_path, *options, **wrong)
        assert status == 1, said
        assert "2 passed" in said
        line = next(line for line in said.splitlines() if line.startswith("sgd.change("))
        assert types in line
        assert "types that ltc_np/kernels/signatures.py has no line for" in said


@pytest.mark.numba
def test_the_watch_compares_with_the_line_of_each_kernel():
    from support.signatures import unknown

    from ltc_np.kernels.cpu import sgd

    sgd.change(*np.ones((3, 4)), 0.1, 0.2, 0.0)
    one = SimpleNamespace(change=sgd.change)  # other tests compile `step`
    modules = {"ltc_np.kernels.cpu.sgd": one, "another": one}
    assert unknown(modules) == []
    assert unknown({"another": one}, {}) == []
    for table in ({}, {"sgd.change": SIGNATURES["adam.change"]}, {"sgd.change": "R1 R1 R1 d d i"}):
        found = unknown(modules, SIGNATURES | table if table else {})
        assert len(found) == len(sgd.change.signatures)
        assert all(text.startswith("sgd.change(Array(float") for text in found)
