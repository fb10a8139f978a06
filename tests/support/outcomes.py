"""Which tests no stage of `.ci/run` runs.

Where the variable LTC_NP_OUTCOMES names a folder, every process of pytest writes a file there: what became of its
tests.  Behind all stages ``python -m support.outcomes FOLDER`` lists the tests that were skipped or left out in each of
them, and why; those with the marks ``gpu`` and ``elsewhere`` are none of these.
"""

import json
import pathlib
import sys
import tempfile

import pytest

from . import tiers

RAN, ELSEWHERE, LEFT_OUT = "ran", "needs another machine", "left out by its marks or its name"
MARKS = "gpu", "elsewhere"


class Outcomes:
    """The plugin."""

    def __init__(self, folder):
        self.folder, self.found = folder, {}

    def pytest_deselected(self, items):
        self.found |= {tiers.name(item): _elsewhere(item) or LEFT_OUT for item in items}

    def pytest_collectreport(self, report):
        if report.skipped:  # a file, as a whole
            self.found[report.nodeid] = _reason(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item):
        report = yield
        if report.skipped:
            self.found[tiers.name(item)] = _elsewhere(item) or _reason(report)
        elif report.when == "call":
            self.found[tiers.name(item)] = RAN
        return report

    def pytest_sessionfinish(self):
        if self.found:  # xdist's first process runs no tests itself
            with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".json", delete=False) as file:
                json.dump(self.found, file)


def _elsewhere(item):
    return ELSEWHERE if any(map(item.get_closest_marker, MARKS)) else ""


def _reason(report):
    return report.longrepr[2].removeprefix("Skipped: ")


def never_run(folder):
    """{name: reasons} of the tests, and of whole files of which nothing is known but that, which ran nowhere."""
    found = {}
    for path in pathlib.Path(folder).glob("*.json"):
        for name, what in json.loads(path.read_text()).items():
            found.setdefault(name, set()).add(what)
    files = {name.partition("::")[0] for name in found if "::" in name}
    ran = {name for name, what in found.items() if what & {RAN, ELSEWHERE}}
    functions = {name.partition("[")[0] for name in ran}
    # What pytest calls a test whose list of cases was empty, as that of compilers is where there are none.
    empty = {name for name in found if name.endswith("NOTSET]") and name.partition("[")[0] in functions}
    names = sorted(found.keys() - ran - files - empty)
    return {name: sorted(found[name] - {LEFT_OUT}) or [LEFT_OUT] for name in names}


if __name__ == "__main__":
    lost = never_run(sys.argv[1])
    if not any(pathlib.Path(sys.argv[1]).glob("*.json")):
        sys.exit(f"no stage has written to {sys.argv[1]}")
    for test, reasons in lost.items():
        print(f"{test}: {'; '.join(reasons)}")
    sys.exit(f"{len(lost)} tests run in no stage" if lost else 0)
