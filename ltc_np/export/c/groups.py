"""Which statements share a loop: then what only they need is a local variable, not an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..program import Map, Program, Repeat, Statement, Total, Vector, reads, targets


class Group(NamedTuple):
    """Statements in one loop over the elements of their targets; all but the first are `Map`."""

    statements: tuple[Statement, ...]


class Loop(NamedTuple):
    """``body``, in so many turns."""

    turns: int
    body: tuple[Group | Loop, ...]


def overlap(one: Vector, other: Vector) -> bool:
    """Whether two parts of variables have elements in common."""
    apart = one.start + one.size <= other.start or other.start + other.size <= one.start
    return one.name == other.name and not apart


def _joins(group: Sequence[Statement], statement: Map) -> bool:
    """Whether a statement may run in the loop of those before it, element by element."""
    if isinstance(group[0], Total) or statement.target.size != targets(group[0])[0].size:
        return False
    used = statement.target, *reads(statement)
    for other in group:
        for theirs in targets(other):
            if any(overlap(mine, theirs) and mine != theirs for mine in used):
                return False
        for theirs in reads(other):  # at other elements too, unless it is a Map
            if overlap(statement.target, theirs) and not (isinstance(other, Map) and statement.target == theirs):
                return False
    return True


def grouped(statements: Sequence[Statement]) -> tuple[Group | Loop, ...]:
    """The loops of some statements, in order."""
    found: list[Group | Loop] = []
    for statement in statements:
        last = found[-1] if found else None
        if isinstance(statement, Repeat):
            found.append(Loop(statement.count, grouped(statement.body)))
        elif isinstance(statement, Map) and isinstance(last, Group) and _joins(last.statements, statement):
            found[-1] = Group((*last.statements, statement))
        else:
            found.append(Group((statement,)))
    return tuple(found)


def walk(of: Sequence[Group | Loop]) -> Iterator[Group]:
    """All groups, those inside of loops too."""
    for part in of:
        if isinstance(part, Loop):
            yield from walk(part.body)
        else:
            yield part


def local_variables(program: Program, stages: Sequence[Sequence[Group | Loop]]) -> set[str]:
    """Temporary variables that one group sets, in whole, before it reads them, and no other one uses."""
    sizes = program.variables
    uses: dict[str, list[tuple[int, Vector, bool]]] = {}
    for number, group in enumerate(group for stage in stages for group in walk(stage)):
        for statement in group.statements:
            for vectors, is_set in ((reads(statement), False), (targets(statement), True)):
                for vector in vectors:
                    uses.setdefault(vector.name, []).append((number, vector, is_set))
    found = set()
    for name, own in uses.items():
        _, first, is_set = own[0]
        if name in ("x", "dt", "state", "y") or not is_set or first.size != sizes[name]:
            continue
        if len({number for number, _, _ in own}) == 1 and all(vector == first for _, vector, _ in own):
            found.add(name)
    return found
