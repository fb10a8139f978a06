"""The pages as MkDocs builds them: every formula reaches MathJax as it was written."""

import html.parser
import importlib.util
import os
import re
import subprocess
import sys

import pytest
from support import ROOT

PAGES = sorted((ROOT / "docs").glob("**/*.md"))
SILENT = ("code", "pre", "script", "style")  # MathJax does not look into them
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


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site."""
    for module in ("material", "mkdocstrings_handlers", "pymdownx"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f'needs {module}: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", "-d", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "LTC_NP_REPO_URL": "https://example.org/some/ltc_np"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if "npm could not fetch" in done.stderr or "npm, which is not installed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return folder


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
