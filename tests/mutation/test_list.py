"""The list of mutations: each can still be made, names tests that are there, and `run` says what becomes of it."""

import functools
import re

import pytest
from mutation import run
from support import ROOT

LISTED = run.listed()
WORDS = "=== {name}\nfile: sums.py\nwhy: a sign\ntests: tests/test_sums.py::test_total\n@@\n-{old}\n+{new}\n"


@functools.cache
def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def functions(path):
    """The names of the tests in a file."""
    return set(re.findall(r"^def (test_\w+)", text_of(path), re.MULTILINE))


def test_names_are_different_and_there_are_enough():
    names = [mutation.name for mutation in LISTED]
    assert len(names) == len(set(names))
    assert len(names) >= 100


def wrong(mutation):
    """What hinders a mutation, in words, or None."""
    if mutation.applied(text_of(mutation.file)) is None:
        return f"its lines are no longer once in {mutation.file}: follow the code, or remove it"
    if mutation.old == mutation.new or not mutation.why:
        return "it changes nothing, or says no why"
    if bool(mutation.tests) == bool(mutation.equivalent):
        return "it needs tests, or the reason why none can notice it"
    return next((f"there is no {t}" for t in mutation.tests if not exists(t)), None)


def exists(test):
    path, _, name = test.partition("::")
    return name.partition("[")[0] in functions(path)


def test_every_mutation_can_be_made_and_names_tests():
    found = {mutation.name: wrong(mutation) for mutation in LISTED}
    assert {name: what for name, what in found.items() if what} == {}


# In the place of `warm`, which takes a second to import what it needs; exit statuses are pytest's.
SHORT = """
import json, subprocess, sys
program = "import sys; from sums import total; print('1 passed'); sys.exit(total(1, 2, 0) != 3)"
for line in sys.stdin:
    run = subprocess.Popen(
        [sys.executable, "-B", "-S", "-c", program],
        stdout=open(json.loads(line)["output"], "w"), stderr=subprocess.STDOUT, start_new_session=True,
    )
    print(run.pid, flush=True)
    run.wait()
    print(2 if "SyntaxError" in open(json.loads(line)["output"]).read() else run.returncode, flush=True)
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A tree of a file, in which changes of (name, old, new) are listed: what becomes of each, and what is said."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sums.py").write_text("def total(a, b, c):\n    d = a + b\n    return d + c\n")
    (tmp_path / "short.py").write_text(SHORT)
    monkeypatch.setattr(run, "WARM", tmp_path / "short.py")

    def judge(*changes):
        mutations, said = run.parse("\n".join(WORDS.format(name=n, old=a, new=b) for n, a, b in changes)), []
        results = run.run(
            mutations, root=tmp_path / "root", folder=tmp_path / "copies", jobs=1, limit=60, say=said.append
        )
        return {mutation.name: verdict for mutation, verdict, _ in results}, said, results

    judge.folder = tmp_path
    return judge


def test_what_no_test_notices_is_said(made):
    found, said, results = made(
        ("noticed", "    d = a + b", "    d = a - b"),
        ("not noticed", "    return d + c", "    return d - c"),
        ("no longer there", "    return a", "    return b"),
        ("no program", "def total(a, b, c):", "def total(a, b, c:"),
    )
    assert found == {
        "noticed": run.CAUGHT,
        "not noticed": run.SURVIVED,
        "no longer there": run.GONE,
        "no program": run.BROKEN,
    }
    sources = {path: path.read_text() for path in made.folder.rglob("sums.py")}
    assert len(sources) == 2
    assert len(set(sources.values())) == 1  # the copy is as it was, and so is the checkout
    assert any("SURVIVED" in text and "a sign" in text and "test_sums.py::test_total" in text for text in said)
    assert run.figures(results)[""].startswith("4 tried, 1 caught, 1 SURVIVED, 1 GONE, 1 BROKEN; ")


def test_tests_that_fail_without_a_change_say_nothing(made):
    (made.folder / "root" / "sums.py").write_text("def total(a, b, c):\n    d = a * b\n    return d + c\n")
    found, _, _ = made(("noticed", "    d = a * b", "    d = a - b"))
    assert found == {"noticed": run.BROKEN}


def test_a_reason_in_the_place_of_tests():
    text = (
        "=== same\nfile: sums.py\nwhy: the other\n  way round\nequivalent: a + b is b + a\n@@\n c = 1\n-a + b\n+b + a\n"
    )
    (mutation,) = run.parse(text, "some")
    assert (mutation.name, mutation.list, mutation.why) == ("same", "some", "the other way round")
    assert (mutation.old, mutation.new) == ("c = 1\na + b\n", "c = 1\nb + a\n")
    assert mutation.applied("c = 1\na + b\n") == "c = 1\nb + a\n"
    assert mutation.applied("c = 1\na + b\n\nc = 1\na + b\n") is None
    assert run.groups([mutation]) == [[mutation]]


def test_the_tests_of_the_readme_are_the_named_ones_among_them_or_those_of_their_files():
    named = run.Mutation("some", tests=("tests/a.py::test_a", "tests/a.py::test_b[1]", "tests/b.py::test_c"))
    assert run.of_the_readme(named, {"tests/a.py::test_a[x]", "tests/b.py::test_c"}).tests == named.tests[::2]
    assert run.of_the_readme(named, {"tests/a.py::test_b[12]", "tests/a.py::test_ab"}).tests == (
        "tests/a.py",
        "tests/b.py",
    )


@pytest.mark.parametrize("jobs", [0, -1])
def test_some_must_run_at_a_time(jobs, capsys):
    with pytest.raises(SystemExit) as stop:
        run.main(["--jobs", str(jobs)])
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: --jobs must be at least 1, got {jobs}\n")
