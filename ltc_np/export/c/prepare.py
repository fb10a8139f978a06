"""A program as it is best written in C: what costs nothing there is left out, and loops can be joined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..program import Map, Repeat, Stage, Synapses, Vector, leaves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..program import Program, Statement


def prepared(program: Program) -> Program:
    """The same program for the writer, with equal numbers but for the sign of zeros."""
    return program._replace(stages=tuple(_prepared(k, stage) for k, stage in enumerate(program.stages)))


def _prepared(number: int, stage: Stage) -> Stage:
    variables = dict(stage.variables)

    def rewritten(statements: Sequence[Statement]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        for statement in statements:
            before = found[-1] if found else None
            if isinstance(statement, Repeat):
                found.append(Repeat(statement.count, rewritten(statement.body)))
            elif isinstance(statement, Synapses):
                found.append(_live(statement))
            elif isinstance(statement, Map) and isinstance(before, Synapses) and _replaces_source(before, statement):
                new = Vector(f"new_{number}_{len(variables)}", 0, statement.target.size)
                variables[new.name] = new.size
                found += [Map(new, statement.value), Map(statement.target, new)]
            else:
                found.append(statement)
        return tuple(found)

    statements = rewritten(stage.statements)
    return Stage(stage.name, statements, variables)


def _live(own: Synapses) -> Synapses:
    """Without the synapses that have no weight."""
    live = (own.first_weight != 0) | (own.second_weight != 0)
    neuron = np.repeat(np.arange(own.first.size), np.diff(own.start))[live]
    start = np.searchsorted(neuron, np.arange(own.first.size + 1))
    arrays = {name: getattr(own, name)[live] for name in ("pre", "mu", "sigma", "first_weight", "second_weight")}
    return replace(own, start=start, **arrays)


def _replaces_source(own: Synapses, then: Map) -> bool:
    """Whether what is made of the two sums takes the place of their source.

    Through one vector of new values the two sums of a neuron can become them at once, and need no vectors themselves.
    """
    sources = {leaf.name for leaf in leaves(own.source) if isinstance(leaf, Vector)}
    read = {leaf.name for leaf in leaves(then.value) if isinstance(leaf, Vector)}
    return then.target.name in sources and own.first.name in read and own.second.name in read
