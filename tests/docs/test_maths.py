"""The form of the chapters of mathematics: numbers that can be redone, and exercises with folded solutions."""

import re

import pytest
from support import ROOT

TABLES = {"symbols", "bibliography"}
CHAPTERS = sorted(page for page in (ROOT / "docs/maths").glob("*.md") if page.stem not in TABLES)
EXERCISE = re.compile(
    r'^\*\*(\d)\.\*\* .*?\n\n<details markdown="1"><summary>Solution</summary>\n\n(.*?)\n\n?</details>$',
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_a_chapter_ends_with_exercises(page):
    """Four to six, numbered, each with a solution in the form that GitHub and the site fold; some have numbers."""
    body, _, rest = page.read_text(encoding="utf-8").partition("\n## Exercises\n")
    found = EXERCISE.findall(rest)
    assert 4 <= len(found) <= 6
    assert [int(number) for number, _ in found] == list(range(1, len(found) + 1))
    assert rest.count("<details") == len(found)
    assert any(">>> " in solution for _, solution in found)
    if page.stem != "optimisers":  # which begins where the gradient is known
        assert "backward(" in body, "no number of the page is compared with the library's gradient"
    assert page.stem == "ltc_example" or "\n## Worked numbers\n" in body
