"""How many operations a step of a program takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from .program import Apply, Linear, Map, Synapses, Total, of_kind, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .program import Expr, Program, Statement


def operations(program: Program) -> dict[str, int]:
    """Operations of one step by their names, most frequent first; a weight of 0 costs none."""
    found: Counter[str] = Counter()
    for stage in program.stages:
        for statement, count in statements(stage.statements):
            for name, number in _of_statement(statement):
                found[name] += number * count
    return dict(found.most_common())


def _of_statement(own: Statement) -> Iterator[tuple[str, int]]:
    if isinstance(own, Linear):
        live = int(np.count_nonzero(own.weights))
        yield from (("multiply", live), ("add", live))
        yield from _of_expression(own.source)
    elif isinstance(own, Synapses):
        live = int(np.count_nonzero((own.first_weight != 0) | (own.second_weight != 0)))
        yield from (("multiply", 3 * live), ("add", 2 * live), ("subtract", live), ("sigmoid", live))
        for expr in (own.first_start, own.second_start, own.source):
            yield from _of_expression(expr)
    elif isinstance(own, Total):
        yield "add", own.value.size
        yield from _of_expression(own.value)
    else:
        yield from _of_expression(of_kind(own, Map).value)


def _of_expression(expr: Expr) -> Iterator[tuple[str, int]]:
    if isinstance(expr, Apply):
        yield expr.operation, expr.size
        for argument in expr.arguments:
            yield from _of_expression(argument)
