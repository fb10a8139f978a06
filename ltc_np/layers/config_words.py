"""The words of a configuration: which there are for a field, what else they are called, and how they may be spelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..base import checks
from ..base.types import MappingKind
from ..cells import CELLS

# Names of the literature for what the library calls by another one; cells say theirs themselves.
SOLVER_ALIASES = {"explicit": "euler", "runge_kutta": "rk4"}
INPUT_MAPPINGS: dict[str, MappingKind] = {"identity": None, "linear": "linear", "affine": "affine"}
# Fields of the configuration, and what cells that have one call the argument.
SETTINGS: dict[str, tuple[str, ...]] = {
    "solver": ("solver",),
    "ode_unfolds": ("ode_unfolds",),
    "activation": ("activation", "backbone_activation"),
}
LINEAR = "linear"  # the configuration's word for no activation


def aliases(field_name: str) -> dict[str, str]:
    """Other names of what a field may be: other name -> the library's."""
    if field_name == "cell":
        # Backwards: what is derived from a cell of the library, and registered, does not take its names.
        return {other: name for name, cell in reversed(CELLS.items()) for other in cell.also_called}
    return SOLVER_ALIASES if field_name == "solver" else {}


def words_of_setting(setting: str, cell: str) -> tuple[str, ...]:
    """The words that one of `SETTINGS` may be for a cell, by its name; none where the cell looks at them itself."""
    words_of_argument = CELLS[cell].words
    known = next((words_of_argument[name] for name in SETTINGS[setting] if name in words_of_argument), ())
    return tuple(LINEAR if word is None else word for word in known)


def spelling(word: str) -> str:
    """The word in lower case, without spaces, hyphens and underscores: equal for all spellings of one word."""
    return word.lower().translate(str.maketrans("", "", " -_"))


def read_word(field_name: str, given: Any, shown: Iterable[str], not_shown: Iterable[str] = ()) -> str:
    """The word that the value given for a field spells, of two lists; if it is none, an error names those ``shown``."""
    other_names = aliases(field_name)
    # The exact word goes first, and what the library has before what others have registered.
    known = (*shown, *not_shown)
    of_spelling = {spelling(word): word for word in reversed(known)}
    of_spelling |= {spelling(other): word for other, word in other_names.items() if word in known}
    found = None
    if isinstance(given, str):
        found = given if given in known else of_spelling.get(spelling(given))
    if found is None:
        texts = [[repr(word), *(f"(or {other!r})" for other, w in other_names.items() if w == word)] for word in shown]
        wrong = ValueError if isinstance(given, str) else TypeError
        raise wrong(f"`{field_name}` must be one of {', '.join(map(' '.join, texts))}, got {checks.brief(given)}")
    return found
