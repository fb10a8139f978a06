"""Where temporary variables live: one array on the stack, in which those share a place that are not needed at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..program import Program, reads, targets
from .groups import Group, Loop


class Use(NamedTuple):
    """In which group, by its number in the text, a variable is used, and whether all of it is set there."""

    at: int
    name: str
    is_set: bool


def _walk(of: Sequence[Group | Loop], sizes: dict[str, int], uses: list[Use], loops: list[tuple[int, int]]) -> None:
    for part in of:
        at = uses[-1].at + 1 if uses else 0
        if isinstance(part, Loop):
            _walk(part.body, sizes, uses, loops)
            loops.append((at, uses[-1].at))
            continue
        for statement in part.statements:
            uses += [Use(at, vector.name, False) for vector in reads(statement)]
            uses += [Use(at, vector.name, vector.size == sizes[vector.name]) for vector in targets(statement)]


def lifetimes(program: Program, stages: Sequence[Sequence[Group | Loop]]) -> dict[str, tuple[int, int]]:
    """First and last group, by number, between which a temporary variable must keep its values.

    What is set before or read behind a loop, or is handed from one turn to the next, lives through all of it.
    """
    uses: list[Use] = []
    loops: list[tuple[int, int]] = []
    sizes = program.variables
    _walk([part for stage in stages for part in stage], sizes, uses, loops)
    lives = {}
    for name in sizes.keys() - {"x", "dt", "state", "y"}:
        own = [use for use in uses if use.name == name]
        if not own:
            continue
        first, last = own[0].at, own[-1].at
        for begin, end in loops:  # inner ones come first
            inside = [use for use in own if begin <= use.at <= end]
            if inside and (first < begin or last > end or not inside[0].is_set):
                first, last = min(first, begin), max(last, end)
        lives[name] = first, last
    return lives


def offsets(
    program: Program, stages: Sequence[Sequence[Group | Loop]], without: Collection[str]
) -> tuple[dict[str, int], int]:
    """Where in the array each temporary variable but those in ``without`` begins, and the size of the array."""
    lives, sizes = lifetimes(program, stages), program.variables
    found: dict[str, int] = {}
    for name in sorted(lives.keys() - set(without), key=lambda name: (-sizes[name], lives[name], name)):
        first, last = lives[name]
        others = [other for other in found if lives[other][0] <= last and first <= lives[other][1]]
        at = 0
        for start, end in sorted((found[other], found[other] + sizes[other]) for other in others):
            if at + sizes[name] <= start:
                break
            at = max(at, end)
        found[name] = at
    return found, max((found[name] + sizes[name] for name in found), default=0)
