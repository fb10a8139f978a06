"""Source files as pages of the site, with an anchor for every line (``#L127``), and links of pages that lead to them.

Pages link to ``../../ltc_np/cells/ltc.py#L40``, which GitHub shows; on the site the same link leads to a page under
``source/`` that is made of the file.
"""

import posixpath
import re
from pathlib import Path

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

ROOT = Path(__file__).parents[2]
FOLDER = "source"
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")


def source_of(target: str, page: str) -> str | None:
    """The path, from the root, of the source file that a link of a page leads to; None for other links."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    outside = not path.startswith("docs/") or path.endswith(".py")
    return path if outside and not path.startswith("..") and (ROOT / path).is_file() else None


def linked(markdown: str, page: str) -> set[str]:
    """Source files that a page links to; ``page`` is its path in docs/."""
    found = {source_of(match[1], page) for match in LINK.finditer(markdown)}
    return {path for path in found if path is not None}


def rewritten(markdown: str, page: str) -> str:
    """The same page, with links that lead to pages of sources."""

    def link(match: re.Match[str]) -> str:
        path = source_of(match[1], page)
        if path is None:
            return match[0]
        return posixpath.relpath(page_of(path), posixpath.dirname(page) or ".") + (match[2] or "").partition("-L")[0]

    return LINK.sub(link, markdown)


def page_of(path: str) -> str:
    """The page, in docs/, of a source file."""
    return f"{FOLDER}/{path}.md"


def page(path: str) -> str:
    """Markdown of a source file's page: one block of HTML, whose lines are links to themselves."""
    text = (ROOT / path).read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(path, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    lines = pygments.highlight(text, lexer, HtmlFormatter(nowrap=True)).splitlines()
    numbered = "\n".join(
        f'<span id="L{k}" class="source-line"><a href="#L{k}" data-line="{k}" aria-label="line {k}"></a>{line}</span>'
        for k, line in enumerate(lines, 1)
    )
    head = f"---\nsearch: {{exclude: true}}\nhide: [navigation, toc]\ntitle: {path}\n---\n\n"
    return f'{head}# `{path}`\n\n<pre class="source highlight"><code>{numbered}</code></pre>\n'
