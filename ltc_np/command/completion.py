"""``python -m ltc_np completion``: a script by which a shell completes commands, options, and words that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..base.command_line import DESCRIBE, DONE, Described, Parser, report, run

if TYPE_CHECKING:
    import argparse

MainOf = Callable[[str], Callable[[Sequence[str]], "int | None"]]

ABOUT = """\
Print a script by which a shell completes the commands of `ltc-np`, their options, and the words that options take.

example, once for a shell:
    python -m ltc_np completion bash > ~/.local/share/bash-completion/completions/ltc-np
    python -m ltc_np completion zsh > ~/.ltc-np.zsh    # and in ~/.zshrc: source ~/.ltc-np.zsh
    python -m ltc_np completion fish > ~/.config/fish/completions/ltc-np.fish"""

BASH = """\
_ltc_np() {
    local word="${COMP_WORDS[COMP_CWORD]}" words=""
    case "$COMP_CWORD ${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD-1]}" in
        "1 "*) words="%s" ;;
%s
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _ltc_np ltc-np
"""
ZSH = """\
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""


class Option(NamedTuple):
    """An option of a command: the words that it takes, if it names them, and whether it takes anything."""

    name: str
    words: tuple[str, ...]
    takes: bool


class Command(NamedTuple):
    """A command: its options, and the words that may stand without one."""

    name: str
    options: tuple[Option, ...]
    words: tuple[str, ...]


def _words(choices: Iterable[object] | None) -> tuple[str, ...]:
    """The words that an option takes, in one order."""
    words = map(str, choices or ())
    return tuple(sorted(words) if isinstance(choices, set) else words)


def commands(names: tuple[str, ...], main_of: MainOf) -> Iterator[Command]:
    """Commands, as their parsers describe them."""
    for name in names:
        try:
            main_of(name)(DESCRIBE)
        except Described as found:
            options: list[Option] = []
            words: list[str] = []
            for action in found.parser.actions():
                chosen = _words(action.choices)
                long = [option for option in action.option_strings if option.startswith("--")]
                options += [Option(option, chosen, action.nargs != 0) for option in long]
                words += [] if action.option_strings else chosen
            yield Command(name, tuple(options), tuple(words))
    yield Command("help", (), names)


def bash(found: Sequence[Command]) -> str:
    """Words that begin with a dash are options; without a dash, and where no words are known, files are completed."""
    lines = []
    for command in found:
        for option in command.options:
            if option.words:
                lines.append(f'*" {command.name} {option.name}") words="{" ".join(option.words)}" ;;')
        options = " ".join(option.name for option in command.options)
        if command.words:
            lines.append(f'*" {command.name} "*) words="{" ".join(command.words)} {options}" ;;')
        else:
            lines.append(f'*" {command.name} "*) [[ $word == -* ]] && words="{options}" ;;')
    first = " ".join([*(command.name for command in found), "--help", "--version"])
    return BASH % (first, "\n".join(f"        {line}" for line in lines))


def zsh(found: Sequence[Command]) -> str:
    """The same, by zsh's own functions for bash."""
    return ZSH + bash(found)


def fish(found: Sequence[Command]) -> str:
    """A line for each word."""
    names = " ".join(command.name for command in found)
    lines = [f'complete -c ltc-np -n __fish_use_subcommand -f -a "{names}"']
    lines += [f"complete -c ltc-np -n __fish_use_subcommand -l {option}" for option in ("help", "version")]
    for command in found:
        begin = f'complete -c ltc-np -n "__fish_seen_subcommand_from {command.name}"'
        if command.words:
            lines.append(f'{begin} -f -a "{" ".join(command.words)}"')
        for option in command.options:
            takes = f' -x -a "{" ".join(option.words)}"' if option.words else " -r" * option.takes
            lines.append(f"{begin} -l {option.name[2:]}{takes}")
    return "\n".join(lines) + "\n"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def main(names: tuple[str, ...], main_of: MainOf, argv: Sequence[str] | None = None) -> int:
    """Print a script for the commands of these names; the exit status."""
    parser = Parser("completion", ABOUT)
    parser.add_argument("shell", choices=tuple(SHELLS), help="the shell that reads the script")
    parser.add_output()

    def complete(args: argparse.Namespace) -> int:
        script = SHELLS[args.shell](tuple(commands(names, main_of)))
        report({"script": script}, script.splitlines(), args.json)
        return DONE

    return run(parser, complete, argv)
