"""Mend the links from the pages to the source: `name` in [`name`](../ltc_np/file.py#L12) says which line is meant.

    python docs/scripts/source_links.py            # after code has moved; prints what it could not mend

A name that is no longer in the file is looked for in the whole package and taken from there if it is defined once.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[2]
LINK = re.compile(r"(\[`(?P<name>[\w.]+)(?:\(\))?`\]\()(?P<path>[./\w]*ltc_np/[\w/]+\.py)#L\d+(\))")


def definitions(path, name):
    """Numbers of the lines of a file that define ``name``: those of functions and classes, or else of methods."""
    lines = list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    outer, inner = (re.compile(rf"{indent}(?:def|class) {re.escape(name)}\b") for indent in ("", r"\s+"))
    return [k for k, line in lines if outer.match(line)] or [k for k, line in lines if inner.match(line)]


def methods(path, name):
    """The same of methods alone."""
    pattern = re.compile(rf"\s+def {re.escape(name)}\b")
    return [k for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if pattern.match(line)]


def found(page, path, name):
    """(file, line) of what a link means, or None."""
    *owner, name = name.split(".")
    file, search = (page.parent / path).resolve(), methods if owner else definitions
    places = [(file, line) for line in search(file, name)] if file.exists() else []
    if not places:
        files = sorted((ROOT / "ltc_np").rglob("*.py"))
        places = [(other, line) for other in files for line in search(other, name)]
        same = [place for place in places if place[0].name == file.name]
        places = same if len({place[0] for place in same}) == 1 else places
    if owner:  # the first behind the line of its class
        starts = {other: definitions(other, owner[-1])[:1] for other, _ in places}
        places = [place for place in places if starts[place[0]] and place[1] > starts[place[0]][0]][:1]
    return places[0] if len({other for other, _ in places}) == 1 else None


def main():
    """Rewrite all pages; 1 if something is left."""
    left = 0
    for page in sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]):
        text = page.read_text(encoding="utf-8")

        def mend(match, page=page):
            nonlocal left
            place = found(page, match["path"], match["name"])
            if place is None:
                left += 1
                print(f"{page.relative_to(ROOT)}: {match[0]}")
                return match[0]
            path = pathlib.PurePath(os.path.relpath(place[0], page.parent)).as_posix()
            return f"{match[1]}{path}#L{place[1]}{match[4]}"

        mended = LINK.sub(mend, text)
        if mended != text:
            page.write_text(mended, encoding="utf-8")
    return bool(left)


if __name__ == "__main__":
    sys.exit(main())
