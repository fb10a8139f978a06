"""Options that several commands have, and those that are made of `Recipe`'s hyperparameters."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import kernels, recipe
from ..recipe import Recipe

if TYPE_CHECKING:
    from ..base.command_line import Parser

CHOICES: dict[str, tuple[str, ...]] = {
    "cell": recipe.CELLS,
    "wiring": tuple(recipe.WIRINGS),
    "readout": recipe.READOUTS,
    "schedule": tuple(recipe.SCHEDULES),
    "shortcut": ("none", *recipe.SHORTCUTS),
}
NOT_OF_FORECASTS = (
    "bidirectional",
    "conv_layers",
    "readout",
    "shortcut",
)  # hyperparameters that `LiquidForecaster` has not


def add_recipe(parser: Parser, without: Sequence[str] = ()) -> None:
    """The hyperparameters of `Recipe`, under their names, with its defaults and descriptions."""
    group = parser.add_argument_group("the network and its training", "what is not given has the default")
    described = _descriptions()
    parser.set_defaults(**dict.fromkeys(without))
    for field in dataclasses.fields(Recipe):
        if field.name in without:
            continue
        option = "--" + field.name.replace("_", "-")
        about = f"{described.get(field.name, '')} default: {_shown(field.default)}".strip().replace("%", "%%")
        given: dict[str, Any] = {"dest": field.name, "default": None, "help": about}
        if isinstance(field.default, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, **given)
        elif field.name in CHOICES:
            names = ("--model", option) if field.name == "cell" else (option,)
            group.add_argument(*names, choices=CHOICES[field.name], **given)
        else:
            kind = int if isinstance(field.default, int) or field.name == "epochs" else float
            reads = READS.get(field.name, kind)
            metavar = {"time_constants": "LOW,HIGH", int: "N", float: "X"}
            group.add_argument(option, type=reads, metavar=metavar.get(field.name, metavar.get(kind)), **given)


def of_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe that the options describe; errors name the options."""
    given = {name: getattr(args, name) for name in Recipe.names() if getattr(args, name) is not None}
    given = {name: None if value == "none" else value for name, value in given.items()}
    try:
        return Recipe(**given)
    except (ValueError, TypeError) as error:
        raise ValueError(re.sub(r"`(\w+)`", lambda m: "--" + m[1].replace("_", "-"), str(error))) from None


def diverged(error: FloatingPointError, recipe: Recipe) -> FloatingPointError:
    """The same in the words of the command line, for a training by this recipe."""
    what, _, _ = str(error).partition(";")
    other = " or set --clip-norm" if recipe.clip_norm is None else ""
    return FloatingPointError(f"the training diverged, {what}: lower --learning-rate{other}")


def add_backend(parser: Any) -> None:
    parser.add_argument(
        "--backend", choices=kernels.BACKENDS, default="auto", help="what computes; default: %(default)s"
    )


def add_force(parser: Any) -> None:
    parser.add_argument("--force", action="store_true", help="replace files that are there")


def _descriptions() -> dict[str, str]:
    """What the docstring of `Recipe` says of each parameter."""
    text = inspect.cleandoc(Recipe.__doc__ or "")  # Python 3.13 itself takes the indentation away
    lines = text.partition("----------\n")[2].splitlines()
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        head = re.match(r"(\w+(?:, \w+)*) : ", line)
        if head:
            names = head[1].split(", ")
        elif line.strip():
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip().replace("`", "")
    return found


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _span(text: str) -> tuple[float, float] | str:
    if text in ("auto", "none"):
        return text
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be two numbers LOW,HIGH, "auto" or "none", got {text!r}') from None
    if not 0 < low <= high < float("inf"):
        raise argparse.ArgumentTypeError(f"must be two numbers with 0 < LOW <= HIGH, got {text!r}")
    return low, high


def _or(word: str, kind: type[int] | type[float]) -> Callable[[str], float | str]:
    """Reads a number, or a word."""

    def read(text: str) -> float | str:
        try:
            return text if text == word else kind(text)
        except ValueError:
            what = "an int" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f'must be {what} or "{word}", got {text!r}') from None

    return read


READS: dict[str, Callable[[str], Any]] = {
    "time_constants": _span,
    "clip_norm": _or("none", float),
    "clip_inputs": _or("none", float),
    "epochs": _or("auto", int),
}
