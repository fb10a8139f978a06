"""The guide to training: every remedy of its tables is a line that runs."""

import re

import numpy as np
import pytest
from support import ROOT

import ltc_np
from ltc_np.recipe import Recipe

RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def remedies():
    """What stands as code in the last column of the table of symptoms."""
    _, _, table = PAGE.partition("| symptom |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    return [code for row in rows for code in re.findall(r"`([^`]+)`", row.rsplit(" | ", 1)[1])]


def test_every_symptom_has_a_remedy():
    assert len(remedies()) >= 12
    assert sum(code.startswith("fit(") for code in remedies()) >= 5


def test_figures_are_those_of_the_results():
    found = (
        re.search(rf"^## {title}\n.*?(?=^## |\Z)", RESULTS, re.MULTILINE | re.DOTALL)[0]
        for title in ("Defaults that learn", "One change at a time")
    )
    section = "".join(found) + "".join(
        (ROOT / f"docs/results/{name}.csv").read_text(encoding="utf-8") for name in ("one_change", "search")
    )
    figures = set(re.findall(r"x (\d+\.\d\d)\b", PAGE))
    assert len(figures) > 10
    assert not figures - set(re.findall(r"\b\d+\.\d\d\b", section))


@pytest.mark.parametrize("code", remedies())
def test_remedy(code):
    """With sequences of 8 steps, and a class each."""
    rng = np.random.default_rng(0)
    x, y, t = rng.standard_normal((12, 8, 3)), np.arange(12) % 2, rng.exponential(size=(12, 8)).cumsum(1)
    model = Recipe(units=4).model(3, 2, steps=8, every_step=False, numbers=False, seed=0)
    names = {name: getattr(ltc_np, name) for name in ltc_np.__all__ if not name.startswith("_")}
    known = names | {"Recipe": Recipe, "np": np, "model": model, "x": x, "y": y, "t": t}
    calls = {"loss": "cross_entropy", "verbose": False, "seed": 0}
    if code.startswith("fit("):
        settings = eval(f"dict{code.removeprefix('fit')}", known)
        model.fit(x, y, **(calls | settings))
    else:
        eval(code, known)
