"""A program as it is best written in C: what costs nothing there is left out, and loops can be joined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..program import Linear, Map, Repeat, Stage, Synapses, Vector, expression, leaves, reads, statements, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..program import Program, Statement


def prepared(program: Program) -> Program:
    """The same program for the writer, with equal numbers but for the sign of zeros."""
    return _needed(program._replace(stages=tuple(_prepared(k, stage) for k, stage in enumerate(program.stages))))


def _prepared(number: int, stage: Stage) -> Stage:
    variables = dict(stage.variables)

    def rewritten(statements: Sequence[Statement]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        for statement in statements:
            before = found[-1] if found else None
            if isinstance(statement, Repeat):
                found.append(Repeat(statement.count, rewritten(statement.body)))
            elif isinstance(statement, Synapses):
                found += _live(statement)
            elif isinstance(statement, Linear) and not statement.weights.any():
                found.append(Map(statement.target, expression(statement.bias)))
            elif isinstance(statement, Map) and isinstance(before, Synapses) and _replaces_source(before, statement):
                new = Vector(f"new_{number}_{len(variables)}", 0, statement.target.size)
                variables[new.name] = new.size
                found += [Map(new, statement.value), Map(statement.target, new)]
            else:
                found.append(statement)
        return tuple(found)

    statements = rewritten(stage.statements)
    return Stage(stage.name, statements, variables)


def _needed(program: Program) -> Program:
    """Without statements whose result nobody reads, as that of a layer before weights that are all 0."""
    every = [statement for stage in program.stages for statement, _ in statements(stage.statements)]
    read = {"state", "y", *(vector.name for statement in every for vector in reads(statement))}

    def left(of: Sequence[Statement]) -> tuple[Statement, ...]:
        inner = (replace(own, body=left(own.body)) if isinstance(own, Repeat) else own for own in of)
        return tuple(own for own in inner if read.intersection(written([own])))

    stages = (stage._replace(statements=left(stage.statements)) for stage in program.stages)
    needed = program._replace(stages=tuple(stage for stage in stages if stage.statements))
    before, after = (
        sum(1 for stage in each.stages for _ in statements(stage.statements)) for each in (program, needed)
    )
    return needed if after == before else _needed(needed)


def _live(own: Synapses) -> tuple[Statement, ...]:
    """Without the synapses that have no weight."""
    live = (own.first_weight != 0) | (own.second_weight != 0)
    if not live.any():
        return Map(own.first, own.first_start), Map(own.second, own.second_start)
    neuron = np.repeat(np.arange(own.first.size), np.diff(own.start))[live]
    start = np.searchsorted(neuron, np.arange(own.first.size + 1))
    arrays = {name: getattr(own, name)[live] for name in ("pre", "mu", "sigma", "first_weight", "second_weight")}
    return (replace(own, start=start, **arrays),)


def _replaces_source(own: Synapses, then: Map) -> bool:
    """Whether what is made of the two sums takes the place of their source.

    Through one vector of new values the two sums of a neuron can become them at once, and need no vectors themselves.
    """
    sources = {leaf.name for leaf in leaves(own.source) if isinstance(leaf, Vector)}
    read = {leaf.name for leaf in leaves(then.value) if isinstance(leaf, Vector)}
    return then.target.name in sources and own.first.name in read and own.second.name in read
