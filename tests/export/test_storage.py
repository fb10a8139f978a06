"""How long temporary variables keep their values around loops."""

import numpy as np
import pytest

from ltc_np.export.builder import Builder
from ltc_np.export.c.groups import grouped
from ltc_np.export.c.storage import lifetimes
from ltc_np.export.program import Program, Vector

X = Vector("x", 0, 2)
FIRST, LOOP = 0, (1, 3)  # numbers of the groups: one before the loop, three in it, one behind


@pytest.mark.parametrize(
    ("use", "lives"),
    [
        ("set before", (FIRST, LOOP[1])),
        ("read behind", (LOOP[0], 4)),
        ("handed on", LOOP),
        ("set in part", LOOP),
        ("inside", (1, 2)),
    ],
)
def test_lives(use, lives):
    """Each loop of the C text is one group, since its sums stand apart."""
    b = Builder()
    own = b.variable(2, "own")
    if use == "set before":
        b.assign(own, X * 2.0)
    else:
        b.total(X)
    with b.repeat(3):
        if use in ("set before", "handed on"):
            b.total(own)
        elif use == "set in part":
            b.assign(own[:1], X[:1] * 2.0)
        else:
            b.assign(own, X * 2.0)
        b.total(own if use == "inside" else X)
        if use == "handed on":
            b.assign(own, X * 2.0)
        else:
            b.total(X)
    b.total(own if use == "read behind" else X)
    b.end_stage("one")
    program = Program(2, 1, 0, False, np.zeros(0), tuple(b.stages))
    assert lifetimes(program, [grouped(stage.statements) for stage in program.stages])[own.name] == lives
