"""How many operations a step of a program takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from .program import Apply, Expr, Linear, Map, Program, Statement, Synapses, Total, of_kind, statements


def operations(program: Program) -> dict[str, int]:
    """Operations of one step by their names, most frequent first; a weight of 0 costs none."""
    found: Counter[str] = Counter()
    for stage in program.stages:
        for statement, count in statements(stage.statements):
            for name, number in _of_statement(statement):
                found[name] += number * count
    return dict(found.most_common())


def _of_statement(statement: Statement) -> Iterator[tuple[str, int]]:
    if isinstance(statement, Linear):
        live = int(np.count_nonzero(statement.weights))
        yield from (("multiply", live), ("add", live))
        yield from _of_expression(statement.source)
    elif isinstance(statement, Synapses):
        live = int(np.count_nonzero((statement.first_weight != 0) | (statement.second_weight != 0)))
        yield from (("multiply", 3 * live), ("add", 2 * live), ("subtract", live), ("sigmoid", live))
        for expr in (statement.first_start, statement.second_start, statement.source):
            yield from _of_expression(expr)
    elif isinstance(statement, Total):
        yield "add", statement.value.size
        yield from _of_expression(statement.value)
    else:
        yield from _of_expression(of_kind(statement, Map).value)


def _of_expression(expr: Expr) -> Iterator[tuple[str, int]]:
    if isinstance(expr, Apply):
        yield expr.operation, expr.size
        for argument in expr.arguments:
            yield from _of_expression(argument)
