"""The pages as MkDocs builds them: formulas as they were written, entries of the API, links to the repository."""

import html.parser
import json
import re

import pytest
from support import ROOT

PAGES = sorted((ROOT / "docs").glob("**/*.md"))
SILENT = ("code", "pre", "script", "style")  # MathJax does not look into them
pytestmark = pytest.mark.xdist_group("site")
VOID = ("area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr")


class Formulas(html.parser.HTMLParser):
    """Collects the formulas of a page, and what is wrong with them."""

    def __init__(self, page):
        super().__init__()
        self.open, self.formulas, self.faults = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        if any(maths for _, maths in self.open):
            self.faults.append(f"<{tag}> in {self.formulas[-1]!r}")
        maths = dict(attributes).get("class") == "arithmatex"
        if maths:
            self.formulas.append("")
        if tag not in VOID:
            self.open.append((tag, maths))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if any(maths for _, maths in self.open):
            self.formulas[-1] += data
        elif "$" in data and not any(tag in SILENT for tag, _ in self.open):
            self.faults.append(f"not seen as a formula: {data!r}")


def written(page):
    """(display formula, "") or ("", inline formula), one after the other, of a page in Markdown."""
    text = re.sub(r"^( *)(```+).*?^ *\2$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(`+)[^`]+\1", "", text)
    return re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", text, re.DOTALL)


def test_entries_of_the_api_are_rendered(site):
    found = set()
    for page in (site / "api").glob("*.html"):
        found |= set(re.findall(r'id="(ltc_np[\w.]*)"', page.read_text(encoding="utf-8")))
    entries = set()
    for page in (ROOT / "docs" / "api").glob("*.md"):
        entries |= set(re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(entries) > 100 and entries <= found, entries - found
    assert {"ltc_np.Model.backward", "ltc_np.network.step.step", "ltc_np.sktime.LiquidForecaster"} <= found


def test_entries_lead_to_their_source(site):
    cells = (site / "api" / "cells.html").read_text(encoding="utf-8")
    path, line = re.search(r'href="\.\./source/(ltc_np/cells/ltc\.py)\.html#L(\d+)"', cells).groups()
    assert (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1].startswith("class LTC(")
    assert f'id="L{line}"' in (site / "source" / f"{path}.html").read_text(encoding="utf-8")


def test_pages_lead_to_where_they_are_edited(site):
    page = (site / "maths" / "ltc.html").read_text(encoding="utf-8")
    assert "https://example.org/some/ltc_np/edit/main/docs/maths/ltc.md" in page


def test_blocks_that_other_tests_read_are_text(site):
    """MkDocs knows no `walk cpu`, and would make code of what follows the block."""
    page = (site / "architecture.html").read_text(encoding="utf-8")
    assert page.count('<div class="language-text highlight">') == 12 and "```" not in page


def test_the_search_finds_short_answers_first_and_nothing_internal(site):
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    pages = {entry["location"].partition("#")[0] for entry in entries}
    assert {"how_do_i.html", "training.html", "maths/ltc.html"} <= pages
    assert not [page for page in pages if page.startswith(("decisions/", "architecture", "source/"))]
    assert {entry["location"].partition("#")[0] for entry in entries if "boost" in entry} == {"how_do_i.html"}


def test_sessions_are_coloured_as_such(site):
    page = (site / "index.html").read_text(encoding="utf-8")
    assert '<span class="gp">&gt;&gt;&gt; </span>' in page and '<span class="go">True</span>' in page


def test_formulas_are_whole(site):
    total = 0
    for page in PAGES:
        name = page.relative_to(ROOT / "docs")
        found = Formulas((site / name.with_suffix(".html")).read_text(encoding="utf-8"))
        assert not found.faults, f"{name}: {found.faults}"
        source = ["".join((display or inline).split()) for display, inline in written(page)]
        assert ["".join(formula[2:-2].split()) for formula in found.formulas] == source, name
        total += len(found.formulas)
    assert total > 500


def test_github_leaves_inline_formulas_their_backslashes():
    r"""Its Markdown reads ``\,`` between single dollars as a comma."""
    for page in PAGES:
        faults = [inline for _, inline in written(page) if re.search(r"\\[^\w\s]", inline)]
        assert not faults, (page.name, faults)


def test_faults_are_found():
    page = r"""<p>a<br> <span class="arithmatex">\(a_1 &lt; b\)</span> <code>$x$</code> costs
    <span class="arithmatex">\(a<em>1 + b</em>2\)</span> and $x_1$</p>"""
    found = Formulas(page)
    assert found.formulas == [r"\(a_1 < b\)", r"\(a1 + b2\)"]
    assert [fault.split()[0] for fault in found.faults] == ["<em>", "not"]
