"""The worked examples, which are scripts and notebooks of one source: they run, and say what is wrong in one line.

They are all files of examples/ that begin with a cell of prose.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest
from support import ROOT

TIMES = re.compile(r"\d+\.\d+ s\b")  # how long a training took
STORIES = sorted(
    path.stem
    for path in (ROOT / "examples").glob("*.py")
    if path.read_text(encoding="utf-8").startswith("# %% [markdown]")
)


def quick(run_example, name, cwd):
    """What the script printed, and its picture's folder; without the data or a package this is skipped."""
    done = run_example(name, "--quick", "--output", "pictures", cwd=cwd)
    if done.returncode == 2 and "ltc-np[examples]" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_worked_examples_are_found():
    assert {"balance_a_pole", "cope_with_gaps", "forecast_sunspots", "recognise_speakers"} < set(STORIES)


def test_the_page_has_all_of_them():
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    sections = page.split("\n## ")[1:]
    named = [re.search(r"^`python examples/(\w+)\.py`", section, re.M)[1] for section in sections]
    assert sorted(named) == STORIES
    for section in sections:
        assert re.search(r"!\[.+\]\(images/.+\.png\)", section)


@pytest.mark.parametrize("name", STORIES)
def test_cells_are_prose_or_code(name):
    """Prose comes first, with the title."""
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    kinds = re.findall(r"^# %%(.*)$", text, re.M)
    assert set(kinds) == {"", " [markdown]"}
    assert text.startswith("# %% [markdown]\n# # ")


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_scripts_write_a_picture_and_nothing_else(run_example, name, tmp_path):
    assert re.search(r"\d", quick(run_example, name, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
    assert (tmp_path / "pictures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.sweep] * (k > 0)) for k, name in enumerate(STORIES)]
)
def test_scripts_and_notebooks_say_the_same(run_example, name, tmp_path):
    """The notebook is made of the script by jupytext."""
    for package in ("jupytext", "nbconvert", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"there is no {package} here to make a notebook of a script")
    said = quick(run_example, name, tmp_path)

    source, notebook = ROOT / "examples" / f"{name}.py", tmp_path / "made.ipynb"
    words = "--to", "ipynb", "--set-kernel", "python3", "--execute", "--run-path", source.parent, "--output", notebook
    env = os.environ | {"PYTHONPATH": str(ROOT), "LTC_NP_EXAMPLE": f"--quick --output '{tmp_path / 'shown'}'"}
    env.pop("MPLBACKEND", None)  # the notebook's own shows pictures below cells
    command = [sys.executable, "-m", "jupytext", *map(str, words), str(source)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    outputs = [one for cell in json.loads(notebook.read_text())["cells"] for one in cell.get("outputs", [])]
    printed = "".join("".join(one["text"]) for one in outputs if one.get("name") == "stdout")
    assert TIMES.sub("", printed) == TIMES.sub("", said)
    assert any("image/png" in one.get("data", {}) for one in outputs)
    assert (tmp_path / "shown" / f"{name}.png").is_file()


@pytest.mark.parametrize(
    ("name", "files", "words"),
    [
        ("forecast_sunspots", ["nowhere.csv"], "No such file or directory: 'nowhere.csv'"),
        ("recognise_speakers", ["one.ts"], "give the paths of all 2 files"),
        ("cope_with_gaps", ["nowhere.ts", "nowhere.ts"], "No such file or directory: 'nowhere.ts'"),
        ("use_elapsed_time", ["data.csv"], "unrecognized arguments: data.csv"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run_example, name, files, words, tmp_path):
    done = run_example(name, *files, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
