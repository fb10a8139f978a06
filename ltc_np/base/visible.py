"""Text from files and tables, as it may be shown: without what moves a cursor, colours a terminal or begins a line."""

from __future__ import annotations

# Control characters, those that format (among them the ones that turn the direction of writing), half characters that
# no terminal takes, and the two separators of Unicode that begin a line.
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: object) -> str:
    r"""Text in one line of characters that are seen; each other one is written as Python writes it, such as \x1b.

    Whatever a command or an error shows of a model file or a table goes through here: a name in a stranger's file must
    not write a line that looks like one of this library, nor change what the terminal does.
    """
    text = str(text)
    if text.isprintable():
        return text
    import unicodedata  # few texts need it

    return "".join(repr(c)[1:-1] if unicodedata.category(c) in HIDDEN else c for c in text)
