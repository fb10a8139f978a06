"""Measured numbers in pages say where they come from: an example that runs, a script or a command, or a date.

A measured number is one with a unit of time, memory or share.  What names a source is its section, or one around it: a
script, a test, a command, a date, or a link to the pages of results, of performance and of C, whose sections are
checked as well.  Otherwise the number must be one of the section's own example (90 % may be 0.9 there).
"""

import json
import re

import pytest
from support import ROOT

PAGES = sorted([*(ROOT / "docs").glob("**/*.md"), ROOT / "README.md"])
UNITS = r"(?:µs|ms|ns|seconds?|minutes?|hours?|s|%|KB|MB|GB|KiB|MiB|GiB|GFLOPS|instructions|cycles)"
MEASURED = re.compile(rf"(?<![\w.])\d[\d.,]*(?: ?± ?[\d.]+)? ?{UNITS}(?![\w/])")
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
NAMED = re.compile(
    r"\.py\b|`test_\w+`|(?:results|performance|export_c)\.md#|\.json\b|`\.ci/run`|python -m "
    rf"|\b20\d\d-\d\d-\d\d\b|\b\d{{1,2}} (?:{MONTHS}) 20\d\d\b"
)
EXAMPLE = re.compile(r"^ *>>> .*\n(?:.+\n)*", re.MULTILINE)


def sections(text):
    """(title, own text, the texts of the sections around it) of every section."""
    fenced = re.sub(r"^( *)(```+)(.*?)^ *\2$", lambda m: re.sub(r"^#", " #", m[0], flags=re.M), text, flags=re.M | re.S)
    parts = re.split(r"^(#+) (.*)$", fenced, flags=re.MULTILINE)
    around = []
    for marks, title, own in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        around = [(level, above) for level, above in around if level < len(marks)]
        yield title, own, [above for _, above in around]
        around.append((len(marks), own))


def without_source(text):
    """(title, number) of measured numbers in sections that name no source."""
    for title, own, around in sections(text):
        prose = re.sub(r"`[^`\n]*`", "", re.sub(r"^( *)(```+)\w.*?^ *\2$", "", own, flags=re.M | re.S))
        if not any(NAMED.search(part) for part in (own, *around)):
            found = [number for number in MEASURED.findall(prose) if not shown(number, "".join(EXAMPLE.findall(own)))]
            if found:
                yield title, found


def shown(number, example):
    """Whether an example has a number."""
    value = re.match(r"[\d.,]+", number)[0].rstrip(".,").replace(",", "")
    forms = (value, f"{float(value) / 100:g}") if number.endswith("%") else (value,)
    return any(re.search(rf"(?<![\d.]){re.escape(form)}(?![\d])", example) for form in forms)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_numbers_have_a_source(page):
    faults = list(without_source(page.read_text(encoding="utf-8")))
    assert not faults, faults


def test_the_first_table_of_the_results_has_the_numbers_of_their_sections():
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    texts = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-"): own for title, own, _ in sections(page)}
    rows = re.findall(r"^\| \[.*?\]\(#([\w-]+)\)[^|]*\|(.*)$", page, re.MULTILINE)
    assert len(rows) > 10
    for anchor, cells in rows:
        own = re.sub(r"^## .*", "", texts[anchor])
        for number in re.findall(r"(?<![\w.(,-])\d[\d.]*", cells):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", own), (anchor, number)


def speeds():
    """The rows of the README's table, of docs/performance/*.json."""
    found = {}
    for name in ("peers", "cells"):
        bench = json.loads((ROOT / f"docs/performance/{name}.json").read_text(encoding="utf-8"))
        for row in bench["peers"]["rows"]:
            found[row["case"], "ltc_np"], found[row["case"], row["peer"]] = row["ltc_np_ms"], row["ms"]
    torch = {"gru": "gru", "lstm128": "lstm"}  # the same cell there; beside an LTC or a CfC it is another model
    for case, what in (
        ("tutorial", "LTC, 8 neurons"),
        ("large", "LTC, 128 neurons"),
        ("cfc", "CfC, 32 units"),
        ("gru", "GRU, 32 units"),
        ("lstm128", "LSTM, 128 units"),
    ):
        times = (found.get((case, peer)) for peer in ("ltc_np", "ncps", "jax", torch.get(case)))
        cells = (what, *(f"{time:.3g}" if time else "" for time in times))
        yield " ".join(f"| {cell}" if cell else "|" for cell in cells) + " |"


def test_the_readme_s_speeds_are_the_benchmark_s():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- table: speed -->\n.*\n.*\n((?:\|.*\n)+)<!-- end -->", readme)[1]
    assert table.splitlines() == list(speeds())


def test_numbers_without_a_source_are_found():
    page = """# A page
It takes 3 ms.
## By a script
It takes 3 ms (`docs/performance/measure.py`).
### Within
That is 20 % of 7.5 s.
## By an example
It takes 20 % and 2 MB, 5 GB.

```python
>>> 0.2, 2
(0.2, 2)

```

Not 12 %.

```sh
sleep 3 s # 40 %
```
## Elsewhere
In `4 ms`, and in [13 s](results.md#a), x 40 % each.
## Nowhere
On 2 cores it takes 12 ± 0.4 ms.
"""
    assert list(without_source(page)) == [
        ("A page", ["3 ms"]),
        ("By an example", ["5 GB", "12 %"]),
        ("Nowhere", ["12 ± 0.4 ms"]),
    ]
