"""Where temporary variables live: one array on the stack, in which those share a place that are not needed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..program import Linear, Map, Repeat, Synapses, Total, Vector, leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..program import Expr, Program, Statement


def targets(statement: Statement) -> tuple[Vector, ...]:
    """What a statement changes; a `Repeat` is none."""
    if isinstance(statement, Synapses):
        return statement.first, statement.second
    assert isinstance(statement, (Map, Linear, Total))
    return (statement.target,)


def expressions(statement: Statement) -> tuple[Expr, ...]:
    """What a statement reads."""
    if isinstance(statement, Synapses):
        return statement.source, statement.first_start, statement.second_start
    assert isinstance(statement, (Map, Linear, Total))
    return (statement.source if isinstance(statement, Linear) else statement.value,)


def reads(statement: Statement) -> Iterator[Vector]:
    """The variables that a statement reads."""
    for expr in expressions(statement):
        for leaf in leaves(expr):
            if isinstance(leaf, Vector):
                yield leaf


class Use(NamedTuple):
    """At which statement, by its number in the text, a variable is used, and whether all of it is set there."""

    at: int
    name: str
    is_set: bool


def _walk(of: Sequence[Statement], sizes: dict[str, int], uses: list[Use], loops: list[tuple[int, int]]) -> None:
    for statement in of:
        at = uses[-1].at + 1 if uses else 0
        if isinstance(statement, Repeat):
            _walk(statement.body, sizes, uses, loops)
            loops.append((at, uses[-1].at))
            continue
        uses += [Use(at, vector.name, False) for vector in reads(statement)]
        uses += [Use(at, vector.name, vector.size == sizes[vector.name]) for vector in targets(statement)]


def lifetimes(program: Program) -> dict[str, tuple[int, int]]:
    """First and last statement, by number, between which a temporary variable must keep its values.

    What is set before or read behind a `Repeat`, or is handed from one turn to the next, lives through all of it.
    """
    uses: list[Use] = []
    loops: list[tuple[int, int]] = []
    sizes = program.variables
    _walk([statement for stage in program.stages for statement in stage.statements], sizes, uses, loops)
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


def places(program: Program) -> tuple[dict[str, int], int]:
    """Where in the array each temporary variable begins, and the size of the array."""
    lives, sizes = lifetimes(program), program.variables
    found: dict[str, int] = {}
    for name in sorted(lives, key=lambda name: (-sizes[name], lives[name], name)):
        first, last = lives[name]
        others = [other for other in found if lives[other][0] <= last and first <= lives[other][1]]
        at = 0
        for start, end in sorted((found[other], found[other] + sizes[other]) for other in others):
            if at + sizes[name] <= start:
                break
            at = max(at, end)
        found[name] = at
    return found, max((found[name] + sizes[name] for name in found), default=0)
