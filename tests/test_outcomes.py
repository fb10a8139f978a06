"""The list of tests that no stage of `.ci/run` runs: what processes write, and what is made of it."""

import json
import subprocess
import sys

import pytest
from support import ROOT, outcomes

TESTS = """
import pytest

def test_runs(): pass
def test_fails(): assert False
def test_is_skipped(): pytest.skip("needs a thing")
@pytest.mark.skipif(True, reason="needs another thing")
def test_by_a_mark(): pass
@pytest.mark.slow
def test_is_slow(): pass
@pytest.mark.gpu
def test_on_a_card(): pytest.skip("there is none")
"""


def written(folder, **files):
    for name, found in files.items():
        (folder / f"{name}.json").write_text(json.dumps(found))
    return outcomes.never_run(folder)


def test_what_ran_once_is_not_listed(tmp_path):
    ran, left_out = outcomes.RAN, outcomes.LEFT_OUT
    assert written(
        tmp_path,
        one={
            "d.py::t[x-NOTSET]": left_out,
            "e.py::t[NOTSET]": left_out,
            "a.py::t": ran,
            "a.py::u": left_out,
            "a.py::v": "needs x",
            "b.py": "needs y",
            "c.py": "needs y",
        },
        two={
            "a.py::t": "needs x",
            "a.py::u": left_out,
            "a.py::v": left_out,
            "b.py::t": ran,
            "a.py::w": outcomes.ELSEWHERE,
            "d.py::t[x-gcc]": ran,
            "e.py::u[gcc]": ran,
        },
    ) == {"e.py::t[NOTSET]": [left_out], "a.py::u": [left_out], "a.py::v": ["needs x"], "c.py": ["needs y"]}


@pytest.mark.slow
def test_a_session_writes_what_became_of_its_tests(tmp_path):
    """Failed ones have run; files that are skipped as a whole have no tests."""
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_other.py").write_text('import pytest\npytest.importorskip("no_such_thing", reason="needs it")\n')
    plugin = "from support.outcomes import Outcomes\ndef pytest_configure(config):\n"
    plugin += f"    config.pluginmanager.register(Outcomes({str(tmp_path / 'found')!r}))\n"
    (tmp_path / "conftest.py").write_text(plugin)
    (tmp_path / "found").mkdir()
    options = ["-q", "-p", "no:cacheprovider", "-m", "not slow", "-o", f"pythonpath={ROOT / 'tests'}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, "-c", "/dev/null", tmp_path],
        cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    (path,) = (tmp_path / "found").iterdir()
    found = json.loads(path.read_text())
    assert {name.partition("::")[2] or name: what for name, what in found.items()} == {
        "test_other.py": "needs it",
        "test_runs": outcomes.RAN,
        "test_fails": outcomes.RAN,
        "test_is_skipped": "needs a thing",
        "test_by_a_mark": "needs another thing",
        "test_is_slow": outcomes.LEFT_OUT,
        "test_on_a_card": outcomes.ELSEWHERE,
    }
    assert set(outcomes.never_run(tmp_path / "found")) == {
        "test_other.py", *(f"test_some.py::test_{name}" for name in ("is_skipped", "by_a_mark", "is_slow"))
    }  # fmt: skip
