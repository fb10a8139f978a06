"""The figures of docs/trust.md.  Tests measure them; with `pytest --write-trust` they also write them down.

A test asserts what it asserts with and without the option, and gives its figures to the fixture ``trust``:

    def test_nothing_is_lost_by_kill_9(trust):
        ...
        assert lost == 0
        trust.record("checkpoints", {"trainings killed": kills, "steps lost": lost})

With the option they go to docs/trust/PART.json, where they replace figures of the same name, and the table of that part
in the page is made anew.  A part is a block between ``<!-- trust: PART -->`` and ``<!-- end -->``, which the page must
have.  A script writes its figures by ``Trust(command).record(...)``.
"""

import datetime
import json
import re

from support import ROOT

FOLDER, PAGE = ROOT / "docs" / "trust", ROOT / "docs" / "trust.md"
BLOCK = re.compile(r"<!-- trust: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


class Trust:
    """Figures of one run.

    Parameters
    ----------
    command : str or None
        The command by which anybody can measure the figures again; None: nothing is written.
    """

    def __init__(self, command):
        self.command = command

    def record(self, part, figures):
        """Write ``figures`` (what it is -> a number or a text) of a part, if this run writes."""
        if self.command is None:
            return
        from ltc_np.bench.host import in_words, machine  # which need Numba

        FOLDER.mkdir(exist_ok=True)
        path, day = FOLDER / f"{part}.json", datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        source = {"command": self.command, "date": day, "machine": in_words(machine())}
        known |= {what: {"figure": figure, **source} for what, figure in figures.items()}
        path.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def command_of(arguments):
    """The command of a run of pytest, without what only changes what it prints."""
    return " ".join(["pytest", *(a if " " not in a else f'"{a}"' for a in arguments if a not in ("-q", "-x", "-v"))])


def filled(page):
    """The page with the table of every part that has figures; a part without them keeps its block empty."""

    def block(match):
        path = FOLDER / f"{match[1]}.json"
        text = table(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else ""
        return f"<!-- trust: {match[1]} -->\n{text}<!-- end -->"

    return BLOCK.sub(block, page)


# What every run counts ends with the first, and the same of many more cases with the second.
LONGER = {" (in every run)": " (in the long run)", ", the same every time": ", new ones"}


def without_short(known):
    """Figures without those of every run that the long run has too."""
    for short, long in LONGER.items():
        known = {
            what: found
            for what, found in known.items()
            if not (what.endswith(short) and what.removesuffix(short) + long in known)
        }
    return known


def table(known):
    """Figures as Markdown, and below them by what commands, when and where they were measured."""
    known = without_short(known)
    rows = {}  # test runs of the same outcome share one
    for what, found in known.items():
        figure = shown(found["figure"])
        rows.setdefault(figure if " passed" in figure else what, ([], figure))[0].append(what)
    lines = ["| what | figure |", "|---|---|", *(f"| {together(own)} | {figure} |" for own, figure in rows.values())]
    sources = {}
    for found in known.values():
        processor = found["machine"].partition(", Python")[0]  # the file has the versions
        sources.setdefault((found["date"], processor), {})[f"`{found['command']}`"] = None
    lines += [
        "",
        *(f"Measured by {', '.join(own)} on {day}, {processor}." for (day, processor), own in sources.items()),
    ]
    return "\n".join(lines) + "\n"


def together(names):
    """What a row is about; several runs without their versions and what they begin with alike, which the file has."""
    if len(names) == 1:
        return names[0]
    alike = names[0].partition(": ")[0] + ": "
    first, *others = (re.sub(r" \(.*\)$", "", name) for name in names)
    return "; ".join([first, *(name.removeprefix(alike) for name in others)])


def shown(figure):
    """A figure as the page has it; without the time that pytest took."""
    if isinstance(figure, bool) or not isinstance(figure, (int, float)):
        return re.sub(r"(passed.*) in [\d.]+s(?: \([\d:]+\))?$", r"\1", str(figure))
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.3g}"
