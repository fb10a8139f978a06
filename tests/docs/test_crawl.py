"""The check of the built site finds what it is there for: one small page a fault; a page without faults has none."""

import sys
from pathlib import Path

import pytest
from support import ROOT

if sys.platform == "win32":
    pytest.skip("the browser is driven over pipes of POSIX", allow_module_level=True)
sys.path.insert(0, str(ROOT / "docs" / "site"))
import browser
import crawl

pytestmark = pytest.mark.tools(" ".join(browser.NAMES))

RIGHT = """
<style>
  @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } a { color: #9bf } }
  .box { overflow-x: auto } .long { width: 2000px }
</style>
<h1 id="top">A page</h1>
<p>Text, <a href="#top">a place</a>, <a href="right.html#top">a page</a>, <a href="https://example.org/x">elsewhere</a>.</p>
<p><span class="arithmatex"><span class="katex">x</span></span></p>
<div class="box"><p class="long">what is wide stands in a box that scrolls</p></div>
"""
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
WRONG = {
    "console": ("<script>console.error('broken')</script>", "console: broken"),
    "exception": ("<script>nothing()</script>", "exception: ReferenceError: nothing is not defined"),
    "request": ("<img src='nothing.png' alt=''>", "failed request: file:"),
    "network": ("<img src='https://example.org/a.png' alt=''>", "asked the network for https://example.org/a.png"),
    "file": ("<a href='nothing.html'>a link</a>", "dead link: file:"),
    "anchor": ("<a href='right.html#nothing'>a link</a>", "right.html#nothing"),
    "own_anchor": ("<a href='#nothing'>a link</a>", "own_anchor.html#nothing"),
    "formula": (r"<span class='arithmatex'>\(x\)</span>", r"formula not rendered: \(x\)"),
    "wide": ("<p style='width: 500px'>wide</p>", ' reaches beyond the window: <p class=""> wide'),
    "code": (
        f"<pre style='overflow: auto'><code>{'x' * 400}</code></pre>",
        " 1 blocks of code scroll sideways",
    ),
    "table": (
        "<div style='overflow: auto'><table style='width: 500px'><tr><td>cell</td></tr></table></div>",
        "1 tables scroll sideways: <table",
    ),
    "figure": (
        f"<script>document.body.dataset.mdColorScheme = 'slate'</script><article><img alt='' src='{DOT}'></article>",
        "1 figures are not in the colours of the page: data:image/gif",
    ),
    "pale": ("<p style='background: white; color: #888'>pale</p>", 'light contrast 3.54: <p class=""> pale'),
    "faint": ("<p style='opacity: 0.4'>faint</p>", 'light contrast 2.85: <p class=""> faint'),
    "dark": (
        "<style>@media (prefers-color-scheme: dark) { .grey { color: #555 } }</style><p class='grey'>dark</p>",
        'dark contrast 2.53: <p class="grey"> dark',
    ),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """Of each page of a small site, by name."""
    folder = tmp_path_factory.mktemp("broken")
    for name, extra in {"right": "", **{name: extra for name, (extra, _) in WRONG.items()}}.items():
        text = f"<!doctype html><html lang=en><title>{name}</title><body>{RIGHT}{extra}</body></html>"
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    found, pages, formulas = crawl.crawl(folder)
    assert pages == 1 + len(WRONG)
    assert formulas == pages + 1
    return {name: [line for line in found if line.startswith(f"{name}.html: ")] for name in ("right", *WRONG)}


def test_a_right_page_has_no_fault(faults):
    assert faults["right"] == []


@pytest.mark.parametrize("name", WRONG)
def test_fault_is_found(faults, name):
    assert any(WRONG[name][1] in line for line in faults[name]), faults[name]


def test_the_window_decides(faults):
    assert all(line.startswith("wide.html: 390 ") for line in faults["wide"])
    assert all(line.startswith("code.html: 1280 ") for line in faults["code"])


def test_views_of_a_page():
    """Both sizes and both colours, in one pair or the other; of a page of sources one view, in turn."""
    for k in range(4):
        sizes, schemes = zip(*crawl.tour(Path("maths/page.html"), k), strict=True)
        assert len(set(sizes)) == len(set(schemes)) == 2
    assert [crawl.tour(Path("source/ltc_np/page.html"), k) for k in range(8)] == [[view] for view in crawl.VIEWS] * 2


def test_chosen_pages(tmp_path):
    """Every page but a server's; of those of sources one in so many, if that is asked for."""
    (tmp_path / "source").mkdir()
    for name in ("404", "index", "online", *(f"source/{k}" for k in range(6))):
        (tmp_path / f"{name}.html").touch()
    assert len(crawl.chosen(tmp_path, 1)) == 8
    names = [page.relative_to(tmp_path).as_posix() for page in crawl.chosen(tmp_path, 5)]
    assert names == ["index.html", "online.html", "source/0.html", "source/5.html"]
