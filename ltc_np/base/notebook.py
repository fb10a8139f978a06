"""What notebooks show: tables in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .visible import visible


def html_table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table; whatever is in its cells is shown as text."""
    import html  # only notebooks need it

    def line(tag: str, cells: Iterable[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(visible(cell))}</{tag}>" for cell in cells) + "</tr>"

    above = f"<caption>{html.escape(visible(caption))}</caption>" if caption else ""
    body = "".join(line("td", row) for row in rows)
    return f"<table>{above}<thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"
