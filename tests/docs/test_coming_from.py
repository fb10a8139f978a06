"""The tables of docs/coming_from.md: what stands in the right column is run, row by row."""

import doctest
import re

import pytest
from support import ROOT

PAGE = ROOT / "docs/coming_from.md"


def rows():
    """(chapter, what stands there, code of here) of every row."""
    chapter, found = "", []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            chapter = line[3:]
        cells = re.match(r"\| (.*) \| `(.*)` \|$", line)
        if cells:
            found.append((chapter, *cells.groups()))
    return found


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the code at the top of the page defines; rows of a chapter go on from those before."""
    defined = {}
    runner = doctest.DocTestRunner()
    test = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), defined, PAGE.name, None, 0)
    runner.run(test, clear_globs=False)
    assert runner.failures == 0
    return test.globs | {"path": str(tmp_path_factory.mktemp("models") / "model.npz")}


def test_every_row_is_read():
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    headers = len([line for line in lines if line.endswith("| here |")])
    assert len(rows()) == len(lines) - headers > 50


def test_every_row_runs(names):
    """All of a chapter in order."""
    for chapter, there, here in rows():
        try:
            exec(here.replace("\\|", "|"), names)
        except Exception as error:
            raise AssertionError(f"{chapter}: {there}: {here}: {error!r}") from error
