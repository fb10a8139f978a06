"""A program as it is best written in C: what costs nothing there is left out, what is read often is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..program import Apply, Constant, Linear, Map, Number, Repeat, Stage, Synapses, Total, Vector, leaves

if TYPE_CHECKING:
    from ..program import Expr, Program, Statement

CHEAP = {"add", "subtract", "multiply", "negative"}
NEUTRAL = {"add": 0.0, "multiply": 1.0}


def simplified(expr: Expr) -> Expr:
    """The same, with a number for a constant whose elements are one, without factors of 1 and terms of 0."""
    if isinstance(expr, Constant) and (expr.values == expr.values[0]).all():
        return Number(float(expr.values[0]))
    if isinstance(expr, Apply):
        arguments = tuple(simplified(argument) for argument in expr.arguments)
        neutral = NEUTRAL.get(expr.operation)
        for one, other in (arguments, arguments[::-1]) if neutral is not None else ():
            if isinstance(one, Number) and one.value == neutral and other.size == expr.size:
                return other
        return replace(expr, arguments=arguments)
    return expr


def _is_cheap(expr: Expr) -> bool:
    """Whether an expression may be computed again for each synapse: some sums and products of one variable."""
    if isinstance(expr, Apply):
        return expr.operation in CHEAP and all(map(_is_cheap, expr.arguments))
    return True


class _Stage:
    """Rewrites the statements of one stage."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.variables, self.number = dict(stage.variables), number
        self.stage = Stage(stage.name, self.rewritten(stage.statements), self.variables)

    def rewritten(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Repeat):
                found.append(Repeat(statement.count, self.rewritten(statement.body)))
            elif isinstance(statement, Linear):
                source = self._stored(simplified(statement.source), statement.target.size < 2, found)
                found.append(replace(statement, source=source))
            elif isinstance(statement, Synapses):
                starts = simplified(statement.first_start), simplified(statement.second_start)
                source = simplified(statement.source)
                source = self._stored(source, _is_cheap(source), found)
                found.append(_live(replace(statement, source=source, first_start=starts[0], second_start=starts[1])))
            elif isinstance(statement, Total):
                found.append(replace(statement, value=simplified(statement.value)))
            else:
                found.append(Map(statement.target, simplified(statement.value)))
        return tuple(found)

    def _stored(self, source: Expr, is_read_once: bool, found: list[Statement]) -> Expr:
        """A source that is a variable, or not worth one."""
        if isinstance(source, Vector) or is_read_once or not any(isinstance(leaf, Vector) for leaf in leaves(source)):
            return source
        target = Vector(f"source_{self.number}_{len(self.variables)}", 0, source.size)
        self.variables[target.name] = source.size
        found.append(Map(target, source))
        return target


def _live(own: Synapses) -> Synapses:
    """Without the synapses that have no weight."""
    live = (own.first_weight != 0) | (own.second_weight != 0)
    neuron = np.repeat(np.arange(own.first.size), np.diff(own.start))[live]
    start = np.searchsorted(neuron, np.arange(own.first.size + 1))
    arrays = {name: getattr(own, name)[live] for name in ("pre", "mu", "sigma", "first_weight", "second_weight")}
    return replace(own, start=start, **arrays)


def prepared(program: Program) -> Program:
    """The same program for the writer, with equal numbers but for the sign of zeros."""
    stages = tuple(_Stage(stage, number).stage for number, stage in enumerate(program.stages))
    return program._replace(stages=stages)
