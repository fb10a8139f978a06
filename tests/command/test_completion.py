"""``python -m ltc_np completion``: scripts by which shells complete commands, options and words."""

import functools
import json
import re
import shutil
import subprocess

import pytest

from ltc_np.command import COMMANDS, main, main_of
from ltc_np.command.completion import SHELLS, commands


@functools.cache
def found():
    """The commands, which are loaded for that."""
    return tuple(commands(COMMANDS, main_of))


def script(shell, capsys):
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def helped(command, capsys):
    """The options that the help of a command lists."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = re.findall(r"^  (-.*?)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    return {option for names in shown for option in re.findall(r"--[\w-]+", names)}


def test_commands_have_the_options_of_their_help(capsys):
    names = {command.name: {option.name for option in command.options} for command in found()}
    assert names == {command: helped(command, capsys) for command in COMMANDS} | {"help": set()}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_every_option_of_every_command(shell, capsys):
    lines = script(shell, capsys).replace('"', " ").splitlines()
    for command in found():
        words = {word for line in lines if f" {command.name} " in line for word in line.split()}
        options = {option.name.removeprefix("--" if shell == "fish" else "") for option in command.options}
        assert options | set(command.words) <= words, command.name


def test_words_of_options(capsys):
    words = {(own.name, option.name): option.words for own in found() for option in own.options}
    assert words["train", "--model"] == ("ltc", "cfc", "lstm", "gru", "gru_decay")
    assert words["bench", "--cases"] == tuple(sorted(words["bench", "--cases"]))
    assert main(["completion", "fish", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"] == SHELLS["fish"](found())


def completed_by_bash(file, line):
    words = line.split(" ")
    code = f'source {file}; COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; _ltc_np; echo "${{COMPREPLY[@]}}"'
    return ["bash", "--norc", "-c", code, "bash", *words]


def completed_by_fish(file, line):
    return ["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"]


COMPLETED = {"bash": completed_by_bash, "fish": completed_by_fish}


@pytest.mark.parametrize("line, words", [
    ("ltc-np tr", {"train"}),
    ("ltc-np help war", {"warmup"}),
    ("ltc-np train oven.csv --learning-r", {"--learning-rate"}),
    ("ltc-np train oven.csv --model ", {"ltc", "cfc", "lstm", "gru", "gru_decay"}),
    ("ltc-np completion z", {"zsh"}),
    ("ltc-np train ", set()),  # files, of which there are none
])  # fmt: skip
@pytest.mark.parametrize("shell", [pytest.param(shell, marks=pytest.mark.tools(shell)) for shell in COMPLETED])
def test_shells_complete(shell, line, words, capsys, tmp_path):
    file, here = tmp_path / "script", tmp_path / "empty"
    file.write_text(script(shell, capsys))
    here.mkdir()
    done = subprocess.run(COMPLETED[shell](file, line), capture_output=True, text=True, cwd=here)
    assert done.stderr == "" and set(done.stdout.split()) == words


@pytest.mark.tools("zsh")
def test_zsh_reads_its_script(capsys):
    text = script("zsh", capsys)
    assert text.endswith(SHELLS["bash"](found()))
    done = subprocess.run([shutil.which("zsh"), "-f", "-n"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
