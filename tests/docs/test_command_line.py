"""docs/command_line.md: its commands are run, in their order, in an empty folder."""

import re
import runpy
import shlex

import pytest
from support import ROOT

from ltc_np import load
from ltc_np.command import COMMANDS, main

PAGE = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.compiled
@pytest.mark.tools("clang", "wasm-ld")
def test_the_page_s_commands(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (script,) = blocks("python")
    (tmp_path / "oven.py").write_text(script)
    lines = [
        line
        for block in blocks("sh")
        for line in block.replace("\\\n", "").splitlines()
        if not line.startswith("pip install")
    ]
    assert lines[0] == "python oven.py"
    runpy.run_path(str(tmp_path / "oven.py"))
    said = {}
    for line in lines[1:]:
        program, *arguments = shlex.split(line)[2:]
        assert line.startswith("python -m ltc_np ") and program == "ltc_np"
        capsys.readouterr()
        assert main(arguments) == 0, line
        said[line] = capsys.readouterr().out
    made = {"controller", *(f"{n}.npz" for n in ("oven", "next")), "oven.js", "answers.csv", "ahead.csv"}
    made |= {f"{name}.png" for name in ("oven", "next", "answers", "tau", "wiring", "ahead")}
    assert {path.name for path in tmp_path.iterdir()} == made | {"oven.py", "oven.csv"}
    # What does not depend on how a training goes stands on the page as it is; the network is better than that.
    (shown,) = blocks("text")
    found = next(text for line, text in said.items() if line.startswith("python -m ltc_np train"))
    for name in ("mean", "linear"):
        (row,) = (line for line in shown.splitlines() if line.startswith(f"{name}"))
        (own,) = (line for line in found.splitlines() if line.startswith(f"{name}"))
        assert row.split() == own.split()
    assert shown.splitlines()[5] == found.splitlines()[5] and "is better than the best baseline" in found
    assert [line.split(";")[0] for line in shown.splitlines()[-3:]] == [
        line.split(";")[0] for line in found.splitlines()[-3:]
    ]
    assert load("oven.npz").notes["table"]["features"] == ["power", "fan"]


def test_every_command_stands_on_the_page():
    table = PAGE.partition("## All commands")[2]
    assert re.findall(r"^\| `([\w-]+)", table, re.MULTILINE) == [
        *("train", "evaluate", "predict", "forecast", "info", "plot", "export", "convert", "gradcheck", "bench"),
        *("warmup", "build-kernels", "completion"),
    ]
    assert set(re.findall(r"^\| `([\w-]+)", table, re.MULTILINE)) == set(COMMANDS)
