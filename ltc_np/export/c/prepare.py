"""A program as it is best written in C: what costs nothing there is left out, and loops can be joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..program import (
    Linear,
    Map,
    Program,
    Repeat,
    Stage,
    Statement,
    Synapses,
    Vector,
    expression,
    leaves,
    reads,
    statements,
    written,
)


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
    return stage._replace(statements=statements, variables=variables)


def _needed(program: Program) -> Program:
    """Without statements whose result nobody reads, as that of a layer before weights that are all 0."""
    every = [statement for stage in program.stages for statement, _ in statements(stage.statements)]
    read = {"state", "y", *(vector.name for statement in every for vector in reads(statement))}

    def left(of: Sequence[Statement]) -> tuple[Statement, ...]:
        inner = (replace(one, body=left(one.body)) if isinstance(one, Repeat) else one for one in of)
        return tuple(one for one in inner if read.intersection(written([one])))

    stages = (stage._replace(statements=left(stage.statements)) for stage in program.stages)
    needed = program._replace(stages=tuple(stage for stage in stages if stage.statements))
    before, after = (
        sum(1 for stage in each.stages for _ in statements(stage.statements)) for each in (program, needed)
    )
    return needed if after == before else _needed(needed)


def _live(synapses: Synapses) -> tuple[Statement, ...]:
    """Without the synapses that have no weight."""
    live = (synapses.first_weight != 0) | (synapses.second_weight != 0)
    if not live.any():
        return Map(synapses.first, synapses.first_start), Map(synapses.second, synapses.second_start)
    start = np.searchsorted(synapses.neuron[live], np.arange(synapses.first.size + 1))
    arrays = {name: getattr(synapses, name)[live] for name in ("pre", "mu", "sigma", "first_weight", "second_weight")}
    return (replace(synapses, start=start, **arrays),)


def _replaces_source(synapses: Synapses, then: Map) -> bool:
    """Whether what is made of the two sums takes the place of their source.

    Through one vector of new values the two sums of a neuron can become them at once, and need no vectors themselves.
    """
    sources = {leaf.name for leaf in leaves(synapses.source) if isinstance(leaf, Vector)}
    read = {leaf.name for leaf in leaves(then.value) if isinstance(leaf, Vector)}
    return then.target.name in sources and synapses.first.name in read and synapses.second.name in read
