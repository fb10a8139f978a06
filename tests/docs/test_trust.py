"""docs/trust.md has the figures that its tests have written."""

import json

import pytest
from support import ROOT, trust

PARTS = [part for part, _ in trust.BLOCK.findall(trust.PAGE.read_text(encoding="utf-8"))]


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A folder and a page of their own."""
    page = tmp_path / "trust.md"
    page.write_text("# A\n<!-- trust: a -->\nold\n<!-- end -->\nB\n<!-- trust: b -->\n<!-- end -->\n")
    monkeypatch.setattr(trust, "FOLDER", tmp_path / "trust")
    monkeypatch.setattr(trust, "PAGE", page)
    return page


def test_the_page_is_that_of_the_figures():
    page = trust.PAGE.read_text(encoding="utf-8")
    assert trust.filled(page) == page, "write it with pytest --write-trust"
    assert {path.stem for path in (ROOT / "docs/trust").glob("*.json")} <= set(PARTS)


@pytest.mark.compiled
def test_figures_are_written_beside_those_of_other_tests(elsewhere):
    trust.Trust("pytest a").record("a", {"cases": 20000, "error": 0.00123456})
    trust.Trust("pytest b").record("a", {"cases": 30000, "faults": 0})
    text = elsewhere.read_text()
    assert text.startswith(
        "# A\n<!-- trust: a -->\n| what | figure |\n|---|---|\n| cases | 30,000 |\n| error | 0.00123 |\n"
    )
    assert "| faults | 0 |\n\nMeasured by `pytest b`, `pytest a` on 20" in text
    assert text.count("Measured by") == 1
    assert text.endswith("<!-- end -->\nB\n<!-- trust: b -->\n<!-- end -->\n")
    assert set(json.loads((trust.FOLDER / "a.json").read_text())) == {"cases", "error", "faults"}


def test_a_table_has_the_longest_run_and_each_outcome_once():
    known = {"a (in every run)": 1, "b (in every run)": 2, "a (in the long run)": 3}
    known |= {"c (of 3)": "5 passed", "e: f (1.0, 2.0)": "4 passed", "e: g": "4 passed"}
    table = trust.table({what: {"figure": n, "date": "", "machine": "", "command": ""} for what, n in known.items()})
    rows = table.splitlines()[2:6]
    assert rows == [
        "| b (in every run) | 2 |",
        "| a (in the long run) | 3 |",
        "| c (of 3) | 5 passed |",
        "| e: f; g | 4 passed |",
    ]


def test_without_the_option_nothing_is_written(elsewhere):
    before = elsewhere.read_text()
    trust.Trust(None).record("a", {"cases": 1})
    assert elsewhere.read_text() == before
    assert not trust.FOLDER.exists()


def test_a_test_run_is_shown_without_its_time():
    assert trust.shown("7 passed, 1 skipped in 1287.24s (0:21:27)") == "7 passed, 1 skipped"
    assert trust.shown("0.21 s (processor time 0.29 s)") == "0.21 s (processor time 0.29 s)"


def test_a_command_is_shown_as_one_would_type_it():
    assert (
        trust.command_of(["-q", "-m", "fuzz and not slow", "tests/a.py"]) == 'pytest -m "fuzz and not slow" tests/a.py'
    )
