"""Blocks of Python in pages that are no sessions (without ``>>>``) run, in their order, and print what they say."""

import ast
import contextlib
import importlib.util
import io
import re

import pytest
from support import ROOT

from ltc_np import kernels

PAGES = sorted([*(ROOT / "docs").glob("**/*.md"), ROOT / "README.md"])
PRINTED = re.compile(r"^print\(.*\)  # (.*)$")


def blocks(page):
    """Their code, with the lines that it has in the page."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if ">>>" not in found[1]:
            yield "\n" * (text.count("\n", 0, found.start()) + 1) + found[1]


def libraries(code):
    """What it imports."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def run(page, codes):
    """Run blocks one after the other; comments behind ``print(...)`` must begin with what is printed."""
    names = {"__name__": "__main__"}
    for code in codes:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, str(page), "exec"), names)
        expected = [found[1] for line in code.splitlines() if (found := PRINTED.match(line))]
        if expected:
            printed = output.getvalue().splitlines()[-len(expected) :]
            assert all(e.startswith(p) and p for e, p in zip(expected, printed, strict=True)), (expected, printed)


def on_this_machine(code):
    """Code for a card, for the processor where there is none."""
    try:
        kernels.resolve("cuda")
    except ImportError:
        return code.replace('"cuda"', '"cpu"')
    return code


@pytest.mark.parametrize("page", [p for p in PAGES if any(blocks(p))], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_blocks_run(page, tmp_path, monkeypatch):
    codes = list(blocks(page))
    for library in {name for code in codes for name in libraries(code)}:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    monkeypatch.chdir(tmp_path)
    run(page, [on_this_machine(code) for code in codes])


ANSWERS = [code for code in blocks(ROOT / "docs/how_do_i.md") if re.match(r"\s*(import|from)\b", code)][1:]


@pytest.mark.parametrize("word", ["Explain", "Deploy", "ESP32", "stream", "Speed"])
def test_an_answer_about_a_network_imports_all_that_it_uses(word):
    page = (ROOT / "docs/how_do_i.md").read_text(encoding="utf-8")
    (first,) = re.findall(rf"^## .*{word}.*\n(?:(?!## ).*\n)*?```python\n(\w+)", page, re.MULTILINE)
    assert first in ("import", "from")


@pytest.mark.parametrize("code", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_with_imports_runs_by_itself(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(ROOT / "docs/how_do_i.md", [code])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_lines_of_code_fit_into_a_page(page):
    """Up to 88 characters, so that a block does not scroll where the text has its full width."""
    fence, long = None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r"\s*(`{3,}|~{3,})", line)
        if found and fence in (None, found[1]):
            fence = None if fence else found[1]
        elif fence and len(line) > 88:
            long.append(f"{page.name}:{number}: {len(line)} characters")
    assert not long, "\n".join(long)


def test_faults_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text\n```python\nx = 2\n```\n```python\nprint(x)  # 2, as it was\n```\n```python\n>>> y\n```\n")
    assert list(blocks(page)) == ["\n\nx = 2\n", "\n" * 5 + "print(x)  # 2, as it was\n"]
    run(page, blocks(page))
    page.write_text(page.read_text().replace("# 2", "# 3"))
    with pytest.raises(AssertionError, match="3, as it was"):
        run(page, blocks(page))
    with pytest.raises(NameError):
        run(page, ["nothing"])
