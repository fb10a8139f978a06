"""Measured numbers in pages say where they come from: an example that runs, a script or a command, or a date.

A measured number is one with a unit of time, memory or share.  What names a source is its section, or one around it: a
script, a test, a command, a date, or a link to the pages of results and of performance, whose sections are checked as
well.  Otherwise the number must be one of the section's own example (90 % may be 0.9 there).
"""

import re

import pytest
from support import ROOT

PAGES = sorted([*(ROOT / "docs").glob("**/*.md"), ROOT / "README.md"])
UNITS = r"(?:µs|ms|ns|seconds?|minutes?|hours?|s|%|KB|MB|GB|KiB|MiB|GiB|GFLOPS|instructions|cycles)"
MEASURED = re.compile(rf"(?<![\w.])\d[\d.,]*(?: ?± ?[\d.]+)? ?{UNITS}(?![\w/])")
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
NAMED = re.compile(
    r"\.py\b|`test_\w+`|(?:results|performance)\.md#|\.json\b|`\.ci/run`|python -m "
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
