"""Write docs/api/names.md: a line for each entry of the pages of the API, for who reads them without a site.

    python docs/scripts/names.py

Nothing is imported, so that no other library is needed: the sources are read by griffe, which the site needs, too.
"""

import pathlib
import re

import griffe

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api" / "names.md"
LONGEST = 60  # characters of a signature
HEAD = """\
# Every name, a line each

What each [page of the API](index.md) is about, for who reads it in a checkout; `help(name)` shows all of it in Python.
(`python docs/scripts/names.py` writes this page.)
"""


def entries(page):
    """Full names, and whether what a module exports is meant, too."""
    for name, options in re.findall(r"^::: ([\w.]+)((?:\n {4}.*)*)", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield name, "members: false" not in options


def signature(found):
    """With the names of arguments, as many as fit."""
    if found.is_module or found.is_attribute or not found.parameters:
        return ""
    stars = {"variadic positional": "*", "variadic keyword": "**"}
    names = [stars.get(one.kind.value, "") + one.name for one in found.parameters if one.name not in ("self", "cls")]
    shown = []
    for name in names:
        if len(", ".join([*shown, name])) > LONGEST:
            shown.append("…")
            break
        shown.append(name)
    return f"({', '.join(shown)})"


def sentence(found):
    """The first one of a docstring, on one line."""
    text = " ".join(found.docstring.value.split("\n\n")[0].split())
    return re.split(r"(?<=[.:])  ?(?=[A-Z`])", text)[0].removesuffix(":").replace("|", "\\|")


def line(name, found):
    """Of a table, whose entries say what they are, it has the name alone."""
    said = "" if found.docstring is None else f": {sentence(found)}"
    return f"- `{name.removeprefix('ltc_np.')}{signature(found)}`{said}"


def written():
    """The text of the page."""
    package, parts = griffe.load("ltc_np", search_paths=[ROOT]), [HEAD]
    for page in sorted(PAGE.parent.glob("*.md")):
        lines = []
        for name, members in entries(page):
            found = package[name.removeprefix("ltc_np.")] if name != "ltc_np" else package
            lines.append(line(name, found))
            if members and found.is_module:
                exported = [own.name if hasattr(own, "name") else own for own in found.exports or ()]
                lines += [line(f"{name}.{own}", found[own]) for own in exported]
        if lines:
            title = page.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")
            parts.append(f"\n## [{title}]({page.name})\n\n" + "\n".join(lines) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
