"""Which rows of solvers the README's command tries: of those that have a tableau, which the same code reads, the first.

`.ci/run` tries all, and a test over them is a test of whoever adds the next.
"""

import pytest

from ltc_np.kernels.codes import SOLVERS, TABLEAUS

EXPLICIT = tuple(name for name, row in SOLVERS.items() if row.limit is not None)
FURTHER = {*TABLEAUS} - {next(iter(TABLEAUS))}


def cases(names=SOLVERS):
    """Names of solvers, or of what has such a name as one of its words, as cases of a test."""
    return [pytest.param(n, marks=[pytest.mark.further] * (not FURTHER.isdisjoint(n.split()))) for n in names]
