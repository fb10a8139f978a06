"""What all commands share: help that keeps its lines, and mistakes that are one line on standard error.

Exit codes: 0, done; 1, done, and the answer is no (a gradient that is wrong, a training that diverges); 2, a mistake in
the command line or in a file, and nothing has been written; 130, stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TextIO

from . import foreign_names
from .visible import visible

DONE, NO, MISTAKE, STOPPED = 0, 1, 2, 130
SHOWN = 5  # names of files in an error
# What wrong arguments and files raise; all else is a defect, and is shown as one.
MISTAKES = (OSError, ImportError, TypeError, ValueError, MemoryError)


class Parser(argparse.ArgumentParser):
    """A parser of a command's arguments.

    Parameters
    ----------
    command : str
        Its name, which follows ``python -m ltc_np``.
    about : str
        What it does, and examples; shown as it is.
    usage : str, optional
        What must be given, where a list of all options would be too long to be read.
    """

    def __init__(self, command: str, about: str, usage: str | None = None) -> None:
        program, shape = f"python -m ltc_np {command}", argparse.RawDescriptionHelpFormatter
        usage = None if usage is None else f"{program} {usage} [options]"
        # No option is the beginning of another one: `--readout` would be `--readout-units` where there is no other.
        super().__init__(prog=program, usage=usage, description=about, formatter_class=shape, allow_abbrev=False)

    def actions(self) -> list[argparse.Action]:
        """Its arguments and options."""
        return list(self._actions)

    def add_output(self) -> None:
        """The options that all commands have: ``--json`` and ``--quiet``."""
        self.add_argument("--json", action="store_true", help="print what is reported as JSON")
        self.add_argument("--quiet", action="store_true", help="show no progress")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; of an option that there is not, say which one may have been meant."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            given = unknown[0].partition("=")[0]
            options = [name for name in self._option_string_actions if name.startswith("--") and name != "--help"]
            close = _meant(given, options)
            meant = f": did you mean {close[0]}?" if close else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong with the arguments, and exit."""
        self.exit(MISTAKE, f"{self.prog}: {line(message)} (--help shows how)\n")


# Given instead of arguments, it makes a command raise `Described` with its parser and do nothing else.
DESCRIBE: Sequence[str] = ("--describe",)  # known by identity, so nobody can type it


class Described(Exception):
    """The parser of a command that was called with `DESCRIBE`."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser


def run(parser: Parser, action: Callable[[argparse.Namespace], int], argv: Sequence[str] | None) -> int:
    """Parse, act, and say in one line what went wrong; the exit status.

    Warnings are lines after what the action has printed; after a mistake they are left out.
    """
    if argv is DESCRIBE:
        raise Described(parser)
    args = parser.parse_args(argv)
    with warnings.catch_warnings(record=True) as caught:
        for category in (UserWarning, RuntimeWarning):
            warnings.simplefilter("always", category)
        try:
            status = action(args)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except MISTAKES as error:
            return _say(parser, error, MISTAKE)
        except FloatingPointError as error:
            return _say(parser, error, NO)
        except KeyboardInterrupt as stop:  # an action that leaves something says what it leaves
            return _say(parser, f"stopped; {stop}" if stop.args else "stopped; nothing was written", STOPPED)
    for told in dict.fromkeys(line(w.message) for w in caught if issubclass(w.category, (UserWarning, RuntimeWarning))):
        print(f"{parser.prog}: {told}", file=sys.stderr)
    return status


def check_least(args: argparse.Namespace, **least: int) -> None:
    """Refuse options that were given numbers below the least, by name."""
    for name, lowest in least.items():
        value = getattr(args, name)
        if value is not None and value < lowest:
            raise ValueError(f"--{name} must be at least {lowest}, got {value}")


def check_shares(args: argparse.Namespace, *names: str) -> None:
    """Refuse options that are no numbers between 0 and 1, by name."""
    for name in names:
        value = getattr(args, name)
        if not 0 < value < 1:
            raise ValueError(f"--{name} must be a share between 0 and 1, got {value}")


def _say(parser: Parser, what: object, status: int) -> int:
    print(f"{parser.prog}: {line(what)}", file=sys.stderr)
    return status


def _meant(given: str, options: list[str]) -> list[str]:
    """The option that an unknown one may stand for: the one of these initials, as --lr, the one that other libraries
    call so, or one of like letters."""
    given = f"--{given.lstrip('-')}" if given.startswith("-") else given
    initials = (name for name in options if "--" + "".join(word[:1] for word in name.split("-")) == given)
    elsewhere = [f"--{name.replace('_', '-')}" for name in foreign_names.meant(given[2:].replace("-", "_"))]
    found = list(initials) or [name for name in elsewhere if name in options]
    return found[:1] or difflib.get_close_matches(given, options, 1)


def report(said: Any, lines: Sequence[str], as_json: bool, to: TextIO | None = None) -> None:
    """Print what a command has found: as JSON, which writes control characters as text, or as lines.

    A line stays one, whatever names of files and tables are in it.  ``to`` is standard output where it is None.
    """
    print(json.dumps(said, indent=1) if as_json else "\n".join(map(visible, lines)), file=to)


def digits(value: float) -> str:
    """A number that was given, with all its digits and without those of its rounding: a float64 keeps 15."""
    return f"{value:.15g}"


def line(what: object) -> str:
    """What went wrong in one line, with nothing that moves a terminal's cursor."""
    if isinstance(what, OSError) and what.filename is not None and what.strerror:
        path = os.fsdecode(what.filename)
        what = f"{visible(path)}: {what.strerror}{_instead_of(path) if isinstance(what, FileNotFoundError) else ''}"
    return visible(" ".join(str(what).split())) or type(what).__name__


def _instead_of(path: str) -> str:
    """Which file may have been meant by one that is not there, for the end of a line."""
    folder, name = os.path.split(path)
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return f": there is no folder {folder}"
    stem, kind = os.path.splitext(name)
    alike = {own.removesuffix(kind): own for own in names if own.endswith(kind)}
    if close := difflib.get_close_matches(stem, alike, 3):
        return f": did you mean {' or '.join(os.path.join(folder, alike[own]) for own in close)}?"
    if not kind:
        return ""
    found = ", ".join([*alike.values()][:SHOWN]) + " and others" * (len(alike) > SHOWN)
    return f": the folder has {found or f'no file that ends in {kind}'}"
